import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ControlBackend } from '../../src/control/calls.js'
import type { ShareReport } from '../../src/control/schema.js'
import type { DeviceId } from '../../src/core/ids.js'
import { daemonBackend } from '../../src/daemon/control/backend.js'
import type { DaemonView } from '../../src/daemon/control/view.js'
import { RateLimits } from '../../src/daemon/rate-limits.js'
import type { Share } from '../../src/daemon/share/share.js'

const DAY = 86_400_000
const DIGEST = Buffer.alloc(32, 1)
const HOLDING = { scope: 'all', digest: DIGEST, releasesDigest: DIGEST }
const DEVICES = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32)) as [DeviceId, DeviceId, DeviceId]

/** One hook, which has failed. */
const VIEW = {
  ...{ number: 1, match: ['*'], run: ['true'], ownChanges: false, state: 'failed', pending: 2 },
  ...{ waitsFor: undefined, dueInMs: undefined },
  last: {
    ...{
      atMs: 0,
      durationMs: 5,
      result: 'failed',
      exit: 3,
      signal: null,
      reason: null,
      count: 2,
      output: 'no\n',
    },
  },
} as const
const asked: (number | undefined)[] = []
const HOOKS = { views: () => [VIEW], ask: async (hook?: number) => asked.push(hook) }

/** A share with a member that is connected, one that went lately, and one that went long ago. */
function share(clockAheadMs: number | undefined): Share {
  const [near, lately, longAgo] = DEVICES
  const member = (device: DeviceId, name: string, daysAgo: number): unknown => ({
    state: { device, name, ...HOLDING, instance: 'i' },
    lastSeenMs: Date.now() - daysAgo * DAY,
    isMet: true,
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
    scrub: { section: { lastMs: 0, files: 0, bytes: 0, found: 0, repaired: 0, open: 0, openBytes: 0 } },
    reports: { of: () => undefined },
    exchange: { stats: () => ({ downloadedBytes: 0, uploadedBytes: 0 }) },
    problems: { list: () => [{ path: 'a', code: 'EACCES', detail: 'no', sinceMs: 1 }] },
    hooks: HOOKS,
    pausing: { pausedMs: undefined },
    copies: { promise: undefined, counted: undefined },
    peers: [peer],
    isWriter: () => false,
    blindMembers: { all: () => [] },
    members: {
      all: () => [member(near, 'near', 90), member(lately, 'lately', 6), member(longAgo, 'gone', 8)],
    },
  } as unknown as Share
}

const none = async (): Promise<never> => assert.fail('nobody asks for this')
const FOLDERS: DaemonView['folders'] = { list: async () => [], add: none, change: none, remove: none }

function backendOf(
  clockAheadMs: number | undefined,
  peerExpirationDays: number,
  shares: () => readonly Share[] = () => [share(clockAheadMs)],
): ControlBackend {
  return daemonBackend({
    name: 'here',
    device: () => DEVICES[0],
    shares,
    rates: new RateLimits({ downloadLimit: 0, uploadLimit: 0, limits: [], rateLimitLocalPeers: false }),
    shareLimits: () => [],
    limits: () => ({ peerExpirationDays, maxTimeDiffMs: 600_000 }),
    started: async () => undefined,
    invites: () => undefined,
    folders: FOLDERS,
    relays: () => [],
    port: () => 0,
    network: () => undefined,
    configState: { refused: undefined, awaitingRestart: [] },
    stop: () => undefined,
  })
}

async function statusOf(clockAheadMs: number | undefined, peerExpirationDays: number): Promise<ShareReport> {
  const { shares } = await backendOf(clockAheadMs, peerExpirationDays).status()
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

test('hooks are told with their last run, and run by their number', async () => {
  const backend = backendOf(undefined, 0)
  const { shares } = await backend.status()
  assert.deepEqual(shares[0]!.hooks, [
    {
      ...{ number: 1, match: ['*'], run: ['true'], ownChanges: false, state: 'failed', pending: 2 },
      ...{ waitsFor: null, dueInMs: null },
      last: {
        ...{ at: '1970-01-01T00:00:00.000Z', durationMs: 5, result: 'failed', exit: 3, signal: null },
        ...{ reason: null, paths: 2, output: 'no\n' },
      },
    },
  ])
  await backend.runHooks()
  await backend.runHooks({ hook: 1 })
  assert.deepEqual(asked, [undefined, 1])
  await assert.rejects(backend.runHooks({ hook: 2 }), { code: 'NOT_FOUND' })
})

test('a folder that is named is the one that is meant, whatever place it has by then', async () => {
  const paused: string[] = []
  const at = (dir: string): Share =>
    ({ dir, pausing: { pause: async () => void paused.push(dir) } }) as unknown as Share
  let shares = [at('/srv/added'), at('/srv/kept')]
  const backend = backendOf(undefined, 0, () => shares)
  shares = shares.slice(1)
  await backend.pause({ share: '/srv/kept' })
  await assert.rejects(backend.pause({ share: '/srv/added' }), { code: 'NOT_FOUND' })
  await assert.rejects(backend.pause({ share: 1 }), { code: 'NOT_FOUND' })
  await backend.pause({ share: 0 })
  assert.deepEqual(paused, ['/srv/kept', '/srv/kept'])
})
