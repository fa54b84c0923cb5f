// How much of something may be done in a burst, and how fast the allowance grows back. Pure: the time comes as an argument.

export class Allowance {
  readonly #burst: number
  readonly #refillMs: number
  #left: number
  #atMs: number | undefined

  /** `burst` at once, and one more for every `refillMs` after. */
  constructor(burst: number, refillMs: number) {
    this.#burst = burst
    this.#refillMs = refillMs
    this.#left = burst
  }

  /** Takes one if there is one; false if there is none. `nowMs` is of a clock that never goes back. */
  take(nowMs: number): boolean {
    this.#refill(nowMs)
    if (this.#left < 1) return false
    this.#left--
    return true
  }

  /** Takes so much whether it is there or not: what is owed grows back first. */
  spend(cost: number, nowMs: number): void {
    this.#refill(nowMs)
    this.#left -= cost
  }

  /** How long until there is one to take; 0 if there is now. */
  waitMs(nowMs: number): number {
    this.#refill(nowMs)
    return Math.max(0, (1 - this.#left) * this.#refillMs)
  }

  #refill(nowMs: number): void {
    const passedMs = nowMs - (this.#atMs ?? nowMs)
    this.#atMs = nowMs
    this.#left = Math.min(this.#burst, this.#left + passedMs / this.#refillMs)
  }
}
