import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Entry, type LiveEntry, NO_EXTRA } from '../../../src/core/entry.js'
import { factOf } from '../../../src/core/fact.js'
import type { WriterId } from '../../../src/core/ids.js'
import type { RelPath } from '../../../src/core/path.js'
import type { FeedRecord } from '../../../src/core/record.js'
import type { DiskStat } from '../../../src/core/stat.js'
import type { Version } from '../../../src/core/version.js'
import { Contents } from '../../../src/daemon/share/contents.js'
import type { ShareContext } from '../../../src/daemon/share/context.js'
import { type HistoryOptions, historyOf } from '../../../src/daemon/share/history.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { type Published, PublishTimes } from '../../../src/daemon/share/publish-times.js'
import type { ArchivedVersion } from '../../../src/folder/archive-list.js'
import type { ShareIndex } from '../../../src/store/share-index.js'
import { at, Blocks, ENTRY_KEY, KEYS, ME, newIndex, OTHER } from './support.js'

const T = 1_700_000_000_000

function link(path: string, counter: number, more: Partial<Entry> = {}): Entry {
  const version: Version = [[ME, counter]]
  const base = { path: at(path), version, author: ME, origin: ME, extra: NO_EXTRA, mtimeUs: counter * 1000 }
  return { type: 'symlink', target: `to ${counter}`, ...base, ...more } as Entry
}

function gone(path: string, counter: number): Entry {
  return link(path, counter, { type: 'tombstone', was: undefined } as Partial<Entry>)
}

function record(entries: readonly Entry[], timeMs = T, kind: 'delta' | 'checkpoint' = 'delta'): FeedRecord {
  return { header: { kind, timeMs, view: [], checkpoint: undefined }, announcements: [], entries }
}

function say(index: ShareIndex, entries: readonly Entry[], writer: WriterId = ME): void {
  const feed = index.feeds.byWriter(writer)!
  index.transaction(() => index.ingest(feed, record(entries), feed.next + 1))
}

function hold(index: ShareIndex, entry: Entry, drift?: Entry): void {
  if (entry.type === 'tombstone' || drift?.type === 'tombstone') throw new Error('nothing to hold')
  const stat = { type: 'symlink', ino: 1, nlink: 1 } as DiskStat
  index.transaction(() =>
    index.setDisk(
      entry.path,
      {
        applied: { version: entry.version, fact: factOf(entry) },
        stat,
        drift: drift === undefined ? undefined : { kinds: ['content'], sinceMs: 1, fact: factOf(drift) },
      },
      undefined,
    ),
  )
}

function contentsOf(index: ShareIndex, problems = new ProblemBook(() => 0)): Contents {
  return new Contents({ index, problems, isIgnored: (path) => path === 'd/ignored' })
}

test('pages show every live name once, by the bytes of the names, however many dead ones lie between', () => {
  const index = newIndex()
  const names = ['a', 'a.b', 'a~', 'b', 'Z', 'é', 'z']
  const dead = Array.from({ length: 3000 }, (_, n) => `c${n}`)
  say(
    index,
    [...dead, ...names].map((name, n) => link(`d/${name}`, n + 1)),
  )
  say(
    index,
    dead.map((name, n) => gone(`d/${name}`, 10_000 + n)),
  )
  say(index, [link('d/sub/deep/inner', 20_000), link('e', 20_001)])
  const contents = contentsOf(index)
  const expected = [...names, 'sub']
    .map((name) => `d/${name}`)
    .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  for (const limit of [1, 2, 3, 100]) {
    const seen: string[] = []
    let after: string | undefined
    do {
      const { entries, next } = contents.list(at('d'), after, limit)
      assert.ok(entries.length <= limit)
      seen.push(...entries.map(({ path }) => path))
      after = next?.slice(2)
    } while (after !== undefined)
    assert.deepEqual(seen, expected, `limit ${limit}`)
  }
  const paths = (directory: RelPath | ''): string[] =>
    contents.list(directory, undefined, 9).entries.map(({ path }) => path)
  assert.deepEqual(paths(''), ['d', 'e'])
  assert.deepEqual(paths(at('d/sub')), ['d/sub/deep'])
  for (const none of ['d/a', 'd/c1', 'x'])
    assert.throws(() => contents.list(at(none), undefined, 9), { code: 'NOT_FOUND' })
  for (const after of ['a/b', '..', ''])
    assert.throws(() => contents.list(at('d'), after, 9), { code: 'USAGE' })
})

test('each name stands as it does', () => {
  const index = newIndex()
  const copy = 'd/x.conflict-20240102-030405-nas'
  const entries = ['synced', 'drift', 'problem', 'wanted', 'ignored', 'x'].map((name, n) =>
    link(`d/${name}`, n + 1),
  )
  say(index, [...entries, link(copy, 10)])
  for (const entry of entries)
    if (!['d/wanted', 'd/ignored'].includes(entry.path))
      hold(index, entry, entry.path === 'd/drift' ? link('d/drift', 99) : undefined)
  hold(index, link(copy, 10))
  const problems = new ProblemBook(() => 0)
  problems.set('scan', 'd/problem', 'EACCES', 'no')
  const { entries: listed } = contentsOf(index, problems).list(at('d'), undefined, 99)
  assert.deepEqual(Object.fromEntries(listed.map(({ path, state }) => [path.slice(2), state])), {
    ...{ synced: 'synced', drift: 'drift', problem: 'problem', wanted: 'wanted', ignored: 'ignored' },
    ...{ x: 'conflict', [copy.slice(2)]: 'conflict' },
  })
  const [root] = contentsOf(index).list('', undefined, 9).entries
  assert.deepEqual([root?.path, root?.state, root?.entry], ['d', 'wanted', undefined])
})

/** A feed with these records, of which those before `from` are not here. */
function feedOf(writer: WriterId, records: readonly FeedRecord[], from = 0): HistoryOptions['feeds'][number] {
  const blocks = new Blocks(KEYS[writer === ME ? 0 : 1]!)
  for (const each of records) blocks.add(each)
  return Object.assign(blocks, {
    writer,
    has: async (start: number) => start >= from,
  }) as unknown as HistoryOptions['feeds'][number]
}

function contextOf(index: ShareIndex, archived: readonly Partial<ArchivedVersion>[] = []): ShareContext {
  const pool = { listArchived: async () => ({ versions: archived, isComplete: true }) }
  return { index, pool, root: '/', rootIdentity: () => undefined } as unknown as ShareContext
}

const stat = (mtimeUs: number): DiskStat =>
  ({ type: 'symlink', mtimeMs: mtimeUs / 1000, size: 4 }) as DiskStat

test('the history of a path: from all feeds, with its contents where they are', async () => {
  const index = newIndex()
  const [first, second, third] = [link('p', 1), gone('p', 2), link('p', 3)]
  const other = link('p', 0, {
    ...{ author: OTHER, origin: OTHER, mtimeUs: 7000 },
    version: [
      [ME, 1],
      [OTHER, 1],
    ].sort() as unknown as Version,
  })
  say(index, [first, second, third])
  hold(index, third)
  const feeds = [
    feedOf(ME, [record([first, link('q', 9)], T + 1), record([second], T + 3), record([third], T + 4)]),
    feedOf(OTHER, [record([other], T + 2)]),
  ]
  const kept = [
    { at: '2024-02-03/p', count: 1, stat: stat(first.mtimeUs) },
    { at: '2024-02-03/p~2', count: 2, stat: stat(999) },
  ]
  const options = { feeds, entryKey: ENTRY_KEY, nowMs: () => 0 }
  const { versions, isComplete } = await historyOf(contextOf(index, kept), options, at('p'), 10)
  assert.deepEqual(
    versions.map(({ type, atMs, writer, isLive, isCurrent, archived }) => [
      ...[type, atMs, writer, isLive, isCurrent, archived],
    ]),
    [
      ['symlink', T + 4, ME, true, true, undefined],
      ['deleted', T + 3, ME, false, false, undefined],
      ['symlink', T + 2, OTHER, false, false, undefined],
      ['symlink', T + 1, ME, false, false, '.shoal/archive/2024-02-03/p'],
      ['symlink', undefined, undefined, false, false, '.shoal/archive/2024-02-03/p~2'],
    ],
  )
  assert.equal(isComplete, true)
  // `p~2` is a path of its own: what lies under that name in the archive is that one's.
  say(index, [link('p~2', 20)])
  const later = await historyOf(contextOf(index, kept), options, at('p'), 2)
  assert.deepEqual([later.versions.length, later.isComplete], [2, false])
  const whole = await historyOf(contextOf(index, kept), options, at('p'), 10)
  assert.equal(whole.versions.length, 4)
})

test('what a checkpoint repeats has no time of its own; what is missing, late or closed is said to be', async () => {
  const index = newIndex()
  const entry = link('p', 1)
  say(index, [entry])
  const read = async (...feeds: HistoryOptions['feeds']): Promise<[number | undefined, boolean]> => {
    let now = 0
    const options = { feeds, entryKey: ENTRY_KEY, nowMs: () => now++ }
    const { versions, isComplete } = await historyOf(contextOf(index), options, at('p'), 10)
    assert.equal(versions.length, 1)
    return [versions[0]!.atMs, isComplete]
  }
  const repeated = record([entry], T + 9, 'checkpoint')
  assert.deepEqual(await read(feedOf(ME, [repeated])), [undefined, true])
  assert.deepEqual(await read(feedOf(ME, [record([entry], T), repeated])), [T, true])
  const others = Array.from({ length: 40 }, () => record([link('q', 2)]))
  assert.deepEqual(await read(feedOf(ME, [record([entry], T), ...others, repeated], 30)), [undefined, false])
  const closed = { ...feedOf(ME, []), length: 1, has: () => Promise.reject(new Error('a bug')) }
  await assert.rejects(read(closed as never), /a bug/)
  const slow = { feeds: [feedOf(ME, [record([entry], T)])], entryKey: ENTRY_KEY }
  let now = 0
  const late = await historyOf(contextOf(index), { ...slow, nowMs: () => (now += 10_000) }, at('p'), 10)
  assert.deepEqual([late.versions[0]?.atMs, late.isComplete], [undefined, false])
})

test('a content was published when its writer first said so; what cannot be found is not looked for again', async () => {
  const kept = link('p', 5, { mtimeUs: 1000 })
  const [again, lost] = [link('p', 9, { mtimeUs: 1000, target: 'to 5' } as Partial<Entry>), link('p', 1)]
  const repeated = record([kept], T + 9, 'checkpoint')
  let reads = 0
  const feeds = (): HistoryOptions['feeds'] => {
    reads++
    const records = [record([kept, link('q', 5)], T + 1), record([again], T + 2), repeated]
    return [feedOf(ME, records), feedOf(OTHER, [record([link('p', 5, { author: OTHER })], T)])]
  }
  const times = new PublishTimes(feeds, ENTRY_KEY, () => 0)
  const [published, missing] = [kept, lost].map((entry) => ({
    path: at('p'),
    entry: entry as LiveEntry,
  })) as [Published, Published]
  assert.equal(times.of(published), undefined)
  for (const all of [[published], [published, missing], [missing, published], []]) await times.lookUp(all)
  assert.deepEqual([times.of(published), times.of(missing), reads], [T + 1, undefined, 2])
})
