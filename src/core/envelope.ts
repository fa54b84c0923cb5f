// What a device says to all members of a share, sealed for those who may read it and signed for all: states (state.ts),
// blind states (blind-state.ts) and reports (report.ts) are envelopes with different bodies. Whoever holds any grade can
// check who made one and which is the newest, and forward that; only who has the key can read it (docs/design.md).
//
//   magic (2), format version (1)
//   device (32): its Ed25519 public key
//   sequence (varint)
//   nonce (24), random
//   sealed body, XChaCha20-Poly1305; associated data is the kind's seal label, share id (32) and all bytes before
//   signature (64), Ed25519 by the device over the kind's sign label, share id (32) and all bytes before
//
// An envelope of one kind is never one of another: labels differ, and so does the magic.
import { ByteReader, ByteWriter } from './bytes.js'
import { invariant } from './error.js'
import { type DeviceId, deviceIdFromKey, HASH_BYTES, type ShareId } from './ids.js'
import { isSignedBy, labelBytes, NONCE_BYTES, SIGNATURE_BYTES, seal, sign, unseal } from './seal.js'
import { Malformed } from './violation.js'

const MAGIC_BYTES = 2

export interface EnvelopeKind {
  /** Completes "not a ...". */
  readonly noun: string
  /** MAGIC_BYTES of ASCII. */
  readonly magic: string
  /** Format versions that are understood. */
  readonly formats: readonly number[]
  /** No envelope of the kind is longer. */
  readonly maxBytes: number
  readonly sealLabel: Buffer
  readonly signLabel: Buffer
}

/** What every grade can tell of an envelope. */
export interface EnvelopeHeader {
  readonly device: DeviceId
  /** Grows with every one of its kind that the device makes, across runs: the highest is the newest. */
  readonly sequence: number
}

export interface EnvelopeKeys {
  readonly shareId: ShareId
  /** Of those who may read it, 32 bytes. */
  readonly sealKey: Buffer
}

/** A kind of envelope; the labels are its own, for ever. */
export function envelopeKind(
  kind: Pick<EnvelopeKind, 'noun' | 'magic' | 'formats' | 'maxBytes'> & {
    readonly sealLabel: string
    readonly signLabel: string
  },
): EnvelopeKind {
  return { ...kind, sealLabel: labelBytes(kind.sealLabel), signLabel: labelBytes(kind.signLabel) }
}

/** Seals and signs a body; `nonce` is 24 random bytes, fresh for every call. */
export function sealEnvelope(
  kind: EnvelopeKind,
  { device, sequence, format, body }: EnvelopeHeader & { readonly format: number; readonly body: Buffer },
  { shareId, sealKey, deviceSecretKey }: EnvelopeKeys & { readonly deviceSecretKey: Buffer },
  nonce: Buffer,
): Buffer {
  invariant(nonce.length === NONCE_BYTES, `the nonce of a ${kind.noun} has 24 bytes`)
  const before = new ByteWriter()
    .raw(Buffer.from(kind.magic, 'ascii'))
    .u8(format)
    .raw(Buffer.from(device, 'hex'))
    .uint(sequence)
    .raw(nonce)
    .finish()
  const sealed = seal(sealKey, nonce, body, Buffer.concat(bound(kind.sealLabel, shareId, before)))
  const signed = Buffer.concat([before, sealed])
  const bytes = Buffer.concat([signed, sign(bound(kind.signLabel, shareId, signed), deviceSecretKey)])
  invariant(bytes.length <= kind.maxBytes, `a ${kind.noun} has at most ${kind.maxBytes} bytes`)
  return bytes
}

/** Checks an envelope and opens it; the body is the caller's to read to its end. Throws Malformed. */
export function openEnvelope(
  kind: EnvelopeKind,
  bytes: Buffer,
  { shareId, sealKey }: EnvelopeKeys,
): { readonly header: EnvelopeHeader; readonly format: number; readonly body: ByteReader } {
  const { header, format, nonce, before, sealed } = outside(kind, bytes, shareId)
  const body = unseal(sealKey, nonce, sealed, Buffer.concat(bound(kind.sealLabel, shareId, before)))
  if (body === undefined) throw new Malformed('bad-seal', `${kind.noun} was not sealed for this share`)
  return { header, format, body: new ByteReader(body) }
}

/** Who made an envelope and which of theirs it is, the signature checked. Needs no key. Throws Malformed. */
export function envelopeHeader(kind: EnvelopeKind, bytes: Buffer, shareId: ShareId): EnvelopeHeader {
  return outside(kind, bytes, shareId).header
}

/** Whether bytes claim to be of this kind. */
export function isOfKind(kind: EnvelopeKind, bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, MAGIC_BYTES) === kind.magic
}

/** Whose envelope the bytes claim to be, nothing checked: enough to see that they need no look. Undefined: nobody's. */
export function claimedMaker(bytes: Buffer): DeviceId | undefined {
  const start = MAGIC_BYTES + 1
  return bytes.length < start + HASH_BYTES
    ? undefined
    : deviceIdFromKey(bytes.subarray(start, start + HASH_BYTES))
}

interface Outside {
  readonly header: EnvelopeHeader
  readonly format: number
  readonly nonce: Buffer
  readonly before: Buffer
  readonly sealed: Buffer
}

function outside(kind: EnvelopeKind, bytes: Buffer, shareId: ShareId): Outside {
  const { noun, magic, formats, maxBytes, signLabel } = kind
  if (bytes.length > maxBytes) throw new Malformed('too-long', `${noun} of ${bytes.length} bytes`)
  const reader = new ByteReader(bytes)
  if (reader.take(MAGIC_BYTES).toString('latin1') !== magic) throw new Malformed('bad-magic', `not a ${noun}`)
  const format = reader.u8()
  if (!formats.includes(format)) throw new Malformed('bad-format', `${noun} of format ${format}`)
  const publicKey = reader.take(HASH_BYTES)
  const sequence = reader.uint()
  const nonce = reader.take(NONCE_BYTES)
  const before = bytes.subarray(0, bytes.length - reader.left)
  if (reader.left < SIGNATURE_BYTES) throw new Malformed('truncated', 'no room for the signature')
  const sealed = reader.take(reader.left - SIGNATURE_BYTES)
  const signed = bytes.subarray(0, bytes.length - SIGNATURE_BYTES)
  if (!isSignedBy(bound(signLabel, shareId, signed), reader.take(SIGNATURE_BYTES), publicKey))
    throw new Malformed('bad-signature', `${noun} is not signed by its device`)
  return { header: { device: deviceIdFromKey(publicKey), sequence }, format, nonce, before, sealed }
}

function bound(label: Buffer, shareId: ShareId, bytes: Buffer): Buffer[] {
  return [label, Buffer.from(shareId, 'hex'), bytes]
}
