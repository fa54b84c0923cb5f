import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventFact } from '../../../src/control/schema-events.js'
import type { Entry } from '../../../src/core/entry.js'
import type { RelPath } from '../../../src/core/path.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { type ObservedShare, ShareObserver } from '../../../src/daemon/share/share-observer.js'

const COPY = 'notes.conflict-20261120-180203-nas.txt' as RelPath

class Bench {
  readonly events: EventFact[] = []
  nowMs = 1_000_000
  clockMs = 0
  readonly copies = new Set<RelPath>()
  readonly wanted = new Set<string>()
  drift: RelPath[] = []
  state: ObservedShare['state'] = 'scanning'
  readonly observer: ShareObserver

  constructor() {
    const bench = this
    this.observer = new ShareObserver({
      note: (fact) => this.events.push(fact),
      nowMs: () => this.nowMs,
      clockMs: () => this.clockMs,
      share: {
        get state() {
          return bench.state
        },
        copies: this.copies,
        get driftCount() {
          return bench.drift.length
        },
        get openDrift() {
          return bench.drift.length
        },
        drifted: () => bench.drift,
        isWanted: (path) => this.wanted.has(path),
      },
    })
    this.observer.start()
  }

  taken(origin: string, paths: readonly string[], atMs = this.nowMs): void {
    for (const path of paths) this.wanted.add(path)
    this.observer.taken(
      origin,
      paths.map((path) => ({ path }) as unknown as Entry),
      atMs,
    )
  }

  /** What is told at the end, with all that came since. */
  told(): EventFact[] {
    this.observer.stop()
    return this.events
  }
}

const paths = (count: number): string[] => Array.from({ length: count }, (_, at) => `f${at}`)

test('many paths are one event for each whose change it was, with a few of their names', () => {
  const bench = new Bench()
  bench.taken('nas', paths(1000))
  bench.taken('phone', ['a'])
  bench.observer.published('own' as RelPath, false)
  for (const path of paths(1000)) bench.observer.applied(path as RelPath, 10)
  assert.deepEqual(bench.told(), [
    { type: 'changed', count: 1000, paths: ['f0', 'f1', 'f2', 'f3', 'f4'], from: 'nas' },
    { type: 'changed', count: 1, paths: ['a'], from: 'phone' },
    { type: 'changed', count: 1, paths: ['own'], from: null },
    { type: 'applied', count: 1000, paths: ['f0', 'f1', 'f2', 'f3', 'f4'], bytes: 10_000 },
  ])
})

test('directories, and what brought no content, are named where there is room', () => {
  const bench = new Bench()
  const entries = ['d', 'e', 'a', 'b', 'c'].map((path) => ({
    ...{ path, type: path < 'd' ? 'file' : 'directory' },
  }))
  bench.observer.taken('nas', entries as unknown as Entry[], 0)
  for (const path of paths(6)) bench.observer.applied(path as RelPath, path === 'f5' ? 1 : 0)
  assert.deepEqual(
    bench.told().map((event) => ('paths' in event ? event.paths : [])),
    [
      ['a', 'b', 'c', 'd', 'e'],
      ['f5', 'f0', 'f1', 'f2', 'f3'],
    ],
  )
})

test('a new state is told once, with the one before', () => {
  const bench = new Bench()
  bench.state = 'idle'
  assert.deepEqual(bench.told(), [{ type: 'state', state: 'idle', before: 'scanning' }])
})

test('a conflict copy is told when it is there, and no more when it is edited', () => {
  const bench = new Bench()
  bench.copies.add(COPY)
  bench.taken('nas', [COPY])
  bench.observer.applied(COPY, 3)
  // Named like one, and not one of the tree.
  bench.observer.applied('gone.conflict-20261120-180203-nas.txt' as RelPath, 3)
  const conflicts = bench.told().filter(({ type }) => type === 'conflict')
  assert.deepEqual(conflicts, [{ type: 'conflict', path: 'notes.txt', copy: COPY }])
})

test('copies that were there at the start are nothing new', () => {
  const bench = new Bench()
  bench.copies.add(COPY)
  bench.observer.start()
  bench.observer.applied(COPY, 3)
  assert.deepEqual(
    bench.told().map(({ type }) => type),
    ['applied'],
  )
})

test('drift that has come is told, drift that went is not', () => {
  const bench = new Bench()
  bench.drift = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as RelPath[]
  bench.observer.start()
  bench.drift = [...bench.drift, 'h' as RelPath, 'i' as RelPath]
  assert.deepEqual(bench.told(), [{ type: 'drift', count: 2, paths: ['h', 'i'], open: 9 }])
  const other = new Bench()
  other.drift = ['a'] as RelPath[]
  other.observer.start()
  other.drift = []
  assert.deepEqual(other.told(), [])
})

test('problems are told as they come and go; what comes and goes at once is not, and thousands are counted', () => {
  const bench = new Bench()
  const book = new ProblemBook(
    () => 5,
    undefined,
    (problem, isThere) => bench.observer.problem(problem, isThere),
  )
  book.set('scan', 'a', 'EACCES', 'no')
  // The same again is nothing new.
  book.set('scan', 'a', 'EACCES', 'no')
  book.set('scan', 'b', 'EIO', 'bad')
  book.clear('scan', 'b')
  book.clear('scan', 'never there')
  assert.deepEqual(bench.told(), [{ type: 'problem', path: 'a', code: 'EACCES', detail: 'no' }])

  const other = new Bench()
  book.clear('scan', 'a')
  other.observer.problem({ path: 'a', code: 'EACCES', detail: 'no', sinceMs: 5 }, false)
  for (const path of paths(500))
    other.observer.problem({ path, code: 'EIO', detail: 'bad', sinceMs: 5 }, true)
  const told = other.told()
  assert.equal(told.length, 21)
  assert.deepEqual(told[0], { type: 'problem-gone', path: 'a', code: 'EACCES', detail: 'no' })
  assert.deepEqual(told.at(-1), { type: 'problem', path: '', code: 'MORE', detail: '481 more problems' })
})

test('a path replaced in a directory at once is a problem that goes and one that comes', () => {
  const said: [string, boolean][] = []
  const book = new ProblemBook(
    () => 5,
    undefined,
    ({ path }, isThere) => said.push([path, isThere]),
  )
  book.replaceChildren('scan', 'd', [{ name: 'a', code: 'EIO', detail: '' }])
  book.replaceChildren('scan', 'd', [{ name: 'b', code: 'EIO', detail: '' }])
  assert.deepEqual(said, [
    ['d/a', true],
    ['d/a', false],
    ['d/b', true],
  ])
})

test('how long changes take is measured from what was heard, by origin, and only of this run', () => {
  const bench = new Bench()
  const { instruments } = bench.observer
  bench.taken('nas', ['a', 'b'], bench.nowMs + 1000)
  bench.taken('nas', ['old'], bench.nowMs - 1)
  bench.clockMs = 400
  bench.nowMs += 3000
  bench.observer.applied('a' as RelPath, 1)
  bench.observer.applied('old' as RelPath, 1)
  // Nobody told of that one.
  bench.observer.applied('other' as RelPath, 1)
  // Overtaken by a second change: the wait began with the first.
  bench.clockMs = 500
  bench.taken('nas', ['b'], bench.nowMs)
  bench.clockMs = 1000
  bench.observer.applied('b' as RelPath, 1)
  assert.deepEqual([instruments.applyLatency.count, instruments.applyLatency.sumS], [3, 0.4 + 0.4 + 1])
  const nas = instruments.changeToApplied.get('nas')!
  assert.deepEqual([nas.count, nas.sumS], [2, 2])
  bench.observer.fullScan(250)
  assert.deepEqual([instruments.fullScans.count, instruments.fullScans.sumS], [1, 0.25])
  bench.told()
})

test('what has nothing to be done, or waits in masses, is not measured', () => {
  const bench = new Bench()
  bench.observer.taken('nas', [{ path: 'known' } as unknown as Entry], bench.nowMs)
  bench.observer.applied('known' as RelPath, 0)
  bench.taken('nas', paths(5000))
  for (const path of paths(5000)) bench.observer.applied(path as RelPath, 0)
  assert.equal(bench.observer.instruments.applyLatency.count, 2048)
  bench.told()
})
