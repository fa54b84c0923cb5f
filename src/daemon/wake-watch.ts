// Notices that the machine has slept, so that what waits for a far instant looks again: a laptop that is opened
// somewhere else should find its members in seconds, without asking all of them at once.
import { type Clocks, sleptMs } from '../core/sleep.js'
import type { Log } from '../ports/log.js'

/** How often it looks: a sleep is noticed this long after it at the latest. One wake-up in so long is nothing to a battery. */
export const LOOK_MS = 20_000

export interface WakeWatchOptions {
  readonly onWake: () => void
  readonly log: Log
  /** Default: Date.now and performance.now. */
  readonly clocks?: () => Clocks
}

export class WakeWatch {
  readonly #o: WakeWatchOptions
  readonly #clocks: () => Clocks
  #before: Clocks
  #timer: NodeJS.Timeout | undefined

  constructor(options: WakeWatchOptions) {
    this.#o = options
    this.#clocks = options.clocks ?? (() => ({ wallMs: Date.now(), monotonicMs: performance.now() }))
    this.#before = this.#clocks()
  }

  start(): void {
    this.#before = this.#clocks()
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Compares with the last look; called by the timer. */
  look(): void {
    const now = this.#clocks()
    const slept = sleptMs(this.#before, now, LOOK_MS)
    this.#before = now
    if (slept === 0) return
    this.#o.log.info(
      { seconds: Math.round(slept / 1000) },
      'the machine was asleep; looking for members again',
    )
    this.#o.onWake()
  }
}
