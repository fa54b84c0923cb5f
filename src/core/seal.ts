// Sealing and signing of what our formats carry: XChaCha20-Poly1305 and Ed25519, each bound to a label, so that bytes
// made for one purpose are never valid for another (K1). Functions of their bytes alone; nonces come in as arguments.
import sodium from 'sodium-native'

/** Random, never used twice under one key. */
export const NONCE_BYTES = 24
/** Bytes that sealing adds besides the nonce. */
export const SEAL_BYTES = 16
export const SIGNATURE_BYTES = 64

/** A label as it stands before what is signed or associated: the NUL ends it, so no label begins another. */
export function labelBytes(label: string): Buffer {
  return Buffer.from(`${label}\0`)
}

/** message + SEAL_BYTES under a key of 32 bytes; `associated` is authenticated with it but not contained. */
export function seal(key: Buffer, nonce: Buffer, message: Buffer, associated: Buffer): Buffer {
  const sealed = Buffer.allocUnsafe(message.length + SEAL_BYTES)
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, message, associated, null, nonce, key)
  return sealed
}

/** The message; undefined if the bytes are not what seal made of this key, nonce and associated data. */
export function unseal(key: Buffer, nonce: Buffer, sealed: Buffer, associated: Buffer): Buffer | undefined {
  if (sealed.length < SEAL_BYTES) return undefined
  const message = Buffer.allocUnsafe(sealed.length - SEAL_BYTES)
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(message, null, sealed, associated, nonce, key)
  } catch (thrown) {
    // The library's only failure with lengths that fit; anything else is our bug.
    if (thrown instanceof Error && thrown.message === 'could not verify data') return undefined
    throw thrown
  }
  return message
}

/** An Ed25519 signature over the parts as if concatenated; begin with a label, and let lengths be unambiguous. */
export function sign(parts: readonly Buffer[], secretKey: Buffer): Buffer {
  const signature = Buffer.allocUnsafe(SIGNATURE_BYTES)
  sodium.crypto_sign_detached(signature, Buffer.concat(parts), secretKey)
  return signature
}

/** Whether `signature` is what sign made of these parts under the key's secret half. */
export function isSignedBy(parts: readonly Buffer[], signature: Buffer, publicKey: Buffer): boolean {
  return (
    signature.length === SIGNATURE_BYTES &&
    sodium.crypto_sign_verify_detached(signature, Buffer.concat(parts), publicKey)
  )
}
