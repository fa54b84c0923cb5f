// Packs in a folder:
//   FOLDER/vault.json         small files of the vault
//   FOLDER/vault.lock         held while it is written to: one process at a time
//   FOLDER/packs/NNNNNNNN.pack
// All are readable by their owner alone. For reading alone nothing is locked, made or changed.
import { randomBytes } from 'node:crypto'
import {
  constants,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  statfs,
  unlink,
} from 'node:fs/promises'
import { join } from 'node:path'
import { tryLock } from 'fs-native-extensions'
import { ShoalError } from '../core/error.js'
import { forgetCached } from '../ports/page-cache.js'
import { type PackFile, type PackStorage, packNumber } from './pack-storage.js'
import { lessThere, readOnly, storageFailed } from './storage-error.js'

const PACKS = 'packs'
const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
/** As long as the header of a pack, which is read first. */
const NO_FILE_BYTES = 64
const MAX_META_BYTES = 64 * 1024

export class FolderStorage implements PackStorage {
  readonly isReadOnly: boolean
  readonly #folder: string
  readonly #lock: FileHandle | undefined
  #tail: { readonly name: string; readonly handle: FileHandle; bytes: number } | undefined

  private constructor(folder: string, lock: FileHandle | undefined) {
    this.#folder = folder
    this.#lock = lock
    this.isReadOnly = lock === undefined
  }

  /**
   * Opens a vault's folder, which is made if need be (its parent must be there). STORAGE_LOCKED if another process writes
   * to it; IO if it cannot be used.
   */
  static async open(folder: string): Promise<FolderStorage> {
    try {
      await mkdirDurably(folder)
      await mkdirDurably(join(folder, PACKS))
      const lock = await open(join(folder, 'vault.lock'), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
      if (await isLocked(lock)) return new FolderStorage(folder, lock)
      await lock.close()
    } catch (thrown) {
      throw storageFailed(`cannot use the vault in ${folder}`, thrown)
    }
    throw new ShoalError('STORAGE_LOCKED', `the vault in ${folder} is in use by another process`)
  }

  /** For reading alone, where it lies: a copy on any medium will do. NOT_FOUND if the folder is not there. */
  static async openReadOnly(folder: string): Promise<FolderStorage> {
    try {
      await readdir(folder)
    } catch (thrown) {
      throw storageFailed(`cannot read the vault in ${folder}`, thrown)
    }
    return new FolderStorage(folder, undefined)
  }

  async list(): Promise<readonly PackFile[]> {
    try {
      const names = (await this.#packNames()).filter((name) => packNumber(name) !== undefined)
      const packs: PackFile[] = []
      for (const name of names) {
        const size = await this.#sizeOf(name)
        if (size !== undefined) packs.push({ name, bytes: size })
      }
      return packs
    } catch (thrown) {
      throw storageFailed(`cannot list the packs in ${this.#folder}`, thrown)
    }
  }

  /** Undefined: it went meanwhile. Of what is no file, more than nothing: whoever reads it hears that, and does not take it for torn. */
  async #sizeOf(name: string): Promise<number | undefined> {
    try {
      const found = await lstat(join(this.#folder, PACKS, name))
      return found.isFile() ? found.size : Math.max(found.size, NO_FILE_BYTES)
    } catch (thrown) {
      if (isMissing(thrown)) return undefined
      throw thrown
    }
  }

  async #packNames(): Promise<string[]> {
    try {
      return await readdir(join(this.#folder, PACKS))
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown
      // None yet; or the whole folder is gone.
      await readdir(this.#folder)
      return []
    }
  }

  async read(name: string, offset: number, length: number): Promise<Buffer> {
    const what = `cannot read pack ${name} in ${this.#folder}`
    const bytes = Buffer.allocUnsafeSlow(length)
    try {
      // Opened for each read: one is a batch of pieces, and nothing has to know when to close it.
      const handle = await open(join(this.#folder, PACKS, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      try {
        for (let done = 0; done < length; ) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
          if (bytesRead === 0) throw lessThere(what)
          done += bytesRead
        }
      } finally {
        await handle.close()
      }
      return bytes
    } catch (thrown) {
      throw storageFailed(what, thrown)
    }
  }

  fileOf(name: string): string {
    return join(this.#folder, PACKS, name)
  }

  async append(name: string, bytes: readonly Buffer[]): Promise<void> {
    this.#mayChange(`cannot write pack ${name}`)
    try {
      const tail = await this.#writing(name, O_CREAT)
      const end = tail.bytes + bytes.reduce((sum, part) => sum + part.length, 0)
      await writeAll(tail.handle, bytes, tail.bytes)
      await tail.handle.datasync()
      await this.#checkName(name, end)
      // What was stored is not read soon: it is not to push out of memory what this machine's other programs read (borg's too).
      await forgetCached(tail.handle.fd, tail.bytes, end - tail.bytes)
      tail.bytes = end
    } catch (thrown) {
      throw storageFailed(`cannot write pack ${name} in ${this.#folder}`, thrown)
    }
  }

  async truncate(name: string, bytes: number): Promise<void> {
    this.#mayChange(`cannot cut pack ${name}`)
    try {
      const tail = await this.#writing(name, 0)
      if (tail.bytes < bytes) throw lessThere(`cannot cut pack ${name} in ${this.#folder}`)
      await tail.handle.truncate(bytes)
      await tail.handle.datasync()
      tail.bytes = bytes
    } catch (thrown) {
      throw storageFailed(`cannot cut pack ${name} in ${this.#folder}`, thrown)
    }
  }

  async seal(name: string): Promise<void> {
    this.#mayChange(`cannot seal pack ${name}`)
    if (this.#tail?.name === name) await this.#closeTail()
  }

  async remove(name: string): Promise<void> {
    this.#mayChange(`cannot remove pack ${name}`)
    try {
      if (this.#tail?.name === name) await this.#closeTail()
      await unlink(join(this.#folder, PACKS, name))
      await syncFolder(join(this.#folder, PACKS))
    } catch (thrown) {
      if (isMissing(thrown)) return
      throw storageFailed(`cannot remove pack ${name} in ${this.#folder}`, thrown)
    }
  }

  async getMeta(name: string): Promise<Buffer | undefined> {
    try {
      // Not blocked by what is no file, whoever put it there.
      const handle = await open(join(this.#folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      try {
        const found = await handle.stat()
        if (!found.isFile() || found.size > MAX_META_BYTES)
          throw new ShoalError('IO', `cannot read ${name} in ${this.#folder}: it is no file of a vault`)
        return await handle.readFile()
      } finally {
        await handle.close()
      }
    } catch (thrown) {
      if (isMissing(thrown)) return undefined
      throw storageFailed(`cannot read ${name} in ${this.#folder}`, thrown)
    }
  }

  async putMeta(name: string, bytes: Buffer): Promise<void> {
    this.#mayChange(`cannot write ${name}`)
    const file = join(this.#folder, name)
    const temporary = `${file}.${randomBytes(4).toString('hex')}.new`
    try {
      const handle = await open(temporary, 'wx', 0o600)
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(temporary, file)
      await syncFolder(this.#folder)
    } catch (thrown) {
      await rm(temporary, { force: true })
      throw storageFailed(`cannot write ${name} in ${this.#folder}`, thrown)
    }
  }

  async freeBytes(): Promise<number | undefined> {
    try {
      const { bavail, bsize } = await statfs(this.#folder)
      return bavail * bsize
    } catch (thrown) {
      throw storageFailed(`cannot use the vault in ${this.#folder}`, thrown)
    }
  }

  async close(): Promise<void> {
    await this.#closeTail()
    await this.#lock?.close()
  }

  #mayChange(what: string): void {
    if (this.isReadOnly) throw readOnly(what)
  }

  /** What is written to a file that nothing leads to any more, since somebody moved or removed it, is lost with the process. */
  async #checkName(name: string, bytes: number): Promise<void> {
    const size = await this.#sizeOf(name)
    if (size !== undefined && size >= bytes) return
    // Looked for anew the next time.
    await this.#closeTail()
    throw lessThere(`cannot write pack ${name} in ${this.#folder}, which was moved or removed`)
  }

  async #writing(name: string, make: number): Promise<{ handle: FileHandle; bytes: number }> {
    if (this.#tail?.name === name) return this.#tail
    await this.#closeTail()
    const handle = await open(join(this.#folder, PACKS, name), O_RDWR | make | O_NOFOLLOW, 0o600)
    this.#tail = { name, handle, bytes: (await handle.stat()).size }
    await syncFolder(join(this.#folder, PACKS))
    return this.#tail
  }

  async #closeTail(): Promise<void> {
    const tail = this.#tail
    this.#tail = undefined
    await tail?.handle.close()
  }
}

/** A short write is not the end: a disk that is nearly full says so in its answer only. */
async function writeAll(handle: FileHandle, parts: readonly Buffer[], position: number): Promise<void> {
  let at = position
  let left = parts.filter((part) => part.length > 0)
  while (left.length > 0) {
    const { bytesWritten } = await handle.writev(left, at)
    at += bytesWritten
    left = after(left, bytesWritten)
  }
}

function after(parts: readonly Buffer[], bytes: number): Buffer[] {
  let skipped = bytes
  const rest: Buffer[] = []
  for (const part of parts) {
    if (skipped < part.length) rest.push(part.subarray(skipped))
    skipped = Math.max(0, skipped - part.length)
  }
  return rest
}

/** False: another process holds it. A file system without locks has none to hold. */
async function isLocked(lock: FileHandle): Promise<boolean> {
  try {
    return tryLock(lock.fd)
  } catch {
    // It throws where locks are not supported (some network mounts): there is nothing to wait for then.
    return true
  }
}

async function mkdirDurably(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST') return
    throw thrown
  }
  await syncFolder(join(folder, '..'))
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'
}
