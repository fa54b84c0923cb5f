// Making a batch's work survive a power cut (A4): content before the names that show it, names before the report.
// A few files are made durable one by one with fsync. More of them by one syncfs(2) of the whole file system: one journal
// commit instead of hundreds. Where libc cannot be called it is coreutils' `sync -f`, and where that is missing fsync for
// each; so it is once a sync of all has failed (sync-doubt.ts). fsync, not fdatasync, because a file's mode and time must not be older than its name either.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { codeOf, type Fault, faultOf, isGone, type SafeRoot } from './safefs.js'
import { isSyncedSurely } from './sync-doubt.js'
import { syncfs } from './syncfs.js'

/**
 * Up to this many files or directories are synced one by one. An fsync costs about a millisecond here, syncfs
 * somewhat more, and it writes back what others have dirty, too: on a busy disk it pays later than the plain figures say.
 */
export const FEW: number = 32

/** The two system calls, so that tests can count them, fail them and order them. */
export interface SyncCalls {
  /** Throws what fsync(2) says. */
  fsync(fd: number): void
  /** Whether everything on the file system that the directory lies on is durable; false: use fsync for each. */
  syncFileSystem(directoryFd: number): boolean
}

let commandMissing = false

export const systemSyncCalls: SyncCalls = {
  fsync: fs.fsyncSync,
  syncFileSystem(directoryFd: number): boolean {
    const { dev } = fs.fstatSync(directoryFd)
    return isSyncedSurely(dev, () => syncfsOf(directoryFd) ?? commandOf(directoryFd)) ?? false
  },
}

/** `sync -f`. Undefined if it cannot be run. */
function commandOf(directoryFd: number): boolean | undefined {
  if (commandMissing) return undefined
  // The descriptor goes as standard input: a path could be swapped, and ours are not valid in another process.
  const { status, error } = spawnSync('sync', ['-f', '/proc/self/fd/0'], {
    stdio: [directoryFd, 'ignore', 'ignore'],
  })
  if (error !== undefined && codeOf(error) === 'ENOENT') commandMissing = true
  return status === null ? undefined : status === 0
}

/** syncfs() by way of a descriptor of the same directory that is not an O_PATH one. Undefined if that cannot be. */
function syncfsOf(directoryFd: number): boolean | undefined {
  let fd: number
  try {
    fd = fs.openSync(`/proc/self/fd/${directoryFd}`, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  } catch {
    // No descriptor left, say: if the other ways fail as well, they tell why.
    return undefined
  }
  try {
    return syncfs(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** What one batch needs to be durable. */
export class Durability {
  readonly #root: SafeRoot
  readonly #calls: SyncCalls
  readonly #anchor: string

  /** `anchor`: a directory below the root, on the file system that the work is done on. */
  constructor(root: SafeRoot, anchor: string, calls: SyncCalls = systemSyncCalls) {
    this.#root = root
    this.#anchor = anchor
    this.#calls = calls
  }

  /** Makes one open file durable, metadata too. Throws what fsync(2) says. */
  fsync(fd: number): void {
    this.#calls.fsync(fd)
  }

  /** Makes everything durable at once; false if that cannot be done here. */
  everything(): boolean {
    return this.#calls.syncFileSystem(this.#root.directory(this.#anchor))
  }

  /**
   * Makes the entries of directories and the metadata of files and directories durable. What is gone by now is left
   * out: its removal is an entry of its parent. The first Fault, or undefined when all is durable.
   */
  settle(directories: ReadonlySet<string>, files: ReadonlySet<string>): Fault | undefined {
    try {
      if (directories.size + files.size > FEW && this.everything()) return undefined
      let unreadable: unknown
      for (const path of directories) unreadable = this.#settleOne(path, true) ?? unreadable
      for (const path of files) unreadable = this.#settleOne(path, false) ?? unreadable
      if (unreadable !== undefined && !this.everything()) throw unreadable
      return undefined
    } catch (thrown) {
      return faultOf(thrown)
    }
  }

  /** What was thrown if it may not be opened for reading, which fsync needs. */
  #settleOne(path: string, isDirectory: boolean): unknown {
    let fd: number
    try {
      fd = isDirectory ? this.#root.openDirectory(path) : this.#root.open(path)
    } catch (thrown) {
      if (isGone(thrown)) return undefined
      // ELOOP: a symlink took the name; its own time is what was changed, and only syncfs reaches that.
      if (codeOf(thrown) === 'EACCES' || codeOf(thrown) === 'ELOOP') return thrown
      throw thrown
    }
    try {
      this.#calls.fsync(fd)
    } catch (thrown) {
      // Some file systems (network, FUSE) have nothing to do for a directory and say so.
      if (!isDirectory || !NO_DIRECTORY_SYNC.has(codeOf(thrown))) throw thrown
    } finally {
      fs.closeSync(fd)
    }
    return undefined
  }
}

const NO_DIRECTORY_SYNC: ReadonlySet<string> = new Set(['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EBADF'])
