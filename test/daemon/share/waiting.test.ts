import assert from 'node:assert/strict'
import test from 'node:test'
import type { RelPath } from '../../../src/core/path.js'
import type { ApplyTask } from '../../../src/daemon/share/apply-task.js'
import { Waiting } from '../../../src/daemon/share/waiting.js'
import type { DiskRow } from '../../../src/store/rows.js'
import type { ShareIndex } from '../../../src/store/share-index.js'

const MAX = 8

/** An index whose every path holds a file; `wanted` says how many paths want a content. */
function world(wanted: (content: Buffer) => number) {
  const index = {
    isContentWanted: (content: Buffer, safe: number) => wanted(content) > safe,
    conflicts: { holdsLoser: () => false },
    diskChildren: () => [],
  } as unknown as ShareIndex
  const safe = new Set<string>()
  return {
    safe,
    waiting: new Waiting(index, (_, content) => (safe.has(content.toString('hex')) ? 1 : 0), MAX),
  }
}

const content = (n: number): Buffer => Buffer.alloc(32, n)
const removal = (n: number): ApplyTask =>
  ({ path: `${n}` as RelPath, step: { type: 'remove' }, dropped: false }) as unknown as ApplyTask
const row = (n: number): DiskRow =>
  ({ applied: { version: new Map(), fact: { type: 'file', content: content(n) } } }) as unknown as DiskRow

test('P3: a task waits while its content is wanted elsewhere, and is found by that content alone', () => {
  const { waiting, safe } = world(() => 1)
  const tasks = [1, 2, 3].map(removal)
  for (const [i, task] of tasks.entries()) assert.equal(waiting.holds(task, row(i + 1)), true)
  assert.deepEqual(waiting.take(content(9)), [])
  assert.deepEqual(waiting.take(content(2)), [tasks[1]])
  assert.deepEqual(waiting.take(content(2)), [], 'it waits no longer')
  safe.add(content(2).toString('hex'))
  assert.equal(waiting.holds(tasks[1]!, row(2)), false)
  assert.equal(waiting.delete(tasks[0]!), true)
  assert.deepEqual(waiting.take(content(1)), [])
})

test('those that would wait leave half of the places to what they wait for', () => {
  const { waiting } = world((wanted) => (wanted[0] === 7 ? 0 : 1))
  assert.equal(waiting.isLeft(removal(1), row(1), MAX / 2 - 1), false)
  assert.equal(waiting.passDueMs(0, 0), undefined, 'nothing was left')
  assert.equal(waiting.isLeft(removal(1), row(1), MAX / 2), true)
  assert.equal(waiting.isLeft(removal(7), row(7), MAX - 1), false, 'nobody wants its content')
})

test('what was left is taken up when places are free, or after a while, and not before anything has ended', () => {
  const { waiting } = world(() => 1)
  waiting.isLeft(removal(1), row(1), MAX / 2)
  assert.equal(waiting.passDueMs(MAX, 5000), undefined, 'nothing has ended')
  waiting.noteEnded()
  assert.equal(waiting.passDueMs(2, 5000), 0)
  waiting.startPass(5000)
  assert.equal(waiting.passDueMs(2, 5000), undefined)
  waiting.isLeft(removal(1), row(1), MAX / 2)
  waiting.noteEnded()
  assert.equal(waiting.passDueMs(MAX - 1, 5400), 600)
  assert.equal(waiting.passDueMs(MAX - 1, 9000), 0)
})
