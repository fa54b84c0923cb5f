// Looks whether the bucket still holds what it was sent (S5): whose it is, what a listing names, and each pack once more that is
// not in it or is shorter there, since a listing may be behind.
// Promises: one look at a time, shared by all who ask meanwhile, and its answer lasts LOOK_LASTS_MS: a listing is a request for
// each 1,000 packs, and members may ask often. Where the owner's object is gone or another's, nothing counts as lost.
import { ShoalError, toShoalError } from '../../core/error.js'
import { packNumber } from '../pack-storage.js'
import type { Bucket } from './bucket.js'
import { OWNER, PACKS } from './place.js'
import type { Held, Spool } from './spool.js'

const LOOK_LASTS_MS = 10_000

export interface BucketLookOptions {
  readonly bucket: Bucket
  readonly spool: Pick<Spool, 'catalogue' | 'owner' | 'removed'>
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
  /** Runs what asks the bucket; what it says of itself is its health. */
  readonly asking: (body: () => Promise<void>) => Promise<void>
  /** The bucket has lost a pack. */
  readonly lost: (name: string) => Promise<void>
}

export class BucketLook {
  readonly #o: BucketLookOptions
  #lookedMs = Number.NEGATIVE_INFINITY
  #underway: Promise<void> | undefined

  constructor(options: BucketLookOptions) {
    this.#o = options
  }

  /** BUCKET_UNREACHABLE, BUCKET_REFUSED; IO if the bucket holds no vault any more. */
  async look(): Promise<void> {
    if (this.#underway === undefined && this.#o.nowMs() - this.#lookedMs < LOOK_LASTS_MS) return
    this.#underway ??= this.#look().finally(() => {
      this.#underway = undefined
    })
    await this.#underway
  }

  async #look(): Promise<void> {
    const { bucket, spool, nowMs, asking, lost } = this.#o
    const beganMs = nowMs()
    await asking(async () => {
      const before = spool.catalogue ?? new Map<string, Held>()
      await mustBeOurs(bucket, spool)
      const found = await packsIn(bucket)
      for (const [name, held] of before) {
        const isKnown = (): boolean =>
          held.isStale !== true && spool.catalogue?.get(name) === held && !spool.removed.has(name)
        if (!isKnown() || (found.get(name)?.bytes ?? 0) >= held.bytes) continue
        if (!(await isThere(bucket, name, held.bytes)) && isKnown()) await lost(name)
      }
    })
    this.#lookedMs = beganMs
  }
}

/** What a listing names of packs. */
export async function packsIn(bucket: Bucket): Promise<Map<string, Held>> {
  const objects = await bucket.list(PACKS)
  return new Map(
    objects
      .map(({ key, bytes, tag }) => [key.slice(PACKS.length), { bytes, tag }] as const)
      .filter(([name]) => packNumber(name) !== undefined),
  )
}

/** Who keeps a vault there; undefined: nobody. */
export async function ownerOf(bucket: Bucket): Promise<string | undefined> {
  return (await bucket.get(OWNER))?.toString('utf8').trim()
}

/** S3. */
export function ofAnother({ place }: Bucket): ShoalError {
  return new ShoalError(
    'BUCKET_REFUSED',
    `cannot use ${place}: another node keeps its vault there; give this one a prefix of its own, or, if that node is gone for ever, delete the object "${OWNER}" there`,
  )
}

/** Rejects where the bucket holds another's vault, or none. */
async function mustBeOurs(bucket: Bucket, { owner }: Pick<Spool, 'owner'>): Promise<void> {
  const found = await ownerOf(bucket)
  if (found === owner) return
  if (found !== undefined) throw ofAnother(bucket)
  throw new ShoalError(
    'IO',
    `the vault is not in ${bucket.place} any more: the object "${OWNER}" is gone; what is lost there is sent and fetched anew when the daemon is started again`,
  )
}

async function isThere(bucket: Bucket, name: string, bytes: number): Promise<boolean> {
  try {
    await bucket.read(PACKS + name, bytes - 1, 1)
    return true
  } catch (thrown) {
    if (toShoalError(thrown).code !== 'NOT_FOUND') throw thrown
    return false
  }
}
