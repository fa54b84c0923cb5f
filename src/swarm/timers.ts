// Timers that end together with what has set them, and keep no process alive.

export class Timers {
  readonly #timers = new Set<NodeJS.Timeout>()

  after(afterMs: number, action: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      action()
    }, afterMs)
    timer.unref()
    this.#timers.add(timer)
    return timer
  }

  clear(timer: NodeJS.Timeout): void {
    clearTimeout(timer)
    this.#timers.delete(timer)
  }

  clearAll(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
