// JSON with // and /* */ comments, as BitTorrent Sync's configuration files are: strict otherwise (no trailing comma, no
// key twice), and with the position of everything, so that every complaint can name its line and column.
// Promises that no text makes it throw: what is wrong comes back as a list of problems.
import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'

/** Where in a text: both count from 1, columns in UTF-16 units as editors do. */
export interface Position {
  readonly line: number
  readonly column: number
  /** Of a text joined from parts: the part, and line and column count within it. */
  readonly file?: string
}

/** One of the files a text is joined from. Parts stand in the order of the text, the first at 0. */
export interface TextPart {
  readonly file: string
  /** UTF-16 units before it. */
  readonly start: number
}

/** Something wrong at a place. `key` is the path of keys, '' where there is none. */
export interface Problem {
  readonly position: Position
  readonly key: string
  readonly message: string
  /** The feature is known but not in this version. */
  readonly notYet?: boolean
  /** Of a warning: nothing is wrong or lost, it only says how it is. */
  readonly isNote?: boolean
}

/** Keys and list indices from the root. */
export type KeyPath = readonly (string | number)[]

/** A parsed text: its plain value and where each part of it stands. */
export interface PositionedJson {
  readonly value: unknown
  /** Where the value at this path stands; where it is missing, the nearest value around it. */
  positionOf(path: KeyPath): Position
  /** The keys of the object at this path, in the order of the text; none if it is no object. */
  keysAt(path: KeyPath): readonly { readonly key: string; readonly position: Position }[]
}

export type ParsedJson =
  | { readonly type: 'ok'; readonly json: PositionedJson }
  | { readonly type: 'failed'; readonly problems: readonly Problem[] }

/** After this many syntax errors the rest is noise: each one throws the parser further off. */
const MAX_SYNTAX_PROBLEMS = 5

/** Far more than any sound file has (4), far less than what the recursive walks below can take. */
const MAX_DEPTH = 64
// SyntaxKind of jsonc-parser, which declares it in a way that single modules cannot import.
const OPENERS: ReadonlySet<number> = new Set([1, 3])
const CLOSERS: ReadonlySet<number> = new Set([2, 4])
const END_OF_TEXT = 17

/** Parses a text with comments; `parts` say which files it is joined from, if it is. */
export function parsePositionedJson(text: string, parts: readonly TextPart[] = []): ParsedJson {
  const positionAt = positionFinder(text, parts)
  const failed = (offset: number, message: string): ParsedJson => ({
    type: 'failed',
    problems: [{ position: positionAt(offset), key: '', message }],
  })
  // A byte order mark is not JSON, but editors add it unasked; a space in its place keeps every offset.
  const source = text.startsWith('\ufeff') ? ` ${text.slice(1)}` : text
  const errors: ParseError[] = []
  const tooDeep = offsetBelow(source, MAX_DEPTH)
  if (tooDeep !== undefined) return failed(tooDeep, 'lists and objects are nested too deeply')
  const root: Node | undefined = parseTree(source, errors)
  if (root !== undefined && errors.length === 0) {
    const duplicates = duplicateKeys(root, positionAt)
    if (duplicates.length > 0) return { type: 'failed', problems: duplicates }
    return { type: 'ok', json: positioned(root, plainValue(root), positionAt) }
  }
  if (errors.length === 0) return failed(0, 'the file is empty, expected an object in braces')
  return { type: 'failed', problems: syntaxProblems(source, errors, positionAt) }
}

/** `shared_folders[0].dir` */
export function formatKey(path: KeyPath): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`))
    .join('')
}

/** Where the text first opens more lists and objects within one another than allowed. */
function offsetBelow(text: string, maxDepth: number): number | undefined {
  const scanner = createScanner(text, true)
  let depth = 0
  for (let kind: number = scanner.scan(); kind !== END_OF_TEXT; kind = scanner.scan()) {
    if (OPENERS.has(kind) && ++depth > maxDepth) return scanner.getTokenOffset()
    if (CLOSERS.has(kind)) depth--
  }
  return undefined
}

function positioned(root: Node, value: unknown, positionAt: (offset: number) => Position): PositionedJson {
  const find = (path: KeyPath): Node => {
    let node = root
    for (const part of path) {
      const child = childOf(node, part)
      if (child === undefined) break
      node = child
    }
    return node
  }
  return {
    value,
    positionOf: (path) => positionAt(find(path).offset),
    keysAt: (path) =>
      propertiesOf(find(path)).map(({ key, at }) => ({
        key,
        position: positionAt(at),
      })),
  }
}

function childOf(node: Node, part: string | number): Node | undefined {
  if (typeof part === 'number') return node.type === 'array' ? node.children?.[part] : undefined
  return propertiesOf(node).find(({ key }) => key === part)?.value
}

interface Property {
  readonly key: string
  readonly at: number
  readonly value: Node
}

function propertiesOf(node: Node): Property[] {
  if (node.type !== 'object') return []
  return (node.children ?? []).map(({ children }) => {
    const [key, value] = children!
    return { key: key!.value as string, at: key!.offset, value: value! }
  })
}

function duplicateKeys(node: Node, positionAt: (offset: number) => Position, path: KeyPath = []): Problem[] {
  const problems: Problem[] = []
  if (node.type === 'array')
    node.children?.forEach((child, at) => {
      problems.push(...duplicateKeys(child, positionAt, [...path, at]))
    })
  const seen = new Map<string, number>()
  for (const { key, at, value } of propertiesOf(node)) {
    const first = seen.get(key)
    if (first === undefined) seen.set(key, at)
    else
      problems.push({
        position: positionAt(at),
        key: formatKey([...path, key]),
        message: `is given twice, first in line ${positionAt(first).line}; expected once`,
      })
    problems.push(...duplicateKeys(value, positionAt, [...path, key]))
  }
  return problems
}

function plainValue(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(plainValue)
  if (node.type !== 'object') return node.value
  // No prototype: a key named __proto__ is then a key like any other.
  const value: Record<string, unknown> = Object.create(null)
  for (const property of propertiesOf(node)) value[property.key] = plainValue(property.value)
  return value
}

function syntaxProblems(
  text: string,
  errors: readonly ParseError[],
  positionAt: (offset: number) => Position,
): Problem[] {
  const problems: Problem[] = []
  for (const { error, offset } of errors) {
    const position = positionAt(offset)
    // One slip makes the parser complain again within the line.
    if (problems.at(-1)?.position.line !== position.line)
      problems.push({ position, key: '', message: syntaxMessage(printParseErrorCode(error), text[offset]) })
    if (problems.length === MAX_SYNTAX_PROBLEMS) break
  }
  return problems
}

function syntaxMessage(error: string, found: string | undefined): string {
  switch (error) {
    case 'PropertyNameExpected':
      return found === '}'
        ? 'a comma before "}", expected no comma after the last entry'
        : 'expected a key in double quotes'
    case 'ValueExpected':
      if (found === undefined) return 'the file ends where a value was expected'
      return found === ']' || found === '}'
        ? `a value is missing before "${found}", expected no comma after the last entry`
        : 'expected a value: a text in double quotes, a number, true, false, a list or an object'
    case 'ColonExpected':
      return 'expected a colon after the key'
    case 'CommaExpected':
      return 'expected a comma after the entry before'
    case 'CloseBraceExpected':
      return 'an object has no end, expected "}"'
    case 'CloseBracketExpected':
      return 'a list has no end, expected "]"'
    case 'EndOfFileExpected':
      return 'something follows the end of the object, expected nothing'
    case 'InvalidNumberFormat':
    case 'UnexpectedEndOfNumber':
      return 'this is not a number'
    case 'UnexpectedEndOfComment':
      return 'the comment has no end, expected "*/"'
    case 'UnexpectedEndOfString':
      return 'the text has no end, expected a closing double quote in the same line'
    case 'InvalidUnicode':
    case 'InvalidEscapeCharacter':
      return 'the text has an unknown escape after "\\", expected one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX'
    case 'InvalidCharacter':
      return 'the text has a control character, expected it escaped'
    default:
      return 'this is not JSON, expected texts and keys in double quotes'
  }
}

/** Positions by offset, with the starts of lines found once. */
export function positionFinder(text: string, parts: readonly TextPart[] = []): (offset: number) => Position {
  if (parts.length === 0) return linesOf(text)
  const finders = parts.map(({ start }, at) => linesOf(text.slice(start, parts[at + 1]?.start)))
  return (offset) => {
    const at = lastNotAfter(parts, offset, ({ start }) => start)
    const { file, start } = parts[at]!
    return { ...finders[at]!(offset - start), file }
  }
}

function linesOf(text: string): (offset: number) => Position {
  const starts = [0]
  for (const { index, 0: end } of text.matchAll(/\r\n|\n|\r/g)) starts.push(index + end.length)
  return (offset) => {
    const at = lastNotAfter(starts, offset, (start) => start)
    return { line: at + 1, column: offset - starts[at]! + 1 }
  }
}

/** The index of the last of ascending items that begins at or before the offset; the first begins at 0. */
function lastNotAfter<T>(items: readonly T[], offset: number, startOf: (item: T) => number): number {
  let low = 0
  let high = items.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (startOf(items[middle]!) <= offset) low = middle
    else high = middle - 1
  }
  return low
}
