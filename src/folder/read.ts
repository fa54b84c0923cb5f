// Reading files of the share for hashing and serving: never through a symlink (A1), never short without saying so, and
// without touching access times, which would cost a disk write for each file that is only looked at.
import fs from 'node:fs'
import { codeOf, type SafeRoot } from './safefs.js'

/** Allowed to a file's owner and to root only; cleared for good the first time it is refused. Absent off Linux. */
let noAtimeFlag: number = fs.constants.O_NOATIME ?? 0

/** Opens a path for reading; the caller closes it. Throws as SafeRoot.open. */
export function openToRead(root: SafeRoot, path: string): number {
  try {
    return root.open(path, fs.constants.O_RDONLY | noAtimeFlag)
  } catch (thrown) {
    if (noAtimeFlag === 0 || codeOf(thrown) !== 'EPERM') throw thrown
    noAtimeFlag = 0
    return root.open(path, fs.constants.O_RDONLY)
  }
}

/** Fills `target` from a file's `position` on. Bytes read: fewer than asked only where the file ends. */
export function readFully(fd: number, target: Uint8Array, position: number): number {
  let done = 0
  while (done < target.length) {
    const count = fs.readSync(fd, target, done, target.length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}
