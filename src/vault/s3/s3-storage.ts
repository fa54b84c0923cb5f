// A vault's packs in a bucket. What is added lies in the spool first, durable there, and is sent in the background; what
// the bucket has for good is read from it by ranges. So the node goes on while the bucket cannot be reached, as long as
// the spool has room, and a restart at any moment goes on where it was.
//
//  S1  What append() has promised is on this machine until the bucket has confirmed it: length, and checksum where told.
//  S2  A pack is removed in the bucket only once everything that was added before its removal is there: compaction copies
//      what is alive first, and the copy must be off-site before the original goes.
//  S3  One node writes to one place: the object "owner" says which. Another one refuses to start there.
//  S4  What the bucket cannot answer now is an error that says so, never a piece that is not there.
//  S5  What the bucket has lost counts no longer once it was looked at: by a listing, and by asking for each pack that is
//      not in it, since a listing may be behind. Where the owner's object is gone, too, nothing is forgotten.
import { createHash } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { ShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'
import type { PackFile, PackStorage } from '../pack-storage.js'
import { readOnly } from '../storage-error.js'
import type { Bucket } from './bucket.js'
import { BucketLook, ofAnother, ownerOf, packsIn } from './bucket-look.js'
import { Courier } from './courier.js'
import { OWNER, PACKS } from './place.js'
import { type Held, Spool } from './spool.js'
import type { BucketHealth } from './standing.js'

export type { BucketHealth } from './standing.js'

/** Default of maxSpoolBytes: hours of a household's uplink, and a size nobody misses on a disk that holds backups. */
export const MAX_SPOOL_BYTES: number = 4 * 1024 ** 3
const ADOPT_CHUNK = 8 * 1024 * 1024

export interface S3StorageOptions {
  readonly bucket: Bucket
  /** A folder of its own on this machine; undefined: read only. */
  readonly spoolDir: string | undefined
  readonly log: Log
  /** Most that may wait here, at least two packs. Default MAX_SPOOL_BYTES. */
  readonly maxSpoolBytes?: number
  /** Told whenever the health changes. */
  readonly onHealth?: (health: BucketHealth) => void
  /** Waits until so many bytes may be sent; for upload limits. */
  readonly pace?: (bytes: number) => Promise<void>
  /** Monotonic milliseconds; default performance.now. */
  readonly nowMs?: () => number
}

/** What waits here for the bucket. */
export interface SpoolStats {
  readonly bytes: number
  readonly maxBytes: number
  /** Of them, those that the bucket does not have. */
  readonly waitingBytes: number
  readonly removals: number
}

export class S3Storage implements PackStorage {
  readonly isReadOnly: boolean
  readonly #bucket: Bucket
  readonly #spool: Spool | undefined
  readonly #courier: Courier | undefined
  /** Of a storage that is read only: what was there when it was opened. */
  readonly #seen: ReadonlyMap<string, Held>
  readonly #look: BucketLook | undefined

  private constructor(
    bucket: Bucket,
    spool: Spool | undefined,
    courier: Courier | undefined,
    seen: ReadonlyMap<string, Held>,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#bucket = bucket
    this.#spool = spool
    this.#courier = courier
    this.#seen = seen
    this.isReadOnly = spool === undefined
    if (spool === undefined || courier === undefined) return
    this.#look = new BucketLook({
      ...{ bucket, spool, nowMs },
      asking: (body) => courier.asking(body),
      lost: (name) => courier.lost(name),
    })
  }

  /**
   * With a spool that knows its bucket it opens even while that cannot be reached.
   * @throws ShoalError BUCKET_UNREACHABLE, BUCKET_REFUSED, IO
   */
  static async open(options: S3StorageOptions): Promise<S3Storage> {
    const { bucket, spoolDir } = options
    try {
      if (spoolDir === undefined) return new S3Storage(bucket, undefined, undefined, await packsIn(bucket))
      return await S3Storage.#openToWrite(options, await Spool.open(spoolDir))
    } catch (thrown) {
      bucket.close()
      throw thrown
    }
  }

  static async #openToWrite(options: S3StorageOptions, spool: Spool): Promise<S3Storage> {
    const { bucket } = options
    const courier = new Courier({
      bucket,
      spool,
      log: options.log,
      maxSpoolBytes: options.maxSpoolBytes ?? MAX_SPOOL_BYTES,
      meet: () => meet(bucket, spool),
      ...(options.onHealth === undefined ? {} : { onHealth: options.onHealth }),
      ...(options.pace === undefined ? {} : { pace: options.pace }),
      ...(options.nowMs === undefined ? {} : { nowMs: options.nowMs }),
    })
    try {
      await courier.start()
    } catch (thrown) {
      await courier.close()
      await spool.close()
      throw thrown
    }
    return new S3Storage(bucket, spool, courier, new Map(), options.nowMs)
  }

  get health(): BucketHealth {
    return this.#courier?.health ?? { type: 'well' }
  }

  get spooled(): SpoolStats | undefined {
    return this.#courier?.stats
  }

  async list(): Promise<readonly PackFile[]> {
    const sizes = new Map([...this.#remote].map(([name, { bytes }]) => [name, bytes]))
    for (const [name, { bytes }] of this.#spool?.packs ?? []) sizes.set(name, bytes)
    for (const name of this.#spool?.removed ?? []) sizes.delete(name)
    return [...sizes].map(([name, bytes]) => ({ name, bytes }))
  }

  /** S5. BUCKET_UNREACHABLE, BUCKET_REFUSED; IO if the bucket holds no vault any more. */
  async look(): Promise<void> {
    await this.#look?.look()
  }

  async read(name: string, offset: number, length: number): Promise<Buffer> {
    if (this.#spool?.removed.has(name) === true)
      throw new ShoalError('NOT_FOUND', `cannot read ${name} in ${this.#bucket.place}: it was removed`)
    return (await this.#spool?.read(name, offset, length)) ?? this.#bucket.read(PACKS + name, offset, length)
  }

  async append(name: string, bytes: readonly Buffer[]): Promise<void> {
    const { spool, courier } = this.#writing()
    await courier.room(bytes.reduce((sum, part) => sum + part.length, 0))
    if (spool.removed.has(name)) await courier.revive(name)
    else await this.#bringHere(name)
    await spool.append(name, bytes)
    courier.grew(name)
  }

  async truncate(name: string, bytes: number): Promise<void> {
    const { spool, courier } = this.#writing()
    await this.#bringHere(name)
    const held = spool.catalogue?.get(name)
    if (held !== undefined && bytes < held.bytes) await courier.noteStale(name)
    await spool.truncate(name, bytes)
    courier.grew(name)
  }

  async seal(name: string): Promise<void> {
    const { spool, courier } = this.#writing()
    await spool.seal(name)
    courier.wake()
  }

  async remove(name: string): Promise<void> {
    const { spool, courier } = this.#writing()
    if (!spool.packs.has(name) && !this.#remote.has(name)) return
    courier.noteRemoval(name)
    await spool.remove(name)
    courier.wake()
  }

  async getMeta(name: string): Promise<Buffer | undefined> {
    return (await this.#spool?.getMeta(name)) ?? this.#bucket.get(name)
  }

  async putMeta(name: string, bytes: Buffer): Promise<void> {
    const { spool, courier } = this.#writing()
    await spool.putMeta(name, bytes)
    courier.metaChanged(name)
  }

  async freeBytes(): Promise<number | undefined> {
    if (this.#spool === undefined || this.#courier === undefined) return undefined
    const { bavail, bsize } = await statfs(this.#spool.dir)
    const onDisk = bavail * bsize
    if (this.health.type === 'well') return onDisk
    const { bytes, maxBytes } = this.#courier.stats
    return Math.max(0, Math.min(onDisk, maxBytes - bytes))
  }

  /** Resolves once the bucket has all that is here now, sealed or not; rejects as soon as that fails. */
  async flush(): Promise<void> {
    await this.#courier?.flush()
  }

  /** What is not sent yet stays in the spool. */
  async close(): Promise<void> {
    await this.#courier?.close()
    await this.#spool?.close()
    this.#bucket.close()
  }

  get #remote(): ReadonlyMap<string, Held> {
    return this.#spool?.catalogue ?? this.#seen
  }

  #writing(): { spool: Spool; courier: Courier } {
    if (this.#spool === undefined || this.#courier === undefined)
      throw readOnly(`cannot change ${this.#bucket.place}`)
    return { spool: this.#spool, courier: this.#courier }
  }

  /** A pack that grows again after the spool was lost: an object cannot be added to. */
  async #bringHere(name: string): Promise<void> {
    const object = this.#remote.get(name)
    if (object === undefined || this.#spool === undefined || this.#spool.packs.has(name)) return
    await this.#spool.adopt(name, chunksOf(this.#bucket, name, object.bytes))
  }
}

/** First words with the bucket: whose it is (S3), and what it holds. */
async function meet(bucket: Bucket, spool: Spool): Promise<Map<string, Held>> {
  const found = await packsIn(bucket)
  const owner = await ownerOf(bucket)
  if (owner !== undefined && owner !== spool.owner) throw ofAnother(bucket)
  if (owner === undefined) await bucket.putSmall(OWNER, Buffer.from(`${spool.owner}\n`))
  for (const [name, object] of found) await takeLonger(bucket, spool, name, object)
  return found
}

/**
 * A spool that came from an old backup holds a shorter pack than the bucket: what is only there must not be overwritten.
 * Of what this spool has sent itself it knows the length; then it is shorter because it was cut here.
 */
async function takeLonger(bucket: Bucket, spool: Spool, name: string, object: Held): Promise<void> {
  const here = spool.packs.get(name)
  const knownBytes = spool.catalogue?.get(name)?.bytes ?? 0
  if (here === undefined || object.bytes <= here.bytes || object.bytes <= knownBytes) return
  const { bytes, cuts } = here
  // A bucket that could not be reached at the start is met while the vault is written to.
  const isAsItWas = (): boolean =>
    spool.packs.get(name) === here && here.bytes === bytes && here.cuts === cuts && !spool.removed.has(name)
  const isSame = await hasSameStart(bucket, spool, name, bytes).catch((thrown: unknown) => {
    if (isAsItWas()) throw thrown
    return false
  })
  if (isAsItWas() && !isSame)
    throw new ShoalError(
      'BUCKET_REFUSED',
      `cannot use ${bucket.place}: ${name} there and in the spool ${spool.dir} differ, both hold what the other does not; keep a copy of that spool, remove the folder and start again`,
    )
  if (isAsItWas() && (await spool.adopt(name, chunksOf(bucket, name, object.bytes), isAsItWas))) return
  if (!spool.removed.has(name)) await takeLonger(bucket, spool, name, object)
}

async function hasSameStart(bucket: Bucket, spool: Spool, name: string, bytes: number): Promise<boolean> {
  const hash = createHash('md5')
  for await (const chunk of chunksOf(bucket, name, bytes)) hash.update(chunk)
  return hash.digest().equals(await spool.md5(name, bytes))
}

async function* chunksOf(bucket: Bucket, name: string, bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; at += ADOPT_CHUNK)
    yield await bucket.read(PACKS + name, at, Math.min(ADOPT_CHUNK, bytes - at))
}
