// The handshake of a share's channel (X1): both sides prove that they hold the blind secret, and to who can check it the
// read key as well.
//   proof 32, grade 32 (proof.ts)
import { randomBytes } from 'node:crypto'
import type { Encoding } from 'protomux'
import type { Grade, ShareKeys } from '../core/secret.js'
import { Malformed } from '../core/violation.js'
import type { Link } from './link.js'
import { gradeProof, otherRole, PROOF_BYTES, sameProof, shareProof } from './proof.js'

export interface Handshake {
  readonly proof: Buffer
  readonly grade: Buffer
}

export function ownHandshake(keys: ShareKeys, link: Link): Handshake {
  const proof = shareProof(keys.authKey, link.role, link.handshakeHash)
  // Random bytes in the other case: who cannot check the grade cannot see it either.
  const grade =
    keys.read === undefined
      ? randomBytes(PROOF_BYTES)
      : gradeProof(keys.read.stateKey, link.role, link.handshakeHash)
  return { proof, grade }
}

/** What the other side has proven; undefined: not even the blind secret. */
export function gradeOf(remote: Handshake, { authKey, read }: ShareKeys, link: Link): Grade | undefined {
  const role = otherRole(link.role)
  if (!sameProof(shareProof(authKey, role, link.handshakeHash), remote.proof)) return undefined
  const hasRead =
    read !== undefined && sameProof(gradeProof(read.stateKey, role, link.handshakeHash), remote.grade)
  return hasRead ? 'read' : 'blind'
}

export const handshakeEncoding: Encoding<Handshake> = {
  preencode(state) {
    state.end += 2 * PROOF_BYTES
  },
  encode(state, { proof, grade }) {
    state.buffer!.set(proof, state.start)
    state.buffer!.set(grade, state.start + PROOF_BYTES)
    state.start += 2 * PROOF_BYTES
  },
  decode(state) {
    if (state.end - state.start !== 2 * PROOF_BYTES)
      throw new Malformed('bad-handshake', `share handshake of ${state.end - state.start} bytes`)
    const bytes = Buffer.from(state.buffer!.subarray(state.start, state.end))
    state.start = state.end
    return { proof: bytes.subarray(0, PROOF_BYTES), grade: bytes.subarray(PROOF_BYTES) }
  },
}
