import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ShareReport } from '../../src/control/schema.js'
import type { DeviceId } from '../../src/core/ids.js'
import { DaemonBackend } from '../../src/daemon/backend.js'
import type { Share } from '../../src/daemon/share/share.js'

const DAY = 86_400_000
const DIGEST = Buffer.alloc(32, 1)
const HOLDING = { scope: 'all', digest: DIGEST, releasesDigest: DIGEST }
const DEVICES = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32)) as [DeviceId, DeviceId, DeviceId]

/** A share with a member that is connected, one that went lately, and one that went long ago. */
function share(clockAheadMs: number | undefined): Share {
  const [near, lately, longAgo] = DEVICES
  const member = (device: DeviceId, name: string, daysAgo: number): unknown => ({
    state: { device, name, ...HOLDING, instance: 'i' },
    lastSeenMs: Date.now() - daysAgo * DAY,
  })
  const peer = {
    ...{ device: near, name: 'near', transport: 'tcp', address: '127.0.0.1:1', instance: 'i' },
    ...{ connectedAtMs: 5, clockAheadMs },
  }
  return {
    dir: '/srv',
    grade: 'write',
    state: 'idle',
    conflictCount: 0,
    index: { counts: {} },
    holding: HOLDING,
    drift: { summary: () => ({ open: 0, acknowledged: 0, restored: 0, replaced: 0, waiting: 0 }) },
    exchange: { stats: () => ({ downloadedBytes: 0, uploadedBytes: 0 }) },
    problems: { list: () => [{ path: 'a', code: 'EACCES', detail: 'no', sinceMs: 1 }] },
    peers: [peer],
    isWriter: () => false,
    members: {
      all: () => [member(near, 'near', 90), member(lately, 'lately', 6), member(longAgo, 'gone', 8)],
    },
  } as unknown as Share
}

async function statusOf(clockAheadMs: number | undefined, peerExpirationDays: number): Promise<ShareReport> {
  const backend = new DaemonBackend({
    name: 'here',
    device: () => DEVICES[0],
    shares: () => [share(clockAheadMs)],
    limits: () => ({ peerExpirationDays, maxTimeDiffMs: 600_000 }),
    started: async () => undefined,
    invites: () => undefined,
    port: () => 0,
    stop: () => undefined,
  })
  const { shares } = await backend.status()
  return shares[0]!
}

test('only a member that is gone for peer_expiration_days has expired', async () => {
  const { members } = await statusOf(undefined, 7)
  assert.deepEqual(
    members.map(({ name, expired, connected }) => [name, expired, connected]),
    [
      ['near', false, true],
      ['lately', false, false],
      ['gone', true, false],
    ],
  )
  assert.ok((await statusOf(undefined, 0)).members.every(({ expired }) => !expired))
})

test('a clock that is off is a problem beside the others, and in the member itself', async () => {
  const off = await statusOf(3_600_000, 0)
  assert.deepEqual(
    off.problems.map(({ path, code }) => [path, code]),
    [
      ['a', 'EACCES'],
      ['', 'CLOCK_DIFFERS'],
    ],
  )
  assert.match(off.problems[1]!.detail, /^the clock of near \(aaaaaaaa\) is 1 h ahead/)
  assert.deepEqual(
    off.members.map(({ clockAheadMs }) => clockAheadMs),
    [3_600_000, null, null],
  )
  assert.equal((await statusOf(undefined, 0)).problems.length, 1)
})
