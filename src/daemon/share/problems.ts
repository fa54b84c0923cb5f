// Problems with single paths (A6): kept, shown and retried, while the share goes on. Some are not kept but follow from
// the index.

export interface Problem {
  readonly path: string
  readonly code: string
  readonly detail: string
  /** Milliseconds since 1970. */
  readonly sinceMs: number
}

/** Who found a problem; each source replaces only what it said itself. */
export type ProblemSource =
  | 'scan'
  | 'attributes'
  | 'apply'
  | 'feed'
  | 'watch'
  | 'share'
  | 'shortage'
  | 'archive'
  | 'hook'
  | 'release'
  | 'scrub'
  | 'vault'
  | 'bucket'

/** Problems that stand elsewhere and are only shown here. */
export interface Standing {
  readonly size: number
  list(limit: number): Problem[]
}

const NONE: Standing = { size: 0, list: () => [] }

/** Hears of each problem that comes, becomes another, or goes. */
export type OnProblem = (problem: Problem, isThere: boolean) => void

/** More than these are counted, not listed: a status answer must stay readable. */
const MAX_PROBLEMS = 10_000

/** What a scan finds that stands in the way of nothing: it is not carried, and all know that. */
const KNOWN_AS_THEY_ARE: ReadonlySet<string> = new Set([
  'NOT_CARRIED',
  'NOT_UTF8',
  'TOO_LONG',
  'IGNORE_RULE',
  'ATTRIBUTES_LEFT',
])

export class ProblemBook {
  readonly #problems = new Map<string, Problem>()
  readonly #nowMs: () => number
  readonly #standing: Standing
  readonly #onProblem: OnProblem

  constructor(nowMs: () => number, standing: Standing = NONE, onProblem: OnProblem = () => undefined) {
    this.#nowMs = nowMs
    this.#standing = standing
    this.#onProblem = onProblem
  }

  set(source: ProblemSource, path: string, code: string, detail: string): void {
    const key = `${source}\0${path}`
    const before = this.#problems.get(key)
    if (before === undefined && this.#problems.size >= MAX_PROBLEMS) return
    const sinceMs = before?.code === code ? before.sinceMs : this.#nowMs()
    const problem = { path, code, detail, sinceMs }
    this.#problems.set(key, problem)
    if (before?.code !== code) this.#onProblem(problem, true)
  }

  clear(source: ProblemSource, path: string): void {
    // Asked for every file of a scan.
    if (this.#problems.size === 0) return
    this.#remove(`${source}\0${path}`)
  }

  /** Replaces what a source said about the names directly inside one directory ('' for the root). */
  replaceChildren(
    source: ProblemSource,
    directory: string,
    faults: readonly { name: string; code: string; detail: string }[],
  ): void {
    const prefix = `${source}\0${directory === '' ? '' : `${directory}/`}`
    const now = new Set(faults.map(({ name }) => prefix + name))
    for (const key of this.#problems.keys()) {
      if (key.startsWith(prefix) && !key.slice(prefix.length).includes('/') && !now.has(key))
        this.#remove(key)
    }
    for (const { name, code, detail } of faults) {
      this.set(source, directory === '' ? name : `${directory}/${name}`, code, detail)
    }
  }

  /** Paths whose content on this disk is not known, since they cannot be read. */
  get unread(): number {
    let count = 0
    for (const [key, { code }] of this.#problems)
      if (key.startsWith('scan\0') && !KNOWN_AS_THEY_ARE.has(code)) count++
    return count
  }

  #remove(key: string): void {
    const problem = this.#problems.get(key)
    if (problem === undefined) return
    this.#problems.delete(key)
    this.#onProblem(problem, false)
  }

  get size(): number {
    return this.#problems.size + this.#standing.size
  }

  list(): Problem[] {
    const own = [...this.#problems.values()]
    return [...own, ...this.#standing.list(MAX_PROBLEMS - own.length)]
  }
}
