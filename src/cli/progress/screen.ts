// Where progress is shown: a line that is drawn again and again on a terminal, plain lines every few seconds where
// standard error is none, nothing with --quiet, and no plain lines with --json. Promises: what takes a moment shows
// nothing; what a command prints never stands in the middle of a line of progress; when the work is over the line is gone.
import { formatLine, formatPlain, type Measure } from './measure.js'
import { Rate } from './rate.js'

/** What the commands see. */
export interface Progress {
  /** Tells how far the work is; may be called as often as anything moves. */
  update(measure: Measure): void
}

export interface ScreenOptions {
  /** Writes to standard error. */
  readonly write: (text: string) => void
  /** Columns of the terminal; undefined: it is none. */
  readonly columns: () => number | undefined
  readonly clock?: ScreenClock
}

export interface ScreenClock {
  /** Monotonic, milliseconds. */
  now(): number
  /** Calls until the returned function is called. */
  every(ms: number, call: () => void): () => void
}

/** What is shown; the one that began last is drawn. */
interface Work {
  readonly label: string
  readonly startMs: number
  rate: Rate
  measure: Measure | undefined
}

/** Shorter work flashes. */
const LINE_DELAY_MS = 600
const PLAIN_DELAY_MS = 3000
/** Between plain lines: a log of an hour's work is 720 lines. */
const PLAIN_EVERY_MS = 5000
const TICK_MS = 100
const CLEAR = '\r\u001b[K'

export class ProgressScreen {
  readonly #options: ScreenOptions
  readonly #clock: ScreenClock
  readonly #works: Work[] = []
  #stop: (() => void) | undefined
  #drawn = ''
  #plainAtMs = Number.NEGATIVE_INFINITY
  /** 'lines': a terminal or not; 'terminal': only on one; 'off': never. */
  mode: 'lines' | 'terminal' | 'off' = 'lines'

  constructor(options: ScreenOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** Whether any of it would be seen. */
  get isShown(): boolean {
    return this.mode === 'lines' || (this.mode === 'terminal' && this.#options.columns() !== undefined)
  }

  /** Shows that something is under way until what it gives has settled. */
  async show<T>(label: string, work: (progress: Progress) => Promise<T>): Promise<T> {
    const { progress, end } = this.begin(label)
    try {
      return await work(progress)
    } finally {
      end()
    }
  }

  /** The same for what ends elsewhere. */
  begin(label: string): { readonly progress: Progress; end(): void } {
    const work: Work = { label, startMs: this.#clock.now(), rate: new Rate(), measure: undefined }
    this.#works.push(work)
    this.#stop ??= this.#clock.every(TICK_MS, () => this.#draw())
    const update = (measure: Measure): void => {
      // Another thing is counted now: the old rate says nothing of it.
      if (work.measure !== undefined && work.measure.unit !== measure.unit) work.rate = new Rate()
      work.measure = measure
      work.rate.note(this.#clock.now(), measure.done)
    }
    const end = (): void => {
      this.#works.splice(this.#works.indexOf(work), 1)
      this.clear()
      if (this.#works.length > 0) return
      this.#stop?.()
      this.#stop = undefined
    }
    return { progress: { update }, end }
  }

  /** Makes room for what is about to be printed; the line comes back if the work goes on. */
  clear(): void {
    if (this.#drawn === '') return
    this.#drawn = ''
    this.#options.write(CLEAR)
  }

  #draw(): void {
    const work = this.#works.at(-1)
    if (work === undefined || !this.isShown) return
    const nowMs = this.#clock.now()
    const elapsedMs = nowMs - work.startMs
    const shown = { ...work, elapsedMs }
    const columns = this.#options.columns()
    if (columns !== undefined) {
      if (elapsedMs < LINE_DELAY_MS) return
      const line = formatLine(shown, columns)
      if (line === this.#drawn) return
      this.#drawn = line
      this.#options.write(`${CLEAR}${line}`)
      return
    }
    if (elapsedMs < PLAIN_DELAY_MS || nowMs - this.#plainAtMs < PLAIN_EVERY_MS) return
    this.#plainAtMs = nowMs
    this.#options.write(`${formatPlain(shown)}\n`)
  }
}

const systemClock: ScreenClock = {
  now: () => performance.now(),
  every: (ms, call) => {
    const timer = setInterval(call, ms)
    timer.unref()
    return () => clearInterval(timer)
  },
}
