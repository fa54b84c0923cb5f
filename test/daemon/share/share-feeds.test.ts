// The feeds of one share over real Hypercore stores and an index in memory: what the own feed said is taken over once
// (A4, F5), a feed that cannot go on gives way to another epoch (F4), only what the share vouches for is opened (K5), and
// one feed's troubles are its own (A6).
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { signCertificate } from '../../../src/core/certificate.js'
import { deviceKeysOf, feedKeyPairOf } from '../../../src/core/device.js'
import { NO_EXTRA } from '../../../src/core/entry.js'
import { ShoalError } from '../../../src/core/error.js'
import { type WriterId, writerIdOf } from '../../../src/core/ids.js'
import { keysOf, type ReadKeys, type ShareKeys, writeSecretOf } from '../../../src/core/secret.js'
import { NO_VERSION } from '../../../src/core/version.js'
import { Identity } from '../../../src/daemon/identity.js'
import { ShareMeta } from '../../../src/daemon/share/meta.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import type { Publication } from '../../../src/daemon/share/publisher.js'
import { ShareFeeds, type ShareFeedsOptions } from '../../../src/daemon/share/share-feeds.js'
import { feedKeyOf } from '../../../src/feed/key.js'
import type { OwnFeed } from '../../../src/feed/own.js'
import type { FeedStore } from '../../../src/feed/store.js'
import { silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { ShareIndex } from '../../../src/store/share-index.js'
import type { SharePeer } from '../../../src/swarm/share-channel.js'
import { type End, World } from '../../feed/helpers.js'
import { at } from './support.js'

const SHARE = keysOf(writeSecretOf(Buffer.alloc(32, 1)))
const OTHER_SHARE = keysOf(writeSecretOf(Buffer.alloc(32, 2)))

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

/** What of a device outlives a run. */
interface Device {
  readonly directory: string
  readonly database: MemoryDatabase
}

async function newDevice(): Promise<Device> {
  return { directory: await world.directory(), database: new MemoryDatabase() }
}

interface Run {
  readonly feeds: ShareFeeds
  readonly index: ShareIndex
  readonly store: FeedStore
  readonly identity: Identity
  readonly meta: ShareMeta
  readonly problems: ProblemBook
  readonly peers: Set<SharePeer>
  readonly failures: unknown[]
  /** The own feeds that were opened, in order. */
  readonly own: OwnFeed[]
  /** Calls of noteOwnTail and noteTold: the block after, and the paths of the entries. */
  readonly tail: [next: number, ...paths: string[]][]
  readonly told: [next: number, ...paths: string[]][]
  rescans: number
  /** Resolves when a condition holds; asked whenever something was taken over or published. */
  until(condition: () => boolean): Promise<void>
  /** Ends the run, so that another one can follow. */
  stop(): Promise<void>
}

interface RunOptions extends Partial<Pick<ShareFeedsOptions, 'isBehindDisk' | 'keys'>> {
  /** Called with the parts before the feeds are started. */
  readonly prepare?: (run: Run) => Promise<void> | void
}

async function start(device: Device, options: RunOptions = {}): Promise<Run> {
  const { prepare, ...over } = options
  const identity = Identity.open(device.directory)
  const store = await world.store({ directory: path.join(device.directory, 'cores') })
  const index = new ShareIndex(device.database, 's:', { overwriteDrift: false, isIgnored: () => false })
  const problems = new ProblemBook(() => 0)
  const changes = new EventEmitter()
  const setProblem = problems.set.bind(problems)
  problems.set = (...what) => {
    setProblem(...what)
    changes.emit('change')
  }
  const peers = new Set<SharePeer>()
  const own: OwnFeed[] = []
  const openOwn = store.openOwn.bind(store)
  store.openOwn = async (how) => {
    const feed = await openOwn(how)
    own.push(feed)
    return feed
  }
  const tail: Run['tail'] = []
  const noteOwnTail = index.recovery.noteOwnTail.bind(index.recovery)
  index.recovery.noteOwnTail = (next, entries) => {
    tail.push([next, ...entries.map((entry) => entry.path)])
    noteOwnTail(next, entries)
  }
  const told: Run['told'] = []
  const noteTold = index.recovery.noteTold.bind(index.recovery)
  index.recovery.noteTold = (feed, next, entries) => {
    told.push([next, ...entries.map((entry) => entry.path)])
    noteTold(feed, next, entries)
  }
  const meta = new ShareMeta(device.database, 's:')
  const feeds = new ShareFeeds({
    keys: SHARE as ShareKeys & { readonly read: ReadKeys },
    identity,
    deviceName: 'box',
    store,
    index,
    meta,
    exchange: { addFeed: () => undefined } as unknown as ShareFeedsOptions['exchange'],
    problems,
    log: silentLog,
    nowMs: () => 1,
    isBehindDisk: false,
    peers: () => peers,
    met: Promise.resolve(),
    onOwnChange: () => undefined,
    onChange: () => changes.emit('change'),
    rescan: () => undefined,
    rescanAll: () => {
      run.rescans++
      changes.emit('change')
    },
    fail: (thrown) => {
      run.failures.push(thrown)
      changes.emit('change')
    },
    ...over,
  })
  const run: Run = {
    feeds,
    index,
    meta,
    store,
    identity,
    problems,
    peers,
    failures: [],
    own,
    tail,
    told,
    rescans: 0,
    until: async (condition) => {
      while (!condition()) {
        assert.deepEqual(run.failures, [])
        await new Promise((resolve) => changes.once('change', resolve))
      }
    },
    stop: async () => {
      await feeds.stop()
      await store.close()
    },
  }
  await prepare?.(run)
  await feeds.start()
  return run
}

/** A directory as a look at the disk finds it. */
function made(name: string): Publication {
  const fact = { type: 'directory', mode: 0o755, mtimeUs: 1000, extra: NO_EXTRA } as const
  const times = { mtimeMs: 1, ctimeMs: 1, ino: 5, dev: 1, nlink: 2, uid: 0, gid: 0 }
  const stat = { type: 'directory', mode: 0o755, size: 0, ...times } as const
  const draft = { path: at(name), base: NO_VERSION, fact, origin: undefined, was: undefined }
  return { draft, pieces: [], disk: { stat } }
}

const knows = ({ index }: Run, name: string): boolean => index.heads(at(name)).length > 0
const authorOf = ({ index }: Run, name: string): WriterId | undefined => index.heads(at(name))[0]?.author

interface Shown extends SharePeer {
  readonly sent: Buffer[]
  readonly bans: string[]
}

/** A peer that keeps what it is sent. */
function peerOn(stream: unknown = { userData: undefined, destroyed: true }): Shown {
  const sent: Buffer[] = []
  const bans: string[] = []
  const peer = {
    device: 'd'.repeat(64),
    name: 'peer',
    stream,
    sent,
    bans,
    sendCertificates: (list: readonly Buffer[]) => void sent.push(...list),
    ban: (reason: string) => void bans.push(reason),
  }
  return peer as unknown as Shown
}

/** Connects two runs as the share's channel does: certificates, then the feeds. */
async function connect(a: Run, b: Run): Promise<[End, End]> {
  const ends = await world.connect()
  const [toB, toA] = [peerOn(ends[0]), peerOn(ends[1])]
  a.peers.add(toB)
  b.peers.add(toA)
  a.feeds.greet(toB)
  b.feeds.greet(toA)
  await a.feeds.receive(toB, toA.sent)
  await b.feeds.receive(toA, toB.sent)
  return ends
}

const certificateOf = (
  seed: number,
  { signer = SHARE, share = SHARE, feed = seed, epoch = 0 } = {},
): Buffer => {
  const device = deviceKeysOf(Buffer.alloc(32, seed)).device
  const { publicKey } = feedKeyPairOf(Buffer.alloc(32, feed), SHARE.shareId, epoch)
  const body = { shareId: share.shareId, feedKey: feedKeyOf(publicKey), device, deviceName: 'other', epoch }
  return signCertificate(body, signer.write!.signingSecretKey)
}
const writerOf = (seed: number): WriterId =>
  writerIdOf(feedKeyOf(feedKeyPairOf(Buffer.alloc(32, seed), SHARE.shareId, 0).publicKey))

test('A4, F5: what was appended and not taken over before a crash is taken over once, at the next start', async () => {
  const device = await newDevice()
  const first = await start(device)
  await first.feeds.publish([made('a')])
  assert.deepEqual(first.tail, [], 'what this run says itself is no tail')
  const transaction = first.index.transaction.bind(first.index)
  first.index.transaction = () => {
    throw new Error('the power is gone')
  }
  await assert.rejects(first.feeds.publish([made('b')]))
  first.index.transaction = transaction
  assert.ok(!knows(first, 'b'))
  await first.stop()
  const second = await start(device)
  assert.deepEqual(second.tail, [[2, 'b']])
  assert.deepEqual(second.told, [])
  assert.ok(knows(second, 'b'))
  await second.feeds.publish([made('c')])
  assert.deepEqual(second.tail, [[2, 'b']])
  assert.equal(second.own.length, 1)
  assert.equal(second.index.feeds.byWriter(second.feeds.ownWriter!)?.counter, 3, 'no counter is used twice')
  await second.stop()
  const third = await start(device)
  assert.deepEqual(third.tail, [])
  assert.equal(third.own[0]!.length, 3)
  assert.equal(third.meta.isNewEpoch, false)
  await third.stop()
})

test('A4: with a new index under a directory that has content, all of the own feed is told, and not as the tail', async () => {
  const device = await newDevice()
  const first = await start(device)
  await first.feeds.publish([made('a')])
  await first.feeds.publish([made('b')])
  await first.stop()
  const second = await start({ ...device, database: new MemoryDatabase() }, { isBehindDisk: true })
  assert.deepEqual(second.told, [
    [1, 'a'],
    [2, 'b'],
  ])
  assert.deepEqual(second.tail, [])
  assert.equal(second.identity.epochOf(SHARE.shareId), 0)
  await second.stop()
})

test('F4: an own feed that is shorter than what was taken over from it gives way to a new epoch, which says it all again, once', async () => {
  const device = await newDevice()
  const first = await start(device)
  await first.feeds.publish([made('a'), made('b')])
  const before = first.feeds.ownWriter!
  await first.stop()
  fs.rmSync(path.join(device.directory, 'cores'), { recursive: true })
  const second = await start(device)
  assert.equal(second.identity.epochOf(SHARE.shareId), 1)
  assert.equal(second.meta.isNewEpoch, true)
  assert.notEqual(second.feeds.ownWriter, before)
  assert.ok(second.feeds.isOpen(before), 'the old feed is followed, others may have more of it')
  await second.until(() => authorOf(second, 'b') === second.feeds.ownWriter)
  assert.equal(authorOf(second, 'a'), second.feeds.ownWriter)
  assert.equal(second.own[0]!.length, 0, 'nothing is ever appended to the old one')
  const { length } = second.own[1]!
  const own = second.feeds.ownWriter
  await second.stop()
  const third = await start(device)
  assert.equal(third.meta.isNewEpoch, true, 'until the disk was looked at, also by another process')
  await third.feeds.publish([made('c')])
  assert.equal(third.feeds.ownWriter, own)
  assert.equal(third.own[0]!.length, length + 1)
  await third.stop()
})

for (const reason of ['longer', 'conflict'] as const)
  test(`F4: an own feed that turns out to have forked (${reason}) gives way while the share runs`, async () => {
    const device = await newDevice()
    const run = await start(device)
    await run.feeds.publish([made('a')])
    const before = run.feeds.ownWriter!
    const shown = peerOn()
    run.peers.add(shown)
    run.own[0]!.emit('forked', { reason })
    assert.equal(run.feeds.mayPublish, false)
    await run.feeds.publish([made('lost')])
    await run.until(() => run.rescans === 1)
    assert.equal(run.feeds.mayPublish, true)
    assert.notEqual(run.feeds.ownWriter, before)
    assert.equal(run.meta.isNewEpoch, true)
    assert.ok(!knows(run, 'lost'), 'the scan that is asked for finds it again')
    assert.equal(run.feeds.isOpen(before), reason === 'longer')
    assert.equal(run.index.feeds.byWriter(before)?.closed, reason === 'conflict')
    const { certificate } = run.index.feeds.byWriter(run.feeds.ownWriter!)!
    assert.ok(
      shown.sent.some((sent) => sent.equals(certificate)),
      'peers are shown the new one',
    )
    await run.feeds.publish([made('b')])
    assert.equal(authorOf(run, 'b'), run.feeds.ownWriter)
    await run.until(() => (authorOf(run, 'a') === before) === (reason === 'longer'))
    await run.stop()
  })

test('F4: an epoch that peers know already, from before the storage was restored, is never written to', async () => {
  const device = await newDevice()
  const run = await start(device)
  const { seed } = run.identity
  const later = { shareId: SHARE.shareId, device: run.identity.device.device, deviceName: 'box', epoch: 1 }
  const feedKey = feedKeyOf(feedKeyPairOf(seed, SHARE.shareId, 1).publicKey)
  const peer = peerOn()
  await run.feeds.receive(peer, [signCertificate({ ...later, feedKey }, SHARE.write!.signingSecretKey)])
  assert.ok(run.feeds.isOpen(writerIdOf(feedKey)))
  run.own[0]!.emit('forked', { reason: 'longer' })
  await run.until(() => run.rescans === 1)
  assert.equal(run.identity.epochOf(SHARE.shareId), 2)
  assert.notEqual(run.feeds.ownWriter, writerIdOf(feedKey))
  await run.stop()
})

test('F4: a device whose identity was restored from before it took its epoch goes past that one at start', async () => {
  const device = await newDevice()
  const run = await start(device)
  run.own[0]!.emit('forked', { reason: 'longer' })
  await run.until(() => run.rescans === 1)
  await run.stop()
  const file = path.join(device.directory, 'identity.json')
  const identity = JSON.parse(fs.readFileSync(file, 'utf8')) as object
  fs.writeFileSync(file, JSON.stringify({ ...identity, epochs: {} }))
  const next = await start(device)
  assert.equal(next.identity.epochOf(SHARE.shareId), 2)
  assert.equal(next.index.feeds.byWriter(next.feeds.ownWriter!)?.epoch, 2)
  await next.stop()
})

test('a reader has no feed of its own, and publishes nowhere', async () => {
  const { write: _, ...keys } = SHARE
  const run = await start(await newDevice(), {
    keys: { ...keys, grade: 'read' } as ShareFeedsOptions['keys'],
  })
  assert.equal(run.feeds.mayPublish, false)
  assert.equal(run.feeds.ownWriter, undefined)
  assert.deepEqual(run.own, [])
  await run.stop()
})

for (const [what, bad] of [
  ['signed by another share', certificateOf(9, { signer: OTHER_SHARE })],
  ['for another share', certificateOf(9, { share: OTHER_SHARE })],
  ['changed', Buffer.from(certificateOf(9).map((byte, i) => (i === 10 ? byte ^ 1 : byte)))],
  ['cut', certificateOf(9).subarray(0, -1)],
] as const)
  test(`K5: a certificate that is ${what} opens nothing, and who shows it is sent away`, async () => {
    const run = await start(await newDevice())
    const peer = peerOn()
    await run.feeds.receive(peer, [certificateOf(8), bad, certificateOf(7)])
    assert.equal(peer.bans.length, 1)
    assert.ok(run.feeds.isOpen(writerOf(8)), 'what came before it holds')
    for (const seed of [7, 9]) {
      assert.equal(run.feeds.isOpen(writerOf(seed)), false)
      assert.equal(run.index.feeds.byWriter(writerOf(seed)), undefined)
    }
    await run.stop()
  })

test("K5: a certificate that gives another device's feed, or ours, to somebody else changes nothing", async () => {
  const run = await start(await newDevice())
  const own = run.index.feeds.byWriter(run.feeds.ownWriter!)!
  const peer = peerOn()
  await run.feeds.receive(peer, [certificateOf(8)])
  const known = run.index.feeds.byWriter(writerOf(8))!
  const body = { shareId: SHARE.shareId, feedKey: own.key, deviceName: 'thief', epoch: 0 }
  const { device } = deviceKeysOf(Buffer.alloc(32, 9))
  const stolen = signCertificate({ ...body, device }, SHARE.write!.signingSecretKey)
  await run.feeds.receive(peer, [certificateOf(9, { feed: 8 }), stolen])
  assert.deepEqual(run.index.feeds.byWriter(writerOf(8)), known)
  assert.deepEqual(run.index.feeds.byWriter(own.writer), own)
  assert.equal(run.index.feeds.all().length, 2)
  await run.feeds.publish([made('a')])
  assert.equal(authorOf(run, 'a'), own.writer)
  const again = peerOn()
  run.feeds.greet(again)
  assert.deepEqual(again.sent, [own.certificate, known.certificate])
  await run.stop()
})

test('A6: a feed with a record that nobody can read is reported, and the other feeds go on', async () => {
  const [mine, good, bad] = [
    await start(await newDevice()),
    await start(await newDevice()),
    await newDevice(),
  ]
  const broken = await start(bad)
  await broken.own[0]!.append([Buffer.from('no record at all')])
  await connect(mine, broken)
  await mine.until(() => mine.problems.size === 1)
  await connect(mine, good)
  await good.feeds.publish([made('theirs')])
  await mine.until(() => knows(mine, 'theirs'))
  await mine.feeds.publish([made('ours')])
  await good.until(() => knows(good, 'ours'))
  assert.deepEqual(
    mine.problems.list().map(({ path, code }) => [path, code]),
    [[broken.feeds.ownWriter, 'BAD_RECORD']],
  )
  for (const run of [mine, good, broken]) await run.stop()
})

test('A6: a feed whose storage is damaged is reported, and the share starts with the others', async () => {
  const device = await newDevice()
  const first = await start(device)
  await first.feeds.receive(peerOn(), [certificateOf(7), certificateOf(8)])
  await first.stop()
  let damaged = true
  const prepare = ({ store }: Run): void => {
    const openRemote = store.openRemote.bind(store)
    store.openRemote = async (how) => {
      const writer = writerIdOf(how.feedKey)
      if (damaged && writer !== writerOf(8))
        throw new ShoalError('FEED_CORRUPT', `cannot open feed ${writer}`)
      return openRemote(how)
    }
  }
  const second = await start(device, { prepare })
  assert.equal(second.feeds.isOpen(writerOf(7)), false)
  assert.equal(second.feeds.isOpen(writerOf(8)), true)
  await second.feeds.receive(peerOn(), [certificateOf(6)])
  assert.deepEqual(
    second.problems
      .list()
      .map(({ path, code }) => [path, code])
      .sort(),
    [
      [writerOf(6), 'FEED_CORRUPT'],
      [writerOf(7), 'FEED_CORRUPT'],
    ].sort(),
  )
  await second.feeds.publish([made('a')])
  await second.stop()
  damaged = false
  const third = await start(device, { prepare })
  assert.ok(third.feeds.isOpen(writerOf(7)) && third.feeds.isOpen(writerOf(6)))
  assert.equal(third.problems.size, 0)
  await third.stop()
})
