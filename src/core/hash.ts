// BLAKE3 in the four ways Shoal uses it. Functions of their bytes alone, so they belong to the core.
import { Blake3Hasher } from '@napi-rs/blake-hash'

/** BLAKE3, 32 bytes. */
export function blake3(bytes: Uint8Array): Buffer {
  plainHasher.reset()
  plainHasher.update(bytes)
  return take(plainHasher)
}

/** The first four bytes of it, the first of them the highest. */
export function blake3Start(bytes: Uint8Array): number {
  plainHasher.reset()
  plainHasher.update(bytes)
  return Number.parseInt(plainHasher.digest('hex').slice(0, 8), 16)
}

// A hasher is 2 KiB outside the JavaScript heap that only a garbage collection frees, and making one takes longer than
// hashing a small piece. They are kept and reset; nothing of one call is left for the next.
const plainHasher = new Blake3Hasher()
const keyedHashers = new Map<string, Blake3Hasher>()
/** A daemon uses a handful of keys per share. */
const MAX_KEYED_HASHERS = 64

/** BLAKE3 over several parts as if concatenated, 32 bytes. The caller's format must make the split unambiguous. */
export function blake3Parts(parts: readonly Uint8Array[]): Buffer {
  return digest(plainHasher, parts)
}

/** Keyed BLAKE3 (a MAC), key of 32 bytes, 32 bytes out. */
export function keyedBlake3(key: Buffer, parts: readonly Uint8Array[]): Buffer {
  const name = key.toString('latin1')
  let hasher = keyedHashers.get(name)
  if (hasher === undefined) {
    if (keyedHashers.size >= MAX_KEYED_HASHERS) keyedHashers.clear()
    hasher = Blake3Hasher.newKeyed(key)
    keyedHashers.set(name, hasher)
  }
  return digest(hasher, parts)
}

function digest(hasher: Blake3Hasher, parts: readonly Uint8Array[]): Buffer {
  hasher.reset()
  for (const part of parts) hasher.update(part)
  return take(hasher)
}

/**
 * The library's own buffers are memory of its own that the collector learns of late and frees later: 300 bytes stay for
 * each of 32 until the thread is idle. Through a text it takes less time, and leaves nothing behind.
 */
function take(hasher: Blake3Hasher): Buffer {
  return Buffer.from(hasher.digest('hex'), 'hex')
}

/** BLAKE3's key derivation: `context` is a fixed, globally unique string of ours, `material` the secret (K1). */
export function deriveKey(context: string, material: Uint8Array): Buffer {
  return Blake3Hasher.deriveKey(context, material)
}
