// A blind node's signed statement of what it keeps (docs/design.md, "Blind state v1"). It travels with the device states to
// all members through all members; everybody who holds at least the blind secret can read it, for a blind node cannot seal
// for readers what it has no key for, and others of its grade show it too.
//
//   magic "SB" (2), format version 1 (1)
//   device (32): its Ed25519 public key
//   sequence (varint)
//   nonce (24), random
//   sealed body, XChaCha20-Poly1305 under blindStateKey; associated data is label, share id (32) and all bytes before
//   signature (64), Ed25519 by the device over label, share id (32) and all bytes before
//
// The body: length, device name; length, instance; time; count of feeds, each writer id (8) and length, ascending by writer id:
// how much of each feed is in its vault; pieces and bytes it should hold for that much of the share to be whole, and how
// many of them it lacks; pieces and bytes it holds beside them, for the past; problems; flags (u8: 1 off-site).
import { ByteReader, ByteWriter } from './bytes.js'
import { cleanDeviceName, readDeviceName } from './certificate.js'
import { invariant } from './error.js'
import { type DeviceId, deviceIdFromKey, HASH_BYTES, type ShareId } from './ids.js'
import { type FeedView, MAX_TIME_MS, readView, writeView } from './record-public.js'
import { isSignedBy, labelBytes, NONCE_BYTES, SIGNATURE_BYTES, seal, sign, unseal } from './seal.js'
import { MAX_INSTANCE_BYTES, MAX_STATE_BYTES, type StateHeader } from './state.js'
import { type Decoded, decoding, Malformed } from './violation.js'

export interface BlindState {
  readonly device: DeviceId
  /** What people call the device; see cleanDeviceName. */
  readonly name: string
  /** Names one run of the daemon (F4). Printable ASCII, not empty. */
  readonly instance: string
  /** Grows with every state of the device, across runs: the highest is the newest. */
  readonly sequence: number
  /** When it was made, by the device's clock. */
  readonly timeMs: number
  /** How much of each feed is in its vault. */
  readonly feeds: FeedView
  /** What the share as of `feeds` is made of: sealed pieces and their bytes, and those of them that it lacks. */
  readonly pieces: number
  readonly bytes: number
  readonly missingPieces: number
  readonly missingBytes: number
  /** What it holds beside that, for the past. */
  readonly pastPieces: number
  readonly pastBytes: number
  readonly problems: number
  /** Whether its owner says that it stands somewhere else. */
  readonly offsite: boolean
}

const MAGIC = Buffer.from('SB')
const FORMAT = 1
const OFFSITE = 1
const SEAL_LABEL = labelBytes('shoal 2026-11 v1 blind state seal')
const SIGN_LABEL = labelBytes('shoal 2026-11 v1 blind state')
const INSTANCE = /^[\x21-\x7e]+$/
const COUNTS = [
  'pieces',
  'bytes',
  'missingPieces',
  'missingBytes',
  'pastPieces',
  'pastBytes',
  'problems',
] as const

/** Whether bytes claim to be a blind node's state; others among the states of a message are of those who read. */
export function isBlindState(bytes: Buffer): boolean {
  return bytes.subarray(0, MAGIC.length).equals(MAGIC)
}

/** Seals and signs a state; `nonce` is 24 random bytes, fresh for every call. The name is cleaned first. */
export function sealBlindState(
  state: BlindState,
  deviceSecretKey: Buffer,
  blindStateKey: Buffer,
  shareId: ShareId,
  nonce: Buffer,
): Buffer {
  invariant(nonce.length === NONCE_BYTES, 'the nonce of a state has 24 bytes')
  const before = new ByteWriter()
    .raw(MAGIC)
    .u8(FORMAT)
    .raw(Buffer.from(state.device, 'hex'))
    .uint(state.sequence)
    .raw(nonce)
    .finish()
  const sealed = seal(blindStateKey, nonce, bodyOf(state), Buffer.concat(bound(SEAL_LABEL, shareId, before)))
  const body = Buffer.concat([before, sealed])
  const bytes = Buffer.concat([body, sign(bound(SIGN_LABEL, shareId, body), deviceSecretKey)])
  invariant(bytes.length <= MAX_STATE_BYTES, 'a state stays within MAX_STATE_BYTES')
  return bytes
}

/** Checks and reads a state. */
export function openBlindState(bytes: Buffer, blindStateKey: Buffer, shareId: ShareId): Decoded<BlindState> {
  return decoding(() => {
    if (bytes.length > MAX_STATE_BYTES) throw new Malformed('too-long', `state of ${bytes.length} bytes`)
    const reader = new ByteReader(bytes)
    if (!reader.take(MAGIC.length).equals(MAGIC)) throw new Malformed('bad-magic', 'not a blind state')
    const format = reader.u8()
    if (format !== FORMAT) throw new Malformed('bad-format', `blind state of format ${format}`)
    const publicKey = reader.take(HASH_BYTES)
    const sequence = reader.uint()
    const nonce = reader.take(NONCE_BYTES)
    const before = bytes.subarray(0, bytes.length - reader.left)
    if (reader.left < SIGNATURE_BYTES) throw new Malformed('truncated', 'no room for the signature')
    const sealed = reader.take(reader.left - SIGNATURE_BYTES)
    const signed = bytes.subarray(0, bytes.length - SIGNATURE_BYTES)
    if (!isSignedBy(bound(SIGN_LABEL, shareId, signed), reader.take(SIGNATURE_BYTES), publicKey))
      throw new Malformed('bad-signature', 'state is not signed by its device')
    const body = unseal(blindStateKey, nonce, sealed, Buffer.concat(bound(SEAL_LABEL, shareId, before)))
    if (body === undefined) throw new Malformed('bad-seal', 'state was not sealed for this share')
    return readBody(new ByteReader(body), { device: deviceIdFromKey(publicKey), sequence })
  })
}

function bodyOf(state: BlindState): Buffer {
  invariant(
    state.instance.length <= MAX_INSTANCE_BYTES && INSTANCE.test(state.instance),
    'an instance is 1 to 64 printable characters',
  )
  invariant(state.timeMs <= MAX_TIME_MS, 'the time of a state is at most MAX_TIME_MS')
  const writer = new ByteWriter().text(cleanDeviceName(state.name)).text(state.instance).uint(state.timeMs)
  writeView(writer, state.feeds)
  for (const count of COUNTS) writer.uint(state[count])
  return writer.u8(state.offsite ? OFFSITE : 0).finish()
}

function readBody(reader: ByteReader, header: StateHeader): BlindState {
  const name = readDeviceName(reader)
  const instance = reader.text(MAX_INSTANCE_BYTES, 'instance')
  if (!INSTANCE.test(instance)) throw new Malformed('bad-instance', 'instance is not printable')
  const timeMs = reader.uintUpTo(MAX_TIME_MS, 'time of a state')
  const feeds = readView(reader)
  const counts = Object.fromEntries(COUNTS.map((each) => [each, reader.uint()]))
  const flags = reader.u8()
  if (flags > OFFSITE) throw new Malformed('bad-flags', `blind state with flags ${flags}`)
  reader.end()
  const { missingPieces, missingBytes, pieces, bytes } = counts
  if (missingPieces! > pieces! || missingBytes! > bytes!)
    throw new Malformed('not-canonical', 'lacks more than there is')
  return {
    ...header,
    ...{ name, instance, timeMs, feeds },
    ...(counts as Pick<BlindState, (typeof COUNTS)[number]>),
    offsite: flags === OFFSITE,
  }
}

function bound(label: Buffer, shareId: ShareId, bytes: Buffer): Buffer[] {
  return [label, Buffer.from(shareId, 'hex'), bytes]
}
