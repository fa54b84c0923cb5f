// Remembers what was delivered last, so that wrong() can want it again: a map that forgets the older half of what it holds
// in one step, since taking single entries off the front of a Map grows dear.

/** At least so many are remembered, at most twice as many; a bound for callers that never report back. */
export const REMEMBERED = 8192

export class Recent<T> {
  #young = new Map<string, T>()
  #old = new Map<string, T>()

  get(key: string): T | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  set(key: string, value: T): void {
    if (this.#young.size >= REMEMBERED) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }

  delete(key: string): void {
    if (this.#young.size > 0) this.#young.delete(key)
    if (this.#old.size > 0) this.#old.delete(key)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}
