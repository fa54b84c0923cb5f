// How many copies there are of what a share needs now, and whether that is what was promised (`copies`). Pure: live pieces
// and the bitfields of holders in, counts out, eight pieces at a time. A generator, so that whoever counts millions of
// pieces may pause; it reads all that it was given until it has ended.
import type { WriterId } from './ids.js'
import type { LivePieces } from './live-pieces.js'

/** What is promised of every piece: on so many devices, and on so many of those that are off-site. */
export interface CopiesPromise {
  readonly min: number
  readonly offsite: number
}

/** No promise is of more copies. */
export const MAX_COPIES = 100

/** A device and what it holds. */
export interface Holder {
  readonly isOffsite: boolean
  /** Of each feed in BEP 3's form, of any length; what is missing is not held. */
  readonly feeds: ReadonlyMap<WriterId, Uint8Array>
}

export interface Amount {
  readonly pieces: number
  /** Sealed. */
  readonly bytes: number
}

/** A piece, by a number that it has in a feed. */
export interface CountedPiece {
  readonly writer: WriterId
  readonly index: number
}

export interface CopyCounts {
  /** Of what was looked at. */
  readonly total: Amount
  /** On fewer devices than promised, or on fewer of those off-site. */
  readonly short: Amount
  readonly belowMin: Amount
  readonly belowOffsite: Amount
  /** That no holder has. */
  readonly none: Amount
  /** The fewest copies of a piece that is short; undefined if none is. */
  readonly fewest: number | undefined
  /** Some of those that are short, at most MAX_EXAMPLES. */
  readonly examples: readonly CountedPiece[]
}

export const MAX_EXAMPLES = 64

/** Bytes of a bitfield between two pauses: half a million pieces, about a millisecond for each few holders. */
const PAUSE_EVERY = 1 << 16
/** Of how many holders a piece has, in binary. */
const MAX_DIGITS = 16

interface Sum {
  pieces: number
  bytes: number
}

/** Counts the copies of live pieces among holders; of those in `within` alone, if given. */
export function* countingCopies(
  live: LivePieces,
  holders: readonly Holder[],
  promise: CopiesPromise,
  within?: ReadonlyMap<WriterId, Uint8Array>,
): Generator<undefined, CopyCounts> {
  const [total, short, belowMin, belowOffsite, none] = Array.from({ length: 5 }, newSum) as [
    ...[Sum, Sum, Sum, Sum, Sum],
  ]
  const examples: CountedPiece[] = []
  let fewest: number | undefined
  const all = new Digits()
  const offsite = new Digits()
  let untilPause = PAUSE_EVERY
  for (const [writer, { bits, lengths }] of live.feeds) {
    const only = within === undefined ? undefined : (within.get(writer) ?? NO_BITS)
    const here = holders.map((holder) => holder.feeds.get(writer) ?? NO_BITS)
    const away = here.filter((_, i) => holders[i]!.isOffsite)
    for (let at = 0; at < bits.length; at++) {
      if (--untilPause === 0) {
        untilPause = PAUSE_EVERY
        yield
      }
      const looked = bits[at]! & (only === undefined ? 0xff : (only[at] ?? 0))
      if (looked === 0) continue
      all.addUp(here, at)
      offsite.addUp(away, at)
      const few = looked & all.fewerThan(promise.min)
      const fewAway = looked & offsite.fewerThan(promise.offsite)
      const nowhere = looked & all.fewerThan(1)
      for (let bit = 0x80, index = at * 8; bit > 0; bit >>= 1, index++) {
        if ((looked & bit) === 0) continue
        const length = lengths[index]!
        add(total, length)
        if ((nowhere & bit) !== 0) add(none, length)
        if (((few | fewAway) & bit) === 0) continue
        add(short, length)
        if ((few & bit) !== 0) add(belowMin, length)
        if ((fewAway & bit) !== 0) add(belowOffsite, length)
        fewest = Math.min(fewest ?? Number.POSITIVE_INFINITY, all.countAt(bit))
        if (examples.length < MAX_EXAMPLES) examples.push({ writer, index })
      }
    }
  }
  return { total, short, belowMin, belowOffsite, none, fewest, examples }
}

/** The same without pauses. */
export function countCopies(...args: Parameters<typeof countingCopies>): CopyCounts {
  const counting = countingCopies(...args)
  for (;;) {
    const { done, value } = counting.next()
    if (done === true) return value
  }
}

const NO_BITS = new Uint8Array()

function newSum(): Sum {
  return { pieces: 0, bytes: 0 }
}

function add(sum: Sum, length: number): void {
  sum.pieces++
  sum.bytes += length
}

/** How many holders have each of eight pieces, all eight added at once: digit by digit in binary (core/holdings.ts). */
class Digits {
  readonly #digits = new Uint8Array(MAX_DIGITS)
  #used = 0

  addUp(holders: readonly Uint8Array[], at: number): void {
    this.#used = 0
    for (const bits of holders) {
      let carry = bits[at] ?? 0
      for (let digit = 0; carry !== 0; digit++) {
        if (digit === this.#used) this.#digits[this.#used++] = 0
        const before = this.#digits[digit]!
        this.#digits[digit] = before ^ carry
        carry &= before
      }
    }
  }

  /** The bits of the pieces that fewer have; `count` from 0. */
  fewerThan(count: number): number {
    let fewer = 0
    let equal = 0xff
    const digits = Math.max(this.#used, 32 - Math.clz32(count))
    for (let digit = digits - 1; digit >= 0; digit--) {
      const has = digit < this.#used ? this.#digits[digit]! : 0
      if (((count >> digit) & 1) === 0) equal &= ~has
      else {
        fewer |= equal & ~has
        equal &= has
      }
    }
    return fewer & 0xff
  }

  countAt(bit: number): number {
    let count = 0
    for (let digit = 0; digit < this.#used; digit++)
      if ((this.#digits[digit]! & bit) !== 0) count |= 1 << digit
    return count
  }
}
