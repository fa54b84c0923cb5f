// Secrets of BitTorrent Sync (K3): one letter for the kind and 32 base32 characters (RFC 4648, upper case) for 20 bytes.
// A (read-write) and D (read-write of an encrypted folder) become the seed of a Shoal share, so that an old
// configuration works unchanged; A and D with the same 32 characters are the same share. They have no checksum: a
// mistyped one is silently another share. The read-only kinds cannot be honoured, as they cannot carry P.
import { base32nopad } from '@scure/base'
import { ShoalError } from './error.js'
import { derive } from './keys.js'

const WRITE_SECRET = /^[AD][A-Z2-7]{32}$/
/** B read-only, C one-time, E read-only of an encrypted folder (33 or 65 characters), F encrypted, R pre-beta read-only. */
const OTHER_SECRET = /^[BCEFR]([A-Z2-7]{32}|[A-Z2-7]{64})$/

/**
 * The seed (W, 32 bytes) of a BitTorrent Sync write secret; undefined if the text is no BitTorrent Sync secret at all.
 * Throws SECRET_INVALID for the kinds that cannot be used, with what to do instead.
 */
export function btsyncWriteSeed(text: string): Buffer | undefined {
  if (WRITE_SECRET.test(text)) return derive('btsyncSeed', Buffer.from(base32nopad.decode(text.slice(1))))
  if (OTHER_SECRET.test(text))
    throw new ShoalError(
      'SECRET_INVALID',
      `a BitTorrent Sync secret of kind ${text[0]} cannot be used: only kinds A and D (read-write) can; ` +
        'give the read-write secret to shoal secret show, which prints the read secret to use here',
    )
  return undefined
}
