import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeOwner, encodeOwner, OWNER_TAG, tagOf } from '../../../src/core/attributes.js'
import type { Fact, LiveFact } from '../../../src/core/fact.js'
import { LACKS } from '../../../src/core/metadata.js'
import type { DiskStat } from '../../../src/core/stat.js'
import { dressingOf, isAnybodyNew, metadataProblems } from '../../../src/daemon/share/dressing-problems.js'
import { Scanner } from '../../../src/daemon/share/scanner.js'
import { contentOf } from '../../sim/contents.js'
import { type Accounts, metadataOf } from '../../support/metadata.js'
import { at, type Bench, fileFact, newBench } from './support.js'

const owner = (name: string, id: number): Buffer => encodeOwner({ user: { id, name }, group: { id, name } })
const ofAlice = (chunks: readonly number[]): LiveFact => {
  return { ...fileFact(chunks), extra: [[OWNER_TAG, owner('alice', 1)]] }
}
const HERE: Accounts = {
  user: { root: 0, alice: 1005, bob: 1006 },
  group: { root: 0, alice: 1005, bob: 1006 },
}
const carrying = metadataOf({ owners: true }, HERE)
const powerless = metadataOf({ owners: true, mayChown: false }, HERE)

/** The share says this of a path, and this disk was given it as far as it could be. */
async function have(bench: Bench, path: string, fact: LiveFact, over: Partial<DiskStat>): Promise<void> {
  await bench.tell(path, fact)
  bench.disk.file(path, [1], over)
  const stat = bench.disk.stat(path)
  const { version } = bench.index.effective(at(path))
  const lacks = bench.context.metadata.lacks(fact, { stat, attributes: undefined })
  bench.index.transaction(() => {
    const row = { applied: { version, fact }, stat, drift: undefined, lacks }
    bench.index.setDisk(at(path), row, contentOf([1]).layout)
  })
}

/** A user changes something, so that the ctime moves. */
function changed(bench: Bench, path: string, over: Partial<DiskStat>): void {
  const { uid, gid, mode } = bench.disk.stat(path)
  bench.disk.file(path, [1], { uid, gid, mode, ...over })
}

async function look(bench: Bench): Promise<void> {
  const scanner = new Scanner(bench.context)
  await scanner.fullScan()
  await scanner.stop()
}

const published = (bench: Bench): (readonly [string, Fact])[] =>
  bench.published.map(({ draft }) => [draft.path, draft.fact] as const)
const userOf = (fact: Fact): string | undefined =>
  fact.type === 'absent' ? undefined : decodeOwner(tagOf(fact.extra, OWNER_TAG) ?? Buffer.alloc(0))?.user.name

describe('a look at the disk of a node that carries owners', () => {
  it('a new file is published with its owner', async () => {
    const bench = newBench({ metadata: carrying })
    bench.disk.file('f', [1], { uid: 1005, gid: 1005 })
    await look(bench)
    assert.deepEqual(
      published(bench).map(([path, fact]) => [path, userOf(fact)]),
      [['f', 'alice']],
    )
  })

  it('another owner alone is published alone, without a piece', async () => {
    const bench = newBench({ metadata: carrying })
    await have(bench, 'f', ofAlice([1]), { uid: 1005, gid: 1005 })
    changed(bench, 'f', { uid: 1006 })
    const blocks = bench.feed.length
    await look(bench)
    assert.deepEqual(
      published(bench).map(([path, fact]) => [path, userOf(fact)]),
      [['f', 'bob']],
    )
    assert.equal(bench.feed.blocks[blocks]!.length < 400, true, 'a small record')
  })

  it('the same content with another owner is adopted, and put right', async () => {
    const bench = newBench({ metadata: carrying })
    await bench.tell('f', ofAlice([1]))
    bench.disk.file('f', [1], { uid: 0, gid: 0 })
    await look(bench)
    assert.deepEqual(published(bench), [])
    assert.deepEqual(bench.index.step(at('f')), { type: 'metadata', fact: ofAlice([1]) })
  })

  it('an owner that could not be set is no change, whatever else is', async () => {
    const bench = newBench({ metadata: powerless })
    await have(bench, 'f', ofAlice([1]), { uid: 65534, gid: 65534 })
    assert.equal(bench.index.step(at('f')).type, 'none')
    changed(bench, 'f', { mode: 0o600 })
    await look(bench)
    assert.deepEqual(published(bench), [['f', { ...ofAlice([1]), mode: 0o600 }]])
    const row = bench.index.disk(at('f'))
    assert.deepEqual([row?.lacks, row?.stat?.uid], [LACKS.owner, 65534])
  })

  it('what others made and never said the owner of is not filled in here; what was made here is', async () => {
    const others = newBench({ metadata: carrying, dressesAnew: () => 'owners' })
    await have(others, 'f', fileFact([1]), { uid: 0, gid: 0 })
    await look(others)
    assert.deepEqual(published(others), [])

    const before = newBench()
    before.disk.file('f', [1], { uid: 1005, gid: 1005 })
    await look(before)
    const later = newBench({ index: before.index, metadata: carrying, dressesAnew: () => 'owners' })
    later.disk.file('f', [1], { uid: 1005, gid: 1005 })
    later.feed.blocks.push(...before.feed.blocks)
    later.disk.beforeHash = () => assert.fail('no file is read for it')
    await look(later)
    assert.deepEqual(
      published(later).map(([path, fact]) => [path, userOf(fact)]),
      [['f', 'alice']],
    )
  })

  it('A4: what an apply that was cut off has left is no occasion to fill in what nobody has stated', async () => {
    const cases: Readonly<Record<string, { over: Partial<DiskStat>; owner?: string }>> = {
      'its time was put back': { over: {} },
      'its time was not put back': { over: { mtimeMs: 3 } },
      'a user gave it away meanwhile': { over: { uid: 1006 }, owner: 'bob' },
    }
    for (const [what, { over, owner: told }] of Object.entries(cases)) {
      const bench = newBench({ metadata: carrying })
      const { index, disk } = bench
      const made: LiveFact = { type: 'directory', mode: 0o755, mtimeUs: 1000, extra: [] }
      await bench.tell('d', made)
      disk.directory('d', { ino: 7, mtimeMs: 1 })
      const { version } = index.effective(at('d'))
      const row = { applied: { version, fact: made }, stat: disk.stat('d'), drift: undefined }
      index.transaction(() => index.setDisk(at('d'), row, undefined))
      // A user changes something in it, so that its newest version is of here.
      disk.directory('d', { ino: 7, mtimeMs: 2 })
      await look(bench)
      assert.deepEqual(published(bench), [['d', { ...made, mtimeUs: 2000 }]])
      index.transaction(() => index.recovery.begin([{ path: at('d'), ...index.applied(at('d')) }]))
      disk.directory('d', { ino: 7, mtimeMs: 2, ...over })
      await look(bench)
      const news = published(bench).slice(1)
      assert.deepEqual(
        news.map(([, fact]) => userOf(fact)),
        told === undefined ? [] : [told],
        what,
      )
    }
  })

  it('A4: bits that an apply which was cut off had to leave out are not announced as taken away', async () => {
    const cases: Readonly<Record<string, { over: Partial<DiskStat>; told: readonly number[] }>> = {
      'all of it was set': { over: { mode: 0o711, mtimeMs: 2 }, told: [] },
      'its time was not set yet': { over: { mode: 0o711 }, told: [] },
      'a user has changed the mode since': { over: { mode: 0o600, mtimeMs: 2 }, told: [0o600] },
    }
    for (const [what, { over, told }] of Object.entries(cases)) {
      const bench = newBench({ metadata: metadataOf({ withholdsSetid: true }, HERE) })
      const { index, disk } = bench
      const before: LiveFact = { ...fileFact([1]), mode: 0o755, mtimeUs: 1000 }
      await have(bench, 'f', before, { mode: 0o755, mtimeMs: 1 })
      const { ino } = disk.stat('f')
      const fact: LiveFact = { ...before, mode: 0o4711, mtimeUs: 2000 }
      await bench.tell('f', fact)
      const { version } = index.effective(at('f'))
      index.transaction(() => index.recovery.begin([{ path: at('f'), version, fact }]))
      disk.file('f', [1], { ino, mtimeMs: 1, ...over })
      await look(bench)
      assert.deepEqual(
        published(bench).map(([, now]) => 'mode' in now && now.mode),
        told,
        what,
      )
      // What is left to do is what was left undone.
      const step = over.mtimeMs === undefined ? 'metadata' : 'none'
      if (told.length === 0) assert.equal(index.step(at('f')).type, step, what)
    }
  })

  it('an owner that nobody has stated is, once a user changes it', async () => {
    const bench = newBench({ metadata: carrying })
    await have(bench, 'f', fileFact([1]), { uid: 0, gid: 0 })
    changed(bench, 'f', { uid: 1006 })
    await look(bench)
    assert.deepEqual(
      published(bench).map(([path, fact]) => [path, userOf(fact)]),
      [['f', 'bob']],
    )
  })

  it('a reader that was given another owner by hand has drifted; of what nobody stated it has not', async () => {
    const bench = newBench({ metadata: carrying, isWriter: false })
    await have(bench, 'stated', ofAlice([1]), { uid: 1005, gid: 1005 })
    await have(bench, 'unstated', fileFact([1]), { uid: 1005, gid: 1005 })
    for (const path of ['stated', 'unstated']) changed(bench, path, { uid: 1006 })
    await look(bench)
    assert.deepEqual(bench.index.drifted(), ['stated'])
    assert.deepEqual(bench.index.disk(at('stated'))?.drift?.kinds, ['owner'])
    // Put back by hand, it has not any more.
    changed(bench, 'stated', { uid: 1005 })
    await look(bench)
    assert.deepEqual(bench.index.drifted(), [])
  })
})

describe('what is carried otherwise than before', () => {
  it('an owner that can be set from now on is set, without reading the file', async () => {
    const poor = newBench({ metadata: powerless })
    await have(poor, 'f', ofAlice([1]), { uid: 65534, gid: 65534 })
    const rich = newBench({ index: poor.index, metadata: carrying, dressesAnew: () => 'owners' })
    rich.disk.nodes.set('f', poor.disk.nodes.get('f')!)
    rich.disk.beforeHash = () => assert.fail('no file is read for it')
    await look(rich)
    assert.deepEqual(published(rich), [])
    assert.deepEqual(rich.index.step(at('f')), { type: 'metadata', fact: ofAlice([1]) })
    // Somebody looks again before it is done.
    changed(rich, 'f', { mtimeMs: 1_600_000_000_000 })
    const again = newBench({ index: rich.index, metadata: carrying })
    again.disk.nodes.set('f', rich.disk.nodes.get('f')!)
    await look(again)
    assert.equal(again.index.step(at('f')).type, 'metadata')
  })

  it('the texts that tell it', () => {
    assert.deepEqual(dressingOf(carrying), dressingOf(metadataOf({ owners: true }, {})))
    assert.notEqual(dressingOf(carrying).owners, dressingOf(powerless).owners)
    const mapped = metadataOf({ owners: true }, HERE, { map: { a: 'b' } })
    assert.notEqual(dressingOf(carrying).owners, dressingOf(mapped).owners)
    const scoped = metadataOf({ scope: { acls: true, xattrs: [] } })
    assert.notEqual(dressingOf(metadataOf()).scope, dressingOf(scoped).scope)
  })

  it('somebody who was unknown and is there now', async () => {
    const accounts = {
      user: { root: 0 } as Record<string, number>,
      group: { root: 0 } as Record<string, number>,
    }
    const metadata = metadataOf({ owners: true }, accounts)
    const bench = newBench({ metadata })
    await have(bench, 'f', ofAlice([1]), { uid: 1, gid: 1 })
    assert.equal(bench.index.disk(at('f'))?.lacks, LACKS.account)
    assert.equal(isAnybodyNew(bench.index, metadata), false)
    accounts.user.alice = 1005
    accounts.group.alice = 1005
    assert.equal(isAnybodyNew(bench.index, metadata), true)
  })
})

describe('problems with metadata', () => {
  it('one line a kind, with a number and an example, until none is left', async () => {
    const bench = newBench({ metadata: powerless })
    const problems = metadataProblems(bench.index, () => powerless)
    assert.deepEqual([problems.size, problems.list(10)], [0, []])
    for (let i = 0; i < 40; i++) await have(bench, `f${i}`, ofAlice([1]), { uid: 65534, gid: 65534 })
    assert.equal(problems.size, 1)
    const [line] = problems.list(10)
    assert.equal(line?.code, 'OWNER_NOT_SET')
    assert.match(
      line!.detail,
      /^the owner of 40 paths cannot be set here, e\.g\. f0 wants alice:alice: only root/,
    )
    for (let i = 0; i < 40; i++) bench.index.transaction(() => bench.index.forgetDisk(at(`f${i}`)))
    assert.equal(problems.size, 0)
  })
})
