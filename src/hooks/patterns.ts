// Which paths a hook is for: its patterns, each in gitignore's language by the same library as the ignore rules. A pattern
// matches a path, or all below a directory it matches; the last pattern that matches decides (core/hook.ts). Names compare
// with case. Promises: never throws for a path; memory does not grow with the number of paths asked about.
import ignore from 'ignore'
import { type HookPattern, lastMatch } from '../core/hook.js'
import type { RelPath } from '../core/path.js'

/** As in folder/ignore.ts: the library remembers every path it was asked about, so it is replaced now and then. */
const MAX_REMEMBERED = 20_000

/** The patterns of one hook. */
export class Patterns {
  readonly #patterns: readonly Pattern[]

  /** Throws for what patternFault finds. */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => new Pattern(pattern))
  }

  /** Whether they match a path; whether a directory lies there does not matter, as it may be gone. */
  match(path: RelPath): boolean {
    return lastMatch(this.#patterns, path)
  }
}

/** Why a text is no pattern, or undefined if it is one. */
export function patternFault(text: string): string | undefined {
  const body = text.startsWith('!') ? text.slice(1) : text
  if (body.trim() === '') return 'is empty'
  if (/[\n\r\0]/.test(body)) return 'holds a line end'
  if (body.startsWith('#')) return 'is a comment, a name that begins so is written \\#'
  try {
    return new Pattern(text).isEmpty ? 'matches nothing' : undefined
  } catch (thrown) {
    // The library compiles a pattern when it is first asked.
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

class Pattern implements HookPattern {
  readonly takesOut: boolean
  readonly #body: string
  #engine: ReturnType<typeof ignore>
  #asked = 0

  constructor(text: string) {
    this.takesOut = text.startsWith('!')
    this.#body = this.takesOut ? text.slice(1) : text
    this.#engine = this.#newEngine()
    this.matches('a/b' as RelPath)
  }

  /** A pattern such as "/" says nothing. */
  get isEmpty(): boolean {
    return /^[/\s]*$/.test(this.#body)
  }

  matches(path: RelPath): boolean {
    if (++this.#asked > MAX_REMEMBERED) {
      this.#engine = this.#newEngine()
      this.#asked = 0
    }
    return this.#engine.ignores(path) || this.#engine.ignores(`${path}/`)
  }

  #newEngine(): ReturnType<typeof ignore> {
    return ignore({ ignoreCase: false }).add({ pattern: this.#body })
  }
}
