// What an inviting device and its guest say to each other, frame by frame, after Noise and before anything else
// (docs/design.md, "Invites"). Every frame begins with the version, u8 2, which also tells the first of them from the
// gate of a share. The order is fixed, so no frame says which it is.
//
//   gate    guest   name u16 big-endian, proof 32
//   offer   host    proof 32, grade u8 (0 write, 1 read), share name text <= 64, device name text <= 64
//   take    guest   nothing more: from here on the invite is used
//   secret  host    nonce 24, then to the end: seal of the secret's text under the invite's sealKey; associated data is
//                   "shoal invite secret v1" NUL, handshake hash 64
//   done    guest   nothing more
import { ByteReader, ByteWriter, decodeUtf8 } from '../core/bytes.js'
import { INVITE_NAMES } from '../core/invite.js'
import { labelBytes, NONCE_BYTES, seal, unseal } from '../core/seal.js'
import { type Decoded, decoding, Malformed } from '../core/violation.js'
import { GUEST_GATE_VERSION } from '../swarm/guest.js'
import { clipName, MAX_NAME_BYTES } from '../swarm/messages.js'
import { PROOF_BYTES } from '../swarm/proof.js'

/** The grades there are invites for. */
export const INVITE_GRADES = ['write', 'read'] as const
export type InviteGrade = (typeof INVITE_GRADES)[number]

export interface InviteGate {
  readonly name: number
  readonly proof: Buffer
}

export interface InviteOffer {
  readonly proof: Buffer
  readonly grade: InviteGrade
  /** Of the share, for people: the name of its folder on the inviting device. */
  readonly shareName: string
  readonly deviceName: string
}

const SECRET_LABEL = 'shoal invite secret v1'

export function encodeInviteGate({ name, proof }: InviteGate): Buffer {
  return frame()
    .u8(name >> 8)
    .u8(name & 0xff)
    .raw(proof)
    .finish()
}

export function decodeInviteGate(bytes: Buffer): Decoded<InviteGate> {
  return decoding(() => {
    const reader = readFrame(bytes)
    const name = reader.u8() * 256 + reader.u8()
    if (name >= INVITE_NAMES) throw new Malformed('too-large', 'name of an invite')
    const proof = reader.take(PROOF_BYTES)
    reader.end()
    return { name, proof }
  })
}

export function encodeInviteOffer({ proof, grade, shareName, deviceName }: InviteOffer): Buffer {
  return frame()
    .raw(proof)
    .u8(INVITE_GRADES.indexOf(grade))
    .text(clipName(shareName))
    .text(clipName(deviceName))
    .finish()
}

export function decodeInviteOffer(bytes: Buffer): Decoded<InviteOffer> {
  return decoding(() => {
    const reader = readFrame(bytes)
    const proof = reader.take(PROOF_BYTES)
    const grade = INVITE_GRADES[reader.u8()]
    if (grade === undefined) throw new Malformed('bad-grade', 'grade of an invite')
    const shareName = clipName(reader.text(MAX_NAME_BYTES, 'share name'))
    const deviceName = clipName(reader.text(MAX_NAME_BYTES, 'device name'))
    reader.end()
    return { proof, grade, shareName, deviceName }
  })
}

/** take and done: the version alone. */
export function encodeInviteStep(): Buffer {
  return frame().finish()
}

export function decodeInviteStep(bytes: Buffer): Decoded<null> {
  return decoding(() => {
    readFrame(bytes).end()
    return null
  })
}

/** @param nonce NONCE_BYTES random bytes */
export function encodeInviteSecret(
  sealKey: Buffer,
  nonce: Buffer,
  handshakeHash: Buffer,
  secret: string,
): Buffer {
  const sealed = seal(sealKey, nonce, Buffer.from(secret), secretLabel(handshakeHash))
  return frame().raw(nonce).raw(sealed).finish()
}

export function decodeInviteSecret(bytes: Buffer, sealKey: Buffer, handshakeHash: Buffer): Decoded<string> {
  return decoding(() => {
    const reader = readFrame(bytes)
    const nonce = reader.take(NONCE_BYTES)
    const text = unseal(sealKey, nonce, reader.take(reader.left), secretLabel(handshakeHash))
    if (text === undefined) throw new Malformed('bad-seal', 'the secret is not sealed with the invite')
    return decodeUtf8(text, 'secret')
  })
}

function secretLabel(handshakeHash: Buffer): Buffer {
  return Buffer.concat([labelBytes(SECRET_LABEL), handshakeHash])
}

function frame(): ByteWriter {
  return new ByteWriter(64).u8(GUEST_GATE_VERSION)
}

function readFrame(bytes: Buffer): ByteReader {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== GUEST_GATE_VERSION) throw new Malformed('bad-version', `protocol version ${version}`)
  return reader
}
