// The help: what the keys do, and what the words and signs mean.
import { SCREENS } from '../screens/screens.js'
import { wrapWords } from './box.js'
import { type Line, span } from './span.js'

const KEYS: readonly (readonly [string, string])[] = [
  ['1 to 7', 'a screen; tab and shift-tab, or left and right: the next and the one before'],
  ['up, down', 'choose; also j and k, page up and down, home and end, g and G'],
  ['s', 'sort by the next column; S: the other way round'],
  ['/', 'show only what holds these words; esc: everything again'],
  ['?', 'this help'],
  ['q', 'quit; also control-c. The daemons go on'],
]

const WORDS: readonly (readonly [string, string])[] = [
  [
    'missing',
    'bytes that are to come still; "3 f": three paths to remove or to change, with no content to come',
  ],
  ['in sync', 'how many members hold exactly the same, of all that are waited for'],
  ['look', 'conflicts, drift and problems: things that a person should look at'],
  ['holds', 'how much of all pieces a member has at least'],
  ['trip', 'there and back again on the connection'],
  ['conflict', 'two members changed one file without knowing of each other; both versions are kept'],
  ['drift', 'who may only read has changed something all the same'],
]

const LABEL = 12

/** All of it, each line of at most so many columns. */
export function helpLines(width: number): Line[] {
  const lines: Line[] = []
  const titled = (title: string, entries: readonly (readonly [string, string])[]): void => {
    if (lines.length > 0) lines.push([])
    lines.push([span(title, 'accent', { bold: true })])
    for (const [label, text] of entries)
      for (const [at, line] of wrapWords(text, width - LABEL).entries())
        lines.push([span((at === 0 ? label : '').padEnd(LABEL), undefined, { bold: true }), span(line)])
  }
  titled('Keys', KEYS)
  for (const { title, actions } of SCREENS)
    if (actions.length > 0)
      titled(
        `On ${title}`,
        actions.map(({ key, help }) => [key, help] as const),
      )
  titled('Words', WORDS)
  return lines
}
