// Secrets of a share: the three grades, their text form and everything a grade can derive (DESIGN section 3, K1-K3).
//
//   write: W ──┬─▶ signing key ─▶ P          grades form a one-way chain; each gives the next and never the one before
//              └─▶ R (read) ─▶ B (blind)
//
// Text form (K2): Bech32m, human-readable part `shoalw`, `shoalr` or `shoalb`. Data, before the six checksum characters:
//   byte 0   format version, 1
//   write    W, 32 bytes
//   read     P, R, 32 bytes each
//   blind    P, B, 32 bytes each
// Decoding is strict and canonical: lower case only, the exact length, no bit set in the padding. The checksum finds any
// error of up to three characters at these lengths. A write secret of BitTorrent Sync is accepted as a seed (btsync.ts).
// No error quotes any of the text.
import { bech32m } from '@scure/base'
import { btsyncWriteSeed } from './btsync.js'
import { ShoalError } from './error.js'
import { GRADES, type Grade } from './grade.js'
import { type ShareId, shareIdFromBytes } from './ids.js'
import { derive, guarded, KEY_BYTES, signingKeyPairOf } from './keys.js'

export { GRADES, type Grade }

/** One share at one grade. Prints as "[write secret]" wherever it is logged. */
export interface Secret {
  readonly grade: Grade
  /** W, R or B by grade, 32 bytes. */
  readonly key: Buffer
  /** P, Ed25519, 32 bytes. */
  readonly publicKey: Buffer
}

/** Everything a grade can derive; `read` and `write` are absent from the grades that cannot. All keys are 32 bytes. */
export interface ShareKeys {
  readonly grade: Grade
  /** From P: the same for every grade. */
  readonly shareId: ShareId
  /** P, Ed25519: verifies certificates (K5). */
  readonly publicKey: Buffer
  /** What the DHT is asked for. */
  readonly topic: Buffer
  /** Capability proofs (X1). */
  readonly authKey: Buffer
  /** Tags of the LAN beacon (X6). */
  readonly beaconKey: Buffer
  /** Hypercore block encryption. */
  readonly feedBlockKey: Buffer
  /** What blind nodes say of themselves (blind-state.ts). */
  readonly blindStateKey: Buffer
  /** What relays are shown and told (relay-pass.ts). */
  readonly relay: RelayKeys
  readonly read?: ReadKeys
  readonly write?: WriteKeys
}

/** The same for every grade of the share. */
export interface RelayKeys {
  /** Ed25519, public: by it an operator lets the share use a relay. */
  readonly pass: Buffer
  /** Its secret half in libsodium's layout, 64 bytes. */
  readonly passSecretKey: Buffer
  /** Names devices to relays without telling who they are. */
  readonly tagKey: Buffer
}

export interface ReadKeys {
  readonly sivKey: Buffer
  readonly pieceKey: Buffer
  readonly entryKey: Buffer
  readonly stateKey: Buffer
}

export interface WriteKeys {
  /** Ed25519 in libsodium's layout, 64 bytes. */
  readonly signingSecretKey: Buffer
}

const FORMAT_VERSION = 1

interface TextForm {
  readonly prefix: string
  /** Data bytes, version byte included. */
  readonly bytes: number
  /** Characters in all. */
  readonly length: number
}

const FORMS: Readonly<Record<Grade, TextForm>> = {
  write: textForm('shoalw', 1 + KEY_BYTES),
  read: textForm('shoalr', 1 + 2 * KEY_BYTES),
  blind: textForm('shoalb', 1 + 2 * KEY_BYTES),
}

function textForm(prefix: string, bytes: number): TextForm {
  const separator = 1
  const checksum = 6
  return { prefix, bytes, length: prefix.length + separator + Math.ceil((bytes * 8) / 5) + checksum }
}

/** The write secret of a seed (W, 32 bytes), which must be random: a new share, if the seed is new. */
export function writeSecretOf(seed: Buffer): Secret {
  if (seed.length !== KEY_BYTES) throw new RangeError(`a seed has ${KEY_BYTES} bytes, not ${seed.length}`)
  return secretOf('write', seed, signingKeyPairOf(derive('signingSeed', seed)).publicKey)
}

/**
 * Reads a secret of Shoal, or a write secret of BitTorrent Sync (K3), which must be all of the text: no space around it.
 * Throws SECRET_INVALID, whose message never quotes the text.
 */
export function parseSecret(text: string): Secret {
  const grade = GRADES.find((each) => text.startsWith(`${FORMS[each].prefix}1`))
  if (grade !== undefined) return parseShoalSecret(text, grade)
  if (/^\s|\s$/.test(text) && text.trim() !== '') throw invalid('a secret has no space before or after it')
  if (/^shoal[wrb]1/i.test(text)) throw invalid('a secret is written in lower case only')
  const seed = btsyncWriteSeed(text)
  if (seed !== undefined) return writeSecretOf(seed)
  throw invalid(
    `this is not a secret: a text of ${text.length} characters that begins with none of ${GRADES.map((each) => `${FORMS[each].prefix}1`).join(', ')}`,
  )
}

/** The text form of a secret, always Shoal's own (K2). */
export function formatSecret(secret: Secret): string {
  const { prefix, length } = FORMS[secret.grade]
  const keys = secret.grade === 'write' ? [secret.key] : [secret.publicKey, secret.key]
  const words = bech32m.toWords(Buffer.concat([Buffer.of(FORMAT_VERSION), ...keys]))
  return bech32m.encode(prefix, words, length)
}

/** The same share at the same or a lower grade. Throws SECRET_GRADE for a higher one, which nothing can derive. */
export function deriveSecret(secret: Secret, grade: Grade): Secret {
  const { publicKey } = secret
  if (secret.grade === grade) return secret
  if (secret.grade === 'write') {
    const read = secretOf('read', derive('readKey', secret.key), publicKey)
    return deriveSecret(read, grade)
  }
  if (secret.grade === 'read' && grade === 'blind')
    return secretOf('blind', derive('blindKey', secret.key, publicKey), publicKey)
  throw new ShoalError('SECRET_GRADE', `a ${secret.grade} secret cannot give a ${grade} secret`)
}

/** Everything the secret's grade can derive. Prints as "[keys of a write secret]" wherever it is logged. */
export function keysOf(secret: Secret): ShareKeys {
  const { grade, publicKey } = secret
  const blindKey = deriveSecret(secret, 'blind').key
  return guarded(`[keys of a ${grade} secret]`, {
    grade,
    shareId: shareIdFromBytes(derive('shareId', publicKey)),
    publicKey,
    topic: derive('topic', blindKey, publicKey),
    authKey: derive('authKey', blindKey, publicKey),
    beaconKey: derive('beaconKey', blindKey, publicKey),
    feedBlockKey: derive('feedBlockKey', blindKey, publicKey),
    blindStateKey: derive('blindStateKey', blindKey, publicKey),
    relay: relayKeysOf(blindKey, publicKey),
    ...(grade !== 'blind' && { read: readKeysOf(secret) }),
    ...(grade === 'write' && { write: writeKeysOf(secret) }),
  })
}

function relayKeysOf(blindKey: Buffer, publicKey: Buffer): RelayKeys {
  const pair = signingKeyPairOf(derive('relayPassSeed', blindKey, publicKey))
  return guarded('[relay keys]', {
    pass: pair.publicKey,
    passSecretKey: pair.secretKey,
    tagKey: derive('relayTagKey', blindKey, publicKey),
  })
}

function readKeysOf(secret: Secret): ReadKeys {
  const { key, publicKey } = deriveSecret(secret, 'read')
  return guarded('[read keys]', {
    sivKey: derive('sivKey', key, publicKey),
    pieceKey: derive('pieceKey', key, publicKey),
    entryKey: derive('entryKey', key, publicKey),
    stateKey: derive('stateKey', key, publicKey),
  })
}

function writeKeysOf(secret: Secret): WriteKeys {
  const { secretKey } = signingKeyPairOf(derive('signingSeed', secret.key))
  return guarded('[write keys]', { signingSecretKey: secretKey })
}

function parseShoalSecret(text: string, grade: Grade): Secret {
  const form = FORMS[grade]
  if (text.length !== form.length)
    throw invalid(`a ${grade} secret has ${form.length} characters, this one has ${text.length}`)
  // Bech32 would take all upper case as well, and fold the case of letters outside ASCII; a secret has one spelling.
  const stranger = text.search(/[^a-z0-9]/)
  if (stranger >= 0)
    throw invalid(
      `a ${grade} secret has lower-case letters and digits only, not so character ${stranger + 1}`,
    )
  const data = decodeChecked(text, grade)
  if (data[0] !== FORMAT_VERSION)
    throw invalid(`a ${grade} secret of format ${data[0]}, this version reads format ${FORMAT_VERSION}`)
  const keys = data.subarray(1)
  if (grade === 'write') return writeSecretOf(keys)
  return secretOf(grade, keys.subarray(KEY_BYTES), keys.subarray(0, KEY_BYTES))
}

function decodeChecked(text: string, grade: Grade): Buffer {
  const form = FORMS[grade]
  const decoded = bech32m.decodeUnsafe(text, form.length)
  // The prefix is the text up to the last "1", which a damaged text may have further on.
  if (decoded === undefined || decoded.prefix !== form.prefix)
    throw invalid(`a ${grade} secret with a wrong character in it: its checksum does not match`)
  const data = bech32m.fromWordsUnsafe(decoded.words)
  if (data === undefined || data.length !== form.bytes)
    throw invalid(`a ${grade} secret that is not in its one canonical form: its padding is not zero`)
  return Buffer.from(data)
}

function secretOf(grade: Grade, key: Buffer, publicKey: Buffer): Secret {
  return guarded(`[${grade} secret]`, { grade, key, publicKey })
}

function invalid(why: string): ShoalError {
  return new ShoalError('SECRET_INVALID', why)
}
