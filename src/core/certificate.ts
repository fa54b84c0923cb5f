// A writer's certificate (K5; docs/design.md, "Certificate v1"): the share's signing key says that a feed belongs to a
// device. Feeds without one are never opened. Also the two names that come from it: the device's own, and the label that
// conflict copies carry.
//
//   magic "SC" (2), format version 1 (1)
//   feed key (32), device (32), epoch (varint), length, device name in UTF-8
//   signature (64), Ed25519 by the share's signing key over label, share id (32) and all bytes before
//
// The share id is not contained: who opens a certificate knows which share it must be for.
import { ByteReader, ByteWriter } from './bytes.js'
import { invariant } from './error.js'
import { blake3 } from './hash.js'
import { type DeviceId, deviceIdFromKey, HASH_BYTES, type ShareId, type WriterId, writerIdOf } from './ids.js'
import { isSignedBy, labelBytes, SIGNATURE_BYTES, sign } from './seal.js'
import { type Decoded, decoding, Malformed } from './violation.js'

/** Longest device name in UTF-8 bytes. Host names have at most 64, people's names for their devices seldom more. */
export const MAX_DEVICE_NAME_BYTES = 128
/** No certificate is longer. */
export const MAX_CERTIFICATE_BYTES: number =
  3 + 2 * HASH_BYTES + 8 + 2 + MAX_DEVICE_NAME_BYTES + SIGNATURE_BYTES

export interface Certificate {
  readonly shareId: ShareId
  /** The Hypercore key, 32 bytes. */
  readonly feedKey: Buffer
  readonly device: DeviceId
  /** What people call the device; see cleanDeviceName. Two devices may have the same one. */
  readonly deviceName: string
  /** Tells the device's feeds in this share apart; the highest is the living one (F4). 0 to 2^53 - 1. */
  readonly epoch: number
}

const MAGIC = Buffer.from('SC')
const FORMAT = 1
const LABEL = labelBytes('shoal 2025 certificate v1')
const MAX_LABEL_LENGTH = 24

/** Signs with the share's signing key (64 bytes). The device name is cleaned first. */
export function signCertificate(certificate: Certificate, signingSecretKey: Buffer): Buffer {
  const { feedKey, device, epoch } = certificate
  invariant(feedKey.length === HASH_BYTES, 'a feed key has 32 bytes')
  const body = new ByteWriter()
    .raw(MAGIC)
    .u8(FORMAT)
    .raw(feedKey)
    .raw(Buffer.from(device, 'hex'))
    .uint(epoch)
    .text(cleanDeviceName(certificate.deviceName))
    .finish()
  return Buffer.concat([body, sign(signedParts(certificate.shareId, body), signingSecretKey)])
}

/** Checks a certificate for a share whose public key is `sharePublicKey` (32 bytes). The feed key is the caller's own. */
export function openCertificate(
  bytes: Buffer,
  shareId: ShareId,
  sharePublicKey: Buffer,
): Decoded<Certificate & { readonly writer: WriterId }> {
  return decoding(() => {
    if (bytes.length > MAX_CERTIFICATE_BYTES)
      throw new Malformed('too-long', `certificate of ${bytes.length} bytes`)
    const reader = new ByteReader(bytes)
    if (!reader.take(MAGIC.length).equals(MAGIC)) throw new Malformed('bad-magic', 'not a certificate')
    const format = reader.u8()
    if (format !== FORMAT) throw new Malformed('bad-format', `certificate of format ${format}`)
    const feedKey = Buffer.from(reader.take(HASH_BYTES))
    const device = deviceIdFromKey(reader.take(HASH_BYTES))
    const epoch = reader.uint()
    const deviceName = readDeviceName(reader)
    const body = bytes.subarray(0, bytes.length - reader.left)
    const signature = reader.take(SIGNATURE_BYTES)
    reader.end()
    if (!isSignedBy(signedParts(shareId, body), signature, sharePublicKey))
      throw new Malformed('bad-signature', 'certificate is not signed by this share')
    return { shareId, feedKey, device, deviceName, epoch, writer: writerIdOf(feedKey) }
  })
}

/** Reads a length-prefixed device name; Malformed unless it is a clean one. */
export function readDeviceName(reader: ByteReader): string {
  const name = reader.text(MAX_DEVICE_NAME_BYTES, 'device name')
  if (cleanDeviceName(name) !== name) throw new Malformed('bad-name', 'device name is empty or not clean')
  return name
}

/**
 * A name that is safe to print anywhere: no control characters, line breaks or changes of writing direction, no space at
 * the ends, at most MAX_DEVICE_NAME_BYTES; 'device' if nothing is left. Cleaning a clean name changes nothing.
 */
export function cleanDeviceName(text: string): string {
  const safe = text
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu, '')
  let name = ''
  let bytes = 0
  for (const character of safe.trim()) {
    bytes += Buffer.byteLength(character)
    if (bytes > MAX_DEVICE_NAME_BYTES) break
    name += character
  }
  // Cutting may have left a space at the end.
  return name.trimEnd() || 'device'
}

/**
 * A device's name as conflict copies carry it (V5): 1 to 24 of A-Z, a-z, 0-9, "_", "-", the same on every node. A name
 * with nothing of these becomes "device-" and six digits of its hash.
 */
export function deviceLabel(deviceName: string): string {
  const label = deviceName
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, MAX_LABEL_LENGTH)
    .replace(/-+$/, '')
  return label || `device-${blake3(Buffer.from(deviceName)).toString('hex', 0, 3)}`
}

function signedParts(shareId: ShareId, body: Buffer): Buffer[] {
  return [LABEL, Buffer.from(shareId, 'hex'), body]
}
