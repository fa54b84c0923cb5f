// A clock for pacers that stands still until the test moves it.
import type { PacerTime } from '../../src/exchange/pacer.js'

interface Timer {
  readonly atMs: number
  readonly call: () => void
}

export class FakeTime implements PacerTime {
  #nowMs = 0
  readonly #timers = new Set<Timer>()

  nowMs(): number {
    return this.#nowMs
  }

  get timers(): number {
    return this.#timers.size
  }

  later(call: () => void, delayMs: number): () => void {
    const timer = { atMs: this.#nowMs + delayMs, call }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Moves on, and calls what is due at its own time. */
  advance(ms: number): void {
    const end = this.#nowMs + ms
    for (let next = this.#dueBy(end); next !== undefined; next = this.#dueBy(end)) {
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.call()
    }
    this.#nowMs = end
  }

  #dueBy(endMs: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers)
      if (timer.atMs <= endMs && (first === undefined || timer.atMs < first.atMs)) first = timer
    return first
  }
}
