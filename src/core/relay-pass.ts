// How a share is let into a relay (docs/relay.md): by an Ed25519 pair that every secret of the share yields. Its public
// half, the relay pass, is given to whoever runs the relay; to use the relay, a node signs what the relay has just made up.
// A pass lets nobody in by itself, and tells nothing of the share's keys or content.
//
// Text form: Bech32m, human-readable part `shoalp`. Data: format version 1 (1), public key (32).
import { bech32m } from '@scure/base'
import { ShoalError } from './error.js'
import { keyedBlake3 } from './hash.js'
import type { DeviceId } from './ids.js'
import { KEY_BYTES } from './keys.js'
import { isSignedBy, labelBytes, sign } from './seal.js'
import type { RelayKeys } from './secret.js'

/** What a relay makes up for each connection. */
export const CHALLENGE_BYTES = 32
/** A device's name at a relay. */
export const TAG_BYTES = 16
/** Admits one connection to one pair. */
export const TICKET_BYTES = 16

const PREFIX = 'shoalp'
const FORMAT_VERSION = 1
const DATA_BYTES = 1 + KEY_BYTES
const TEXT_LENGTH = PREFIX.length + 1 + Math.ceil((DATA_BYTES * 8) / 5) + 6

/** What is signed: to be here under a tag, or to be joined by a ticket. */
const LABELS = {
  present: labelBytes('shoal 2026-11 v1 relay present'),
  join: labelBytes('shoal 2026-11 v1 relay join'),
} as const

/** The text form of a pass (32 bytes). */
export function formatRelayPass(pass: Buffer): string {
  const words = bech32m.toWords(Buffer.concat([Buffer.of(FORMAT_VERSION), pass]))
  return bech32m.encode(PREFIX, words, TEXT_LENGTH)
}

/**
 * The pass of a text, which must be all of it. @throws ShoalError CONFIG_INVALID, whose message quotes none of the text: it
 * may be a secret.
 */
export function parseRelayPass(text: string): Buffer {
  if (!text.startsWith(`${PREFIX}1`)) {
    const isSecret = /^shoal[wrb]1/i.test(text)
    throw invalid(
      isSecret
        ? 'this is a secret, not a relay pass: take it out, and print the pass with shoal secret relay-pass'
        : `a relay pass begins with ${PREFIX}1, this text of ${text.length} characters does not`,
    )
  }
  if (text.length !== TEXT_LENGTH)
    throw invalid(`a relay pass has ${TEXT_LENGTH} characters, this one has ${text.length}`)
  const decoded = bech32m.decodeUnsafe(text as `${string}1${string}`, TEXT_LENGTH)
  const data = decoded?.prefix === PREFIX ? bech32m.fromWordsUnsafe(decoded.words) : undefined
  if (data === undefined || data.length !== DATA_BYTES || text !== text.toLowerCase())
    throw invalid('a relay pass with a wrong character in it: its checksum does not match')
  if (data[0] !== FORMAT_VERSION)
    throw invalid(`a relay pass of format ${data[0]}, this version reads format ${FORMAT_VERSION}`)
  return Buffer.from(data.subarray(1))
}

/** What a relay knows a device of the share by: 16 bytes that tell nobody else who it is, other in each share. */
export function relayTagOf({ tagKey }: RelayKeys, device: DeviceId): Buffer {
  return keyedBlake3(tagKey, [Buffer.from(device, 'hex')]).subarray(0, TAG_BYTES)
}

/** Proof for one connection, whose challenge it signs, that the share's secret is known; `what` is a tag or a ticket. */
export function signRelay(keys: RelayKeys, act: 'present' | 'join', challenge: Buffer, what: Buffer): Buffer {
  return sign([LABELS[act], challenge, keys.pass, what], keys.passSecretKey)
}

/** Whether signRelay made it. */
export function isRelaySigned(
  pass: Buffer,
  act: 'present' | 'join',
  challenge: Buffer,
  what: Buffer,
  signature: Buffer,
): boolean {
  return isSignedBy([LABELS[act], challenge, pass, what], signature, pass)
}

function invalid(why: string): ShoalError {
  return new ShoalError('CONFIG_INVALID', why)
}
