// libsodium's secretstream (crypto_secretstream_xchacha20poly1305), encrypted and decrypted by OpenSSL, which takes half
// of the time, or four fifths on older processors (docs/decisions/0079). State and bytes are libsodium's: both can take turns on one stream.
// Promises: what is out of the ordinary is left to libsodium, untouched, and so is the judgement on a frame whose MAC does not
// hold; nothing is decrypted before it does. Source: libsodium 1.0.20, crypto_secretstream/xchacha20poly1305.
//
//   state    key (32), counter (4, little-endian), nonce (8), unused (8)
//   sealed   tag (1), message, MAC (16)
//   blocks of the key stream, 64 bytes each: 0 the MAC's key, 1 over the tag and 63 zeros, from 2 on over the message
//   MAC      over that block of the tag, with 63 bytes of key stream; the message, encrypted; padding; the length of
//            additional data, 0 here, and of block and message together, u64 each. The padding is that of libsodium, which
//            is not what makes it a multiple of 16: (16 - 64 + length) mod 16 zeros.
//   then     nonce ^= first 8 bytes of the MAC; counter += 1, and when it comes to 0, another key is made
import sodium from 'sodium-native'
import { invariant } from '../core/error.js'
import { type Evp, findEvp } from './evp.js'

const STATE_BYTES = 52
const COUNTER_AT = 32
const NONCE_AT = 36
const NONCE_BYTES = 8
const MAX_COUNTER = 2 ** 32 - 1
const TAG_BYTES = 1
const MAC_BYTES = 16
/** What is sealed is so much longer. */
const AROUND_BYTES: number = TAG_BYTES + MAC_BYTES
const BLOCK_BYTES = 64
/** OpenSSL takes lengths as int. */
const MAX_MESSAGE = 2 ** 31 - 1 - BLOCK_BYTES

export class QuickStream {
  readonly #evp: Evp
  readonly #start = Buffer.alloc(16)
  readonly #blocks: Buffer = Buffer.alloc(2 * BLOCK_BYTES)
  readonly #tagBlock = this.#blocks.subarray(BLOCK_BYTES)
  readonly #tail = Buffer.alloc(15 + 16)
  readonly #mac = Buffer.alloc(MAC_BYTES)

  constructor(evp: Evp) {
    this.#evp = evp
  }

  /**
   * Encrypts a message, TAG_MESSAGE, without additional data, where it stands in `sealed`, fills in what is around it, and moves the
   * state on. False: nothing was done, and libsodium has to do it.
   */
  push(state: Buffer, message: Buffer, sealed: Buffer): boolean {
    if (!isOrdinary(state, message, sealed)) return false
    try {
      if (!this.#begin(state)) return false
      // From here on there is no way back: the same key stream a second time over what has had it would be the message again.
      invariant(this.#evp.xor(message) && this.#authenticate(message), 'OpenSSL goes on with what it began')
      sealed[0] = this.#tagBlock[0]!
      this.#mac.copy(sealed, TAG_BYTES + message.length)
      this.#move(state)
      return true
    } finally {
      this.#forget()
    }
  }

  /**
   * Decrypts what is sealed, in place, and moves the state on. False: nothing was done, and libsodium has to do it, or to refuse it:
   * the MAC does not hold, or the tag is not TAG_MESSAGE.
   */
  pull(state: Buffer, message: Buffer, sealed: Buffer): boolean {
    if (!isOrdinary(state, message, sealed)) return false
    try {
      if (!this.#begin(state) || sealed[0] !== this.#tagBlock[0]) return false
      if (!this.#authenticate(message)) return false
      if (!sodium.sodium_memcmp(this.#mac, sealed.subarray(TAG_BYTES + message.length))) return false
      invariant(this.#evp.xor(message), 'OpenSSL goes on with what it began')
      this.#move(state)
      return true
    } finally {
      this.#forget()
    }
  }

  /** The first two blocks, the tag's being that of TAG_MESSAGE, 0; the message's are next. */
  #begin(state: Buffer): boolean {
    state.copy(this.#start, 4, COUNTER_AT, NONCE_AT + NONCE_BYTES)
    this.#blocks.fill(0)
    return this.#evp.begin(state, this.#start) && this.#evp.xor(this.#blocks)
  }

  /** Of the message as it is encrypted. */
  #authenticate(message: Buffer): boolean {
    const padding = (16 - BLOCK_BYTES + message.length) & 15
    const tail = this.#tail.subarray(0, padding + 16).fill(0)
    tail.writeUInt32LE(BLOCK_BYTES + message.length, padding + 8)
    return this.#evp.authenticate(this.#mac, this.#blocks, [this.#tagBlock, message, tail])
  }

  #move(state: Buffer): void {
    for (let i = 0; i < NONCE_BYTES; i++) state[NONCE_AT + i]! ^= this.#mac[i]!
    state.writeUInt32LE(state.readUInt32LE(COUNTER_AT) + 1, COUNTER_AT)
  }

  /** No key outlives the call but in the state, whose owner keeps it. */
  #forget(): void {
    this.#evp.end()
    this.#blocks.fill(0)
  }
}

/** The message stands where it will be sealed, in memory of this thread alone, and the key is not about to change. */
function isOrdinary(state: Buffer, message: Buffer, sealed: Buffer): boolean {
  return (
    state.length === STATE_BYTES &&
    state.readUInt32LE(COUNTER_AT) < MAX_COUNTER &&
    message.length > 0 &&
    message.length <= MAX_MESSAGE &&
    sealed.length === message.length + AROUND_BYTES &&
    sealed.buffer instanceof ArrayBuffer &&
    message.buffer === sealed.buffer &&
    message.byteOffset === sealed.byteOffset + TAG_BYTES
  )
}

/** Looked for and tried each time; undefined where it cannot be had, or does anything otherwise than libsodium. */
export function findQuickStream(find: () => Evp | undefined = findEvp): QuickStream | undefined {
  const evp = find()
  if (evp === undefined) return undefined
  const stream = new QuickStream(evp)
  try {
    return TRIED_LENGTHS.every((length) => isLikeSodium(stream, length)) ? stream : undefined
  } catch {
    // It does not go on with what it began (a provider that has ChaCha20 and no Poly1305), and nothing but samples was worked on.
    return undefined
  }
}

/** Below and above what is worked on at once, with each kind of padding in between; the last takes the widest path there is. */
const TRIED_LENGTHS: readonly number[] = [1, 15, 48, 63, 64, 65, 1000, 20_011]

function isLikeSodium(stream: QuickStream, length: number): boolean {
  const state = sampleBytes(STATE_BYTES, length)
  const plain = sampleBytes(length + AROUND_BYTES, length)
  const inside = (sealed: Buffer): Buffer => sealed.subarray(TAG_BYTES, TAG_BYTES + length)
  const [theirState, theirs] = [Buffer.from(state), Buffer.from(plain)]
  sodium.crypto_secretstream_xchacha20poly1305_push(theirState, theirs, inside(theirs), null, 0)
  const [ourState, ours] = [Buffer.from(state), Buffer.from(plain)]
  if (!stream.push(ourState, inside(ours), ours)) return false
  if (!ourState.equals(theirState) || !ours.equals(theirs)) return false
  ourState.set(state)
  for (const at of [0, length, length + AROUND_BYTES - 1]) {
    ours[at]! ^= 1
    const forged = Buffer.from(ours)
    if (stream.pull(ourState, inside(ours), ours)) return false
    if (!ourState.equals(state) || !ours.equals(forged)) return false
    ours[at]! ^= 1
  }
  return (
    stream.pull(ourState, inside(ours), ours) &&
    ourState.equals(theirState) &&
    inside(ours).equals(inside(plain))
  )
}

function sampleBytes(length: number, seed: number): Buffer {
  return Buffer.alloc(length, SAMPLE.subarray(seed & 127))
}

/** No multiple of a block, so that no two blocks of what is filled with it are the same. */
const SAMPLE: Buffer = Buffer.from(Array.from({ length: 251 }, (_, i) => (i * 151) & 255))
