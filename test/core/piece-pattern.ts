// Bytes that look random and are the same in every run: BLAKE3 of seed and block number, one block after the other.
import { blake3 } from '../../src/core/hash.js'

/** `length` bytes that depend on the seed alone; a longer one begins with the shorter. */
export function patternBytes(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 32) blake3(Buffer.from(`${seed}:${at}`)).copy(bytes, at)
  return bytes
}
