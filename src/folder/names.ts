// Names as the disk has them, strictly: a name that is not valid UTF-8 has no text, and is reported instead of being
// read as another name (A7). Nothing here touches a disk.
import { MAX_NAME_BYTES, MAX_PATH_BYTES } from '../core/path.js'

/** What lossy decoding puts where bytes are not UTF-8. A name may also hold this very character. */
const REPLACEMENT = '\uFFFD'

/** The text of these bytes, or undefined if they are not UTF-8. Nothing is stripped or normalised. */
export function strictText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8')
  // Nearly every name ends here: decoding is lossy only where it leaves this mark.
  if (!text.includes(REPLACEMENT)) return text
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined
}

/** Whether a text that came from lossy decoding may have lost something. */
export function mayBeLossy(text: string): boolean {
  return text.includes(REPLACEMENT)
}

/**
 * Why a name from a listing is too long to be carried, or undefined. `directoryBytes` is the length of its directory's
 * path in UTF-8, 0 for the root.
 */
export function lengthFault(directoryBytes: number, name: string): string | undefined {
  // A UTF-16 unit takes three bytes at most: short names need no counting.
  if (name.length * 3 <= MAX_NAME_BYTES && directoryBytes + 1 + name.length * 3 <= MAX_PATH_BYTES)
    return undefined
  const nameBytes = Buffer.byteLength(name)
  if (nameBytes > MAX_NAME_BYTES) return `name is longer than ${MAX_NAME_BYTES} bytes`
  const pathBytes = directoryBytes === 0 ? nameBytes : directoryBytes + 1 + nameBytes
  return pathBytes > MAX_PATH_BYTES ? `path is longer than ${MAX_PATH_BYTES} bytes` : undefined
}
