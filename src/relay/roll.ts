// Who is at the relay under which pass and tag, looked up either way. Pure.

/** Passes and tags are hex, callers are numbers of connections. */
export class Roll {
  readonly #byPass = new Map<string, Map<string, number>>()
  readonly #byCaller = new Map<number, Map<string, string>>()

  /** Passes that somebody is here under. */
  get passes(): number {
    return this.#byPass.size
  }

  all(): string[] {
    return [...this.#byPass.keys()]
  }

  sizeOf(pass: string): number {
    return this.#byPass.get(pass)?.size ?? 0
  }

  tagsOf(pass: string): string[] {
    return [...(this.#byPass.get(pass)?.keys() ?? [])]
  }

  callersOf(pass: string): number[] {
    return [...(this.#byPass.get(pass)?.values() ?? [])]
  }

  passesOf(caller: number): string[] {
    return [...(this.#byCaller.get(caller)?.keys() ?? [])]
  }

  tagOf(caller: number, pass: string): string | undefined {
    return this.#byCaller.get(caller)?.get(pass)
  }

  find(pass: string, tag: string): number | undefined {
    return this.#byPass.get(pass)?.get(tag)
  }

  /** Whoever was here under that tag is so no more. */
  enter(pass: string, tag: string, caller: number): void {
    const before = this.find(pass, tag)
    if (before !== undefined) this.leave(before, pass)
    inner(this.#byPass, pass).set(tag, caller)
    inner(this.#byCaller, caller).set(pass, tag)
  }

  /** The tag it was here under; undefined: it was not. */
  leave(caller: number, pass: string): string | undefined {
    const tag = this.tagOf(caller, pass)
    if (tag === undefined) return undefined
    drop(this.#byCaller, caller, pass)
    drop(this.#byPass, pass, tag)
    return tag
  }
}

function inner<K, A, B>(map: Map<K, Map<A, B>>, key: K): Map<A, B> {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = new Map<A, B>()
  map.set(key, made)
  return made
}

function drop<K, A, B>(map: Map<K, Map<A, B>>, key: K, within: A): void {
  const found = map.get(key)
  found?.delete(within)
  if (found?.size === 0) map.delete(key)
}
