// What link groups and shared inodes make of steps: link, wait, note, a file of its own, or all names at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FileFact } from '../../../src/core/fact.js'
import { inGroup, NO_GROUP } from '../../../src/core/link-group.js'
import type { RelPath } from '../../../src/core/path.js'
import type { ActiveStep } from '../../../src/daemon/share/apply-task.js'
import { LinkPlanner } from '../../../src/daemon/share/link-planner.js'
import { Shortcuts } from '../../../src/daemon/share/shortcuts.js'
import { contentOf } from '../../sim/contents.js'
import { type ApplyBench, newApplyBench } from './apply-support.js'
import { at, fileFact } from './support.js'

const G = Buffer.alloc(16, 1)
const H = Buffer.alloc(16, 2)

function member(chunks: readonly number[], group: Buffer, mode = 0o644): FileFact {
  return inGroup({ ...fileFact(chunks), mode } as FileFact, group)
}

/** This disk holds a file that the share has, as a name of an inode. */
async function have(
  bench: ApplyBench,
  path: string,
  fact: FileFact,
  chunks: readonly number[],
  ino: number,
): Promise<void> {
  await bench.tell(path, fact)
  const { version } = bench.index.effective(at(path))
  bench.disk.file(path, chunks, { mode: fact.mode })
  const stat = { ...bench.disk.stat(path)!, ino, nlink: 3, ctimeMs: 5, mtimeMs: fact.mtimeUs / 1000 }
  const row = { applied: { version, fact }, stat, drift: undefined }
  bench.index.transaction(() => bench.index.setDisk(at(path), row, contentOf(chunks).layout))
}

interface Scene {
  readonly bench: ApplyBench
  readonly active: Set<RelPath>
  readonly planner: LinkPlanner
  decide(path: string, mayLink?: boolean): string
}

function scene(hardLinks = true): Scene {
  const bench = newApplyBench()
  const active = new Set<RelPath>()
  const planner = new LinkPlanner({ index: bench.index, hardLinks }, (path) => active.has(path))
  const decide = (path: string, mayLink = true): string => {
    const { step, row } = bench.index.need(at(path))
    const decision = planner.decide(at(path), step as ActiveStep, row, mayLink)
    return 'from' in decision ? `${decision.type} ${decision.from}` : decision.type
  }
  return { bench, active, planner, decide }
}

test('a new name is linked to one of its group that holds the same; the first of a group is written, others wait', async () => {
  const { bench, active, planner, decide } = scene()
  for (const name of ['a', 'b', 'c']) await bench.tell(name, member([1], G))
  await bench.tell('other', member([1], H))
  assert.equal(decide('a'), 'ordinary')
  active.add(at('a'))
  assert.equal(decide('b'), 'wait')
  assert.equal(decide('c'), 'wait')
  assert.equal(decide('other'), 'ordinary', 'another group is another file')
  // Its content is as good as there for those that wait, but not for the one that gathers it.
  assert.equal(planner.servedWithout(at('z'), contentOf([1]).id), 2)
  assert.equal(planner.servedWithout(at('a'), contentOf([1]).id), 0)
  await have(bench, 'a', member([1], G), [1], 10)
  active.delete(at('a'))
  assert.deepEqual([...planner.ended(at('a'))].sort(), ['b', 'c'])
  assert.equal(decide('b'), 'link a')
  assert.equal(decide('c', false), 'ordinary', 'linking has failed before')
})

test('no links are made where the configuration says so, and none from what is about to change or is drift', async () => {
  const off = scene(false)
  await have(off.bench, 'a', member([1], G), [1], 10)
  await off.bench.tell('b', member([1], G))
  assert.equal(off.decide('b'), 'ordinary')

  const { bench, decide } = scene()
  await have(bench, 'a', member([1], G), [1], 10)
  await bench.tell('b', member([1], G))
  assert.equal(decide('b'), 'link a')
  await bench.tell('a', member([2], G))
  assert.equal(decide('b'), 'ordinary')
})

test('only what is said of the group is new: noted, linked, or given a file of its own', async () => {
  const { bench, decide } = scene()
  for (const name of ['a', 'b']) await have(bench, name, fileFact([1]) as FileFact, [1], 10)
  await have(bench, 'c', fileFact([1]) as FileFact, [1], 11)
  for (const name of ['a', 'b', 'c']) await bench.tell(name, member([1], G))
  assert.equal(decide('a'), 'note', 'it shares its inode already')
  assert.match(decide('c'), /^link [ab]$/)
  const left = scene()
  for (const name of ['a', 'b']) await have(left.bench, name, member([1], G), [1], 10)
  await left.bench.tell('b', member([1], NO_GROUP))
  assert.equal(left.decide('b'), 'own')
})

test('metadata of a file with several names: all at once if all are to have them, else one that is its own', async () => {
  const { bench, active, planner, decide } = scene()
  for (const name of ['a', 'b', 'c']) await have(bench, name, member([1], G), [1], 10)
  await bench.tell('a', member([1], G, 0o600))
  assert.equal(decide('a'), 'own')
  active.add(at('a'))
  await bench.tell('b', member([1], G, 0o600))
  assert.equal(decide('b'), 'wait')
  active.delete(at('a'))
  planner.ended(at('a'))
  await bench.tell('c', member([1], G, 0o600))
  assert.equal(decide('c'), 'ordinary')
  const { row } = bench.index.need(at('c'))
  const members = planner.members(at('c'), member([1], G, 0o600), row!)
  assert.deepEqual(members?.map(({ path }) => path).sort(), ['a', 'b'])
  active.add(at('c'))
  assert.equal(decide('a'), 'wait')
})

test('a link that fails is tried again while the disk may be why, and then no more for that content', async () => {
  const { bench } = scene()
  const shortcuts = new Shortcuts(bench.context)
  await have(bench, 'a', member([1], G), [1], 10)
  await bench.tell('b', member([1], G))
  const step = bench.index.step(at('b')) as ActiveStep
  const task = { ...bench.taskAt('b'), via: { type: 'link', from: at('a') } as const }
  for (let tries = 1; tries < 6; tries++) assert.equal(shortcuts.noteFailed(task, true), false)
  assert.ok(shortcuts.mayTry(at('b'), step))
  assert.equal(shortcuts.noteFailed(task, true), true)
  assert.equal(shortcuts.mayTry(at('b'), step), false)
  const other = new Shortcuts(bench.context)
  assert.equal(other.noteFailed(task, false), true, 'no links at all, or too many')
  assert.equal(other.mayTry(at('b'), step), false)
})
