// The part of sodium-native 5 that Shoal uses. It ships no types of its own. Every buffer must be backed by a plain
// ArrayBuffer: views of a SharedArrayBuffer are refused at run time ("status: undefined").
declare module 'sodium-native' {
  interface Sodium {
    readonly crypto_sign_SEEDBYTES: 32
    readonly crypto_sign_PUBLICKEYBYTES: 32
    readonly crypto_sign_SECRETKEYBYTES: 64
    readonly crypto_sign_BYTES: 64
    /** Fills both keys from a seed of 32 bytes. */
    crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void
    /** Fills both keys from the system's randomness. */
    crypto_sign_keypair(publicKey: Uint8Array, secretKey: Uint8Array): void
    /** Fills `signature`, 64 bytes. */
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void
    /** Demands a signature of at least 64 bytes, so check the length first; false if it does not hold. */
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
    /** Fills the public key that belongs to a secret key of 64 bytes. */
    crypto_sign_ed25519_sk_to_pk(publicKey: Uint8Array, secretKey: Uint8Array): void

    readonly crypto_stream_xchacha20_KEYBYTES: 32
    readonly crypto_stream_xchacha20_NONCEBYTES: 24
    /** Output as long as the message; both may be the same buffer. */
    crypto_stream_xchacha20_xor(
      output: Uint8Array,
      message: Uint8Array,
      nonce: Uint8Array,
      key: Uint8Array,
    ): void

    readonly crypto_aead_xchacha20poly1305_ietf_KEYBYTES: 32
    readonly crypto_aead_xchacha20poly1305_ietf_NPUBBYTES: 24
    readonly crypto_aead_xchacha20poly1305_ietf_ABYTES: 16
    /** Fills `sealed`, 16 bytes longer than the message; the number of bytes written. */
    crypto_aead_xchacha20poly1305_ietf_encrypt(
      sealed: Uint8Array,
      message: Uint8Array,
      associated: Uint8Array | null,
      reserved: null,
      nonce: Uint8Array,
      key: Uint8Array,
    ): number
    /** Fills `message`, 16 bytes shorter than `sealed`; throws an Error if the tag does not hold. */
    crypto_aead_xchacha20poly1305_ietf_decrypt(
      message: Uint8Array,
      reserved: null,
      sealed: Uint8Array,
      associated: Uint8Array | null,
      nonce: Uint8Array,
      key: Uint8Array,
    ): number

    readonly crypto_secretstream_xchacha20poly1305_STATEBYTES: 52
    readonly crypto_secretstream_xchacha20poly1305_TAG_MESSAGE: 0
    readonly crypto_secretstream_xchacha20poly1305_TAG_PUSH: 1
    readonly crypto_secretstream_xchacha20poly1305_TAG_REKEY: 2
    readonly crypto_secretstream_xchacha20poly1305_TAG_FINAL: 3
    /** Fills `sealed`, 17 bytes longer than the message, and moves the state on; the number of bytes written. */
    crypto_secretstream_xchacha20poly1305_push(
      state: Uint8Array,
      sealed: Uint8Array,
      message: Uint8Array,
      associated: Uint8Array | null,
      tag: number,
    ): number
    /** Fills `message`, 17 bytes shorter, and the one byte of `tag`, and moves the state on; throws an Error if the MAC does not hold. */
    crypto_secretstream_xchacha20poly1305_pull(
      state: Uint8Array,
      message: Uint8Array,
      tag: Uint8Array,
      sealed: Uint8Array,
      associated: Uint8Array | null,
    ): number

    readonly crypto_generichash_BYTES: 32
    /** BLAKE2b into `output`, 16 to 64 bytes; key of 16 to 64 bytes. */
    crypto_generichash(output: Uint8Array, input: Uint8Array, key?: Uint8Array): void
    /** BLAKE2b over several parts as if concatenated. */
    crypto_generichash_batch(output: Uint8Array, inputs: readonly Uint8Array[], key?: Uint8Array): void

    randombytes_buf(target: Uint8Array): void
    /** Constant time; both must have the same length, else it throws. */
    sodium_memcmp(a: Uint8Array, b: Uint8Array): boolean
    /** Constant time; true of nothing. */
    sodium_is_zero(buffer: Uint8Array): boolean
    sodium_memzero(target: Uint8Array): void
  }
  const sodium: Sodium
  export default sodium
}
