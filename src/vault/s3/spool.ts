// What a vault on a bucket keeps on this machine until the bucket has it: packs that are not uploaded yet, what is to be
// removed there, and a catalogue of what the bucket is known to hold, for starting while it cannot be reached.
// Everything here is durable when its call resolves; that is what "stored" means for a vault on a bucket.
//
//   owner           who we are to the bucket: 32 hex digits
//   open/NAME       a pack that still grows
//   sealed/NAME     a pack that never changes any more and is not confirmed to be in the bucket
//   removed/NAME    empty: the pack is gone for the vault, and to be removed in the bucket
//   meta/NAME       the vault's small files
//   catalogue.json  {"format":1,"packs":{NAME:[bytes,"tag"]}}; a third `true`: stale
import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ShoalError } from '../../core/error.js'
import { storageFailed } from '../storage-error.js'

const FOLDERS = ['open', 'sealed', 'removed', 'meta'] as const
const CHUNK = 256 * 1024

/** An object of the bucket, as it was confirmed or listed last. */
export interface Held {
  readonly bytes: number
  readonly tag: string
  /** It is no beginning of the pack that is here: that was cut, or removed and begun again, since it was sent. */
  readonly isStale?: boolean
}

export interface SpooledPack {
  bytes: number
  isSealed: boolean
  /** How often it was cut since the start. */
  cuts: number
}

/** A spool is used by one storage at a time; calls that change the same pack come one after the other. */
export class Spool {
  readonly dir: string
  readonly owner: string
  readonly packs: Map<string, SpooledPack> = new Map()
  readonly removed: Set<string> = new Set()
  /** undefined: this spool has not seen its bucket yet. */
  catalogue: Map<string, Held> | undefined
  /** The pack that grows, open. */
  #tail: { name: string; file: FileHandle } | undefined

  /** Whose last append failed: behind what is known of it may lie anything. */
  #torn: string | undefined

  private constructor(dir: string, owner: string) {
    this.dir = dir
    this.owner = owner
  }

  /** Makes it if it is not there. @throws ShoalError IO */
  static async open(dir: string): Promise<Spool> {
    return inFiles(`open the spool ${dir}`, async () => {
      for (const folder of FOLDERS) fs.mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 })
      const owner = (await readIfThere(join(dir, 'owner')))?.toString('utf8').trim()
      const spool = new Spool(dir, owner ?? randomBytes(16).toString('hex'))
      if (owner === undefined) await replace(join(dir, 'owner'), Buffer.from(`${spool.owner}\n`))
      for (const name of await readdir(join(dir, 'removed'))) spool.removed.add(name)
      for (const folder of ['open', 'sealed'] as const)
        for (const name of await readdir(join(dir, folder))) {
          const file = join(dir, folder, name)
          // Left by a crash while it was fetched, or between noting a removal and removing.
          if (name.endsWith('.new') || spool.removed.has(name)) await rm(file, { force: true })
          else
            spool.packs.set(name, { bytes: (await stat(file)).size, isSealed: folder === 'sealed', cuts: 0 })
        }
      spool.catalogue = readCatalogue(await readIfThere(join(dir, 'catalogue.json')))
      return spool
    })
  }

  /** Bytes of all packs here. */
  get bytes(): number {
    let sum = 0
    for (const pack of this.packs.values()) sum += pack.bytes
    return sum
  }

  async read(name: string, offset: number, length: number): Promise<Buffer | undefined> {
    return inFiles(`read ${name}`, async () => {
      const file = await this.#openToRead(name)
      if (file === undefined) return undefined
      try {
        const bytes = Buffer.allocUnsafe(length)
        let filled = 0
        while (filled < length) {
          const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
          if (bytesRead === 0)
            throw new ShoalError('NOT_FOUND', `cannot read ${name}: it is shorter than expected`)
          filled += bytesRead
        }
        return bytes
      } finally {
        await file.close()
      }
    })
  }

  async append(name: string, parts: readonly Buffer[]): Promise<void> {
    const pack = this.packs.get(name)
    if (pack?.isSealed === true) throw new ShoalError('INTERNAL', `broken invariant: ${name} is sealed`)
    await inFiles(`append to ${name}`, async () => {
      const file = await this.#opened(name)
      let at = pack?.bytes ?? 0
      if (this.#torn === name) await file.truncate(at)
      this.#torn = name
      for (const part of parts) {
        let written = 0
        while (written < part.length) {
          const { bytesWritten } = await file.write(part, written, part.length - written, at)
          written += bytesWritten
          at += bytesWritten
        }
      }
      await file.datasync()
      this.#torn = undefined
      if (pack === undefined) {
        await syncFolder(join(this.dir, 'open'))
        this.packs.set(name, { bytes: at, isSealed: false, cuts: 0 })
      } else pack.bytes = at
    })
  }

  async truncate(name: string, bytes: number): Promise<void> {
    const pack = this.packs.get(name)
    if (pack === undefined) return
    await inFiles(`truncate ${name}`, async () => {
      const file = await this.#opened(name)
      await file.truncate(bytes)
      await file.sync()
      pack.bytes = bytes
      pack.cuts += 1
      if (this.#torn === name) this.#torn = undefined
    })
  }

  async seal(name: string): Promise<void> {
    const pack = this.packs.get(name)
    if (pack === undefined || pack.isSealed) return
    await inFiles(`seal ${name}`, async () => {
      if (this.#torn === name) await this.truncate(name, pack.bytes)
      await this.#closeTail(name)
      // In one go with the note of it: readers look for the file where the note says.
      fs.renameSync(this.#path(name, false), this.#path(name, true))
      pack.isSealed = true
      await syncFolder(join(this.dir, 'sealed'))
      await syncFolder(join(this.dir, 'open'))
    })
  }

  /** Notes the removal, then lets go of what is here. */
  async remove(name: string): Promise<void> {
    await inFiles(`remove ${name}`, async () => {
      const marker = await open(join(this.dir, 'removed', name), 'w', 0o600)
      await marker.close()
      await syncFolder(join(this.dir, 'removed'))
      this.removed.add(name)
      await this.drop(name)
    })
  }

  /** The bucket no longer has a removed pack. */
  async forgetRemoved(name: string): Promise<void> {
    await inFiles(`remove ${name}`, () => rm(join(this.dir, 'removed', name), { force: true }))
    this.removed.delete(name)
  }

  /** Lets go of a pack here: the bucket has it, or nobody wants it. */
  async drop(name: string): Promise<void> {
    const pack = this.packs.get(name)
    if (pack === undefined) return
    await this.#closeTail(name)
    this.packs.delete(name)
    await inFiles(`remove ${name}`, () => rm(this.#path(name, pack.isSealed), { force: true }))
  }

  /**
   * Puts a pack of the bucket here, so that it can grow. `chunks` yields it from its start. False, and nothing is changed, if
   * `mayReplace` says so when all has come, or the pack is being written to.
   */
  async adopt(
    name: string,
    chunks: AsyncIterable<Buffer>,
    mayReplace: () => boolean = () => true,
  ): Promise<boolean> {
    return inFiles(`fetch ${name}`, async () => {
      await this.#closeTail(name)
      const path = this.#path(name, false)
      const file = await open(`${path}.new`, 'w', 0o600)
      let bytes = 0
      try {
        for await (const chunk of chunks) {
          await file.writeFile(chunk)
          bytes += chunk.length
        }
        await file.sync()
      } finally {
        await file.close()
      }
      // From the look to the note in one go: what is added meanwhile was promised, and goes on behind what is here.
      if (!mayReplace() || this.#torn === name) {
        await rm(`${path}.new`, { force: true })
        return false
      }
      fs.renameSync(`${path}.new`, path)
      this.packs.set(name, { bytes, isSealed: false, cuts: 0 })
      await syncFolder(join(this.dir, 'open'))
      return true
    })
  }

  /** The first `bytes` of a pack, as long as it is here; it may be sealed or let go of meanwhile. */
  async *chunks(name: string, bytes: number): AsyncGenerator<Buffer> {
    const file = await this.#openToRead(name)
    if (file === undefined) throw new ShoalError('NOT_FOUND', `cannot read ${name}: it is not in the spool`)
    try {
      for (let at = 0; at < bytes; ) {
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK, bytes - at))
        const { bytesRead } = await file.read(chunk, 0, chunk.length, at)
        if (bytesRead === 0)
          throw new ShoalError('NOT_FOUND', `cannot read ${name}: it is shorter than expected`)
        at += bytesRead
        yield chunk.subarray(0, bytesRead)
      }
    } finally {
      await file.close()
    }
  }

  async md5(name: string, bytes: number): Promise<Buffer> {
    const hash = createHash('md5')
    for await (const chunk of this.chunks(name, bytes)) hash.update(chunk)
    return hash.digest()
  }

  async getMeta(name: string): Promise<Buffer | undefined> {
    return inFiles(`read ${name}`, () => readIfThere(join(this.dir, 'meta', name)))
  }

  async putMeta(name: string, bytes: Buffer): Promise<void> {
    await inFiles(`write ${name}`, () => replace(join(this.dir, 'meta', name), bytes))
  }

  async metaNames(): Promise<string[]> {
    const names = await inFiles('read the spool', () => readdir(join(this.dir, 'meta')))
    return names.filter((name) => !name.endsWith('.new'))
  }

  async saveCatalogue(catalogue: Map<string, Held>): Promise<void> {
    this.catalogue = catalogue
    const packs = Object.fromEntries(
      [...catalogue].map(([name, { bytes, tag, isStale }]) => [
        name,
        [bytes, tag, ...(isStale ? [true] : [])],
      ]),
    )
    const text = JSON.stringify({ format: 1, packs })
    await inFiles('write the catalogue', () => replace(join(this.dir, 'catalogue.json'), Buffer.from(text)))
  }

  async close(): Promise<void> {
    if (this.#tail !== undefined) await this.#closeTail(this.#tail.name)
  }

  /** undefined: it is not here, or no longer. */
  async #openToRead(name: string): Promise<FileHandle | undefined> {
    for (;;) {
      const pack = this.packs.get(name)
      if (pack === undefined) return undefined
      const { isSealed } = pack
      try {
        return await open(this.#path(name, isSealed))
      } catch (thrown) {
        // Sealed or let go of between the look and the opening; else it has been taken away from us.
        const isSame = this.packs.get(name) === pack && pack.isSealed === isSealed
        if (codeOf(thrown) !== 'ENOENT' || isSame) throw thrown
      }
    }
  }

  #path(name: string, isSealed: boolean): string {
    return join(this.dir, isSealed ? 'sealed' : 'open', name)
  }

  async #opened(name: string): Promise<FileHandle> {
    if (this.#tail?.name === name) return this.#tail.file
    if (this.#tail !== undefined) await this.#closeTail(this.#tail.name)
    const file = await open(this.#path(name, false), fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
    this.#tail = { name, file }
    return file
  }

  async #closeTail(name: string): Promise<void> {
    if (this.#tail?.name !== name) return
    const { file } = this.#tail
    this.#tail = undefined
    await file.close()
  }
}

/** A damaged catalogue is none: the bucket is asked. */
function readCatalogue(bytes: Buffer | undefined): Map<string, Held> | undefined {
  if (bytes === undefined) return undefined
  try {
    const { format, packs } = JSON.parse(bytes.toString('utf8')) as {
      format: unknown
      packs: Record<string, [number, string, boolean?]>
    }
    if (format !== 1) return undefined
    return new Map(
      Object.entries(packs).map(([name, [bytes, tag, isStale]]) => [
        name,
        isStale === true ? { bytes, tag, isStale } : { bytes, tag },
      ]),
    )
  } catch {
    // Torn by a crash, or of another version: as good as none, and what the bucket holds is listed anew.
    return undefined
  }
}

/** Replaces a file in one step, durably. */
async function replace(path: string, bytes: Buffer): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  await syncFolder(join(path, '..'))
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((thrown: unknown) => {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  })
}

async function inFiles<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw storageFailed(`cannot ${what} in the spool of the vault`, thrown)
  }
}

function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
