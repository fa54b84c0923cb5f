import assert from 'node:assert/strict'
import { test } from 'node:test'
import { availabilityReport, liveReport } from '../../src/control/schema-live.js'
import type { DeviceId } from '../../src/core/ids.js'
import { UNKNOWN_DIGEST } from '../../src/core/state.js'
import { liveCalls } from '../../src/daemon/control/live-calls.js'
import type { DaemonView } from '../../src/daemon/control/view.js'
import type { ApplyTask } from '../../src/daemon/share/apply-task.js'
import { noteTraffic } from '../../src/daemon/share/apply-task.js'
import type { Share } from '../../src/daemon/share/share.js'
import { transfersAmong } from '../../src/daemon/share/transfers.js'

const [NEAR, FAR] = ['aa', 'bb'].map((byte) => byte.repeat(32)) as [DeviceId, DeviceId]
const HOLDING = { scope: 'all', digest: Buffer.alloc(32, 1), releasesDigest: Buffer.alloc(32) }

function taskOf(path: string, changes: Partial<ApplyTask> = {}): ApplyTask {
  return {
    ...{ path, missing: 2, doneBytes: 0, startedMs: 0, traffic: undefined, isOwnCopy: false },
    parts: [{}, {}],
    step: { type: 'write', fact: { type: 'file', size: 1000 } },
    ...changes,
  } as unknown as ApplyTask
}

function shareWith(
  tasks: readonly ApplyTask[],
  { needFiles = 0, near = { needFiles: 0 } }: { needFiles?: number; near?: object } = {},
): { share: Share; surveys: () => number } {
  let surveys = 0
  const peer = (device: DeviceId, name: string): unknown => ({
    ...{ device, name, grade: 'read', transport: 'tcp', address: '127.0.0.1:1', instance: 'i' },
    ...{ initiator: true, connectedAtMs: 5, rttMs: device === NEAR ? 1.5 : undefined },
  })
  const member = (device: DeviceId, name: string, more: object): unknown => ({
    state: { device, name, ...HOLDING, instance: 'i', needFiles: 2, needBytes: 30, ...more },
    lastSeenMs: 0,
  })
  const stats = { inFlightBytes: 64, stalled: true, choked: false, downRate: 10, upRate: 20 }
  const share = {
    dir: '/srv',
    blindMembers: { all: () => [] },
    copies: { talk: { ask: async () => new Map() } },
    state: 'syncing',
    index: { counts: { needFiles, needBytes: 40 }, feeds: { all: () => [] } },
    holding: HOLDING,
    exchange: {
      stats: () => ({
        ...{ downloadedBytes: 100, uploadedBytes: 200, wrongPieces: 1 },
        perPeer: [
          { device: NEAR, downloadedBytes: 60, uploadedBytes: 70, rateBytesPerSecond: 5, ...stats },
          { device: FAR, downloadedBytes: 40, uploadedBytes: 130, rateBytesPerSecond: 5, ...stats },
        ],
      }),
      holdings: (inSync: ReadonlySet<DeviceId>) => {
        surveys++
        assert.deepEqual([...inSync], [NEAR])
        const peers = new Map([
          [NEAR, Uint8Array.of(0xff)],
          [FAR, Uint8Array.of(0xc0)],
        ])
        return [{ own: Uint8Array.of(0xf0), peers, wanted: [] }]
      },
    },
    peers: [peer(NEAR, 'near'), peer(FAR, 'far')],
    isWriter: (device: DeviceId) => device === FAR,
    members: {
      // Whoever has not looked through its disk yet is in sync with nobody.
      all: () => [member(NEAR, 'near', near), member(FAR, 'far', { digest: UNKNOWN_DIGEST })],
    },
    transfers: (limit: number) => transfersAmong(tasks, limit),
  } as unknown as Share
  return { share, surveys: () => surveys }
}

const viewOf = (share: Share): DaemonView =>
  ({ shares: () => [share], started: async () => undefined }) as unknown as DaemonView

test('live: what each peer does and lacks, and what is being fetched', async () => {
  const task = taskOf('big', { doneBytes: 400 })
  noteTraffic(task, NEAR, 300)
  noteTraffic(task, NEAR, 100)
  const { share, surveys } = shareWith([task, taskOf('later')])
  const calls = liveCalls(viewOf(share))
  const report = await calls.live()
  // As it goes over the wire.
  assert.deepEqual(liveReport.parse(JSON.parse(JSON.stringify(report))), report)
  const [live] = report.shares
  assert.deepEqual(
    [live!.downRate, live!.upRate, live!.totalPieces, live!.heldPieces, live!.wrongPieces],
    [20, 40, 8, 4, 1],
  )
  const [near, far] = live!.peers
  assert.deepEqual([near!.rttMs, near!.inSync, near!.heldPieces, near!.grade], [1.5, true, 8, 'read'])
  assert.deepEqual([far!.rttMs, far!.inSync, far!.heldPieces, far!.grade], [null, false, 2, 'write'])
  assert.deepEqual([far!.needFiles, far!.needBytes, far!.stalled, far!.inFlightBytes], [2, 30, true, 64])
  const [big, later] = live!.transfers
  assert.deepEqual([live!.transferCount, big!.bytes, big!.doneBytes], [2, 1000, 400])
  assert.deepEqual(big!.peers, [{ device: NEAR, name: 'near', bytes: 400 }])
  assert.ok(big!.rate > 0 && big!.etaMs === Math.round((600 / big!.rate) * 1000), JSON.stringify(big))
  assert.deepEqual([later!.rate, later!.etaMs, later!.peers], [0, null, []])
  // What costs something per piece is not looked at for every question.
  await calls.live()
  assert.equal(surveys(), 1)
})

test('nobody is in sync who lacks something, or while we do, though both hold the same', async () => {
  for (const lack of [{ needFiles: 1 }, { near: { needFiles: 1 } }]) {
    const { share } = shareWith([], lack)
    const [live] = (await liveCalls(viewOf(share)).live()).shares
    assert.deepEqual(
      live!.peers.map((peer) => [peer.inSync, peer.heldPieces]),
      [
        [false, 8],
        [false, 2],
      ],
    )
  }
})

test('a blind node that holds all is in sync for another that does, and for nobody while that one lacks something', async () => {
  for (const pieces of [0, 3]) {
    const state = { device: NEAR, name: 'near', instance: 'i', missingPieces: 0, missingBytes: 0, feeds: [] }
    const { share } = shareWith([])
    const blind = Object.assign(share, {
      ...{ grade: 'blind', keeping: undefined, counts: { missing: { pieces, bytes: pieces } } },
      blindMembers: { all: () => [{ state, lastSeenMs: 0 }] },
    })
    const [live] = (await liveCalls(viewOf(blind)).live()).shares
    assert.deepEqual(
      live!.peers.map((peer) => peer.inSync),
      [pieces === 0, false],
    )
  }
})

test('what a blind node alone holds, and nobody here wants, is not counted as missing', async () => {
  const { share } = shareWith([])
  const [near] = share.peers
  Object.assign(near!, { grade: 'blind' })
  const [live] = (await liveCalls(viewOf(share)).live()).shares
  assert.deepEqual([live!.totalPieces, live!.heldPieces, live!.peers[0]!.heldPieces], [4, 4, 4])
})

test('availability: in as many buckets as were asked for', async () => {
  const { share, surveys } = shareWith([])
  const calls = liveCalls(viewOf(share))
  const report = await calls.availability({ share: 0, width: 4 })
  assert.deepEqual(availabilityReport.parse(JSON.parse(JSON.stringify(report))), {
    ...{ dir: '/srv', pieces: 8, held: 4, rarestCopies: 1, rarestPieces: 4 },
    buckets: [
      { pieces: 2, held: 2, minCopies: 3, maxCopies: 3 },
      { pieces: 2, held: 2, minCopies: 2, maxCopies: 2 },
      { pieces: 2, held: 0, minCopies: 1, maxCopies: 1 },
      { pieces: 2, held: 0, minCopies: 1, maxCopies: 1 },
    ],
  })
  assert.equal((await calls.availability({ share: 0 })).buckets.length, 8)
  await calls.availability({ share: 0 })
  assert.equal(surveys(), 2)
  await assert.rejects(calls.availability({ share: 1 }), /there is no share 1/)
})

test('of thousands of files on their way those are told that have begun, then the oldest', () => {
  const waiting = Array.from({ length: 3000 }, (_, at) => taskOf(`w${at}`))
  const begun = taskOf('begun', { doneBytes: 1 })
  const done = taskOf('done', { missing: 0 })
  const moved = taskOf('moved', { via: { type: 'note' } })
  const { tasks, count } = transfersAmong([...waiting, done, moved, begun], 3)
  assert.equal(count, 3001)
  assert.deepEqual(
    tasks.map(({ path }) => path),
    ['begun', 'w0', 'w1'],
  )
})

test('who sent what is noted only of files that take a while', () => {
  const small = taskOf('small', { parts: [{}] as unknown as ApplyTask['parts'] })
  noteTraffic(small, NEAR, 100)
  assert.equal(small.traffic, undefined)
})
