// Goes over what a blind node holds, in the background: counts anew after what was said again, lets go what no kept moment
// needs any more, and has the vault give the space back. Only with all feeds read as far as they are known: a feed that is
// not read yet may need what the others have let go.
import type { Log } from '../../ports/log.js'
import type { CompactionOptions, CompactionReport } from '../../vault/stored.js'
import type { BlindBook } from './blind-book.js'
import type { DeadPiece } from './blind-survey.js'

/** The part of a vault (src/vault) that this needs. */
export interface LetsGo {
  drop(ids: Iterable<Buffer>): Promise<void>
  compact(options?: CompactionOptions): Promise<CompactionReport>
}

export interface BlindKeeperOptions {
  readonly book: BlindBook
  readonly vault: LetsGo
  readonly log: Log
  /** Whether everything that is known of the feeds is read. */
  readonly isCaughtUp: () => boolean
  /** Whether the vault lacks room: then little is worth compacting for. Default: no. */
  readonly isShort?: () => boolean
  /** These pieces are about to go: nobody is to ask for them any more. */
  readonly onDropping: (dead: readonly DeadPiece[]) => void
  /** Pieces were counted anew, or went. */
  readonly onChange: () => void
  readonly fail: (thrown: unknown) => void
  /** Bytes of compaction a second, read and written. */
  readonly bytesPerSecond?: number
  /** Packs with fewer dead bytes are left alone. Default: the vault's. */
  readonly minDeadBytes?: number
  /** It holds back, or does so no longer: the clock may be wrong. */
  readonly onHeldBack?: (isHeldBack: boolean) => void
  /** Milliseconds for which it holds back. Default: a day. */
  readonly holdBackMs?: number
}

/** Time alone lets things go: the policy is looked at so often. */
const EVERY_MS = 3_600_000
/** A change is counted after so long, and no sooner than this many times what the last survey took. */
const SURVEY_MS = 500
const SURVEY_COST = 20
/** Nothing is let go for a day where nothing was said or seen for a week: a clock that leapt ahead may be put right by then. */
const SILENCE_MS = 7 * 24 * 3_600_000
const HOLD_BACK_MS = 24 * 3_600_000
/** Let go at once at most. */
const DROP_PIECES = 4096
const BYTES_PER_SECOND = 20 << 20
/** What a pack has to give back on a full disk. */
const SHORT: CompactionOptions = { minDeadBytes: 1 << 20, minDeadShare: 0.05 }

export class BlindKeeper {
  readonly #o: BlindKeeperOptions
  readonly #abort = new AbortController()
  readonly #every: NodeJS.Timeout
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #tookMs = 0
  #endedMs = Number.NEGATIVE_INFINITY
  /** Something may go, or space may come back, once all feeds are read as far as they are known. */
  #isOwing = false
  /** By the clock that never goes back. */
  #holdsBackSinceMs: number | undefined

  constructor(options: BlindKeeperOptions) {
    this.#o = options
    this.#every = setInterval(() => this.#soon(0), EVERY_MS).unref()
  }

  /** Whether the counts are those of the last survey and what came since. */
  get isAtRest(): boolean {
    return !this.#o.book.isStale && this.#running === undefined
  }

  /** Something was said again, or a feed has caught up. */
  look(): void {
    const { book, isCaughtUp } = this.#o
    if (book.isStale || (this.#isOwing && isCaughtUp())) this.#soon(SURVEY_MS)
  }

  /** The policy is another. */
  renew(): void {
    this.#soon(SURVEY_MS)
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    clearInterval(this.#every)
    clearTimeout(this.#timer)
    this.#o.book.stop()
    await this.#running
  }

  #soon(delayMs: number): void {
    if (this.#timer !== undefined || this.#abort.signal.aborted) return
    const restedMs = performance.now() - this.#endedMs
    const waitMs = Math.max(delayMs, SURVEY_COST * this.#tookMs - restedMs)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#running !== undefined) return this.#soon(SURVEY_MS)
      this.#running = this.#run()
        .catch((thrown: unknown) => {
          if (!this.#abort.signal.aborted) this.#o.fail(thrown)
        })
        .finally(() => {
          this.#running = undefined
          this.look()
          this.#o.onChange()
        })
    }, waitMs).unref()
  }

  async #run(): Promise<void> {
    const { book, isCaughtUp, onChange } = this.#o
    const startMs = performance.now()
    const { dead, isComplete } = await book.survey()
    this.#endedMs = performance.now()
    this.#tookMs = this.#endedMs - startMs
    onChange()
    if (!isComplete) return
    this.#isOwing = !isCaughtUp()
    if (this.#isOwing || this.#holdsBack(dead.length > 0)) return
    book.noteStanding()
    book.condense()
    if (dead.length > 0) await this.#letGo(dead)
    await this.#compact()
  }

  /** Whether this clock may be far ahead: then all of the past would look old. */
  #holdsBack(isAnyDead: boolean): boolean {
    const { book, log, onHeldBack, holdBackMs = HOLD_BACK_MS } = this.#o
    const now = performance.now()
    const wasHolding = this.#holdsBackSinceMs !== undefined
    if (!isAnyDead || book.silenceMs <= SILENCE_MS) this.#holdsBackSinceMs = undefined
    else this.#holdsBackSinceMs ??= now
    const holds = this.#holdsBackSinceMs !== undefined && now - this.#holdsBackSinceMs < holdBackMs
    if (holds && !wasHolding)
      log.warn(
        { silenceMs: book.silenceMs },
        'nothing was heard for long, or the clock has leapt: nothing is let go yet',
      )
    if (holds !== wasHolding) onHeldBack?.(holds)
    if (!holds) this.#holdsBackSinceMs = undefined
    return holds
  }

  async #letGo(all: readonly DeadPiece[]): Promise<void> {
    const { book, vault, onDropping, log, onChange } = this.#o
    let count = 0
    for (let at = 0; at < all.length && !this.#abort.signal.aborted; at += DROP_PIECES) {
      // What was said again since the survey stays.
      const dead = book.stillDead(all.slice(at, at + DROP_PIECES))
      onDropping(dead)
      await vault.drop(dead.map(({ id }) => id))
      // And what was said again meanwhile is fetched again.
      book.recheck(dead)
      count += dead.length
    }
    log.info({ pieces: count }, 'let go what no kept moment needs')
    onChange()
  }

  async #compact(): Promise<void> {
    const { vault, log, bytesPerSecond = BYTES_PER_SECOND, minDeadBytes, isShort } = this.#o
    const { signal } = this.#abort
    const pace = (bytes: number): Promise<void> => rest((bytes / bytesPerSecond) * 1000, signal)
    try {
      const { packs, movedBytes, freedBytes } = await vault.compact({
        ...{ signal, pace },
        ...(minDeadBytes !== undefined && { minDeadBytes }),
        ...(isShort?.() === true && SHORT),
      })
      if (packs > 0) log.info({ packs, movedBytes, freedBytes }, 'compacted the vault')
    } catch (thrown) {
      // The disk is full or fails; what is there stays as it is, and it is tried again with the next survey.
      if (!signal.aborted) log.warn({ err: thrown }, 'cannot compact the vault now')
    }
  }
}

/** Ends early, and does not reject, when aborted. */
function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms < 1) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
}
