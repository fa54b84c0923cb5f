// When to start a batch: at once for what is urgent or when enough has come together, else a little later. Small batches
// cost a thread switch and a durability barrier each, which is most of the work when half a million files come in.

export class Gather {
  readonly #enough: number
  readonly #waitMs: number
  readonly #start: () => void
  #waiting = 0
  #immediate: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined

  /** Calls `start` when `enough` have been added, or `waitMs` after the first of fewer. */
  constructor(enough: number, waitMs: number, start: () => void) {
    this.#enough = enough
    this.#waitMs = waitMs
    this.#start = start
  }

  add(count: number, urgent: boolean): void {
    this.#waiting += count
    if (urgent || this.#waiting >= this.#enough) this.#immediate ??= setImmediate(() => this.#fire())
    else this.#timer ??= setTimeout(() => this.#fire(), this.#waitMs)
  }

  stop(): void {
    clearImmediate(this.#immediate)
    clearTimeout(this.#timer)
  }

  #fire(): void {
    this.stop()
    this.#immediate = undefined
    this.#timer = undefined
    this.#waiting = 0
    this.#start()
  }
}
