// Who holds which pieces of a share, put together for people: how many there are, how many each holds, and how many copies
// there are of each. Pure. Pieces in play are those that anybody asked holds, or that this node wants: what no version
// needs any more nobody holds, though its number in the feed stays. Keepers (blind nodes) hold old versions as well: what
// they alone have, and this node does not want, is not in play.
import { onesIn } from './bitfield.js'
import type { DeviceId, WriterId } from './ids.js'

/** Of one feed. All bitfields are in BEP 3's form and of the same length, with no bits beyond the feed's end. */
export interface FeedHoldings {
  readonly writer: WriterId
  readonly own: Uint8Array
  readonly peers: ReadonlyMap<DeviceId, Uint8Array>
  /** Pieces that this node lacks and asks for. */
  readonly wanted: readonly number[]
}

export interface HoldingCounts {
  /** Pieces in play. */
  readonly pieces: number
  readonly held: number
  readonly peers: ReadonlyMap<DeviceId, number>
}

export type Keepers = ReadonlySet<DeviceId>

const NO_KEEPERS: Keepers = new Set()

/** Counts pieces in play; a byte of each bitfield at a time. */
export function countHoldings(feeds: readonly FeedHoldings[], keepers: Keepers = NO_KEEPERS): HoldingCounts {
  let pieces = 0
  let held = 0
  const peers = new Map<DeviceId, number>()
  for (const feed of feeds) {
    const played = inPlay(feed, keepers)
    pieces += onesIn(played)
    held += onesIn(feed.own)
    for (const [device, bits] of feed.peers) {
      const ofThem = keepers.has(device) ? bits.map((byte, at) => byte & played[at]!) : bits
      peers.set(device, (peers.get(device) ?? 0) + onesIn(ofThem))
    }
  }
  return { pieces, held, peers }
}

export interface Availability {
  readonly pieces: number
  readonly held: number
  readonly buckets: readonly Bucket[]
  /** The fewest copies of a piece, this node's counted, and how many pieces have no more; 0 and 0 of nothing. */
  readonly rarestCopies: number
  readonly rarestPieces: number
}

export interface Bucket {
  readonly pieces: number
  readonly held: number
  readonly minCopies: number
  readonly maxCopies: number
}

/** Of how many holders a piece has, in binary: 65,535 are more than connections go. */
const MAX_DIGITS = 16

/** The pieces in play, feed after feed, in at most `width` buckets whose sizes differ by one at most. */
export function availabilityOf(
  feeds: readonly FeedHoldings[],
  width: number,
  keepers: Keepers = NO_KEEPERS,
): Availability {
  const inPlayOf = feeds.map((feed) => inPlay(feed, keepers))
  const pieces = inPlayOf.reduce((sum, bits) => sum + onesIn(bits), 0)
  const held = feeds.reduce((sum, { own }) => sum + onesIn(own), 0)
  const digits = new Uint8Array(MAX_DIGITS)
  const count = Math.min(width, pieces)
  const buckets: { pieces: number; held: number; minCopies: number; maxCopies: number }[] = []
  let rarestCopies = Number.POSITIVE_INFINITY
  let rarestPieces = 0
  let number = 0
  for (const [i, feed] of feeds.entries()) {
    const holders = [feed.own, ...feed.peers.values()]
    const played = inPlayOf[i]!
    for (let at = 0; at < played.length; at++) {
      if (played[at] === 0) continue
      const used = addUp(holders, at, digits)
      for (let bit = 0x80; bit > 0; bit >>= 1) {
        if ((played[at]! & bit) === 0) continue
        let copies = 0
        for (let digit = 0; digit < used; digit++) if ((digits[digit]! & bit) !== 0) copies |= 1 << digit
        if (copies < rarestCopies) {
          rarestCopies = copies
          rarestPieces = 0
        }
        if (copies === rarestCopies) rarestPieces++
        const to = Math.floor((number++ * count) / pieces)
        const isHeld = (feed.own[at]! & bit) === 0 ? 0 : 1
        const bucket = buckets[to]
        if (bucket === undefined)
          buckets.push({ pieces: 1, held: isHeld, minCopies: copies, maxCopies: copies })
        else {
          bucket.pieces++
          bucket.held += isHeld
          bucket.minCopies = Math.min(bucket.minCopies, copies)
          bucket.maxCopies = Math.max(bucket.maxCopies, copies)
        }
      }
    }
  }
  return { pieces, held, buckets, rarestCopies: pieces === 0 ? 0 : rarestCopies, rarestPieces }
}

/**
 * How many bitfields have each of the eight bits of a byte, all eight added at once: digit by digit in binary, the bit of a
 * digit being that of the byte. Into `digits`, of which so many are used. A bit at a time, a million pieces of twenty peers would hold up the daemon for long.
 */
function addUp(holders: readonly Uint8Array[], at: number, digits: Uint8Array): number {
  let used = 0
  for (const bits of holders) {
    let carry = bits[at]!
    for (let digit = 0; carry !== 0; digit++) {
      if (digit === used) digits[used++] = 0
      const before = digits[digit]!
      digits[digit] = before ^ carry
      carry &= before
    }
  }
  return used
}

function inPlay({ own, peers, wanted }: FeedHoldings, keepers: Keepers): Uint8Array {
  const bits = Uint8Array.from(own)
  for (const [device, theirs] of peers) {
    if (keepers.has(device)) continue
    for (let at = 0; at < bits.length; at++) bits[at]! |= theirs[at]!
  }
  for (const index of wanted) if (index >> 3 < bits.length) bits[index >> 3]! |= 0x80 >> (index & 7)
  return bits
}
