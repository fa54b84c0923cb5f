// One value for equal keys: half a million paths have few owners.

/** Keys that are remembered; then all are forgotten. */
const MOST = 4096

export class Interned<T> {
  readonly #values = new Map<string, T>()

  /** The value of a key, made if it is not remembered. */
  of(key: string, make: () => T): T {
    const known = this.#values.get(key)
    if (known !== undefined) return known
    if (this.#values.size >= MOST) this.#values.clear()
    const value = make()
    this.#values.set(key, value)
    return value
  }
}
