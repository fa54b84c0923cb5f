// How many hooks of one daemon run at a time. Those that find no room are told when there is some, in the order they came.

/** Hooks reload services; more at once only compete. */
const MAX_AT_ONCE = 4

export class HookSlots {
  readonly #max: number
  #taken = 0
  readonly #waiting = new Set<() => void>()

  constructor(max: number = MAX_AT_ONCE) {
    this.#max = max
  }

  /** Takes a slot; if there is none, false, and `onFree` is called once when it is worth asking again. */
  take(onFree: () => void): boolean {
    if (this.#taken >= this.#max) {
      this.#waiting.add(onFree)
      return false
    }
    this.#taken++
    return true
  }

  /** Gives one back. */
  release(): void {
    this.#taken--
    for (const onFree of this.#waiting) {
      this.#waiting.delete(onFree)
      return onFree()
    }
  }

  /** Nobody is called any more. */
  forget(onFree: () => void): void {
    this.#waiting.delete(onFree)
  }
}
