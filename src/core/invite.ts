// One-time invites: the text that is read over the telephone, and the keys it gives (docs/design.md, "Invites", I1).
//
//   text   six groups of five characters, "pxxxx-xxxxx-xxxxx-xxxxx-xxxxx-xxxxx": Bech32m over the human-readable part
//          "shoali", which is not written out; 24 data characters and 6 of checksum
//   data   15 bytes: format (5 bits) = 1, name (15 bits), key (100 bits); name and key are random
//
// The name is told to whoever is asked for the invite, so that a wrong try counts against this invite and no other. The
// rest is never sent, and 100 bits are beyond guessing, also for who can check each guess at home. Reading is lenient
// in what people vary (case, spaces, dashes, "o" for 0, "i" or "1" for l, none of which is in the alphabet) and strict in
// everything else; there is one written form. No error quotes any of the text.
import { bech32m } from '@scure/base'
import { ShoalError } from './error.js'
import { derive, guarded } from './keys.js'

/** Bytes of an invite, of which INVITE_RANDOM_BYTES fill all but the format. */
export const INVITE_BYTES = 15

/** What the text holds. Prints as "[invite]" wherever it is logged. */
export interface Invite {
  /** INVITE_BYTES. */
  readonly bytes: Buffer
}

/** What both sides derive from an invite. All keys are 32 bytes. */
export interface InviteKeys {
  /** 0 to 32767. */
  readonly name: number
  /** What the DHT is asked for. */
  readonly topic: Buffer
  /** Tags of the LAN beacon. */
  readonly beaconKey: Buffer
  /** Proofs (I2). */
  readonly authKey: Buffer
  /** Seals the secret on its way. */
  readonly sealKey: Buffer
}

/** Names there are. */
export const INVITE_NAMES: number = 1 << 15

const FORMAT = 1
const PREFIX = 'shoali'
const DATA_CHARACTERS = 24
const CHARACTERS: number = DATA_CHARACTERS + 6
const GROUP = 5
/** Spaces of all kinds, hyphens and dashes. */
const SEPARATORS = /[\s\p{Pd}\u2212]+/gu

/** An invite of INVITE_BYTES random bytes, whose first five bits are replaced by the format. */
export function inviteOf(random: Buffer): Invite {
  if (random.length !== INVITE_BYTES)
    throw new RangeError(`an invite has ${INVITE_BYTES} bytes, not ${random.length}`)
  const bytes = Buffer.from(random)
  bytes[0] = (FORMAT << 3) | (bytes[0]! & 7)
  return guarded('[invite]', { bytes })
}

/** The written form. */
export function formatInvite({ bytes }: Invite): string {
  const text = bech32m.encode(PREFIX, bech32m.toWords(bytes), false).slice(PREFIX.length + 1)
  return text.match(new RegExp(`.{${GROUP}}`, 'g'))!.join('-')
}

/** Whether a text is meant as an invite rather than as a secret: by its shape, even with a few characters wrong. */
export function isInvite(text: string): boolean {
  const plain = text.trim()
  if (/^shoal[wrb]1/i.test(plain)) return false
  const groups = plain.split(SEPARATORS)
  if (!groups.every((group) => /^[0-9a-z]+$/i.test(group))) return false
  return groups.length >= 3 ? plain.length <= 4 * CHARACTERS : plain.length === CHARACTERS + groups.length - 1
}

/** Reads an invite. @throws ShoalError INVITE_INVALID, whose message never quotes the text */
export function parseInvite(text: string): Invite {
  const plain = text.replace(SEPARATORS, '')
  // Not toLowerCase: that would fold letters outside ASCII into ours.
  const stranger = plain.search(/[^0-9ac-zAC-Z]/)
  if (stranger >= 0)
    throw invalid(
      `character ${stranger + 1} (spaces and dashes not counted) is none that an invite has: letters but b, and digits`,
    )
  if (plain.length !== CHARACTERS)
    throw invalid(`an invite has ${CHARACTERS} letters and digits, this one has ${plain.length}`)
  const canonical = plain.toLowerCase().replaceAll('o', '0').replace(/[i1]/g, 'l')
  const decoded = bech32m.decodeUnsafe(`${PREFIX}1${canonical}`, PREFIX.length + 1 + CHARACTERS)
  if (decoded === undefined || decoded.prefix !== PREFIX)
    throw invalid('an invite with a wrong character in it: its checksum does not match')
  // 24 characters are 15 bytes without padding.
  const bytes = Buffer.from(bech32m.fromWords(decoded.words))
  const format = bytes[0]! >> 3
  if (format !== FORMAT) throw invalid(`an invite of format ${format}, this version reads format ${FORMAT}`)
  return guarded('[invite]', { bytes })
}

/** What an invite gives. Prints as "[keys of an invite]" wherever it is logged. */
export function inviteKeysOf({ bytes }: Invite): InviteKeys {
  return guarded('[keys of an invite]', {
    name: ((bytes[0]! & 7) << 12) | (bytes[1]! << 4) | (bytes[2]! >> 4),
    topic: derive('inviteTopic', bytes),
    beaconKey: derive('inviteBeaconKey', bytes),
    authKey: derive('inviteAuthKey', bytes),
    sealKey: derive('inviteSealKey', bytes),
  })
}

function invalid(why: string): ShoalError {
  return new ShoalError('INVITE_INVALID', why)
}
