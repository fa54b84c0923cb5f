// The one path type: relative to the share's root, parts joined by "/", spelled as the disk spells it (NFC and NFD are
// different names). A path from a peer that is anything else is a protocol violation (A1).
import { Malformed } from './violation.js'

declare const brand: unique symbol
/** A checked relative path; never empty, absolute, `..`, `.`, NUL or an empty part, and never inside `.shoal`. */
export type RelPath = string & { readonly [brand]: 'RelPath' }

/** Longest path in UTF-8 bytes. PATH_MAX is 4096 with the NUL and must also hold the root's own path. */
export const MAX_PATH_BYTES = 3800
/** Longest name in UTF-8 bytes (NAME_MAX on Linux file systems). */
export const MAX_NAME_BYTES = 255
/** Our own folder at the share's root: marker, staging, archive. Never synced. */
export const OWN_DIR = '.shoal'
/** The ignore rules at the share's root; itself synced. */
export const IGNORE_FILE = '.shoalignore'

/** Why a text is not a path, or undefined if it is one. */
export function pathFault(text: string): string | undefined {
  if (text.length === 0) return 'empty path'
  // A lone surrogate has no UTF-8 form: the name read back from the disk would be another one.
  if (!text.isWellFormed()) return 'path is not valid Unicode'
  if (text.includes('\0')) return 'path holds a NUL'
  if (Buffer.byteLength(text) > MAX_PATH_BYTES) return `path is longer than ${MAX_PATH_BYTES} bytes`
  const parts = text.split('/')
  for (const part of parts) {
    if (part === '') return 'path is absolute or has an empty part'
    if (part === '.' || part === '..') return `path has a "${part}" part`
    if (part.length > 63 && Buffer.byteLength(part) > MAX_NAME_BYTES)
      return `name is longer than ${MAX_NAME_BYTES} bytes`
  }
  if (parts[0] === OWN_DIR) return `path lies in ${OWN_DIR}`
  return undefined
}

/** Checks a path from outside; Malformed if it is not one. */
export function parsePath(text: string): RelPath {
  const fault = pathFault(text)
  if (fault !== undefined) throw new Malformed('bad-path', fault)
  return text as RelPath
}

/** The directory a path lies in, '' for the root. */
export function parentOf(path: RelPath): RelPath | '' {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : (path.slice(0, slash) as RelPath)
}

/** The last part of a path. */
export function nameOf(path: RelPath): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Joins a checked directory ('' for the root) and a name from its listing. Undefined if the result is no path. */
export function childPath(directory: RelPath | '', name: string): RelPath | undefined {
  const text = directory === '' ? name : `${directory}/${name}`
  return pathFault(text) === undefined ? (text as RelPath) : undefined
}

/** How many directories lie above a path; 0 at the root. */
export function depthOf(path: RelPath): number {
  let depth = 0
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth++
  return depth
}
