// A byte rate as a bucket that fills with time and may go into debt (X4): what cannot wait is charged all the same, and what
// can waits until the debt is paid. Pure: the time comes as an argument.
// Promises: over any time, what passes while it `isOpen` is at most the rate, BURST_MS of it, and what overdrew it last.

/** Most that may be saved up, in time: a tenth of what the smallest window that is promised allows (5 % of 10 s). */
export const BURST_MS = 250
/** Deepest debt that what did not ask can make, in time: after a flood of what cannot wait, the rest stands still no longer. */
const MAX_DEBT_MS = 5000

export class TokenBucket {
  #bytesPerSecond: number
  #saved = 0
  #atMs: number | undefined

  /** 0: no limit. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** 0: no limit. */
  get bytesPerSecond(): number {
    return this.#bytesPerSecond
  }

  /** A new rate begins with nothing saved and nothing owed; the same one changes nothing. */
  set bytesPerSecond(value: number) {
    if (value === this.#bytesPerSecond) return
    this.#bytesPerSecond = value
    this.#saved = 0
    this.#atMs = undefined
  }

  get isUnlimited(): boolean {
    return this.#bytesPerSecond <= 0
  }

  /** Whether more may pass now. `nowMs` is of a clock that never goes back, here and below. */
  isOpen(nowMs: number): boolean {
    return this.waitMs(nowMs) === 0
  }

  /** So many bytes pass, or did; negative: that many that were charged never will. */
  charge(bytes: number, nowMs: number): void {
    if (this.isUnlimited) return
    this.#fill(nowMs)
    this.#saved -= bytes
  }

  /** The same of what did not wait for the bucket to be open: a flood of it is not paid for to the end. */
  chargeUnasked(bytes: number, nowMs: number): void {
    if (this.isUnlimited) return
    this.#fill(nowMs)
    this.#saved = Math.max(this.#saved - bytes, Math.min(this.#saved, -this.#of(MAX_DEBT_MS)))
  }

  /** Until more may pass, 0: now. */
  waitMs(nowMs: number): number {
    if (this.isUnlimited) return 0
    this.#fill(nowMs)
    return this.#saved >= 0 ? 0 : Math.ceil((-this.#saved / this.#bytesPerSecond) * 1000)
  }

  #of(ms: number): number {
    return (this.#bytesPerSecond * ms) / 1000
  }

  #fill(nowMs: number): void {
    const elapsedMs = nowMs - (this.#atMs ?? nowMs)
    this.#atMs = nowMs
    this.#saved = Math.min(this.#of(BURST_MS), this.#saved + this.#of(elapsedMs))
  }
}
