// Branded ids: made only by the functions here or by a codec, so that the rest of the program cannot mix them.
import { blake3 } from './hash.js'
import { Malformed } from './violation.js'

declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** A writer's feed in version vectors: 16 lower-case hex digits, the first 8 bytes of BLAKE3 of the feed key. */
export type WriterId = Brand<string, 'WriterId'>
/** A device: its Ed25519 public key (also its Noise static key), 64 lower-case hex digits. */
export type DeviceId = Brand<string, 'DeviceId'>
/** A share: BLAKE3 of its public key under our label, 64 lower-case hex digits. Public only inside the share. */
export type ShareId = Brand<string, 'ShareId'>

/** Bytes of a writer id on the wire. */
export const WRITER_ID_BYTES = 8
/** Bytes of a hash, a public key, a content id and a piece id. */
export const HASH_BYTES = 32

/** The id that version vectors use for a feed key (32 bytes). A new epoch is a new feed and so a new writer (F4). */
export function writerIdOf(feedKey: Uint8Array): WriterId {
  return blake3(feedKey).subarray(0, WRITER_ID_BYTES).toString('hex') as WriterId
}

/** Reads a writer id from its 8 bytes. */
export function writerIdFromBytes(bytes: Buffer): WriterId {
  if (bytes.length !== WRITER_ID_BYTES) throw new Malformed('bad-id', `writer id of ${bytes.length} bytes`)
  return bytes.toString('hex') as WriterId
}

/** Parses the text form of a writer id; Malformed if it is anything else. */
export function parseWriterId(text: string): WriterId {
  if (!/^[0-9a-f]{16}$/.test(text)) throw new Malformed('bad-id', 'writer id is not 16 hex digits')
  return text as WriterId
}

/** A device id from its public key (32 bytes). */
export function deviceIdFromKey(publicKey: Uint8Array): DeviceId {
  if (publicKey.length !== HASH_BYTES)
    throw new Malformed('bad-id', `device key of ${publicKey.length} bytes`)
  return Buffer.from(publicKey).toString('hex') as DeviceId
}

/** Parses the text form of a device id; Malformed if it is anything else. */
export function parseDeviceId(text: string): DeviceId {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Malformed('bad-id', 'device id is not 64 hex digits')
  return text as DeviceId
}

/** A share id from the hash that secrets derive (32 bytes). */
export function shareIdFromBytes(bytes: Uint8Array): ShareId {
  if (bytes.length !== HASH_BYTES) throw new Malformed('bad-id', `share id of ${bytes.length} bytes`)
  return Buffer.from(bytes).toString('hex') as ShareId
}
