// What a report says of a device's looking for damage (docs/design.md, "Report v1"): when it read all that it holds last, and
// what it found. How much, not where: damage shows as drift of its own kind in the section before.
//
//   end of the last whole pass (varint, ms since 1970, 0: none yet), its files (varint), its bytes (varint);
//   damaged files found since the index was made (varint), those put right (varint);
//   those damaged now (varint), their bytes (varint)
import { ByteReader, ByteWriter } from './bytes.js'
import { MAX_TIME_MS } from './record-public.js'

export interface ScrubSection {
  /** When the last pass that read all came to its end, milliseconds since 1970; 0: none yet. */
  readonly lastMs: number
  readonly files: number
  readonly bytes: number
  readonly found: number
  readonly repaired: number
  /** Files that are damaged now. */
  readonly open: number
  readonly openBytes: number
}

export function scrubBytes({ lastMs, files, bytes, found, repaired, open, openBytes }: ScrubSection): Buffer {
  const writer = new ByteWriter(64)
  for (const value of [lastMs, files, bytes, found, repaired, open, openBytes]) writer.uint(value)
  return writer.finish()
}

/** Reads a whole section; Malformed if it is not one. */
export function readScrub(value: Buffer): ScrubSection {
  const reader = new ByteReader(value)
  const lastMs = reader.uintUpTo(MAX_TIME_MS, 'end of a pass')
  const [files, bytes] = [reader.uint(), reader.uint()]
  const [found, repaired] = [reader.uint(), reader.uint()]
  const [open, openBytes] = [reader.uint(), reader.uint()]
  reader.end()
  return { lastMs, files, bytes, found, repaired, open, openBytes }
}
