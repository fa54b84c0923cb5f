// Looks through the whole disk now and then, for what no watch has told of.
export class RescanTimer {
  readonly #rescan: () => void
  #timer: NodeJS.Timeout | undefined
  #intervalMs = 0

  constructor(rescan: () => void) {
    this.#rescan = rescan
  }

  /** From now on; milliseconds, 0: never. The same as before changes nothing. */
  every(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return
    this.#intervalMs = intervalMs
    clearInterval(this.#timer)
    this.#timer = intervalMs > 0 ? setInterval(this.#rescan, intervalMs) : undefined
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
