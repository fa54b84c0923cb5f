// What is found out before a device may be powered off: only what members answer to this very question counts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bitfield } from '../../../src/core/bitfield.js'
import type { CopiesPromise } from '../../../src/core/copies.js'
import type { DeviceId, WriterId } from '../../../src/core/ids.js'
import type { Standing } from '../../../src/core/inquiry.js'
import { LivePiecesMaker } from '../../../src/core/live-pieces.js'
import type { HoldingsAnswer } from '../../../src/daemon/copies/holdings-talk.js'
import { checkStop, type StopCheck } from '../../../src/daemon/copies/stop-check.js'

const W = '0102030405060708' as WriterId
const TIMEOUT_MS = 10_000

interface Told {
  readonly held?: readonly number[]
  readonly isOffsite?: boolean
  readonly standing?: Standing
  readonly read?: number
  readonly isAway?: boolean
}

/** This device holds 0 to 3 of live pieces 0 to 4, and 9, which nobody needs any more; it has read 12 records. */
async function check(
  members: Readonly<Record<string, Told>>,
  {
    promise,
    settle = async () => {},
    standing = 'at-rest',
    timeoutMs = TIMEOUT_MS,
  }: { promise?: CopiesPromise; settle?: () => Promise<void>; standing?: Standing; timeoutMs?: number } = {},
): Promise<StopCheck> {
  const deviceOf = (name: string): DeviceId => name.padEnd(64, '0') as DeviceId
  const answers = new Map<DeviceId, HoldingsAnswer>()
  for (const [name, { held, isOffsite = false, standing: theirs = 'at-rest', read = 12 }] of Object.entries(
    members,
  ))
    if (held !== undefined) {
      const feeds = new Map([[W, Bitfield.of(held).toWire(16)]])
      answers.set(deviceOf(name), { standing: theirs, isOffsite, view: [[W, read]], feeds, atMs: 0 })
    }
  return checkStop(
    {
      exchange: { own: () => [{ writer: W, pieceCount: 16, have: Bitfield.of([0, 1, 2, 3, 9]).toWire(16) }] },
      talk: {
        ask: async (options) => {
          assert.deepEqual(options, { looksFirst: true, timeoutMs })
          return answers
        },
      },
      *walk() {
        const maker = new LivePiecesMaker()
        maker.mark(W, 0, 5)
        for (let at = 0; at < 5; at++) maker.learn(W, at, Buffer.alloc(32, at + 1), 100)
        yield
        return maker.finish()
      },
      promise: () => promise,
      members: () => Object.keys(members).map((name) => ({ device: deviceOf(name), name })),
      isConnected: (device) =>
        Object.entries(members).some(([name, { isAway = false }]) => deviceOf(name) === device && !isAway),
      settle,
      standing: () => standing,
      view: () => [[W, 12]],
      isStopped: () => false,
    },
    timeoutMs,
  )
}

const ALL = [0, 1, 2, 3]

test('what this device holds and the share needs is counted among those who answered', async () => {
  const found = await check({ a: { held: ALL }, b: { held: [0, 1] } })
  assert.deepEqual(found.promise, { min: 1, offsite: 0 })
  assert.deepEqual(found.held, { pieces: 4, bytes: 400 })
  assert.deepEqual([found.onlyHere.pieces, found.belowMin.pieces, found.belowOffsite.pieces], [0, 0, 0])
  assert.deepEqual(found.complete, { count: 2, offsite: 0 })
  assert.deepEqual([found.isLooked, found.standing, found.hasRecords], [true, 'at-rest', true])
  const promised = await check(
    { a: { held: ALL, isOffsite: true }, b: { held: [0, 1, 2] } },
    { promise: { min: 2, offsite: 1 } },
  )
  assert.deepEqual(
    [promised.onlyHere.pieces, promised.belowMin.pieces, promised.belowOffsite.pieces],
    [0, 1, 0],
  )
  assert.deepEqual(promised.complete, { count: 2, offsite: 1 })
})

test('who is away, silent, halted or paused does not count, whatever it may hold', async () => {
  const found = await check({
    away: { held: ALL, isAway: true },
    silent: {},
    halted: { held: ALL, standing: 'halted' },
    paused: { held: ALL, standing: 'paused' },
    working: { held: [0], standing: 'working', read: 3 },
  })
  assert.deepEqual(
    found.members.map(({ name, word, behind }) => [name, word, behind]),
    [
      ['away', 'unreachable', 0],
      ['silent', 'silent', 0],
      ['halted', 'halted', 0],
      ['paused', 'paused', 0],
      ['working', 'counted', 9],
    ],
  )
  assert.deepEqual(found.onlyHere, { pieces: 3, bytes: 300 })
  assert.deepEqual(found.complete, { count: 0, offsite: 0 })
})

test('a disk that cannot be looked at, or not in time, is told', async () => {
  const failing = await check({}, { settle: () => Promise.reject(new Error('halted')), standing: 'halted' })
  assert.deepEqual([failing.isLooked, failing.standing], [false, 'halted'])
  const slow = await check({ a: { held: ALL } }, { settle: () => new Promise(() => {}), timeoutMs: 5 })
  assert.deepEqual([slow.isLooked, slow.onlyHere.pieces], [false, 0])
})
