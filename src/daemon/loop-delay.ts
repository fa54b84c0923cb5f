// How late the event loop is: measured only while somebody asks, since measuring wakes the process fifty times a second.
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 20
/** What is told covers at least so long. */
const WINDOW_MS = 1_000
/** Nobody has asked for so long: a collector of metrics asks every minute at the rarest. */
const UNASKED_MS = 150_000

export class LoopDelay {
  readonly #nowMs: () => number
  readonly #unaskedMs: number
  #histogram: IntervalHistogram | undefined
  #timer: NodeJS.Timeout | undefined
  #sinceMs = 0
  #lastMs: number | undefined

  /** `nowMs`: monotonic, default performance.now; `unaskedMs` for tests. */
  constructor(nowMs: () => number = () => performance.now(), unaskedMs: number = UNASKED_MS) {
    this.#nowMs = nowMs
    this.#unaskedMs = unaskedMs
  }

  get isMeasuring(): boolean {
    return this.#histogram !== undefined
  }

  /** The worst delay since about a second before, or since the last call; undefined: measuring has only just begun. */
  worstMs(): number | undefined {
    const now = this.#nowMs()
    this.#stopUnasked()
    if (this.#histogram === undefined) {
      this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
      this.#histogram.enable()
      this.#sinceMs = now
    } else if (now - this.#sinceMs >= WINDOW_MS) {
      // An interval measures itself, too.
      this.#lastMs = Math.max(0, this.#histogram.max / 1e6 - RESOLUTION_MS)
      this.#histogram.reset()
      this.#sinceMs = now
    }
    return this.#lastMs
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#histogram?.disable()
    this.#histogram = undefined
    this.#lastMs = undefined
  }

  #stopUnasked(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.stop(), this.#unaskedMs).unref()
  }
}
