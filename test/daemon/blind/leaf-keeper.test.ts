// What a blind node keeps beside the blocks of a feed: enough to prove the rest whatever one goes, a whole pack included.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { blake3 } from '../../../src/core/hash.js'
import { KEEP_ALL } from '../../../src/core/retention.js'
import { keysOf } from '../../../src/core/secret.js'
import { Keeping } from '../../../src/daemon/blind/keeping.js'
import { LeafKeeper } from '../../../src/daemon/blind/leaf-keeper.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { Exchange } from '../../../src/exchange/exchange.js'
import { takeBest } from '../../../src/feed/best.js'
import { HeldFeed } from '../../../src/feed/held.js'
import { decodeRun, NEWEST_RUN, numbersOfRun, RUN_BLOCKS } from '../../../src/feed/leaves.js'
import type { OwnFeed } from '../../../src/feed/own.js'
import type { FeedStore } from '../../../src/feed/store.js'
import { silentLog } from '../../../src/ports/log.js'
import { BlindIndex } from '../../../src/store/blind-index.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { FolderStorage } from '../../../src/vault/folder-storage.js'
import { type Damaged, Vault } from '../../../src/vault/vault.js'
import { BLOCK_KEY, own, World } from '../../feed/helpers.js'
import { Random } from '../../sim/random.js'
import { PastWorld } from '../../support/past-world.js'
import { flip, framesIn } from '../../support/vault-frames.js'
import { FakeStorage } from '../../vault/fake-storage.js'
import { SHARE } from '../../vault/history.js'

const NONE = Buffer.alloc(0)
const [BLOCK, LEAVES] = [3, 6]

describe('what is kept beside the blocks', () => {
  let world: World
  let feed: OwnFeed
  let storage: FakeStorage
  let vault: Vault
  let keeper: LeafKeeper

  const open = async (packBytes: number): Promise<void> => {
    storage = new FakeStorage(new Random(1))
    const database = new MemoryDatabase()
    vault = await Vault.open({ storage, shareId: SHARE, database, log: silentLog, packBytes })
    keeper = new LeafKeeper({ writer: feed.writer, certificate: NONE, feed, vault })
  }
  beforeEach(async () => {
    world = new World()
    feed = await own(await world.store())
  })
  afterEach(async () => {
    await vault.close()
    await world.close()
  })

  /** As a follower does it: so many more blocks, one by one or together. */
  async function grow(count: number, size = 200): Promise<Set<number>> {
    const from = feed.length
    await feed.append(Array.from({ length: count }, (_, i) => Buffer.alloc(size, `block ${from + i} `)))
    const exported = await feed.export(from)
    assert.ok(exported)
    const blocks = []
    for await (const block of exported.blocks) blocks.push(block)
    await vault.add({ blocks })
    const written = new Set<number>()
    for await (const leaves of keeper.due(exported.head, true)) {
      for (const { index } of leaves) written.add(index)
      await vault.add({ leaves, heads: [exported.head] })
    }
    return written
  }

  const kept = (from: Vault): Parameters<typeof takeBest>[0] => ({
    feedKey: feed.key,
    head: from.heads().find(({ writer }) => writer === feed.writer),
    blocks: (first) => from.blocks(feed.writer, first),
    leaves: () => from.leaves(feed.writer),
  })

  it('grows with the feed: the newest run with each head, whole ones once, and once more when the next is whole', async () => {
    await open(1 << 26)
    const [near, far] = [0, 1, 2].map(numbersOfRun).reduce<[number[], number[]]>(
      ([nears, fars], [a, b]) => [
        [...nears, a],
        [...fars, b],
      ],
      [[], []],
    )
    for (let length = 1; length <= 50; length++) {
      const expected = [NEWEST_RUN]
      if (length % RUN_BLOCKS === 0) expected.push(near[length / RUN_BLOCKS - 1]!)
      if (length % RUN_BLOCKS === 0 && length >= 2 * RUN_BLOCKS) expected.push(far[length / RUN_BLOCKS - 2]!)
      assert.deepEqual([...(await grow(1))], expected, `${length} blocks`)
    }
    assert.deepEqual([...(await grow(0))], [NEWEST_RUN])
    for await (const { index, bytes } of vault.leaves(feed.writer)) {
      const run = decodeRun(feed.writer, bytes)
      assert.deepEqual(
        run?.leaves,
        await feed.leaves(run!.first, run!.first + run!.leaves.length),
        `${index}`,
      )
    }
  })

  it('of an older vault, and what was lost, is written', async () => {
    await open(1 << 26)
    await feed.append(Array.from({ length: 2000 }, (_, i) => Buffer.from(`old ${i}`)))
    await grow(3)
    const count = async (): Promise<number> => {
      let found = 0
      for await (const _ of vault.leaves(feed.writer)) found++
      return found
    }
    const whole = Math.floor(2003 / RUN_BLOCKS)
    assert.equal(await count(), 1 + 2 * whole - 1)
    assert.deepEqual([...(await grow(0))], [NEWEST_RUN])
    // Nothing is new, and nothing is lacking.
    const { head } = (await feed.export(feed.length))!
    assert.equal((await keeper.due(head, false).next()).done, true)
  })

  it('what a block more costs of the vault', async () => {
    await open(1 << 26)
    await grow(64)
    const before = storage.usedBytes
    for (let i = 0; i < 128; i++) await grow(1, 300)
    const each = (storage.usedBytes - before) / 128
    // Its own frame and the head's are 620.
    assert.ok(each < 1300, `${each} bytes written for a block that comes alone`)
    const live = storage.usedBytes - vault.stats().deadBytes
    let leaves = 0
    for await (const { bytes } of vault.leaves(feed.writer)) leaves += bytes.length + 64
    assert.ok(
      leaves / feed.length < 110,
      `${leaves / feed.length} bytes kept for a block, of ${live / feed.length}`,
    )
  })

  it('whichever pack goes, only what stood in it is lost, but for the newest', async () => {
    await open(8 * 1024)
    const random = new Random(2)
    while (storage.packs.size < 12 || feed.length < 120) {
      await grow(random.chance(0.7) ? 1 : 1 + random.below(40), 100 + random.below(300))
      const bytes = Buffer.alloc(random.below(1500), `piece ${feed.length} `)
      await vault.add({ pieces: [{ id: blake3(bytes), bytes }] })
      if (random.chance(0.05)) await vault.compact({ minDeadShare: 0.1, minDeadBytes: 200 })
    }
    const settled = (Math.floor(feed.length / RUN_BLOCKS) - 1) * RUN_BLOCKS
    let isAnyLost = false
    for (const name of storage.packs.keys()) {
      const left = storage.left(true)
      left.packs.delete(name)
      const reading = await Vault.open({ storage: left, shareId: SHARE, log: silentLog })
      const there = new Set<number>()
      for await (const { index } of reading.blocks(feed.writer)) there.add(index)
      const best = await takeBest(kept(reading), (adoption) => HeldFeed.take(adoption, BLOCK_KEY, 1 << 24))
      const proved = [...there].filter((index) => index < best!.head.length)
      assert.ok(best!.head.length >= settled - RUN_BLOCKS, `${name}: ${best!.head.length} of ${feed.length}`)
      for (const index of proved) assert.equal(await best!.taken!.has(index, index + 1), true)
      isAnyLost ||= best!.lost.length > 0
      await reading.close()
    }
    assert.equal(isAnyLost, true, 'there were blocks in a pack that went')
  })
})

describe('a blind node whose vault is older, or was damaged', () => {
  let home: string
  let past: PastWorld
  let folder: string
  let store: FeedStore
  let world: World
  let exchange: Exchange
  let keeping: Keeping | undefined
  let problems: ProblemBook
  let failures: unknown[]
  let counted: [found: number, repaired: number]
  let changed: () => void

  beforeEach(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-leaves-'))
    past = await PastWorld.make(31, home, 1)
    for (let i = 0; i < 40; i++) {
      fs.writeFileSync(path.join(past.dir, `f${i}`), `content of ${i}\n`)
      await past.publish(0)
    }
    folder = path.join(home, 'vault')
    await past.writeVault(folder)
    world = new World()
    store = await world.store()
    const device = 'ab'.repeat(32) as never
    exchange = new Exchange({
      device,
      source: { read: async () => [], lengthOf: () => undefined },
      log: silentLog,
      seed: 1,
    })
    problems = new ProblemBook(() => 7)
    failures = []
    counted = [0, 0]
    changed = () => undefined
  })
  afterEach(async () => {
    await keeping?.stop()
    keeping = undefined
    exchange.close()
    await world.close()
    await past.close()
    fs.rmSync(home, { recursive: true, force: true })
    assert.deepEqual(failures, [])
  })

  async function open(database = new MemoryDatabase()): Promise<Keeping> {
    const keys = keysOf(past.secret)
    keeping = await Keeping.open({
      ...{ keys, storage: await FolderStorage.open(folder), database, vaultPrefix: 'v:', store },
      ...{ index: new BlindIndex(database, 'x:'), exchange, problems, log: silentLog },
      ...{ policy: () => KEEP_ALL, nowMs: () => 7, peers: () => [], signal: new AbortController().signal },
      onChange: () => changed(),
      meta: { hasLosses: false },
      countDamage: (found, repaired) => {
        counted = [counted[0] + found, counted[1] + repaired]
      },
      fail: (thrown) => failures.push(thrown),
    })
    return keeping
  }

  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo())
      await new Promise<void>((resolve) => {
        changed = resolve
      })
  }

  const runs = [NEWEST_RUN, ...numbersOfRun(0), numbersOfRun(1)[0]]
  const hasAll = (at: Keeping): boolean => {
    const { writer } = past.writers[0]!.feed
    return runs.every((index) => at.vault.packOfLeaves(writer, index) !== undefined)
  }

  it('adds what proves its feeds when it runs, of a vault from before there was any', async () => {
    // Frames of a kind that is not known are passed over, as damage is: so the older vault is made of the newer.
    for (const frame of framesIn(folder)) if (frame.type === LEAVES) flip(frame, 4, 6)
    const at = await open()
    await until(() => hasAll(at))
    assert.deepEqual(problems.list(), [])
  })

  it('writes again what is damaged of it, and says so meanwhile alone', async () => {
    const at = await open()
    for (const frame of framesIn(folder)) if (frame.type === LEAVES) flip(frame, 60)
    const { damaged } = await at.vault.verify()
    const names = damaged.map((each: Damaged) => `${each.type} ${each.type === 'leaves' ? each.index : ''}`)
    assert.deepEqual(
      names.sort(),
      runs.map((index) => `leaves ${index}`),
    )
    await until(() => counted[1] === runs.length)
    assert.equal(hasAll(at), true)
    assert.deepEqual(counted, [runs.length, runs.length])
    assert.deepEqual(problems.list(), [])
  })

  it('without a database, takes over all but the damaged record, offers the others, and says that it lacks one', async () => {
    flip(framesIn(folder).find(({ type, index }) => type === BLOCK && index === 21)!, 70)
    const at = await open()
    const [problem] = problems.list()
    assert.match(`${problem?.code} ${problem?.detail}`, /^FEED_CORRUPT some of what server-0 said is damaged/)
    assert.equal(at.feeds.isBehind, true)
    // Nothing after it counts as here, and nothing is let go.
    assert.ok(at.feeds.view[0]![1] <= 21)
    assert.equal(at.vault.stats().pieces, past.pieces.size)
    await at.stop()
    keeping = undefined
    const { feed } = past.writers[0]!
    const here = await store.openRemote({ feedKey: feed.key, blockKey: keysOf(past.secret).feedBlockKey })
    assert.equal(here.length, 40)
    const held = await Promise.all(Array.from({ length: 40 }, (_, i) => here.has(i, i + 1)))
    assert.deepEqual(
      held.flatMap((isHere, i) => (isHere ? [] : [i])),
      [21],
    )
  })

  it('with the certificate and the newest proof damaged, it takes over all', async () => {
    for (const frame of framesIn(folder)) if (frame.type === 2 || frame.type === 4) flip(frame, 60)
    const at = await open()
    await until(() => at.feeds.view[0]?.[1] === 40 && problems.list().length === 0)
    const { certificate } = past.writers[0]!
    assert.deepEqual(at.vault.certificates(), [certificate])
    assert.equal(at.vault.heads()[0]?.length, 40)
  })

  it('stores again what the vault forgot when nobody was told, as it was not opened to the end', async () => {
    const database = new MemoryDatabase()
    const before = await open(database)
    await until(() => hasAll(before))
    await before.stop()
    keeping = undefined
    const packs = path.join(folder, 'packs')
    for (const name of fs.readdirSync(packs)) fs.rmSync(path.join(packs, name))
    // What it forgets it would tell; but then the storage fails, or the daemon ends.
    const storage = await FolderStorage.open(folder)
    const { shareId } = keysOf(past.secret)
    const vault = await Vault.open({ storage, shareId, database, prefix: 'v:', log: silentLog })
    await vault.close()
    assert.deepEqual([...vault.blockNumbers(past.writers[0]!.feed.writer)], [])

    const at = await open(database)
    const { certificate, feed } = past.writers[0]!
    await until(() => hasAll(at) && !at.feeds.isBehind && at.vault.certificates().length === 1)
    assert.deepEqual([...at.vault.blockNumbers(feed.writer)].length, 40)
    assert.deepEqual(at.vault.certificates(), [certificate])
    assert.equal(at.vault.heads()[0]?.length, 40)
  })

  it('stores again the blocks alone that it forgot so', async () => {
    const database = new MemoryDatabase()
    const before = await open(database)
    await until(() => hasAll(before))
    await before.stop()
    keeping = undefined
    flip(framesIn(folder).find(({ type, index }) => type === BLOCK && index === 21)!, 70)
    const storage = await FolderStorage.open(folder)
    const { shareId } = keysOf(past.secret)
    const vault = await Vault.open({ storage, shareId, database, prefix: 'v:', log: silentLog })
    await vault.verify()
    await vault.close()

    const at = await open(database)
    await until(() => !at.feeds.isBehind)
    assert.equal([...at.vault.blockNumbers(past.writers[0]!.feed.writer)].length, 40)
  })
})
