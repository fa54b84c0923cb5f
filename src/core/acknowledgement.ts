// A person's word that one drift is known and meant, signed by the device that it is on (docs/design.md,
// "Acknowledgement v1"). It holds for exactly one drifted state (drift.ts): any other change of the path is drift again.
// Reasons stand in it in the clear, so it travels only within what is sealed for the share.
//
//   magic "DA" (2), format version 1 (1)
//   device (32): its Ed25519 public key
//   state (32)
//   made, until (uint each): milliseconds since 1970
//   length, reason in UTF-8
//   signature (64), Ed25519 by the device over label, share id (32), length and path, and all bytes before
//
// Share and path are not contained: who opens one knows which they must be.
import { ByteReader, ByteWriter } from './bytes.js'
import { invariant } from './error.js'
import { type DeviceId, deviceIdFromKey, HASH_BYTES, type ShareId } from './ids.js'
import type { RelPath } from './path.js'
import { MAX_TIME_MS } from './record-public.js'
import { isSignedBy, labelBytes, SIGNATURE_BYTES, sign } from './seal.js'
import { type Decoded, decoding, Malformed } from './violation.js'

/** Longest reason in UTF-8 bytes: a few lines of text. */
export const MAX_REASON_BYTES = 512
/** No acknowledgement is longer. */
export const MAX_ACKNOWLEDGEMENT_BYTES: number =
  3 + 2 * HASH_BYTES + 2 * 8 + 2 + MAX_REASON_BYTES + SIGNATURE_BYTES

export interface Acknowledgement {
  readonly device: DeviceId
  readonly path: RelPath
  /** What it is said of (driftState), 32 bytes. */
  readonly state: Buffer
  /** Why, in one line; see reasonFault. */
  readonly reason: string
  /** When it was made and when it ends, by the device's clock; milliseconds since 1970. `untilMs` is later. */
  readonly madeMs: number
  readonly untilMs: number
}

const MAGIC = Buffer.from('DA')
const FORMAT = 1
const LABEL = labelBytes('shoal 2026-11 v1 drift acknowledgement')

/** Signs with the device's secret key (64 bytes). */
export function signAcknowledgement(
  acknowledgement: Acknowledgement,
  deviceSecretKey: Buffer,
  shareId: ShareId,
): Buffer {
  const { device, path, state, reason, madeMs, untilMs } = acknowledgement
  invariant(state.length === HASH_BYTES, 'a drifted state has 32 bytes')
  invariant(reasonFault(reason) === undefined, 'the reason of an acknowledgement is sound')
  invariant(madeMs < untilMs && untilMs <= MAX_TIME_MS, 'an acknowledgement ends after it was made')
  const body = new ByteWriter()
    .raw(MAGIC)
    .u8(FORMAT)
    .raw(Buffer.from(device, 'hex'))
    .raw(state)
    .uint(madeMs)
    .uint(untilMs)
    .text(reason)
    .finish()
  return Buffer.concat([body, sign(signedParts(shareId, path, body), deviceSecretKey)])
}

/** Checks and reads an acknowledgement of a path; whose it may be is the caller's to check. */
export function openAcknowledgement(
  bytes: Buffer,
  path: RelPath,
  shareId: ShareId,
): Decoded<Acknowledgement> {
  return decoding(() => {
    if (bytes.length > MAX_ACKNOWLEDGEMENT_BYTES)
      throw new Malformed('too-long', `acknowledgement of ${bytes.length} bytes`)
    const reader = new ByteReader(bytes)
    if (!reader.take(MAGIC.length).equals(MAGIC)) throw new Malformed('bad-magic', 'not an acknowledgement')
    const format = reader.u8()
    if (format !== FORMAT) throw new Malformed('bad-format', `acknowledgement of format ${format}`)
    const publicKey = reader.take(HASH_BYTES)
    const state = Buffer.from(reader.take(HASH_BYTES))
    const madeMs = reader.uint()
    const untilMs = reader.uintUpTo(MAX_TIME_MS, 'end of an acknowledgement')
    if (madeMs >= untilMs) throw new Malformed('bad-time', 'acknowledgement ends before it was made')
    const reason = reader.text(MAX_REASON_BYTES, 'reason')
    const fault = reasonFault(reason)
    if (fault !== undefined) throw new Malformed('bad-reason', `reason ${fault}`)
    const body = bytes.subarray(0, bytes.length - reader.left)
    const signature = reader.take(SIGNATURE_BYTES)
    reader.end()
    if (!isSignedBy(signedParts(shareId, path, body), signature, publicKey))
      throw new Malformed('bad-signature', 'acknowledgement is not signed by its device')
    return { device: deviceIdFromKey(publicKey), path, state, reason, madeMs, untilMs }
  })
}

/**
 * Why a text cannot be a reason, completing "reason ..."; undefined if it can: one line that is safe to print anywhere and
 * says something.
 */
export function reasonFault(text: string): string | undefined {
  if (text.trim() === '') return 'is empty'
  if (text.trim() !== text) return 'has spaces at its ends'
  if (!text.isWellFormed()) return 'is not valid Unicode'
  if (/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/u.test(text))
    return 'has line breaks or other control characters'
  return Buffer.byteLength(text) > MAX_REASON_BYTES ? `is longer than ${MAX_REASON_BYTES} bytes` : undefined
}

function signedParts(shareId: ShareId, path: RelPath, body: Buffer): Buffer[] {
  return [LABEL, Buffer.from(shareId, 'hex'), new ByteWriter().text(path).finish(), body]
}
