// How it stands with the bucket: whether it was met since it last failed, what is wrong with it, when it is tried again.
// Promises: a failure is told once, and so is its end; whoever asks the bucket before it was met is told what is wrong
// instead; a bucket that failed is met again before anything else is done with it.
// Leaves to others: what is sent when (courier.ts), and what it says when it is met (s3-storage.ts).
import { type ShoalError, toShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'
import { retryAfterMs } from './pace.js'

/** How it stands with the bucket. */
export type BucketHealth =
  | { readonly type: 'well' }
  /** `error` says what is wrong with which bucket and what to do; it is tried again and again. */
  | { readonly type: 'failing'; readonly error: ShoalError; readonly sinceMs: number }

export interface StandingOptions {
  /** For messages. */
  readonly place: string
  readonly log: Log
  /** Asks the bucket whose it is and what it holds, and takes note of it. */
  readonly meet: () => Promise<void>
  /** For messages: what waits here. */
  readonly spooledBytes: () => number
  /** It has failed, once more perhaps: to be tried again after so long. */
  readonly onFailed: (retryMs: number) => void
  readonly onHealth?: ((health: BucketHealth) => void) | undefined
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
}

export class Standing {
  readonly #o: StandingOptions
  #health: BucketHealth = { type: 'well' }
  #hasMet = false
  #isOver = false
  /** In a row. */
  #failures = 0
  #failedEver = 0

  constructor(options: StandingOptions) {
    this.#o = options
  }

  get health(): BucketHealth {
    return this.#health
  }

  /** False: nothing is known of it until meet(). */
  get hasMet(): boolean {
    return this.#hasMet
  }

  /** Since the start. */
  get failures(): number {
    return this.#failedEver
  }

  /** Rejects with what the bucket says. */
  async meet(): Promise<void> {
    await this.#o.meet()
    this.#hasMet = true
  }

  /**
   * Asks the bucket something beside whatever is sent. BUCKET_UNREACHABLE before it was met; what it says of itself is its
   * health, and it is met again then.
   */
  async asking<T>(body: () => Promise<T>): Promise<T> {
    if (!this.#hasMet && this.#health.type === 'failing') throw this.#health.error
    try {
      return await body()
    } catch (thrown) {
      const error = toShoalError(thrown)
      const isOfBucket = error.code === 'BUCKET_UNREACHABLE' || error.code === 'BUCKET_REFUSED'
      if (isOfBucket && this.#health.type === 'well' && !this.#isOver) {
        this.#hasMet = false
        this.failed(error)
      }
      throw thrown
    }
  }

  failed(error: ShoalError): void {
    const { log, nowMs, spooledBytes, onFailed } = this.#o
    this.#failures += 1
    this.#failedEver += 1
    if (this.#health.type === 'well')
      log.warn(
        { code: error.code, reason: error.message, spooledBytes: spooledBytes() },
        'the bucket fails: what is stored waits in the spool, and is sent when it answers again',
      )
    const sinceMs = this.#health.type === 'failing' ? this.#health.sinceMs : nowMs()
    this.#set({ type: 'failing', error, sinceMs })
    onFailed(retryAfterMs(this.#failures, Math.random()))
  }

  succeeded(): void {
    this.#failures = 0
    if (this.#health.type === 'well') return
    this.#o.log.info({ bucket: this.#o.place }, 'the bucket answers again')
    this.#set({ type: 'well' })
  }

  /** What is asked for from now on and fails says nothing of the bucket. */
  close(): void {
    this.#isOver = true
  }

  #set(health: BucketHealth): void {
    this.#health = health
    this.#o.onHealth?.(health)
  }
}
