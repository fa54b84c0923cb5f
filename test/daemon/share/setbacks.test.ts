// What becomes of a task that did not work out; through the whole applier: applier-retry.test.ts.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { parentOf } from '../../../src/core/path.js'
import type { ApplyTask } from '../../../src/daemon/share/apply-task.js'
import { Setbacks } from '../../../src/daemon/share/setbacks.js'
import { Shortcuts } from '../../../src/daemon/share/shortcuts.js'
import { type Clock, fakeClock, newApplyBench } from './apply-support.js'
import { at } from './support.js'

interface SetbackBench extends ReturnType<typeof newApplyBench> {
  readonly setbacks: Setbacks
  readonly clock: Clock
  readonly dropped: string[]
  readonly discarded: string[]
  readonly again: string[]
  readonly told: string[]
  /** A task for a file that the share has just come to hold. */
  taskFor(path: string, over?: Partial<ApplyTask>): Promise<ApplyTask>
}

function newSetbackBench(t: TestContext): SetbackBench {
  const base = newApplyBench()
  const lists = {
    dropped: [] as string[],
    discarded: [] as string[],
    again: [] as string[],
    told: [] as string[],
  }
  const setbacks = new Setbacks({
    context: base.context,
    leftovers: ['of an earlier run'],
    rescan: (directories) => base.rescans.push(...directories),
    onFailed: (path, code) => lists.told.push(`${path} ${code}`),
    shortcuts: new Shortcuts(base.context),
    drop: ({ path }) => lists.dropped.push(path),
    discard: ({ path }) => lists.discarded.push(path),
    again: (path) => lists.again.push(path),
    wake: () => undefined,
  })
  return Object.assign(base, lists, {
    setbacks,
    clock: fakeClock(t),
    taskFor: async (path: string, over: Partial<ApplyTask> = {}) => {
      for (let parent = parentOf(at(path)); parent !== ''; parent = parentOf(parent))
        await base.say(parent, 'directory')
      await base.say(path, [1])
      return Object.assign(base.taskAt(path), over)
    },
  })
}

test('a shortcut that is in the way is tried again at once the ordinary way; both directories are looked at', async (t) => {
  const { setbacks, taskFor, rescans, again, dropped } = newSetbackBench(t)
  setbacks.blocked(await taskFor('d/a', { via: { type: 'move', from: at('old/a') } }), 'EEXIST')
  assert.deepEqual(rescans, ['d', 'old'])
  assert.deepEqual([again, dropped], [['d/a'], ['d/a']])
  assert.ok(!setbacks.isWaiting(at('d/a')))
})

for (const code of ['PARENT_MISSING', 'HALTED'])
  test(`a shortcut is not to blame for ${code}: it waits, and is tried again as it is`, async (t) => {
    const { setbacks, taskFor, again } = newSetbackBench(t)
    setbacks.blocked(await taskFor('d/a', { via: { type: 'move', from: at('old/a') } }), code)
    assert.deepEqual(again, ['d'], 'only the directory above comes first')
    assert.ok(setbacks.isWaiting(at('d/a')))
  })

test('A3: a link whose disk was found changed is worth a few more tries, a rename is not', async (t) => {
  const { setbacks, taskFor, again } = newSetbackBench(t)
  for (let i = 0; i < 6; i++) {
    assert.deepEqual(again, [], `after ${i} tries`)
    setbacks.changed(await taskFor('a', { via: { type: 'link', from: at('b') } }))
  }
  assert.deepEqual(again, ['a'])
  setbacks.changed(await taskFor('c', { via: { type: 'move', from: at('b') } }))
  assert.deepEqual(again, ['a', 'c'])
})

test('A6: what is in the way is told after four tries, what failed at once; it comes first when its time has come', async (t) => {
  const { setbacks, taskFor, told, again, problems, clock } = newSetbackBench(t)
  const task = await taskFor('a')
  for (let i = 0; i < 3; i++) setbacks.blocked(task, 'ENOTDIR')
  assert.deepEqual(told, [])
  setbacks.blocked(task, 'ENOTDIR')
  setbacks.failed(await taskFor('b'), 'EACCES', 'no')
  assert.deepEqual(told, ['a ENOTDIR', 'b EACCES'])
  assert.deepEqual(
    problems
      .list()
      .map(({ path, code }) => `${path} ${code}`)
      .sort(),
    told,
  )
  assert.equal(
    setbacks.release(performance.now(), () => false),
    performance.now() + 1000,
  )
  await clock.advance(1000)
  setbacks.release(performance.now(), () => false)
  assert.deepEqual(again, ['b'], 'the other waits twice as long each time')
  setbacks.settled(at('a'))
  assert.deepEqual(
    problems.list().map(({ path }) => path),
    ['b'],
  )
})

test('A4: what a task had staged is kept for its next try, unless the gathering itself failed', async (t) => {
  const { setbacks, taskFor, say, index } = newSetbackBench(t)
  const tasks = await Promise.all(
    ['parked', 'not-committed', 'failed', 'not-begun'].map((path) =>
      taskFor(path, { begun: path !== 'not-begun' }),
    ),
  )
  const [parked, notCommitted, failed, notBegun] = tasks as [ApplyTask, ApplyTask, ApplyTask, ApplyTask]
  setbacks.park(parked)
  setbacks.park(notBegun)
  setbacks.notCommitted(notCommitted, 'EACCES', 'no')
  setbacks.failed(failed, 'EIO', 'no')
  assert.deepEqual(
    tasks.map(({ token }) => setbacks.hasLeft(token)),
    [true, true, false, false],
  )
  assert.ok(setbacks.takeLeft(parked.token))
  assert.ok(!setbacks.takeLeft(parked.token), 'once')
  assert.deepEqual([...setbacks.takeAllLeft()].sort(), ['of an earlier run', notCommitted.token].sort())
  assert.deepEqual(setbacks.takeAllLeft(), [])

  assert.ok(setbacks.keepsFor(failed, index.step(failed.path)), 'the same content again')
  await say('failed', [2])
  assert.ok(!setbacks.keepsFor(failed, index.step(failed.path)), 'another content')
})

test('want of descriptors is none of the path: nobody is told of it, and it is tried again soon', async (t) => {
  const { setbacks, taskFor, told, clock, shortages, context } = newSetbackBench(t)
  const task = await taskFor('a')
  for (let tries = 0; tries < 6; tries++) {
    setbacks.failed(task, 'EMFILE', 'too many open files')
    assert.ok(setbacks.isWaiting(at('a')))
    await clock.advance(1000)
    assert.ok(!setbacks.isWaiting(at('a')), 'never longer')
  }
  assert.deepEqual([told, new Set(shortages)], [[], new Set(['EMFILE'])])
  assert.equal(context.problems.size, 1)
})

for (const code of ['EIO', 'ENOSPC', 'ESTALE'])
  test(`A4: what could not be made durable (${code}) is written anew, since the next fsync would call it written`, async (t) => {
    const { setbacks, taskFor, discarded } = newSetbackBench(t)
    const task = await taskFor('a', { begun: true })
    setbacks.notCommitted(task, code, 'fsync')
    assert.ok(!setbacks.hasLeft(task.token))
    assert.deepEqual(discarded, ['a'], 'and its room comes back')
    assert.ok(setbacks.isWaiting(at('a')))
  })
