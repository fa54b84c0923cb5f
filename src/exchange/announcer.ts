// Says that something has changed, at most so often: what happens by the thousand is told of once.

export class Announcer {
  readonly #say: () => void
  readonly #everyMs: number
  readonly #nowMs: () => number
  #timer: NodeJS.Timeout | undefined
  #saidMs = Number.NEGATIVE_INFINITY

  constructor(say: () => void, everyMs: number, nowMs: () => number) {
    this.#say = say
    this.#everyMs = everyMs
    this.#nowMs = nowMs
  }

  /** It is said soon. */
  changed(): void {
    if (this.#timer !== undefined) return
    const waitMs = Math.max(0, this.#saidMs + this.#everyMs - this.#nowMs())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#saidMs = this.#nowMs()
      this.#say()
    }, waitMs).unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
