// Whether a path is meant by some patterns in gitignore's language, for settings that hold for a part of a share. Promises:
// names compare with case, as the disk's do; a path below a matched directory is matched; memory does not grow with the
// number of paths asked about.
import ignore from 'ignore'
import type { RelPath } from '../core/path.js'

/** Answers the library keeps before its engine is replaced, as in ignore.ts. */
const MAX_REMEMBERED = 20_000

type Engine = ReturnType<typeof ignore>

export class PathPatterns {
  #engine: Engine
  #asked = 0

  /** Of patterns without fault (patternFault); where one begins with `!`, the last that matches decides. */
  constructor(patterns: readonly string[]) {
    this.#engine = newEngine().add([...patterns])
  }

  matches(path: RelPath, isDirectory: boolean): boolean {
    if (++this.#asked > MAX_REMEMBERED) {
      this.#engine = newEngine().add(this.#engine)
      this.#asked = 0
    }
    return this.#engine.ignores(isDirectory ? `${path}/` : path)
  }
}

/** Why a text is no pattern, completing "is ..."; undefined if it is one. */
export function patternFault(pattern: string): string | undefined {
  if (pattern.trim() === '' || pattern.startsWith('#')) return 'a pattern that matches nothing'
  if (/[\r\n\0]/.test(pattern)) return 'not one line'
  try {
    // The library compiles a pattern when it is first matched.
    const engine = newEngine().add([pattern])
    engine.ignores('a/b')
    engine.ignores('a/b/')
    return undefined
  } catch {
    // What the library says may quote the text, which may be a secret at the wrong place.
    return 'no pattern in the language of .gitignore'
  }
}

function newEngine(): Engine {
  return ignore({ ignoreCase: false })
}
