// Names of conflict copies (V5): `name.conflict-YYYYMMDD-HHMMSS-DEVICE.ext`, from recorded fields alone, so that two
// writers who publish the same copy agree on its path and on every byte of it.
import type { LiveEntry } from './entry.js'
import { blake3 } from './hash.js'
import {
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  nameOf,
  parentOf,
  parsePath,
  pathFault,
  type RelPath,
} from './path.js'

const MARK = /\.conflict-\d{8}-\d{6}-[A-Za-z0-9_-]{1,33}(?=\.|$)/
/** An extension longer than this is part of the name. */
const MAX_EXTENSION_BYTES = 24
const MARK_BYTES = 4
/** One character at least stays of a name. */
const MIN_STEM_BYTES = 4

/** Whether a path is named as a conflict copy: of a path that there can be. */
export function isConflictCopy(path: RelPath): boolean {
  return MARK.test(nameOf(path)) && pathFault(withoutMark(path)) === undefined
}

/** The path that a conflict copy belongs to; names shortened to fit cannot be told back exactly. */
export function originalOf(path: RelPath): RelPath {
  return parsePath(withoutMark(path))
}

function withoutMark(path: RelPath): string {
  const parent = parentOf(path)
  const name = nameOf(path).replace(MARK, '')
  return parent === '' ? name : `${parent}/${name}`
}

/**
 * The `count`th name (from 1) for a conflict copy that is to stay as a file of its own: `name.kept-YYYYMMDD-HHMMSS-DEVICE.ext`,
 * then with `-2`, ... after the device. No name of a conflict copy. `count`: up to 999.
 */
export function keptPath(copy: RelPath, count: number): RelPath {
  const parent = parentOf(copy)
  // Shorter than the mark that it replaces by more than a number is long.
  const name = nameOf(copy).replace(
    new RegExp(MARK, 'g'),
    (mark) => mark.replace('.conflict-', '.kept-') + (count === 1 ? '' : `-${count}`),
  )
  return parsePath(parent === '' ? name : `${parent}/${name}`)
}

/** Names that conflictPath can give one loser besides the plain one. */
export const DISTINCT_NAMES = 8

/**
 * Where the losing version of `path` goes. `label` is the device label of the entry's origin (1-24 characters of
 * [A-Za-z0-9_-]). `distinct` adds 8 hex digits of the content, for the case that the plain name holds something else;
 * `attempt` (0 to DISTINCT_NAMES - 1) takes other digits, for the case that this name is taken, too.
 */
export function conflictPath(
  path: RelPath,
  loser: LiveEntry,
  label: string,
  distinct: boolean,
  attempt = 0,
): RelPath {
  return conflictPathAt(path, loser.mtimeUs, distinct ? `${label}-${contentMark(loser, attempt)}` : label)
}

/** The same for a version that is no entry (yet). `label`: 1-33 characters of [A-Za-z0-9_-]. */
export function conflictPathAt(path: RelPath, mtimeUs: number, label: string): RelPath {
  const name = nameOf(path)
  const dot = name.lastIndexOf('.')
  const splits = dot > 0 && Buffer.byteLength(name) - dot <= MAX_EXTENSION_BYTES
  const stem = splits ? name.slice(0, dot) : name
  const extension = splits ? name.slice(dot) : ''
  const mark = `.conflict-${stamp(mtimeUs)}-${label}`
  // Beside the original; where the path would grow too long even so, in the nearest directory above that has room.
  let parent = parentOf(path)
  const roomIn = (directory: RelPath | ''): number =>
    MAX_PATH_BYTES - Buffer.byteLength(directory) - 1 - mark.length - Buffer.byteLength(extension)
  while (parent !== '' && roomIn(parent) < MIN_STEM_BYTES) parent = parentOf(parent)
  const room = Math.min(roomIn(parent), MAX_NAME_BYTES - mark.length - Buffer.byteLength(extension))
  const copy = `${truncateUtf8(stem, room)}${mark}${extension}`
  return parsePath(parent === '' ? copy : `${parent}/${copy}`)
}

function contentMark(loser: LiveEntry, attempt: number): string {
  const content =
    loser.type === 'file' ? loser.content : blake3(Buffer.from(loser.type === 'symlink' ? loser.target : ''))
  return content.toString('hex', attempt * MARK_BYTES, (attempt + 1) * MARK_BYTES)
}

/** UTC, to the second. Times outside the years 0 to 9999 are clamped: the name needs eight digits. */
function stamp(mtimeUs: number): string {
  const ms = Math.min(Math.max(Math.floor(mtimeUs / 1000), -62_167_219_200_000), 253_402_300_799_000)
  const iso = new Date(ms).toISOString()
  return `${iso.slice(0, 10).replaceAll('-', '')}-${iso.slice(11, 19).replaceAll(':', '')}`
}

function truncateUtf8(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text
  let bytes = 0
  let kept = ''
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > maxBytes) break
    kept += character
  }
  return kept
}
