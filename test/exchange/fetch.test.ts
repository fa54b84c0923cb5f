import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { trafficRooms } from '../../src/ports/rooms.js'
import { FetchModel, nameOf, STEPS, type Step } from './fetch-model.js'

const DEFAULTS = { bytesPerSecond: 0, requestLimit: 1024, maxInFlightBytes: 32 << 20 }

const step = fc.record({
  type: fc.constantFrom(...STEPS),
  a: fc.nat(255),
  b: fc.nat(255),
  n: fc.integer({ min: 1, max: 12 }),
})

function run(world: FetchModel, steps: readonly (Partial<Step> & Pick<Step, 'type'>)[]): void {
  for (const each of steps) {
    world.step({ a: 0, b: 0, n: 0, ...each })
    world.check()
  }
}

/** Two peers that hold everything, and twelve pieces asked for. */
function busyWorld(options: ConstructorParameters<typeof FetchModel>[0]): FetchModel {
  const world = new FetchModel(options)
  run(world, [
    { type: 'join', a: 255, b: 255 },
    { type: 'join', a: 255, b: 255 },
    ...Array.from({ length: 12 }, (_, a) => ({ type: 'want', a, n: 1 }) as const),
    { type: 'carry', b: 0, n: 12 },
    { type: 'carry', b: 1, n: 12 },
    { type: 'round' },
  ])
  return world
}

test('fetch: G2, G6, G7 hold under any sequence of events, and in the end all that is held is here', (t) => {
  const [take, give] = [t.mock.method(trafficRooms, 'take'), t.mock.method(trafficRooms, 'give')]
  const options = fc.record({
    bytesPerSecond: fc.constantFrom(0, 2e6),
    requestLimit: fc.constantFrom(2, 1024),
    maxInFlightBytes: fc.constantFrom(300_000, 32 << 20),
  })
  fc.assert(
    // Without a size fast-check stays at some ten events.
    fc.property(options, fc.array(step, { maxLength: 150, size: 'max' }), (how, steps) => {
      const world = busyWorld(how)
      run(world, steps)
      world.settle()
      world.leaveAll()
      // What was given up lies in no room any more, either.
      assert.equal(give.mock.callCount(), take.mock.callCount())
      for (const each of [take, give]) each.mock.resetCalls()
    }),
    { numRuns: 1000 },
  )
})

test('fetch: G5, a late answer to a request that was made again with blocks of another size is no lie', () => {
  const world = busyWorld({ ...DEFAULTS, maxInFlightBytes: 300_000 })
  run(world, [
    { type: 'wait long', n: 1 },
    { type: 'carry', b: 67, n: 1 },
    { type: 'leave', n: 1 },
    { type: 'close wire', n: 8 },
    { type: 'serve', n: 1 },
    { type: 'choke', n: 1 },
    { type: 'unchoke', n: 1 },
    { type: 'carry', n: 3 },
    { type: 'serve', n: 1 },
  ])
  world.settle()
})

test('fetch: G5, what an answer to a cancelled request is taken for is not left to stand at the peer', () => {
  const world = busyWorld({ ...DEFAULTS, maxInFlightBytes: 300_000 })
  run(world, [
    { type: 'leave', n: 1 },
    { type: 'choke', n: 1 },
    { type: 'unchoke', n: 1 },
    { type: 'carry', n: 6 },
    { type: 'close wire', n: 2 },
    { type: 'carry', n: 2 },
    { type: 'carry', n: 8 },
    { type: 'round', n: 1 },
    { type: 'serve', n: 1 },
    { type: 'choke', n: 1 },
    { type: 'carry', n: 1 },
    { type: 'unchoke', n: 1 },
    { type: 'carry', n: 4 },
  ])
  world.settle()
})

test('fetch: G6, what a stalled peer was asked for and lost is asked for again', () => {
  const world = new FetchModel(DEFAULTS)
  run(world, [
    { type: 'want', n: 1 },
    { type: 'join', a: 255 },
    { type: 'carry', n: 12 },
    { type: 'round' },
    { type: 'carry', n: 12 },
    { type: 'lose' },
  ])
  world.settle()
  assert.ok(world.nowMs <= 41_000, `${world.nowMs} ms`)
})

test('fetch: G6, a stalled peer that owes nothing any more is given a trial', () => {
  const world = new FetchModel(DEFAULTS)
  run(world, [
    { type: 'want', n: 1 },
    { type: 'join', a: 255 },
    { type: 'carry', n: 12 },
    { type: 'round' },
    { type: 'carry', n: 12 },
    { type: 'wait long', n: 11 },
    { type: 'tick' },
    { type: 'unwant' },
    { type: 'want', n: 1 },
  ])
  world.settle()
  assert.ok(world.nowMs <= 42_000, `${world.nowMs} ms`)
})

test('fetch: G6, what a busy peer passes over is asked for again', () => {
  const world = new FetchModel(DEFAULTS)
  run(world, [
    { type: 'want', n: 1 },
    { type: 'join', a: 255 },
    { type: 'carry', n: 12 },
    { type: 'round' },
    { type: 'carry', n: 12 },
    { type: 'lose' },
  ])
  // Piece 2 is fetched over and over, so that the peer never falls silent.
  const busy: Parameters<typeof run>[1] = [
    { type: 'want', a: 2, n: 1 },
    { type: 'round' },
    { type: 'carry', n: 12 },
    { type: 'serve', n: 12 },
    { type: 'carry', n: 12 },
    { type: 'wait long', n: 1 },
    { type: 'tick' },
  ]
  while (world.picker.wantedCount > 0) {
    run(world, busy)
    assert.ok(world.nowMs < 40_000, 'piece 0 never comes')
  }
})

test('fetch: X4, under a download limit peers take turns', () => {
  const world = new FetchModel({ ...DEFAULTS, bytesPerSecond: 100_000 })
  run(world, [
    // The first holds the even pieces, the second the odd ones.
    { type: 'join', a: 255, n: 2 },
    { type: 'join', b: 255, n: 1 },
    ...[0, 2, 4, 6, 8, 10, 12, 14, 16, 1].map((a) => ({ type: 'want', a, n: 1 }) as const),
    { type: 'carry', b: 0, n: 12 },
    { type: 'carry', b: 1, n: 12 },
  ])
  while (world.picker.find(nameOf(1)) !== undefined) world.pass()
  assert.ok(world.nowMs < 10_000, `the only odd piece came after ${world.nowMs} ms`)
  assert.ok(world.picker.wantedCount > 0, 'before all of the bulk')
})
