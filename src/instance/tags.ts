// The tags in a configuration file's comments, `// DAEMON_UID=www-data`, as the Debian package of BitTorrent Sync read
// them; they beat the file's name. Only comments count, never a text that happens to hold such words. The old scripts
// searched whole lines, so what looks like a tag and is none of ours (in mid-sentence, misspelt, twice) is a fault:
// read over, it would run the daemon as somebody else.
// Promises that no text makes it throw, and that no message holds a value: it may be a secret at the wrong place.
import { isIPv4 } from 'node:net'
import { createScanner } from 'jsonc-parser'
import { type Position, type Problem, positionFinder, type TextPart } from '../config/json.js'

/** A value and where it stands. */
export interface Tag<T> {
  readonly value: T
  readonly position: Position
}

export interface Tags {
  /** A user's name or number. */
  readonly uid?: Tag<string>
  /** A group's name or number; may stand without `uid`. */
  readonly gid?: Tag<string>
  /** 0 to 0o077: never takes a right from the owner. */
  readonly umask?: Tag<number>
  /** -20 (first) to 19 (last). */
  readonly nice?: Tag<number>
  /** An IPv4 address. */
  readonly bind?: Tag<string>
}

export type TagsResult =
  /** `notes`: tags that are known and have no effect. */
  | { readonly type: 'ok'; readonly tags: Tags; readonly notes: readonly Problem[] }
  | { readonly type: 'failed'; readonly problems: readonly Problem[] }

/** A line of a comment. */
interface CommentLine extends Position {
  readonly text: string
}

// SyntaxKind of jsonc-parser, which declares it in a way that single modules cannot import.
const LINE_COMMENT = 12
const BLOCK_COMMENT = 13
const END_OF_TEXT = 17
/** What begins a line of a comment before its words: the signs that draw comments and boxes. */
const MARGIN = /^[\s/*#|!-]*/
const TAG = /\b(DAEMON_[A-Z_]+)[ \t]*=/gi
const LOG_PATH = /^LOG_PATH[ \t]*=/
/** Names as the system has them, dots, domains and capitals too, or a number. */
const ACCOUNT = /^[A-Za-z0-9_][A-Za-z0-9_.@\\+-]{0,255}\$?$/
/** 2^32 - 1 is "no user" to the system. */
const MAX_ID = 0xfffffffe

const READERS: Readonly<Record<string, (value: string) => unknown>> = {
  DAEMON_UID: accountOf,
  DAEMON_GID: accountOf,
  DAEMON_UMASK: (value) => (/^[0-7]{1,4}$/.test(value) && isUmask(value) ? parseInt(value, 8) : undefined),
  DAEMON_NICE: (value) => (/^[+-]?\d{1,2}$/.test(value) && isNice(value) ? Number(value) : undefined),
  DAEMON_BIND: (value) => (isIPv4(value) ? value : undefined),
  DAEMON_DEBUG: (value) => value,
  LOG_PATH: (value) => value,
}
const EXPECTED: Readonly<Record<string, string>> = {
  DAEMON_UID: 'the name or number of a user, and nothing after it',
  DAEMON_GID: 'the name or number of a group, and nothing after it',
  DAEMON_UMASK: 'octal digits from 0 to 077: the owner needs all rights to its own files',
  DAEMON_NICE: 'a whole number from -20 to 19',
  DAEMON_BIND: 'an IPv4 address; for others there is "listen_host"',
}
const NOTES: Readonly<Record<string, string>> = {
  DAEMON_DEBUG: 'has no effect: use shoal run --log-level',
  LOG_PATH: 'has no effect: the log goes to standard error',
}

/** Finds the tags of a configuration's text, whether or not the text is sound otherwise. */
export function readTags(text: string, parts: readonly TextPart[] = []): TagsResult {
  const found = new Map<string, Tag<unknown>>()
  const problems: Problem[] = []
  const notes: Problem[] = []
  for (const line of commentLines(text, parts))
    for (const { key, value, position, fault } of tagsIn(line)) {
      const add = (message: string): unknown => problems.push({ position, key, message })
      const first = found.get(key)
      const read = READERS[key]
      if (fault !== undefined) add(fault)
      else if (read === undefined) add(`is no tag, expected one of ${Object.keys(EXPECTED).join(', ')}`)
      else if (first !== undefined) add(`is given twice, first in line ${first.position.line}; expected once`)
      else {
        const meaning = read(value)
        found.set(key, { value: meaning, position })
        if (meaning === undefined) add(`has no sound value, expected ${EXPECTED[key]}`)
        if (NOTES[key] !== undefined) notes.push({ position, key, message: NOTES[key] })
      }
    }
  if (problems.length > 0) return { type: 'failed', problems }
  const pick = <T>(name: string, key: string): Record<string, Tag<T>> =>
    found.has(key) ? { [name]: found.get(key) as Tag<T> } : {}
  const tags: Tags = {
    ...pick('uid', 'DAEMON_UID'),
    ...pick('gid', 'DAEMON_GID'),
    ...pick('umask', 'DAEMON_UMASK'),
    ...pick('nice', 'DAEMON_NICE'),
    ...pick('bind', 'DAEMON_BIND'),
  }
  return { type: 'ok', tags, notes }
}

interface FoundTag {
  readonly key: string
  readonly value: string
  readonly position: Position
  readonly fault?: string
}

function tagsIn({ text, column, ...place }: CommentLine): FoundTag[] {
  const start = MARGIN.exec(text)![0].length
  const words = text.slice(start)
  const at = (offset: number): Position => ({ ...place, column: column + offset })
  if (LOG_PATH.test(words)) return [{ key: 'LOG_PATH', value: '', position: at(start) }]
  return [...text.matchAll(TAG)].map(({ index, 0: whole, 1: spelt }) => {
    const key = spelt!.toUpperCase()
    const value = text
      .slice(index + whole.length)
      .replace(/\*\/$/, '')
      .trim()
    const fault =
      index !== start
        ? 'stands in the middle of a comment, expected it first in a comment line of its own'
        : spelt !== key
          ? 'is not all in capital letters, expected it so'
          : undefined
    return { key, value, position: at(index), ...(fault !== undefined && { fault }) }
  })
}

function commentLines(text: string, parts: readonly TextPart[]): CommentLine[] {
  const lines: CommentLine[] = []
  const positionAt = positionFinder(text, parts)
  const scanner = createScanner(text, false)
  for (let kind: number = scanner.scan(); kind !== END_OF_TEXT; kind = scanner.scan()) {
    if (kind !== LINE_COMMENT && kind !== BLOCK_COMMENT) continue
    // Its own line numbers and comment texts are off by what comes before them.
    let offset = scanner.getTokenOffset()
    for (const part of text.slice(offset, offset + scanner.getTokenLength()).split(/(?<=\r\n|\n|\r(?!\n))/)) {
      lines.push({ text: part.trimEnd(), ...positionAt(offset) })
      offset += part.length
    }
  }
  return lines
}

function accountOf(value: string): string | undefined {
  if (!ACCOUNT.test(value) || (/^\d+$/.test(value) && Number(value) > MAX_ID)) return undefined
  return value
}

function isUmask(value: string): boolean {
  return parseInt(value, 8) <= 0o077
}

function isNice(value: string): boolean {
  return Number(value) >= -20 && Number(value) <= 19
}
