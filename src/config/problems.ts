// What is wrong with a configuration, as it is said: apart from the schema, so that whoever is refused before that is
// looked at does not load it. Promises: no message holds any of a secret.
import { ShoalError } from '../core/error.js'
import { redactPieces, redactSecrets } from '../core/secret-redact.js'
import type { Position, Problem } from './json.js'
import { byBytes } from './source.js'

/** More in one message is a file that is none. */
const MAX_PROBLEMS = 100
/** No key of the format comes near. */
const MAX_KEY_SHOWN = 80
/** Runs that words with "_" between them do not have, and secrets do: 20 of any kind, or 10 of BitTorrent Sync's. */
const SECRET_LIKE = /[0-9A-Za-z]{20,}|[A-Z2-7]{10,}/g

/** Something that has no effect or is unwise. `text` is ready to print: FILE:LINE:COLUMN: key: what. */
export interface ConfigWarning {
  readonly position: Position
  readonly key: string
  readonly message: string
  readonly text: string
  /** Nothing is wrong or lost: a key with nothing left to do, for one. */
  readonly isNote: boolean
  /** It asks for what a later version will do. */
  readonly isNotYet: boolean
}

/** One error for all that is wrong, in the order of the file; of very many, the first. */
export function configError(fileName: string, problems: readonly Problem[]): ShoalError {
  const ordered = inOrder(problems)
  const lines = ordered.slice(0, MAX_PROBLEMS).map((problem) => problemText(fileName, problem))
  const next = ordered[MAX_PROBLEMS]
  if (next !== undefined) {
    const message = `and ${ordered.length - MAX_PROBLEMS} more from here on`
    lines.push(problemText(fileName, { position: next.position, key: '', message }))
  }
  const code = problems.every(({ notYet }) => notYet === true) ? 'NOT_YET' : 'CONFIG_INVALID'
  return new ShoalError(code, lines.join('\n'))
}

/** A warning in its printed form. */
export function warningOf(fileName: string, problem: Problem): ConfigWarning {
  const { position, message, isNote = false, notYet = false } = problem
  const key = printableKey(problem.key)
  return { position, key, message, text: problemText(fileName, problem), isNote, isNotYet: notYet }
}

/** FILE:LINE:COLUMN: key: what, with nothing in it that could be a secret's. */
export function problemText(fileName: string, { position, key, message }: Problem): string {
  const { file = fileName, line, column } = position
  const what = redactPieces(message)
  return `${file}:${line}:${column}: ${key === '' ? '' : `${printableKey(key)}: `}${what}`
}

/** A key as it may be shown: a file may hold anything as a key, even a secret, whole or damaged. */
function printableKey(key: string): string {
  return redactSecrets(JSON.stringify(key.slice(0, MAX_KEY_SHOWN)).slice(1, -1)).replace(SECRET_LIKE, '[...]')
}

/** As they stand in the file. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort(({ position: a }, { position: b }) =>
    // Parts are joined in this order.
    a.file !== b.file ? byBytes(a.file ?? '', b.file ?? '') : a.line - b.line || a.column - b.column,
  )
}
