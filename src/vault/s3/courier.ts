// Brings what is in the spool to the bucket, one thing at a time in the background: what must be there first goes first
// (small files, sealed packs, growing packs when they are due, then removals). A failure stops it for a while, longer
// with each further one (standing.ts); it never gives up. What the bucket has by now is noted (held-book.ts).
import { ShoalError, toShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'
import type { Bucket } from './bucket.js'
import { HeldBook } from './held-book.js'
import { dueAtMs } from './pace.js'
import { PACKS } from './place.js'
import type { SpoolStats } from './s3-storage.js'
import type { Held, Spool, SpooledPack } from './spool.js'
import { type BucketHealth, Standing } from './standing.js'

/** How long an addition waits for a full spool to empty: less than anybody waits for a daemon to stop. */
const ROOM_PATIENCE_MS = 10_000

export interface CourierOptions {
  readonly bucket: Bucket
  readonly spool: Spool
  readonly log: Log
  readonly maxSpoolBytes: number
  /** Asks the bucket whose it is and what it holds; done before anything else, again and again until it works. */
  readonly meet: () => Promise<Map<string, Held>>
  readonly onHealth?: (health: BucketHealth) => void
  readonly pace?: (bytes: number) => Promise<void>
  readonly nowMs?: () => number
}

/** What is known of a pack that grows. */
interface Growth {
  sentAtMs: number | undefined
  grownAtMs: number
  waitingSinceMs: number
}

type Job =
  | { readonly type: 'meet' }
  | { readonly type: 'meta' | 'pack' | 'removal'; readonly name: string }
  | { readonly type: 'wait'; readonly untilMs: number }

export class Courier {
  readonly #standing: Standing
  readonly #held: HeldBook
  readonly #o: CourierOptions
  readonly #nowMs: () => number
  readonly #stop = new AbortController()
  readonly #metas = new Set<string>()
  readonly #growth = new Map<string, Growth>()
  /** For each removal what the bucket must have first (S2): packs and their lengths. */
  readonly #barriers = new Map<string, ReadonlyMap<string, number>>()
  /** Woken by everything that is done or fails. */
  #waiters: (() => void)[] = []
  #again = false
  /** Flushes under way: everything is due. */
  #flushes = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  constructor(options: CourierOptions) {
    this.#o = options
    this.#nowMs = options.nowMs ?? (() => performance.now())
    const { bucket, spool, log } = options
    this.#held = new HeldBook(spool, log)
    this.#standing = new Standing({
      ...{ place: bucket.place, log, nowMs: this.#nowMs, onHealth: options.onHealth },
      meet: async () => this.#held.met(await options.meet()),
      spooledBytes: () => spool.bytes,
      onFailed: (retryMs) => {
        this.#sleep(retryMs, () => this.#begin())
        this.#tell()
      },
    })
  }

  get health(): BucketHealth {
    return this.#standing.health
  }

  /** @throws ShoalError what the bucket says, if the spool cannot be used without it. */
  async start(): Promise<void> {
    const { spool } = this.#o
    for (const name of await spool.metaNames()) this.#metas.add(name)
    for (const [name, { isSealed }] of spool.packs) if (!isSealed) this.#noteGrowth(name)
    // What was added before a removal is no longer known: everything that is here comes first.
    for (const name of spool.removed) this.#barriers.set(name, this.#lengths())
    try {
      await this.#standing.meet()
    } catch (thrown) {
      const error = toShoalError(thrown)
      if (error.code !== 'BUCKET_UNREACHABLE' || spool.catalogue === undefined) throw error
      this.#standing.failed(error)
      return
    }
    this.wake()
  }

  get stats(): SpoolStats {
    const { spool, maxSpoolBytes } = this.#o
    let waitingBytes = 0
    for (const [name, { bytes, isSealed }] of spool.packs)
      waitingBytes += isSealed ? bytes : Math.max(0, bytes - this.#held.sentBytes(name))
    return { bytes: spool.bytes, maxBytes: maxSpoolBytes, waitingBytes, removals: spool.removed.size }
  }

  /** Looks for work soon, if none is under way. */
  wake(): void {
    if (this.health.type === 'well') this.#begin()
  }

  grew(name: string): void {
    this.#noteGrowth(name)
    this.wake()
  }

  metaChanged(name: string): void {
    this.#metas.add(name)
    this.wake()
  }

  /** A pack is begun again under a name that is still to be removed: it replaces what is there. */
  async revive(name: string): Promise<void> {
    await this.#held.noteStale(name)
    await this.#o.spool.forgetRemoved(name)
    this.#barriers.delete(name)
  }

  /** What the bucket has of a pack will not be a beginning of it any more. To be told before the spool is. */
  noteStale(name: string): Promise<void> {
    return this.#held.noteStale(name)
  }

  /** Asks the bucket something, beside what is sent (standing.ts). */
  asking<T>(body: () => Promise<T>): Promise<T> {
    return this.#standing.asking(body)
  }

  /** The bucket has lost a pack: what is here of it is sent again. */
  async lost(name: string): Promise<void> {
    await this.#held.lost(name)
    if (this.#o.spool.packs.has(name)) this.grew(name)
  }

  /** To be told before the spool is. */
  noteRemoval(name: string): void {
    const barrier = this.#lengths()
    barrier.delete(name)
    this.#barriers.set(name, barrier)
    this.#growth.delete(name)
  }

  /**
   * Resolves when so many bytes more may be put into the spool: at once, or when enough has left it.
   * @throws ShoalError IO (isVaultFull), if it is full and nothing leaves it, or too slowly.
   */
  async room(bytes: number): Promise<void> {
    const { spool, bucket, maxSpoolBytes } = this.#o
    const endMs = performance.now() + ROOM_PATIENCE_MS
    for (;;) {
      if (spool.bytes + bytes <= maxSpoolBytes) return
      // Nothing can leave before it is sealed, which takes what is to be added now.
      if (![...spool.packs.values()].some(({ isSealed }) => isSealed)) return
      const leftMs = endMs - performance.now()
      if (this.#stop.signal.aborted || this.health.type === 'failing' || leftMs <= 0) {
        const why = this.health.type === 'failing' ? `: ${this.health.error.message}` : ''
        throw new ShoalError(
          'IO',
          `cannot store more for ${bucket.place}: its spool is full, ${maxSpoolBytes} bytes wait for the bucket${why}`,
          { details: { isVaultFull: true } },
        )
      }
      await this.#event(leftMs)
    }
  }

  /** Resolves when nothing is left to do. @throws ShoalError the first failure from now on. */
  async flush(): Promise<void> {
    this.#flushes += 1
    const failedBefore = this.#standing.failures
    try {
      while (this.#running !== undefined || this.#next().type !== 'wait' || this.#o.spool.removed.size > 0) {
        if (this.#standing.failures > failedBefore && this.health.type === 'failing') throw this.health.error
        if (this.#stop.signal.aborted)
          throw new ShoalError('BUCKET_UNREACHABLE', `cannot finish ${this.#o.bucket.place}: stopped`)
        // Whatever it waits for after a failure.
        if (this.#running === undefined) this.#begin()
        await this.#event()
      }
    } finally {
      this.#flushes -= 1
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    this.#standing.close()
    clearTimeout(this.#timer)
    this.#tell()
    await this.#running
  }

  #begin(): void {
    if (this.#stop.signal.aborted) return
    this.#again = true
    if (this.#running !== undefined) return
    clearTimeout(this.#timer)
    this.#running = this.#work().finally(() => {
      this.#running = undefined
      this.#tell()
      // Asked for between its last look and here.
      if (this.#again && this.health.type === 'well') this.#begin()
    })
  }

  async #work(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#again = false
      const job = this.#next()
      if (job.type === 'wait') {
        if (Number.isFinite(job.untilMs)) this.#sleep(job.untilMs - this.#nowMs(), () => this.wake())
        return
      }
      try {
        await this.#do(job)
        this.#standing.succeeded()
      } catch (thrown) {
        if (!this.#stop.signal.aborted) this.#standing.failed(toShoalError(thrown))
        return
      }
      this.#tell()
    }
  }

  #next(): Job {
    if (!this.#standing.hasMet) return { type: 'meet' }
    const { packs, removed } = this.#o.spool
    for (const name of this.#metas) return { type: 'meta', name }
    for (const [name, { isSealed }] of packs) if (isSealed) return { type: 'pack', name }
    const nowMs = this.#nowMs()
    let untilMs = Number.POSITIVE_INFINITY
    for (const [name, { bytes }] of packs) {
      const growth = this.#growth.get(name)
      const sentBytes = this.#held.sentBytes(name)
      if (growth === undefined || bytes === sentBytes) continue
      const dueMs = this.#flushes > 0 ? nowMs : dueAtMs({ ...growth, bytes, sentBytes })
      if (dueMs <= nowMs) return { type: 'pack', name }
      untilMs = Math.min(untilMs, dueMs)
    }
    for (const name of removed) if (this.#mayRemove(name)) return { type: 'removal', name }
    return { type: 'wait', untilMs }
  }

  async #do(job: Exclude<Job, { type: 'wait' }>): Promise<void> {
    switch (job.type) {
      case 'meet':
        return this.#standing.meet()
      case 'meta':
        return this.#sendMeta(job.name)
      case 'pack':
        return this.#sendPack(job.name)
      case 'removal':
        return this.#remove(job.name)
    }
  }

  async #sendMeta(name: string): Promise<void> {
    this.#metas.delete(name)
    try {
      const bytes = await this.#o.spool.getMeta(name)
      if (bytes !== undefined) await this.#o.bucket.putSmall(name, bytes)
    } catch (thrown) {
      this.#metas.add(name)
      throw thrown
    }
  }

  async #sendPack(name: string): Promise<void> {
    const { spool } = this.#o
    const pack = spool.packs.get(name)
    if (pack === undefined) return
    const { cuts } = pack
    try {
      await this.#sendAsItIs(name, pack)
    } catch (thrown) {
      // Compaction took it away, or a write that failed was cut off, while it was read: nothing is wrong with the bucket.
      if (spool.packs.get(name) === pack && pack.cuts === cuts) throw thrown
    }
  }

  async #sendAsItIs(name: string, pack: SpooledPack): Promise<void> {
    const { spool, bucket, log } = this.#o
    const { bytes, cuts } = pack
    const md5 = await spool.md5(name, bytes)
    const held = this.#held.of(name)
    if (held?.isStale === true || held?.bytes !== bytes || held.tag !== md5.toString('hex')) {
      const open = (): AsyncIterable<Buffer> => this.#paced(spool.chunks(name, bytes))
      const { tag } = await bucket.put({ key: PACKS + name, bytes, md5, open, signal: this.#stop.signal })
      const isStale = spool.packs.get(name) !== pack || pack.cuts !== cuts
      await this.#held.note(name, isStale ? { bytes, tag, isStale } : { bytes, tag })
      log.debug({ pack: name, bytes }, 'pack is in the bucket')
    }
    const growth = this.#growth.get(name)
    if (growth !== undefined) growth.sentAtMs = growth.waitingSinceMs = this.#nowMs()
    if (spool.packs.get(name) === pack && pack.isSealed && pack.bytes === bytes && pack.cuts === cuts) {
      await spool.drop(name)
      this.#growth.delete(name)
    }
  }

  async #remove(name: string): Promise<void> {
    await this.#o.bucket.remove(PACKS + name)
    await this.#held.note(name, undefined)
    await this.#o.spool.forgetRemoved(name)
    this.#barriers.delete(name)
  }

  async *#paced(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      await this.#o.pace?.(chunk.length)
      yield chunk
    }
  }

  /** S2. A pack that was itself removed before it was sent has passed its content on: its own removal comes first. */
  #mayRemove(name: string): boolean {
    const { packs, removed } = this.#o.spool
    for (const [before, bytes] of this.#barriers.get(name) ?? []) {
      if (removed.has(before)) return false
      if (packs.has(before) && this.#held.sentBytes(before) < Math.min(bytes, packs.get(before)!.bytes))
        return false
    }
    return true
  }

  #lengths(): Map<string, number> {
    return new Map([...this.#o.spool.packs].map(([name, { bytes }]) => [name, bytes]))
  }

  #noteGrowth(name: string): void {
    const nowMs = this.#nowMs()
    const known = this.#growth.get(name)
    const pack = this.#o.spool.packs.get(name)
    const wasSent = known === undefined || pack?.bytes === this.#held.sentBytes(name)
    this.#growth.set(name, {
      sentAtMs: known?.sentAtMs,
      grownAtMs: nowMs,
      waitingSinceMs: wasSent ? nowMs : known.waitingSinceMs,
    })
  }

  #sleep(ms: number, then: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(then, Math.max(1, Math.ceil(ms))).unref()
  }

  /** Something was done or failed, or so much time has passed. */
  async #event(mostMs = Number.POSITIVE_INFINITY): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#waiters.push(resolve)
      if (Number.isFinite(mostMs)) timer = setTimeout(resolve, mostMs)
    })
    clearTimeout(timer)
  }

  #tell(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter()
  }
}
