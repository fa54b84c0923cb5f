// Serving runs, with a connection in the test's hands.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FeedWire } from '../../../src/exchange/feed-wire.js'
import type { Link } from '../../../src/exchange/link.js'
import type { RunMessage } from '../../../src/exchange/runs/run-message.js'
import { RunServe } from '../../../src/exchange/runs/run-serve.js'
import { Leases } from '../../../src/exchange/serve-lease.js'
import { newPeer } from '../../../src/exchange/serve-peer.js'
import { silentLog } from '../../../src/ports/log.js'
import { until } from '../../support/until.js'

test('S4: whoever is choked is refused', () => {
  const said: RunMessage[] = []
  const source = { read: async () => assert.fail('nothing is read'), lengthOf: () => undefined }
  const serve = new RunServe({
    ...{ source, leases: new Leases(source, assert.fail), log: silentLog },
    ...{ holds: () => true, withdraw: assert.fail, violated: assert.fail, soon: assert.fail },
    ...{
      sent: () => assert.fail('nothing is sent'),
      isPaced: () => false,
      mayReadAhead: () => true,
      countAhead: assert.fail,
    },
    pump: () => assert.fail('nothing is ready'),
  })
  const link = { outBytes: 0, drained: true, unchoked: false, flush: () => {} } as unknown as Link
  const wire = { speaksOfRuns: true, sayOfRun: (message: RunMessage) => said.push(message) }
  const peer = newPeer(link, () => 0)
  serve.asked(peer, wire as unknown as FeedWire, { first: 0, count: 9 }, 360_000)
  serve.read([peer])
  assert.deepEqual(said, [{ type: 'refuse', first: 0, count: 9 }])
})

test('S2, S4: a run that is read when a limit begins is refused, however much waits to be sent', async () => {
  const said: RunMessage[] = []
  let isPaced = false
  let pumped = 0
  const source = {
    read: async (requests: readonly unknown[]) => requests.map(() => Buffer.alloc(40_000)),
    lengthOf: () => 40_000,
  }
  const serve = new RunServe({
    ...{ source, leases: new Leases(source, () => {}), log: silentLog },
    ...{ holds: () => true, withdraw: assert.fail, violated: assert.fail, soon: () => {} },
    sent: () => assert.fail('nothing is sent under a limit'),
    ...{ isPaced: () => isPaced, mayReadAhead: () => true, countAhead: () => {} },
    pump: () => {
      serve.pump(peer)
      pumped++
    },
  })
  // What a limit lets go bit by bit.
  const link = { outBytes: 300_000, drained: true, unchoked: true, flush: () => {} } as unknown as Link
  const wire = { speaksOfRuns: true, sayOfRun: (message: RunMessage) => said.push(message) }
  const peer = newPeer(link, () => 0)
  serve.asked(peer, wire as unknown as FeedWire, { first: 0, count: 9 }, 360_000)
  serve.read([peer])
  isPaced = true
  await until('it is read', () => pumped === 1)
  assert.deepEqual(said, [{ type: 'refuse', first: 0, count: 9 }])
  assert.deepEqual([peer.runs.count, peer.runs.ready.length], [0, 0])
})

test('S1: a run that was taken back while it was read counts for as long as those that were read with it are lent', async () => {
  let ahead = 0
  const source = {
    read: async (requests: readonly unknown[]) => requests.map(() => Buffer.alloc(40_000)),
    lengthOf: () => 40_000,
    release: () => assert.equal(ahead, 0),
  }
  const countAhead = (_peer: unknown, bytes: number): void => {
    ahead += bytes
  }
  const leases = new Leases(source, countAhead)
  let pumped = 0
  const serve = new RunServe({
    ...{ source, leases, log: silentLog, countAhead, holds: () => true, withdraw: assert.fail },
    ...{ violated: assert.fail, soon: () => {}, sent: () => {} },
    ...{ isPaced: () => false, mayReadAhead: () => true },
    pump: () => {
      pumped++
    },
  })
  const link = { outBytes: 0, drained: true, unchoked: true, flush: () => {} } as unknown as Link
  const wire = { speaksOfRuns: true, sayOfRun: assert.fail, answerRun: () => {} } as unknown as FeedWire
  const peer = newPeer(link, () => 0)
  for (const first of [0, 9]) serve.asked(peer, wire, { first, count: 9 }, 360_000)
  serve.read([peer])
  serve.cancelled(peer, wire, 9)
  await until('both are read', () => pumped === 1)
  assert.equal(ahead, 720_000)
  assert.ok(serve.pump(peer))
  assert.equal(ahead, 0)
  leases.release()
})
