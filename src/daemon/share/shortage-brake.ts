// The system has nothing left to work with (core/shortage.ts: open files, memory). Every path would fail at that, be
// fetched from peers in vain and fetched again: so nothing new is applied for a while, one more such failure makes the
// while longer, and people are told once, with what to do about it.
import { shortageWords } from '../../core/shortage.js'
import type { Log } from '../../ports/log.js'
import type { ProblemBook } from './problems.js'

/** Nothing is applied for so long, doubled with each shortage soon after the last, up to the longest. */
const REST_MS = 1000
const LONGEST_REST_MS = 15_000
/** It is over when nothing has failed for so long after a rest. */
const OVER_MS = 3000

export interface ShortageBrakeOptions {
  readonly problems: ProblemBook
  readonly log: Log
  readonly isStopped: () => boolean
  /** Something is tried again. */
  readonly onTry: () => void
}

export class ShortageBrake {
  readonly #o: ShortageBrakeOptions
  #restMs = 0
  #isResting = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: ShortageBrakeOptions) {
    this.#o = options
  }

  /** Whether nothing new is to be begun. */
  get isOn(): boolean {
    return this.#isResting
  }

  /** Something failed for want of this: EMFILE and the like. */
  note(code: string): void {
    const { problems, log, isStopped } = this.#o
    // What was under way when the rest began fails, too.
    if (this.#isResting || isStopped()) return
    const detail = shortageWords(code)
    if (this.#restMs === 0) log.error({ code, detail }, 'the system has nothing left to work with, waiting')
    problems.set('shortage', '', code, detail)
    this.#restMs = Math.min(LONGEST_REST_MS, this.#restMs === 0 ? REST_MS : 2 * this.#restMs)
    this.#isResting = true
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#tryAgain(), this.#restMs).unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #tryAgain(): void {
    this.#isResting = false
    this.#timer = setTimeout(() => {
      this.#restMs = 0
      this.#o.problems.clear('shortage', '')
      this.#o.log.info({}, 'the system has enough to work with again')
    }, OVER_MS).unref()
    this.#o.onTry()
  }
}
