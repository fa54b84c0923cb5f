// Reading files of the share for hashing and serving: never through a symlink (A1), never short without saying so, and
// without touching access times, which would cost a disk write for each file that is only looked at.
import fs from 'node:fs'
import { type DiskStat, statOf } from '../core/stat.js'
import type { CallsAt } from '../ports/calls-at.js'
import { codeOf, type SafeRoot } from './safefs.js'

/** Allowed to a file's owner and to root only; cleared for good the first time it is refused. Absent off Linux. */
let noAtimeFlag: number = fs.constants.O_NOATIME ?? 0

/** Opens a path for reading; the caller closes it. Throws as SafeRoot.open. */
export function openToRead(root: SafeRoot, path: string): FileToRead {
  const flags = fs.constants.O_RDONLY | noAtimeFlag
  const fd = root.openAt(path, flags)
  if (fd !== undefined) return new FileToRead(fd, root.calls)
  try {
    return new FileToRead(root.open(path, flags))
  } catch (thrown) {
    if (noAtimeFlag === 0 || codeOf(thrown) !== 'EPERM') throw thrown
    noAtimeFlag = 0
    return new FileToRead(root.open(path, fs.constants.O_RDONLY))
  }
}

/** A file of the share that is open. Its calls throw what node:fs does. */
export class FileToRead {
  readonly fd: number
  /** What has opened it; undefined: node. */
  readonly #calls: CallsAt | undefined

  constructor(fd: number, calls?: CallsAt) {
    this.fd = fd
    this.#calls = calls
  }

  stat(): DiskStat {
    return this.#calls?.fstat(this.fd) ?? statOf(fs.fstatSync(this.fd))
  }

  /** Fills `target` from the file's `position` on. Bytes read: fewer than asked only where the file ends. */
  readFully(target: Uint8Array, position: number): number {
    let done = 0
    while (done < target.length) {
      const count = this.#read(done === 0 ? target : target.subarray(done), position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  close(): void {
    if (this.#calls === undefined) fs.closeSync(this.fd)
    else this.#calls.close(this.fd)
  }

  #read(target: Uint8Array, position: number): number {
    return (
      this.#calls?.read(this.fd, target, position) ?? fs.readSync(this.fd, target, 0, target.length, position)
    )
  }
}
