// One process per storage path, and one per shared directory; who is refused learns who holds it (section 9). The lock is
// the kernel's, on an open file, so it goes with its process however that ends; the file's text only tells the holder.
// Two daemons with storages of their own in one directory would put the same staged files together and clear each other's
// staging area away: files with holes would get their names.
import fs from 'node:fs'
import path from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { ShoalError } from '../core/error.js'
import { OWN_DIR } from '../core/path.js'

export interface StorageLock {
  release(): void
}

/** Creates the storage path if need be (mode 0700) and locks it. STORAGE_LOCKED, STORAGE_UNUSABLE. */
export function lockStorage(storagePath: string): StorageLock {
  const file = path.join(storagePath, 'lock')
  let fd: number
  try {
    fs.mkdirSync(storagePath, { recursive: true, mode: 0o700 })
    fd = fs.openSync(file, 'a+', 0o600)
  } catch (cause) {
    throw new ShoalError(
      'STORAGE_UNUSABLE',
      `cannot use storage path ${storagePath}: ${(cause as Error).message}`,
      { cause },
    )
  }
  if (!tryLock(fd)) {
    const holder = holderIn(fd)
    throw new ShoalError(
      'STORAGE_LOCKED',
      `storage path ${storagePath} is in use by another daemon (pid ${holder})`,
    )
  }
  return held(fd)
}

/** Creates a file if need be (mode 0600) and locks it; or the pid that holds it. Throws what the file system says, and for a link. */
export function lockFile(file: string): StorageLock | { readonly holder: string } {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = fs.constants
  const fd = fs.openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
  return tryLock(fd) ? held(fd) : { holder: holderIn(fd) }
}

/**
 * Locks a shared directory. Undefined if it has no folder of ours yet, or none that can be locked: what is wrong with it
 * is for the share to say, and not every file system has locks. SHARE_UNUSABLE if another daemon has it.
 */
export function lockDirectory(directory: string): StorageLock | undefined {
  const own = path.join(directory, OWN_DIR)
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = fs.constants
  let fd: number
  try {
    if (!fs.lstatSync(own).isDirectory()) return undefined
    fd = fs.openSync(path.join(own, 'lock'), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
  } catch {
    // Not there, read-only, a link: the share looks at the same folder and halts or tells.
    return undefined
  }
  let isOurs: boolean
  try {
    isOurs = tryLock(fd)
  } catch {
    // A file system without locks.
    fs.closeSync(fd)
    return undefined
  }
  if (!isOurs) {
    const holder = holderIn(fd)
    throw new ShoalError(
      'SHARE_UNUSABLE',
      `${directory} is in use by another process of shoal (pid ${holder})`,
    )
  }
  return held(fd)
}

/** The pid that stands in a lock file of somebody else's, which is closed. */
function holderIn(fd: number): string {
  try {
    return fs.readFileSync(fd, 'utf8').trim() || 'unknown'
  } finally {
    fs.closeSync(fd)
  }
}

function held(fd: number): StorageLock {
  try {
    fs.ftruncateSync(fd)
    fs.writeSync(fd, `${process.pid}\n`)
  } catch {
    // A full disk: the lock holds all the same, and its text is only for people.
  }
  return { release: () => fs.closeSync(fd) }
}
