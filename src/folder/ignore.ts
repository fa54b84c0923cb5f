// Which paths a share leaves alone: the rules of `.shoalignore` at the root, in gitignore's language. Promises: a path
// below an ignored directory is ignored whatever else matches it; the rules file itself never is; names compare with
// case, as the disk's do; a line that cannot be understood is reported and skipped, the others hold. The rules arrive
// from peers too, so nothing in them may throw later or grow with the number of paths asked about.
import ignore from 'ignore'
import { IGNORE_FILE, type RelPath } from '../core/path.js'

/** Rules files are read up to this size; more is nobody's list of patterns, and each line costs time per path. */
export const MAX_IGNORE_BYTES: number = 1 << 20

/**
 * Answers the library keeps before its engine is replaced. It remembers every path it was ever asked about; a renewed
 * engine shares the compiled rules, so a small bound costs little: directories are asked again, once in so many paths.
 */
const MAX_REMEMBERED = 20_000

type Engine = ReturnType<typeof ignore>

/** A line of the rules file that says nothing usable. */
export interface IgnoreProblem {
  /** From 1. */
  readonly line: number
  readonly pattern: string
  readonly detail: string
}

/** The parsed rules. Immutable in what it answers. */
export class IgnoreRules {
  /** No rule at all: nothing is ignored, at no cost. */
  static readonly none: IgnoreRules = new IgnoreRules(undefined, [])

  /** Lines that were skipped. */
  readonly problems: readonly IgnoreProblem[]
  #engine: Engine | undefined
  #asked = 0

  private constructor(engine: Engine | undefined, problems: readonly IgnoreProblem[]) {
    this.#engine = engine
    this.problems = problems
  }

  /** Reads the text of a rules file. Never throws. */
  static parse(text: string): IgnoreRules {
    const problems: IgnoreProblem[] = []
    const good: string[] = []
    for (const [index, line] of text
      .replace(/^\uFEFF/, '')
      .split(/\r?\n/)
      .entries()) {
      if (line === '' || line.startsWith('#')) continue
      const fault = faultOf(line)
      if (fault === undefined) good.push(line)
      else problems.push({ line: index + 1, pattern: line, detail: fault })
    }
    if (good.length === 0)
      return problems.length === 0 ? IgnoreRules.none : new IgnoreRules(undefined, problems)
    return new IgnoreRules(newEngine().add(good.join('\n')), problems)
  }

  /** Whether there is no rule, so that callers may skip building paths. */
  get empty(): boolean {
    return this.#engine === undefined
  }

  /** Whether the share leaves this path alone. A symlink counts as no directory, whatever it points at. */
  ignores(path: RelPath, isDirectory: boolean): boolean {
    if (this.#engine === undefined || path === IGNORE_FILE) return false
    if (++this.#asked > MAX_REMEMBERED) {
      this.#engine = newEngine().add(this.#engine)
      this.#asked = 0
    }
    return this.#engine.ignores(isDirectory ? `${path}/` : path)
  }
}

function newEngine(): Engine {
  return ignore({ ignoreCase: false })
}

/** Why one line cannot be a rule. The library compiles a pattern when it is first matched, so it is matched here. */
function faultOf(line: string): string | undefined {
  try {
    const engine = newEngine().add(line)
    engine.ignores('a/b')
    engine.ignores('a/b/')
    return undefined
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}
