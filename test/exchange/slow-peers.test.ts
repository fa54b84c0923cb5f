// Peers that are asked and do not deliver, on purpose or not, beside one that does: they must not use up what may be fetched
// at a time. A Fetch against peers in memory, in virtual time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.js'
import type { DeviceId, WriterId } from '../../src/core/ids.js'
import { Picker } from '../../src/core/picker.js'
import type { FeedWire } from '../../src/exchange/feed-wire.js'
import { Fetch } from '../../src/exchange/fetch.js'
import type { Link } from '../../src/exchange/link.js'
import { range } from './support.js'

const MIB: number = 1024 * 1024
const STALL_MS = 10_000
const STEP_MS = 20
const TICK_MS = 240
const writer = 'writer' as WriterId
const ZEROS: Buffer = Buffer.alloc(256 * 1024)

/** How a peer answers: by its line's rate; never; one block just before it would count as stalled; by refusing all. */
type Manner = { readonly bytesPerSecond: number } | 'silent' | 'trickles' | 'refuses'

interface Request {
  readonly index: number
  readonly offset: number
  readonly length: number
  readonly atMs: number
}

class Peer {
  readonly held: Bitfield = new Bitfield()
  readonly writer = writer
  readonly serving = true
  readonly speaksOfRuns = false
  readonly requestLimit = 1024
  readonly device: DeviceId
  readonly wires: ReadonlyMap<WriterId, FeedWire>
  readonly manner: Manner
  #open: Request[] = []
  #credit = 0
  #answeredMs = 0
  readonly #world: World

  constructor(world: World, manner: Manner, pieces: number) {
    this.#world = world
    this.manner = manner
    this.device = `device ${world.peers.length}` as DeviceId
    this.wires = new Map([[writer, this.asWire]])
    for (const index of range(pieces)) this.held.set(index)
  }

  get link(): Link {
    return this as unknown as Link
  }

  get asWire(): FeedWire {
    return this as unknown as FeedWire
  }

  request(index: number, offset: number, length: number): void {
    if (this.#open.length === 0) this.#answeredMs = this.#world.nowMs
    this.#open.push({ index, offset, length, atMs: this.#world.nowMs })
  }

  cancel(index: number, offset: number): void {
    this.#open = this.#open.filter((each) => each.index !== index || each.offset !== offset)
  }

  /** What it says in one step. */
  act(): void {
    const { manner } = this
    const { fetch, nowMs } = this.#world
    if (manner === 'silent') return
    if (manner === 'refuses') {
      for (const { index, offset, length } of this.#open.splice(0))
        fetch.rejected(this.link, this.asWire, index, offset, length)
    } else if (manner === 'trickles') {
      if (nowMs - this.#answeredMs >= STALL_MS - TICK_MS - STEP_MS) this.#answer()
    } else {
      const perStep = (manner.bytesPerSecond * STEP_MS) / 1000
      // A line that is not used does not carry more later.
      this.#credit = Math.min(this.#credit + perStep, Math.max(perStep, this.#open[0]?.length ?? 0))
      for (let next = this.#open[0]; next !== undefined; next = this.#open[0]) {
        if (next.atMs === nowMs || this.#credit < next.length) break
        this.#credit -= next.length
        this.#answer()
      }
    }
  }

  #answer(): void {
    const request = this.#open.shift()
    if (request === undefined) return
    const { index, offset, length } = request
    this.#answeredMs = this.#world.nowMs
    this.#world.fetch.block(this.link, this.asWire, index, offset, ZEROS.subarray(0, length))
  }
}

class World {
  readonly picker: Picker = new Picker(1)
  readonly fetch: Fetch
  readonly peers: Peer[] = []
  readonly #pieceBytes: number
  readonly #pieces: number
  nowMs = 0
  /** Bytes of pieces being fetched, the most there ever were. */
  most = 0

  constructor(pieces: number, pieceBytes: number) {
    this.#pieces = pieces
    this.#pieceBytes = pieceBytes
    this.fetch = new Fetch({
      picker: this.picker,
      ...{ seed: 1, maxInFlightBytes: 32 * MIB, stallMs: STALL_MS, nowMs: () => this.nowMs },
      violated: (_link, code, detail) => assert.fail(`${code}, ${detail}`),
      ...{ soon: () => {}, limit: undefined, exempt: () => false },
      ...{ completed: () => {}, stallChanged: () => {} },
    })
    for (const index of range(pieces)) {
      const id = Buffer.alloc(32)
      id.writeUInt32BE(index)
      this.picker.want({ id, length: pieceBytes, refs: [{ writer, index }], priority: 1 })
    }
  }

  join(manner: Manner): Peer {
    const peer = new Peer(this, manner, this.#pieces)
    this.peers.push(peer)
    this.fetch.addLink(peer.link)
    this.fetch.availability(peer.link, peer.asWire)
    return peer
  }

  /** Until all is here, at most so many seconds; how many it took. */
  run(seconds: number): number {
    const end = this.nowMs + seconds * 1000
    const startMs = this.nowMs
    for (let step = 0; this.picker.wantedCount > 0; step++) {
      assert.ok(this.nowMs < end, `${this.picker.wantedCount} of ${this.#pieces} pieces are lacking still`)
      this.nowMs += STEP_MS
      if (step % (TICK_MS / STEP_MS) === 0) this.fetch.tick()
      for (const peer of this.peers) peer.act()
      this.fetch.takeFetched()
      this.fetch.fill()
      this.most = Math.max(this.most, this.fetch.inFlightBytes)
    }
    return (this.nowMs - startMs) / 1000
  }

  get bytes(): number {
    return this.#pieces * this.#pieceBytes
  }
}

const RATE = 8 * MIB

for (const manner of ['silent', 'trickles', 'refuses'] as const)
  for (const [count, pieceMib, pieces] of [
    [1, 0.25, 600],
    [7, 0.25, 600],
    [40, 0.25, 600],
    [3, 1, 150],
    [7, 8, 20],
    [40, 8, 20],
    [7, 48, 4],
  ] as const)
    test(`G2: ${count} that are ${manner === 'silent' ? 'silent' : `there and ${manner}`} leave room for one that delivers, ${pieceMib} MiB a piece`, () => {
      const world = new World(pieces, pieceMib * MIB)
      for (const _ of range(count)) world.join(manner)
      // They are asked first.
      world.fetch.fill()
      world.join({ bytesPerSecond: RATE })
      const needed = world.bytes / RATE
      const seconds = world.run(needed + 1000)
      const allowed = 1.25 * needed + (4 * STALL_MS) / 1000
      const most = (32 + (count + 1) * (pieceMib + 1)) * MIB
      assert.ok(
        world.most <= most,
        `${Math.round(world.most / MIB)} MiB being fetched, give or take a piece a peer`,
      )
      assert.ok(seconds <= allowed, `${seconds.toFixed(0)} s where ${needed.toFixed(0)} s are enough`)
    })
