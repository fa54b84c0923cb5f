// What an inviting device keeps of an invite, and how that changes: values in, values out. The code is not in it, nor
// anything that gives it: an open invite holds its keys sealed under a key of the share's own secret, which is not in
// the storage path (I6), and a closed one holds none.
//
//   S1  open -> used, open -> ended; nothing becomes open again.
//   S2  A used or an ended invite holds no keys.
//   S3  Wrong tries only grow, and MAX_WRONG_TRIES of them end it.

import type { DeviceId, ShareId } from '../core/ids.js'
import type { InviteKeys } from '../core/invite.js'
import { guarded, KEY_BYTES } from '../core/keys.js'
import { labelBytes, NONCE_BYTES, seal, unseal } from '../core/seal.js'
import type { InviteGrade } from './messages.js'

/** Guessing needs 2^99 tries; these are for who overheard most of a code, and small enough to be noticed. */
export const MAX_WRONG_TRIES = 10

interface Common {
  /** 8 hex digits, random: says nothing of the code. */
  readonly id: string
  readonly share: ShareId
  readonly grade: InviteGrade
  /** Milliseconds since 1970. */
  readonly createdMs: number
  readonly expiresMs: number
  readonly wrongTries: number
}

export interface OpenInvite extends Common {
  readonly type: 'open'
  readonly name: number
  /** Nonce and seal of the keys, see sealKeys. */
  readonly sealed: Buffer
}

export interface UsedInvite extends Common {
  readonly type: 'used'
  readonly atMs: number
  /** "host:port" of who took it. */
  readonly address: string
  /** Whether they said that they have the secret. */
  readonly isConfirmed: boolean
}

/** Too many wrong tries. */
export interface EndedInvite extends Common {
  readonly type: 'ended'
  readonly atMs: number
}

export type InviteRecord = OpenInvite | UsedInvite | EndedInvite

export function isExpired({ expiresMs }: InviteRecord, nowMs: number): boolean {
  return nowMs >= expiresMs
}

/** Somebody named the invite and did not prove it. */
export function afterWrongTry(invite: OpenInvite, nowMs: number): OpenInvite | EndedInvite {
  const wrongTries = invite.wrongTries + 1
  if (wrongTries < MAX_WRONG_TRIES) return { ...invite, wrongTries }
  return { type: 'ended', ...commonOf(invite), wrongTries, atMs: nowMs }
}

/** Somebody proved it and is about to get the secret. */
export function afterUse(invite: OpenInvite, address: string, nowMs: number): UsedInvite {
  return { type: 'used', ...commonOf(invite), atMs: nowMs, address, isConfirmed: false }
}

function commonOf({ id, share, grade, createdMs, expiresMs, wrongTries }: InviteRecord): Common {
  return { id, share, grade, createdMs, expiresMs, wrongTries }
}

/** What the seal of an open invite is bound to, besides its key. */
export type SealedFor = Omit<OpenInvite, 'type' | 'sealed' | 'wrongTries'>

/**
 * The keys as an open invite holds them: nonce, then the seal of topic, beaconKey, authKey and sealKey. Bound to the
 * device, so that a copied storage that became another device has no invites (F4), and to all that the invite grants.
 * @param nonce NONCE_BYTES random bytes
 */
export function sealKeys(
  storeKey: Buffer,
  nonce: Buffer,
  keys: InviteKeys,
  invite: SealedFor,
  device: DeviceId,
): Buffer {
  const plain = Buffer.concat([keys.topic, keys.beaconKey, keys.authKey, keys.sealKey])
  return Buffer.concat([nonce, seal(storeKey, nonce, plain, associated(invite, device))])
}

/** Undefined if it was sealed by another device, under another secret, or for anything else. */
export function unsealKeys(storeKey: Buffer, invite: OpenInvite, device: DeviceId): InviteKeys | undefined {
  const { sealed, name } = invite
  const nonce = sealed.subarray(0, NONCE_BYTES)
  if (nonce.length < NONCE_BYTES) return undefined
  const plain = unseal(storeKey, nonce, sealed.subarray(NONCE_BYTES), associated(invite, device))
  if (plain?.length !== 4 * KEY_BYTES) return undefined
  const [topic, beaconKey, authKey, sealKey] = [0, 1, 2, 3].map((at) =>
    plain.subarray(at * KEY_BYTES, (at + 1) * KEY_BYTES),
  )
  return guarded('[keys of an invite]', {
    name,
    topic: topic!,
    beaconKey: beaconKey!,
    authKey: authKey!,
    sealKey: sealKey!,
  })
}

function associated({ id, share, grade, createdMs, expiresMs, name }: SealedFor, device: DeviceId): Buffer {
  const facts = JSON.stringify([device, id, share, grade, createdMs, expiresMs, name])
  return Buffer.concat([labelBytes('shoal invite store v1'), Buffer.from(facts)])
}
