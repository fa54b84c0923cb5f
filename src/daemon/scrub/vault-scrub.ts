// Looks for damage in the vault of a blind share: every frame of every pack is read and hashed, on a schedule or when somebody
// asks. What is damaged the vault forgets and tells of itself, so that it is fetched again (src/vault); here it is only seen
// to that all of it is read. A pass that was cut off begins anew.
import type { EventFact } from '../../control/schema-events.js'
import { ShoalError, toShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'
import type { Database } from '../../store/tables.js'
import type { Vault } from '../../vault/vault.js'
import type { ScrubSummary } from './scrub.js'
import { NO_COUNTS, type ScrubEnded, type ScrubPass, ScrubState } from './scrub-state.js'

export interface VaultScrubOptions {
  readonly vault: () => Pick<Vault, 'verify'> | undefined
  readonly database: Database
  readonly prefix: string
  readonly nowMs: () => number
  /** Milliseconds from one pass to the next; 0: only when asked. */
  readonly everyMs: number
  readonly log: Log
  readonly note: (fact: EventFact) => void
  readonly fail: (thrown: unknown) => void
  /** Milliseconds between two looks whether a pass is due. */
  readonly tickMs?: number
}

const TICK_MS = 60_000
/** A pass that could not be ended is begun anew no sooner: it reads all of the vault, which a bucket is paid for. */
const AGAIN_MS = 3_600_000
/** Between two looks of a pass that nobody waits for; it reads some megabytes in between. */
const REST_MS = 50

export class VaultScrub {
  readonly #o: VaultScrubOptions
  readonly #state: ScrubState
  readonly #stopping = new AbortController()
  #everyMs: number
  #pass: ScrubPass | undefined
  #running: Promise<ScrubEnded | undefined> | undefined
  #waiting = 0
  /** By the clock that never goes back. */
  #notBeforeMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: VaultScrubOptions) {
    this.#o = options
    this.#everyMs = options.everyMs
    this.#state = new ScrubState(options.database, options.prefix)
  }

  start(): void {
    this.#state.firstMs(this.#o.nowMs())
    this.#timer = setInterval(() => {
      const isDue =
        this.#everyMs > 0 && this.#dueMs() <= this.#o.nowMs() && performance.now() >= this.#notBeforeMs
      if (isDue && this.#running === undefined && this.#o.vault() !== undefined)
        void this.#run().catch((thrown: unknown) => this.#failed(thrown))
    }, this.#o.tickMs ?? TICK_MS).unref()
  }

  set everyMs(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** Reads all packs. SHARE_HALTED while the vault is not open, or if it closes meanwhile. */
  async verify(): Promise<ScrubEnded> {
    this.#waiting++
    try {
      const ended = this.#o.vault() === undefined ? undefined : await this.#run()
      if (ended !== undefined) return ended
      throw new ShoalError('SHARE_HALTED', 'the vault is not open')
    } finally {
      this.#waiting--
    }
  }

  get summary(): ScrubSummary {
    const { last, totals } = this.#state
    const dueMs = this.#everyMs === 0 ? undefined : this.#dueMs()
    return { pass: this.#pass, last, everyMs: this.#everyMs, dueMs, open: [], ...totals }
  }

  /** Damaged frames were found, by a pass or by whoever read them, and some are back. */
  count(found: number, repaired: number): void {
    const { totals } = this.#state
    this.#state.totals = { found: totals.found + found, repaired: totals.repaired + repaired }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort()
    // That it failed was told to whoever asked for it.
    await this.#running?.catch(() => undefined)
  }

  #dueMs(): number {
    return (this.#state.last?.startedMs ?? this.#state.firstMs(this.#o.nowMs())) + this.#everyMs
  }

  /** A bucket that does not answer, or a disk that is away, is no bug: nothing of the vault is damaged. */
  #failed(thrown: unknown): void {
    const { code } = toShoalError(thrown)
    if (code === 'INTERNAL') return this.#o.fail(thrown)
    this.#o.log.warn({ err: thrown }, 'cannot verify the vault now; it is tried again in an hour')
    this.#notBeforeMs = performance.now() + AGAIN_MS
  }

  #run(): Promise<ScrubEnded | undefined> {
    this.#running ??= this.#go().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #go(): Promise<ScrubEnded | undefined> {
    const { vault, nowMs, log, note } = this.#o
    const startedMs = nowMs()
    this.#pass = { startedMs, after: undefined, ...NO_COUNTS }
    try {
      const report = await vault()!.verify({
        signal: this.#stopping.signal,
        onProgress: () => (this.#waiting > 0 ? undefined : this.#rest()),
      })
      if (!report.isComplete) return undefined
      const { frames: files, bytes, damaged } = report
      const last = { ...NO_COUNTS, startedMs, endedMs: nowMs(), files, bytes, damaged: damaged.length }
      this.#state.last = last
      log.info({ frames: files, bytes, damaged: damaged.length }, 'verified')
      note({ type: 'verified', files, bytes, damaged: damaged.length })
      return last
    } finally {
      this.#pass = undefined
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, this.#stopping.signal.aborted ? 0 : REST_MS)
    })
  }
}
