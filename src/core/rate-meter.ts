// How many bytes a second passed lately: the mean over the last few seconds, so that it neither jumps with every batch nor
// stands still after the end. Pure: the time comes as an argument. Needs no timer: what is old is forgotten when somebody
// looks or adds.

const SLOT_MS = 500
/** With the one being filled: the mean of two and a half seconds to three. */
const SLOTS = 6

export class RateMeter {
  /** Bytes by slot number modulo SLOTS. */
  readonly #bytes = new Float64Array(SLOTS)
  /** The slot that was added to last. */
  #slot = 0
  /** When the first byte came after a time of nothing: before that, there was no rate to speak of. */
  #sinceMs: number | undefined

  /** `nowMs` is of a clock that never goes back. */
  add(bytes: number, nowMs: number): void {
    this.#forget(nowMs)
    this.#sinceMs ??= nowMs
    this.#bytes[this.#slot % SLOTS]! += bytes
  }

  /** Bytes per second, a whole number. */
  rate(nowMs: number): number {
    this.#forget(nowMs)
    if (this.#sinceMs === undefined) return 0
    let sum = 0
    for (const bytes of this.#bytes) sum += bytes
    const windowMs = nowMs - (this.#slot - SLOTS + 1) * SLOT_MS
    // Not over less than a slot: one block in the first millisecond is no rate.
    const overMs = Math.max(SLOT_MS, Math.min(windowMs, nowMs - this.#sinceMs))
    return Math.round((sum / overMs) * 1000)
  }

  #forget(nowMs: number): void {
    const slot = Math.floor(nowMs / SLOT_MS)
    if (slot <= this.#slot) return
    if (slot - this.#slot >= SLOTS) {
      this.#bytes.fill(0)
      this.#sinceMs = undefined
    } else for (let at = this.#slot + 1; at <= slot; at++) this.#bytes[at % SLOTS] = 0
    this.#slot = slot
  }
}
