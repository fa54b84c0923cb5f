// BLAKE3 in the four ways Shoal uses it. Functions of their bytes alone, so they belong to the core.
import { Blake3Hasher, blake3 as blake3Native } from '@napi-rs/blake-hash'

/** BLAKE3, 32 bytes. */
export function blake3(bytes: Uint8Array): Buffer {
  return blake3Native(bytes)
}

/** BLAKE3 over several parts as if concatenated, 32 bytes. The caller's format must make the split unambiguous. */
export function blake3Parts(parts: readonly Uint8Array[]): Buffer {
  const hasher = new Blake3Hasher()
  for (const part of parts) hasher.update(part)
  return hasher.digestBuffer()
}

/** Keyed BLAKE3 (a MAC), key of 32 bytes, 32 bytes out. */
export function keyedBlake3(key: Buffer, parts: readonly Uint8Array[]): Buffer {
  const hasher = Blake3Hasher.newKeyed(key)
  for (const part of parts) hasher.update(part)
  return hasher.digestBuffer()
}

/** BLAKE3's key derivation: `context` is a fixed, globally unique string of ours, `material` the secret (K1). */
export function deriveKey(context: string, material: Uint8Array): Buffer {
  return Blake3Hasher.deriveKey(context, material)
}
