// What proves that a peer holds a share's secret (X1): keyed BLAKE3 over the hash of this very Noise handshake, one
// label and role per use. All are functions of their arguments alone. To anyone without the key each value is random,
// differs on every connection, and cannot be carried to another connection or sent back to whom it came from.
import { timingSafeEqual } from 'node:crypto'
import { keyedBlake3 } from '../core/hash.js'

/** Who dialled. */
export type Role = 'initiator' | 'responder'

/** Bytes of every proof and id here. */
export const PROOF_BYTES = 32

// Label, NUL, role byte, then the 64-byte handshake hash: the split is unambiguous.
const LABELS = {
  gate: 'shoal gate v1',
  offer: 'shoal offer v1',
  channel: 'shoal channel v1',
  holdings: 'shoal holdings v1',
  share: 'shoal share v1',
  grade: 'shoal grade v1',
  invite: 'shoal invite v1',
} as const

function prove(
  label: keyof typeof LABELS,
  key: Buffer,
  role: Role | undefined,
  handshakeHash: Buffer,
): Buffer {
  const roleByte = role === undefined ? 0 : role === 'initiator' ? 1 : 2
  return keyedBlake3(key, [Buffer.from(`${LABELS[label]}\0`), Buffer.of(roleByte), handshakeHash])
}

/** Opens a connection: the first thing either side says after the Noise handshake. Key: ShareKeys.authKey. */
export function gateProof(authKey: Buffer, role: Role, handshakeHash: Buffer): Buffer {
  return prove('gate', authKey, role, handshakeHash)
}

/** How `role` asks over a proven connection whether the other side has one more share. Key: ShareKeys.authKey. */
export function offerId(authKey: Buffer, role: Role, handshakeHash: Buffer): Buffer {
  return prove('offer', authKey, role, handshakeHash)
}

/** The id of a share's channel, the same on both sides. Key: ShareKeys.authKey. */
export function channelId(authKey: Buffer, handshakeHash: Buffer): Buffer {
  return prove('channel', authKey, undefined, handshakeHash)
}

/** The id of a share's channel of holdings, the same on both sides. Key: ShareKeys.authKey. */
export function holdingsId(authKey: Buffer, handshakeHash: Buffer): Buffer {
  return prove('holdings', authKey, undefined, handshakeHash)
}

/** Proof in the handshake of a share's channel. Key: ShareKeys.authKey. */
export function shareProof(authKey: Buffer, role: Role, handshakeHash: Buffer): Buffer {
  return prove('share', authKey, role, handshakeHash)
}

/** Proof of the read grade in the handshake of a share's channel. Key: ShareKeys.read.stateKey. */
export function gradeProof(stateKey: Buffer, role: Role, handshakeHash: Buffer): Buffer {
  return prove('grade', stateKey, role, handshakeHash)
}

/** Proof that `role` knows an invite's code. Key: InviteKeys.authKey. */
export function inviteProof(authKey: Buffer, role: Role, handshakeHash: Buffer): Buffer {
  return prove('invite', authKey, role, handshakeHash)
}

/** Constant-time comparison; false for other lengths. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The role of the other side. */
export function otherRole(role: Role): Role {
  return role === 'initiator' ? 'responder' : 'initiator'
}
