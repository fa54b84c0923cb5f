// Names in the staging area: the same for the same path and content, so that what an interrupted run had already staged
// is found again (A4).
import { blake3 } from '../../core/hash.js'
import type { RelPath } from '../../core/path.js'

/** 32 lower-case hex digits. */
export function keyedToken(path: RelPath, content: Buffer): string {
  return blake3(Buffer.concat([content, Buffer.from(path)])).toString('hex', 0, 16)
}
