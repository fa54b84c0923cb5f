// One process per storage path, and the one that is refused learns who holds it (section 9). The lock is the kernel's, on
// an open file, so it goes with its process however that ends; the file's text only tells the holder.
import fs from 'node:fs'
import path from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { ShoalError } from '../core/error.js'

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
    const holder = fs.readFileSync(file, 'utf8').trim()
    fs.closeSync(fd)
    throw new ShoalError(
      'STORAGE_LOCKED',
      `storage path ${storagePath} is in use by another daemon (pid ${holder || 'unknown'})`,
    )
  }
  fs.ftruncateSync(fd)
  fs.writeSync(fd, `${process.pid}\n`)
  return { release: () => fs.closeSync(fd) }
}
