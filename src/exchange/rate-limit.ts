// A byte rate that several exchanges share (X4): a bucket that fills at the limit and may go into debt by the one block
// that overdrew it, so that blocks larger than a second's worth still pass. Takes the time, reads no clock.

/** Most that may be saved up, in time: longer bursts than this are not smoothed out. */
const BURST_MS = 250

export class RateLimit {
  #bytesPerSecond: number
  #saved = 0
  #atMs: number | undefined

  /** 0: no limit. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond
  }

  set bytesPerSecond(value: number) {
    this.#bytesPerSecond = value
    this.#saved = 0
  }

  /** Takes the bytes if the limit allows any now. */
  take(bytes: number, nowMs: number): boolean {
    if (this.#bytesPerSecond <= 0) return true
    this.#fill(nowMs)
    if (this.#saved < 0) return false
    this.#saved -= bytes
    return true
  }

  /** Until take() would allow something, 0 if now. */
  waitMs(nowMs: number): number {
    if (this.#bytesPerSecond <= 0) return 0
    this.#fill(nowMs)
    return this.#saved >= 0 ? 0 : Math.ceil((-this.#saved / this.#bytesPerSecond) * 1000)
  }

  #fill(nowMs: number): void {
    const elapsedMs = nowMs - (this.#atMs ?? nowMs)
    this.#atMs = nowMs
    const most = (this.#bytesPerSecond * BURST_MS) / 1000
    this.#saved = Math.min(most, this.#saved + (this.#bytesPerSecond * elapsedMs) / 1000)
  }
}
