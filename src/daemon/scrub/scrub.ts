// Looks for damage on a share's disk (`shoal verify`, `scrub`): passes over all that this node holds, on a schedule or when
// somebody asks, one at a time; each goes on where it was when the process ended. What is found is the DamageBook's.
import type { EventFact } from '../../control/schema-events.js'
import { ShoalError } from '../../core/error.js'
import type { RelPath } from '../../core/path.js'
import type { ScrubSection } from '../../core/scrub-section.js'
import type { Database } from '../../store/tables.js'
import type { ShareContext } from '../share/context.js'
import type { EndedDrift } from '../share/local-drift.js'
import { DamageBook, type OpenDamage } from './damage-book.js'
import { FilePass } from './file-pass.js'
import { NO_COUNTS, type ScrubEnded, type ScrubPass, ScrubState } from './scrub-state.js'

export interface ScrubOptions {
  readonly context: ShareContext
  readonly database: Database
  readonly prefix: string
  readonly nowMs: () => number
  /** Milliseconds from one pass to the next; 0: only when asked. */
  readonly everyMs: number
  readonly note: (fact: EventFact) => void
  readonly rescan: (directories: readonly (RelPath | '')[]) => void
  /** Something is to be fetched. */
  readonly onDamage: () => void
  /** What members are told of it is another. */
  readonly onChange: () => void
  /** Throws if nothing must be read now. */
  readonly mustRun: () => void
  /** How often it is looked whether a pass is due; for tests. */
  readonly tickMs?: number
}

export interface ScrubSummary {
  /** Under way. */
  readonly pass: ScrubPass | undefined
  /** The last one that came to its end. */
  readonly last: ScrubEnded | undefined
  readonly everyMs: number
  /** When the next one is due, milliseconds since 1970; undefined: only when asked. */
  readonly dueMs: number | undefined
  readonly open: readonly OpenDamage[]
  readonly found: number
  readonly repaired: number
}

const TICK_MS = 60_000
/** What is written down of a pass is at most so old: after a crash that much is read twice. */
const SAVE_MS = 5000
/** A pass that nobody waits for rests for as long as it reads: half of the disk's time is for others. */
const RESTS = 1
const MAX_REST_MS = 5000

export class Scrub {
  readonly #o: ScrubOptions
  readonly #state: ScrubState
  readonly #book: DamageBook
  readonly #stopping = new AbortController()
  #everyMs: number
  #pass: ScrubPass | undefined
  #running: Promise<ScrubEnded | undefined> | undefined
  /** How many wait for the pass: then it does not rest. */
  #waiting = 0
  #rest: { readonly timer: NodeJS.Timeout; readonly end: () => void } | undefined
  #timer: NodeJS.Timeout | undefined
  #savedMs = 0

  constructor(options: ScrubOptions) {
    const { database, prefix, context, nowMs, onDamage, onChange } = options
    this.#o = options
    this.#everyMs = options.everyMs
    this.#state = new ScrubState(database, prefix)
    this.#book = new DamageBook({
      ...{ context, nowMs, state: this.#state },
      onChange: () => {
        onDamage()
        onChange()
      },
    })
  }

  /** Goes on with what an earlier run had begun, and looks from now on whether a pass is due. */
  start(): void {
    this.#state.firstMs(this.#o.nowMs())
    this.#book.start()
    this.#timer = setInterval(() => this.#tick(), this.#o.tickMs ?? TICK_MS).unref()
  }

  /** From now on; 0: only when asked. */
  set everyMs(everyMs: number) {
    this.#everyMs = everyMs
  }

  /**
   * Reads all that this disk holds, with the pass that is under way if there is one. Resolves with what came of it.
   * SHARE_HALTED, also if it is halted or stopped meanwhile.
   */
  async verify(): Promise<ScrubEnded> {
    this.#o.mustRun()
    this.#waiting++
    this.#rest?.end()
    try {
      const ended = await this.#run()
      if (ended !== undefined) return ended
      this.#o.mustRun()
      throw new ShoalError('SHARE_HALTED', `${this.#o.context.root}: verifying was interrupted`)
    } finally {
      this.#waiting--
    }
  }

  /** Something was put over what was damaged; false: it was not. Call inside the transaction that notes it. */
  noteEnded(ended: EndedDrift): boolean {
    return this.#book.noteEnded(ended)
  }

  get summary(): ScrubSummary {
    const { last, totals } = this.#state
    const dueMs = this.#everyMs === 0 ? undefined : this.#dueMs()
    return { pass: this.#pass, last, everyMs: this.#everyMs, dueMs, open: this.#book.open, ...totals }
  }

  /** What members are told. */
  get section(): ScrubSection {
    const { last, open, found, repaired } = this.summary
    return {
      lastMs: last?.endedMs ?? 0,
      files: last?.files ?? 0,
      bytes: last?.bytes ?? 0,
      found,
      repaired,
      open: open.length,
      openBytes: open.reduce((sum, { bytes }) => sum + bytes, 0),
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort()
    this.#rest?.end()
    // That it failed was told to whoever asked for it.
    await this.#running?.catch(() => undefined)
  }

  #dueMs(): number {
    return (this.#state.last?.startedMs ?? this.#state.firstMs(this.#o.nowMs())) + this.#everyMs
  }

  #tick(): void {
    if (this.#running !== undefined || this.#o.context.haltReason() !== undefined) return
    const isDue = this.#everyMs > 0 && this.#dueMs() <= this.#o.nowMs()
    if (isDue || this.#state.pass !== undefined)
      void this.#run().catch((thrown) => this.#o.context.fail(thrown))
  }

  #run(): Promise<ScrubEnded | undefined> {
    this.#running ??= this.#go().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #go(): Promise<ScrubEnded | undefined> {
    const { context, nowMs, rescan, note, onChange } = this.#o
    const begun = this.#state.pass ?? { startedMs: nowMs(), after: undefined, ...NO_COUNTS }
    const { startedMs, after, ...counts } = begun
    this.#pass = begun
    this.#state.pass = begun
    context.log.info({ since: new Date(startedMs).toISOString() }, 'verifying all that this disk holds')
    try {
      const done = await new FilePass({
        ...{ context, after, counts, rescan, signal: this.#stopping.signal },
        onDamage: (found) => this.#book.add(found),
        onBatch: (at, so, tookMs) => this.#onBatch({ startedMs, after: at, ...so }, tookMs),
      }).run()
      if (done === undefined) {
        // Still to be done, after an approval or a restart.
        this.#state.pass = this.#pass
        return undefined
      }
      const last = { startedMs, endedMs: nowMs(), ...done }
      this.#state.last = last
      this.#state.pass = undefined
      context.log.info({ ...done }, 'verified')
      note({ type: 'verified', files: done.files, bytes: done.bytes, damaged: done.damaged })
      onChange()
      return last
    } finally {
      this.#pass = undefined
    }
  }

  async #onBatch(pass: ScrubPass, tookMs: number): Promise<void> {
    this.#pass = pass
    const now = performance.now()
    if (now - this.#savedMs > SAVE_MS) {
      this.#savedMs = now
      this.#state.pass = pass
    }
    if (this.#waiting > 0 || this.#stopping.signal.aborted) return
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#rest = undefined
        resolve()
      }
      const timer = setTimeout(end, Math.min(MAX_REST_MS, tookMs * RESTS))
      this.#rest = { timer, end }
    })
  }
}
