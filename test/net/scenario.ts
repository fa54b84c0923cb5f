// What a scenario is: a name, what it shows, and a run in a lab of its own that ends in rows for the table, or throws with
// a clear word if what it expects is not so.
import { Lab } from './lab.js'

export interface Scenario {
  /** a-z, 0-9 and "-"; what it is chosen by, also by a part of it. */
  readonly name: string
  /** Heading of the table that its rows go into. */
  readonly table: string
  /** It fails if it takes longer. */
  readonly limitS: number
  /** Why it cannot run with this version of Shoal; undefined if it can. */
  readonly obstacle?: () => string | undefined
  run(context: Context): Promise<readonly Row[]>
}

/** Column heading -> text. All rows of a table have the same columns, as far as they have them. */
export type Row = Readonly<Record<string, string>>

export interface Context {
  readonly lab: Lab
  /** Folder for what the scenario keeps; its own. */
  readonly folder: string
  readonly seed: number
  /** Told at the end whatever happens, last first. */
  onEnd(end: () => unknown): void
  /** A line for who watches. */
  say(text: string): void
}

/** What a scenario expects. @throws Error with `word` unless it is true */
export function expect(isTrue: boolean, word: string): asserts isTrue {
  if (!isTrue) throw new Error(`not as expected: ${word}`)
}

/** Runs one within its limit; everything it started has ended afterwards. */
export async function runScenario(
  scenario: Scenario,
  { seed, folder, say }: Pick<Context, 'seed' | 'folder' | 'say'>,
): Promise<readonly Row[]> {
  const lab = new Lab(seed)
  const ends: (() => unknown)[] = []
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it took longer than ${scenario.limitS} s`)),
      scenario.limitS * 1000,
    )
  })
  try {
    const context = { lab, folder, seed, say, onEnd: (end: () => unknown) => void ends.push(end) }
    return await Promise.race([scenario.run(context), late])
  } finally {
    clearTimeout(timer)
    for (const end of ends.reverse()) await end()
    lab.close()
  }
}
