// The pieces that a share needs now, feed by feed: those that the heads of its paths are made of. What a feed announced
// once and no head uses any more is not among them, whoever may keep it. A content that several feeds announced counts
// once. Pure; made in two passes, so that whoever makes it may pause in between: mark() what heads refer to, then learn()
// what the marked numbers stand for.
import { Bitfield } from './bitfield.js'
import type { WriterId } from './ids.js'

export interface LiveFeed {
  /** BEP 3's form; no bits but those of live pieces. */
  readonly bits: Uint8Array
  /** Sealed bytes by piece number; 0 of what is not live. */
  readonly lengths: Uint32Array
}

export interface LivePieces {
  readonly feeds: ReadonlyMap<WriterId, LiveFeed>
  readonly pieces: number
  /** Sealed. */
  readonly bytes: number
}

export const NO_LIVE_PIECES: LivePieces = { feeds: new Map(), pieces: 0, bytes: 0 }

interface Making {
  readonly marked: Bitfield
  lengths: Uint32Array
  /** One above the highest number that is marked. */
  end: number
}

export class LivePiecesMaker {
  readonly #feeds = new Map<WriterId, Making>()
  readonly #ids = new IdSet()

  /** A head is made of these numbers of a feed. */
  mark(writer: WriterId, first: number, count: number): void {
    let feed = this.#feeds.get(writer)
    if (feed === undefined) {
      feed = { marked: new Bitfield(), lengths: new Uint32Array(), end: 0 }
      this.#feeds.set(writer, feed)
    }
    // From its end, so that the field grows once.
    for (let index = first + count - 1; index >= first; index--) feed.marked.set(index)
    feed.end = Math.max(feed.end, first + count)
  }

  /** The feeds that something is marked of, and how many numbers of each are to be learnt. */
  get marked(): { readonly writer: WriterId; readonly end: number }[] {
    return [...this.#feeds].map(([writer, { end }]) => ({ writer, end }))
  }

  isMarked(writer: WriterId, index: number): boolean {
    return this.#feeds.get(writer)?.marked.get(index) ?? false
  }

  /** What a marked number stands for: a piece of this id, so many bytes long, sealed. */
  learn(writer: WriterId, index: number, id: Buffer, length: number): void {
    const feed = this.#feeds.get(writer)
    if (feed === undefined || !feed.marked.get(index) || !this.#ids.add(id)) return
    if (feed.lengths.length < feed.end) feed.lengths = new Uint32Array(feed.end)
    feed.lengths[index] = length
  }

  /** Numbers that nobody told of are left out. */
  finish(): LivePieces {
    const feeds = new Map<WriterId, LiveFeed>()
    let pieces = 0
    let bytes = 0
    for (const [writer, { lengths }] of this.#feeds) {
      const bits = new Uint8Array((lengths.length + 7) >> 3)
      for (let index = 0; index < lengths.length; index++) {
        if (lengths[index] === 0) continue
        bits[index >> 3]! |= 0x80 >> (index & 7)
        pieces++
        bytes += lengths[index]!
      }
      if (lengths.length > 0) feeds.set(writer, { bits, lengths })
    }
    return { feeds, pieces, bytes }
  }
}

const FIRST_SLOTS = 1024

/**
 * Ids by their first 64 bits: a million of them collide once in ten million times, and then one piece is not counted. Flat,
 * since a Set of a million texts would take ten times the room.
 */
class IdSet {
  #slots: Uint32Array = new Uint32Array(2 * FIRST_SLOTS)
  #count = 0

  /** Whether it was not there. */
  add(id: Buffer): boolean {
    if (2 * this.#count >= this.#slots.length >> 1) this.#grow()
    // Never both zero, which is what an empty slot has.
    const high = id.readUInt32LE(0)
    const low = id.readUInt32LE(4) | 1
    return this.#put(high, low >>> 0)
  }

  #put(high: number, low: number): boolean {
    const slots = this.#slots
    const mask = (slots.length >> 1) - 1
    for (let at = high & mask; ; at = (at + 1) & mask) {
      const there = slots[2 * at + 1]!
      if (there === 0) {
        slots[2 * at] = high
        slots[2 * at + 1] = low
        this.#count++
        return true
      }
      if (there === low && slots[2 * at] === high) return false
    }
  }

  #grow(): void {
    const before = this.#slots
    this.#slots = new Uint32Array(2 * before.length)
    this.#count = 0
    for (let at = 0; at < before.length; at += 2)
      if (before[at + 1] !== 0) this.#put(before[at]!, before[at + 1]!)
  }
}
