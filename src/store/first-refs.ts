// Where each piece that a blind node knows of was announced first, by its id: in memory, because ids are hashes, and a table on
// disk that is ordered by them would write a page of its own for each of them. It keeps no ids: 32 bits of a hash of each, and a
// place, eight bytes in a table that is at most three quarters full: 11 to 14 MB for a million pieces. Whoever asks looks
// up what was announced at a place it names.
//
// Anybody who may announce chooses ids, and with them could make all chains one: so the hash is HalfSipHash-1-3, under a key of
// this process. Nothing is ever taken out. Built from what was announced (blind-index.ts).
import { randomBytes } from 'node:crypto'
import type { PieceRef } from './pieces.js'

const ID_BYTES = 32
const KEY_BYTES = 8
/** By the highest bits of the hash, so that growing copies little at a time. */
const SHARD_BITS = 6
const FIRST_SLOTS = 16
const MAX_FILL = 0.75
const GROWTH = 1.3
/** Numbers of a feed that share an entry in the list of runs. */
const RUN = 64
const MAX_RUNS = 2 ** 32 / RUN - 1

interface Shard {
  used: number
  readonly count: number
  /** Two words each: the hash, and 1 + the place; 0: the slot is free. */
  readonly slots: Uint32Array
}

export class FirstRefs {
  readonly #shards = Array.from({ length: 1 << SHARD_BITS }, () => shardOf(FIRST_SLOTS))
  readonly #key: readonly [number, number]
  /** Feed and first number of each run, as feed * 2^32 + number. A place is 64 times the run, and how far in it. */
  readonly #runs: number[] = []
  /** Of each feed, the run added to last. */
  readonly #newest = new Map<number, { readonly from: number; readonly run: number }>()

  /** `key`: 8 bytes that nobody else knows. */
  constructor(key: Buffer = randomBytes(KEY_BYTES)) {
    this.#key = [key.readInt32LE(0), key.readInt32LE(4)]
  }

  /** An id that was not added before. */
  add(id: Buffer, feed: number, number: number): void {
    const hash = this.#hash(id)
    const at = hash >>> (32 - SHARD_BITS)
    let shard = this.#shards[at]!
    if (shard.used >= shard.count * MAX_FILL) {
      shard = grown(shard)
      this.#shards[at] = shard
    }
    enter(shard, hash, this.#placeOf(feed, number) + 1)
  }

  /** The one of those that may be it for which `isIt` says so. */
  find(id: Buffer, isIt: (ref: PieceRef, id: Buffer) => boolean): PieceRef | undefined {
    const hash = this.#hash(id)
    const { count, slots } = this.#shards[hash >>> (32 - SHARD_BITS)]!
    for (let slot = hash % count; ; ) {
      const place = slots[2 * slot + 1]!
      if (place === 0) return undefined
      if (slots[2 * slot] === hash) {
        const ref = this.#refAt(place - 1)
        if (isIt(ref, id)) return ref
      }
      slot = slot + 1 === count ? 0 : slot + 1
    }
  }

  #placeOf(feed: number, number: number): number {
    const from = number - (number % RUN)
    let newest = this.#newest.get(feed)
    if (newest?.from !== from) {
      // Of numbers that come out of order there may be several runs, which does no harm.
      if (this.#runs.length === MAX_RUNS) throw new RangeError('a blind node knows of too many pieces')
      newest = { from, run: this.#runs.push(feed * 2 ** 32 + from) - 1 }
      this.#newest.set(feed, newest)
    }
    return newest.run * RUN + (number % RUN)
  }

  #refAt(place: number): PieceRef {
    const from = this.#runs[Math.floor(place / RUN)]!
    return { feed: Math.floor(from / 2 ** 32), index: (from % 2 ** 32) + (place % RUN) }
  }

  #hash(id: Buffer): number {
    return halfSipHash(this.#key[0], this.#key[1], id)
  }
}

/** Of 32 bytes; 32 bits (J.-P. Aumasson, D. J. Bernstein, "SipHash", with one round a word and three at the end). Exported for tests. */
export function halfSipHash(k0: number, k1: number, bytes: Buffer): number {
  let v0 = k0
  let v1 = k1
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  // The words, one with the length, and three rounds more.
  for (let round = 0; round < ID_BYTES / 4 + 4; round++) {
    const isEnd = round > ID_BYTES / 4
    const word = isEnd ? 0 : round === ID_BYTES / 4 ? ID_BYTES << 24 : bytes.readInt32LE(4 * round)
    if (round === ID_BYTES / 4 + 1) v2 ^= 0xff
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return (v1 ^ v3) >>> 0
}

function shardOf(count: number): Shard {
  return { used: 0, count, slots: new Uint32Array(2 * count) }
}

function enter(shard: Shard, hash: number, place: number): void {
  const { count, slots } = shard
  let slot = hash % count
  while (slots[2 * slot + 1] !== 0) slot = slot + 1 === count ? 0 : slot + 1
  slots[2 * slot] = hash
  slots[2 * slot + 1] = place
  shard.used++
}

function grown({ count, slots }: Shard): Shard {
  const larger = shardOf(Math.ceil(count * GROWTH))
  for (let slot = 0; slot < count; slot++) {
    const place = slots[2 * slot + 1]!
    if (place !== 0) enter(larger, slots[2 * slot]!, place)
  }
  return larger
}
