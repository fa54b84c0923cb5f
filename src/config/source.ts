// The text of a configuration: one file, NAME.conf, or a folder NAME.conf.d whose files PART.part are joined in the
// order of their names, as the Debian package of BitTorrent Sync did (it wrote the result to NAME.conf; here it is never
// written). Promises: no more is read than a configuration can be; what is not UTF-8 is told with its place.
import { isUtf8 } from 'node:buffer'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ShoalError } from '../core/error.js'
import { type Problem, positionFinder, type TextPart } from './json.js'
import { type FileFacts, openBytes, reason } from './open.js'

/** A configuration's text and where it comes from. */
export interface OpenedConfig {
  /** The path of NAME.conf, also where only NAME.conf.d is there: for messages and relative paths. */
  readonly fileName: string
  readonly text: string
  /** Empty for a single file. */
  readonly parts: readonly TextPart[]
  /** What was read, in the order of the text: one file, or each part. */
  readonly files: readonly FileFacts[]
}

const MAX_CONFIG_BYTES = 1 << 20
const PART = /^[^.].*\.part$/s

/**
 * Reads NAME.conf, or the parts in NAME.conf.d where NAME.conf is not there; either may be named. Both are an error,
 * unless NAME.conf says just what the parts say, as the old package left it. Throws CONFIG_UNREADABLE, or CONFIG_INVALID
 * for what is there and no text.
 */
export async function openConfig(path: string): Promise<OpenedConfig> {
  const fileName = path.replace(/\.conf\.d\/*$/, '.conf')
  const single = await readOne(fileName)
  const joined = fileName.endsWith('.conf') ? await readParts(fileName) : undefined
  if (joined === undefined) {
    if (single !== undefined) return single
    throw unreadable(fileName, 'no such file')
  }
  if (single === undefined) return joined
  // The old package joined the parts into this file at each start.
  if (sameLines(single.text, joined.text)) return joined
  throw invalid(fileName, {
    position: { line: 1, column: 1 },
    key: '',
    message: `stands beside ${fileName}.d and differs from what its parts give, expected only one of the two: remove this file if it was made from the parts`,
  })
}

/** By code units, whatever the language of the system. */
export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

async function readOne(fileName: string): Promise<OpenedConfig | undefined> {
  const read = await readFile(fileName)
  if (read === undefined) return undefined
  const text = decode(read.bytes)
  if (typeof text === 'string') return { fileName, text, parts: [], files: [read.file] }
  throw invalid(fileName, notUtf8(text))
}

async function readParts(fileName: string): Promise<OpenedConfig | undefined> {
  const folder = `${fileName}.d`
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw unreadable(folder, reason(error), error)
  }
  const parts: TextPart[] = []
  const files: FileFacts[] = []
  let text = ''
  let room = MAX_CONFIG_BYTES
  for (const name of names.filter((each) => PART.test(each)).sort(byBytes)) {
    const path = join(folder, name)
    const read = await readFile(path)
    if (read === undefined) throw unreadable(path, 'no such file')
    room -= read.bytes.length
    if (room < 0) throw unreadable(folder, `its parts are longer than ${MAX_CONFIG_BYTES} bytes together`)
    const part = decode(read.bytes)
    if (typeof part !== 'string') {
      throw invalid(path, notUtf8(part))
    }
    parts.push({ file: path, start: text.length })
    files.push(read.file)
    // An editor's mark is no JSON within a text. Without its last line end a comment would swallow the next part's start.
    text += part.replace(/^\ufeff/, ' ')
    if (!/[\r\n]$/.test(text)) text += '\n'
  }
  if (parts.length > 0) return { fileName, text, parts, files }
  throw unreadable(folder, 'it has no files that end in .part')
}

/** Undefined if it is not there. */
async function readFile(file: string): Promise<{ bytes: Buffer; file: FileFacts } | undefined> {
  try {
    return await openBytes(file, MAX_CONFIG_BYTES)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unreadable(file, reason(error), error)
  }
}

/** The text, or what of it comes before the first byte that is not UTF-8. */
function decode(bytes: Buffer): string | { readonly before: string; readonly byte: number } {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  // What is not UTF-8 was replaced, and so comes back as other bytes.
  const again = Buffer.from(text)
  if (again.equals(bytes)) return text
  let at = 0
  while (bytes[at] === again[at]) at++
  // The first bytes of a character cut off may be those of the replacement.
  while (!isUtf8(bytes.subarray(0, at))) at--
  return { before: bytes.subarray(0, at).toString(), byte: bytes[at] ?? 0 }
}

function notUtf8({ before, byte }: { readonly before: string; readonly byte: number }): Problem {
  const { line, column } = positionFinder(before)(before.length)
  const message = `is not UTF-8 text from here on (byte 0x${byte.toString(16)}), expected UTF-8: iconv converts other encodings`
  return { position: { line, column }, key: '', message }
}

function sameLines(a: string, b: string): boolean {
  const lines = (text: string): string =>
    text
      .split(/\r\n|\n|\r/)
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .join('\n')
  return lines(a) === lines(b)
}

function invalid(file: string, { position, message }: Problem): ShoalError {
  return new ShoalError('CONFIG_INVALID', `${file}:${position.line}:${position.column}: ${message}`)
}

function unreadable(file: string, why: string, cause?: unknown): ShoalError {
  return new ShoalError('CONFIG_UNREADABLE', `cannot read the configuration file ${file}: ${why}`, { cause })
}
