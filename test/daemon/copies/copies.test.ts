// When copies are counted, from what, and what is told of it: with a clock of the test's own.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import type { EventFact } from '../../../src/control/schema-events.js'
import { Bitfield } from '../../../src/core/bitfield.js'
import type { CopiesPromise } from '../../../src/core/copies.js'
import type { DeviceId, WriterId } from '../../../src/core/ids.js'
import { type LivePieces, LivePiecesMaker } from '../../../src/core/live-pieces.js'
import { Copies } from '../../../src/daemon/copies/copies.js'
import type { HoldingsAnswer } from '../../../src/daemon/copies/holdings-talk.js'
import { silentLog } from '../../../src/ports/log.js'

const W = '0102030405060708' as WriterId
const [NEAR, FAR] = ['aa', 'bb'].map((byte) => byte.repeat(32)) as [DeviceId, DeviceId]

/** A share of four pieces of 100 bytes. */
class Scene {
  nowMs = 0
  promise: CopiesPromise | undefined = { min: 2, offsite: 0 }
  isReady = true
  live = [0, 1, 2, 3]
  own = [0, 1, 2, 3]
  readonly held = new Map<DeviceId, number[]>([[NEAR, [0, 1, 2, 3]]])
  /** What they say when they are asked. */
  readonly says = new Map<DeviceId, { isOffsite: boolean; learn?: number[] }>()
  readonly inSync = new Set<DeviceId>()
  readonly last = new Map<DeviceId, HoldingsAnswer>()
  readonly asked: DeviceId[][] = []
  readonly events: EventFact[] = []
  walks = 0
  /** How long the index is not read again. */
  pauseMs = 0
  readonly copies: Copies

  constructor() {
    this.copies = new Copies({
      exchange: {
        holdings: () => [
          {
            writer: W,
            own: Bitfield.of(this.own).toWire(8),
            peers: new Map([...this.held].map(([device, at]) => [device, Bitfield.of(at).toWire(8)])),
            wanted: [],
          },
        ],
      },
      talk: {
        last: (device) => this.last.get(device),
        ask: async (_options, devices = []) => {
          this.asked.push([...devices])
          for (const device of devices) this.#answer(device)
          return new Map(this.last)
        },
      },
      walk: () => this.#walk(),
      promise: () => this.promise,
      isOffsite: () => false,
      peers: () => [...this.held.keys()].map((device) => ({ device })),
      holdingOurs: () => this.inSync,
      isReady: () => this.isReady,
      note: (fact) => this.events.push(fact),
      nowMs: () => this.nowMs,
      clockMs: () => this.nowMs,
      pauseMs: (work) => (work === 'index' ? this.pauseMs : 0),
      log: silentLog,
    })
  }

  /** Lets time pass, timers in order, and what they began come to its end. */
  async pass(ms: number): Promise<void> {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      const stepMs = Math.min(1000, endMs - this.nowMs)
      this.nowMs += stepMs
      mock.timers.tick(stepMs)
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  get short(): number | undefined {
    return this.copies.counted?.counts.short.pieces
  }

  #answer(device: DeviceId): void {
    const said = this.says.get(device)
    if (said === undefined) return
    const answer = {
      standing: 'at-rest',
      isOffsite: said.isOffsite,
      view: [],
      feeds: new Map(),
      atMs: 0,
    } as const
    this.last.set(device, answer)
    if (said.learn !== undefined) this.held.set(device, said.learn)
  }

  *#walk(): Generator<undefined, LivePieces> {
    this.walks++
    const maker = new LivePiecesMaker()
    for (const at of this.live) maker.mark(W, at, 1)
    for (const at of this.live) maker.learn(W, at, Buffer.alloc(32, at + 1), 100)
    yield
    return maker.finish()
  }
}

let scene: Scene
beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] })
  scene = new Scene()
})
afterEach(() => {
  scene.copies.stop()
  mock.timers.reset()
})

test('nothing is counted before the disk was looked at, and soon after', async () => {
  scene.isReady = false
  scene.copies.start()
  await scene.pass(5000)
  assert.deepEqual([scene.copies.counted, scene.walks], [undefined, 0])
  scene.isReady = true
  await scene.pass(2000)
  const { counts, promise } = scene.copies.counted!
  assert.deepEqual(
    [counts.total, counts.short.pieces, promise],
    [{ pieces: 4, bytes: 400 }, 0, scene.promise],
  )
})

test('without a promise nothing is done; one that comes is counted, one that changes is not taken for the old', async () => {
  scene.promise = undefined
  scene.copies.start()
  scene.copies.changed()
  await scene.pass(120_000)
  assert.equal(scene.walks, 0)
  scene.promise = { min: 3, offsite: 0 }
  scene.copies.poke()
  await scene.pass(1000)
  assert.equal(scene.short, 4)
  scene.promise = { min: 2, offsite: 0 }
  assert.equal(scene.copies.counted, undefined)
  scene.copies.poke()
  await scene.pass(1000)
  assert.equal(scene.short, 0)
  scene.promise = undefined
  assert.equal(scene.copies.counted, undefined)
})

test('a broken promise is told once it was so for a minute, and once more when it is kept again', async () => {
  scene.copies.start()
  await scene.pass(3000)
  // Every new file is short of copies for a moment.
  scene.live.push(4)
  scene.own.push(4)
  scene.copies.changed()
  await scene.pass(50_000)
  assert.equal(scene.short, 1)
  scene.held.get(NEAR)!.push(4)
  scene.copies.poke()
  await scene.pass(100_000)
  assert.deepEqual(scene.events, [])
  scene.held.delete(NEAR)
  scene.copies.poke()
  await scene.pass(120_000)
  assert.deepEqual(scene.events, [{ type: 'copies', kept: false, pieces: 5, bytes: 500 }])
  scene.held.set(NEAR, [0, 1, 2, 3, 4])
  await scene.pass(200_000)
  assert.deepEqual(scene.events.slice(1), [{ type: 'copies', kept: true, pieces: 0, bytes: 0 }])
})

test('who may hold more than is known is asked, at most once a minute, and only if copies are short', async () => {
  scene.held.set(FAR, [])
  scene.copies.start()
  await scene.pass(3000)
  assert.deepEqual([scene.short, scene.asked], [0, []])
  scene.promise = { min: 3, offsite: 0 }
  scene.inSync.add(NEAR)
  scene.says.set(NEAR, { isOffsite: false })
  for (let i = 0; i < 20; i++) {
    scene.copies.poke()
    await scene.pass(1000)
  }
  // It has not said yet whether it is off-site; after that, who is in sync need not say more.
  assert.deepEqual(scene.asked, [[NEAR, FAR]])
  scene.says.set(FAR, { isOffsite: false, learn: [0, 1, 2, 3] })
  await scene.pass(61_000)
  assert.deepEqual(scene.asked.slice(1), [[FAR]])
  assert.equal(scene.short, 0)
})

test('off-site is who says so', async () => {
  scene.promise = { min: 1, offsite: 1 }
  scene.says.set(NEAR, { isOffsite: true })
  scene.copies.start()
  await scene.pass(2000)
  assert.deepEqual([scene.short, scene.asked], [0, [[NEAR]]])
})

test('the index is not read more often than that may cost; until then what nobody holds any more is not missed', async () => {
  scene.pauseMs = 30_000
  scene.copies.start()
  await scene.pass(2000)
  assert.equal(scene.walks, 1)
  // A file was replaced: its piece is gone everywhere, the new one is here alone.
  scene.live = [1, 2, 3, 4]
  scene.own = [1, 2, 3, 4]
  scene.held.set(NEAR, [1, 2, 3])
  scene.copies.changed()
  await scene.pass(2000)
  assert.deepEqual([scene.walks, scene.short], [1, 0])
  await scene.pass(60_000)
  assert.deepEqual([scene.walks, scene.short], [2, 1])
  // What is needed and on no device that is connected is told when the index is as it was read.
  scene.live.push(7)
  scene.copies.changed()
  await scene.pass(60_000)
  assert.deepEqual([scene.walks, scene.copies.counted!.counts.none.pieces], [3, 1])
})
