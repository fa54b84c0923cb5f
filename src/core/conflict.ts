// Names of conflict copies (V5): `name.conflict-YYYYMMDD-HHMMSS-DEVICE.ext`, from recorded fields alone, so that two
// writers who publish the same copy agree on its path and on every byte of it.
import type { LiveEntry } from './entry.js'
import { MAX_NAME_BYTES, nameOf, parentOf, parsePath, type RelPath } from './path.js'

const MARK = /\.conflict-\d{8}-\d{6}-[A-Za-z0-9_-]{1,33}(?=\.|$)/
/** An extension longer than this is part of the name. */
const MAX_EXTENSION_BYTES = 24

/** Whether a path is named as a conflict copy. */
export function isConflictCopy(path: RelPath): boolean {
  return MARK.test(nameOf(path))
}

/** The path that a conflict copy belongs to; names shortened to fit cannot be told back exactly. */
export function originalOf(path: RelPath): RelPath {
  const parent = parentOf(path)
  const name = nameOf(path).replace(MARK, '')
  return parsePath(parent === '' ? name : `${parent}/${name}`)
}

/**
 * Where the losing version of `path` goes. `label` is the device label of the entry's origin (1-24 characters of
 * [A-Za-z0-9_-]). `distinct` adds 8 hex digits of the content, for the case that the plain name holds something else.
 */
export function conflictPath(path: RelPath, loser: LiveEntry, label: string, distinct: boolean): RelPath {
  const name = nameOf(path)
  const dot = name.lastIndexOf('.')
  const splits = dot > 0 && Buffer.byteLength(name) - dot <= MAX_EXTENSION_BYTES
  const stem = splits ? name.slice(0, dot) : name
  const extension = splits ? name.slice(dot) : ''
  const mark = `.conflict-${stamp(loser.mtimeUs)}-${label}${distinct ? `-${contentMark(loser)}` : ''}`
  const room = MAX_NAME_BYTES - mark.length - Buffer.byteLength(extension)
  const parent = parentOf(path)
  const copy = `${truncateUtf8(stem, room)}${mark}${extension}`
  return parsePath(parent === '' ? copy : `${parent}/${copy}`)
}

function contentMark(loser: LiveEntry): string {
  if (loser.type === 'file') return loser.content.toString('hex', 0, 4)
  const text = loser.type === 'symlink' ? loser.target : ''
  let sum = 0x811c9dc5
  for (const byte of Buffer.from(text)) sum = Math.imul(sum ^ byte, 0x01000193) >>> 0
  return sum.toString(16).padStart(8, '0')
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
