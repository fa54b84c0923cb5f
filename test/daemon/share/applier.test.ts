// The applier with its parts, on a disk, peers and a clock that the test holds: what comes first, where content comes from,
// and what has to wait.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyedToken } from '../../../src/daemon/share/token.js'
import { contentOf } from '../../sim/contents.js'
import { newApplierBench, newApplyBench } from './apply-support.js'
import { at, fileFact } from './support.js'

function tokenOf(path: string, chunks: readonly number[]): string {
  return keyedToken(at(path), contentOf(chunks).id)
}

test('a file, in a directory, comes from peers', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('d', 'directory')
  await bench.say('d/a', [1, 2])
  await bench.runOnline()
  for (const path of ['d', 'd/a']) assert.ok(bench.isInStep(path), path)
  assert.deepEqual(bench.exchange.chunksAsked.sort(), [1, 2])
  assert.equal(bench.index.counts.needFiles, 0)
  assert.ok(bench.quiet.count > 0)
  assert.equal(bench.applier.isBusy, false)
})

test('P3: nothing is done before the disk was looked through', async (t) => {
  const bench = newApplierBench(t)
  bench.isDiskKnown = false
  await bench.say('a', [1])
  await bench.run()
  assert.deepEqual(bench.exchange.asked, [])
  bench.isDiskKnown = true
  bench.applier.wake()
  await bench.runOnline()
  assert.ok(bench.isInStep('a'))
})

test('X3: a small change that just came in goes before the backlog', async (t) => {
  const bench = newApplierBench(t)
  for (let n = 0; n < 70; n++) await bench.say(`bulk ${n}`, [1 + (n % 8)])
  await bench.run(10)
  await bench.say('z', [9])
  await bench.run(10)
  const byPriority = (priority: number): number =>
    bench.exchange.asked.filter((one) => one.priority === priority).length
  assert.equal(byPriority(1), 8)
  assert.deepEqual(
    bench.exchange.asked.filter(({ priority }) => priority === 0).map(({ id }) => id),
    [contentOf([9]).pieces[0]!.id],
  )
  bench.exchange.deliver(9)
  await bench.run(10)
  assert.deepEqual(
    bench.pool.commits.map((jobs) => jobs.map(({ path }) => path)),
    [['z']],
    'it does not wait for a batch to fill',
  )
  await bench.runOnline(300)
  assert.equal(bench.index.counts.needFiles, 0)
})

test('P3: content on this disk is copied and not fetched', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('old', [1, 2])
  await bench.tell('new', fileFact([1, 2], 42))
  await bench.say('old', 'gone')
  await bench.run()
  assert.deepEqual(bench.exchange.asked, [])
  assert.ok(bench.isInStep('new'))
  assert.ok(bench.isInStep('old'))
})

test('P3: then the archive, then peers', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('a', [1])
  await bench.say('a', 'gone')
  await bench.run()
  assert.deepEqual([...bench.pool.archived], [['day/a', [1]]])
  await bench.say('b', [1])
  await bench.run()
  assert.deepEqual(bench.exchange.asked, [])
  assert.ok(bench.isInStep('b'))
})

test('P3: a place that does not hold the piece is rescanned; the archive is next, then peers are asked', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('x', [1])
  await bench.say('x', 'gone')
  await bench.run()
  await bench.say('x', [1])
  await bench.run()
  // Now a place and the archive should hold it, but neither does.
  bench.disk.file('x', [7])
  bench.pool.archived.clear()
  await bench.say('y', [1])
  await bench.runOnline()
  assert.deepEqual(bench.rescans, [''])
  const sources = bench.pool.stageJobs
    .flatMap((job) => (job.type === 'file' && job.token === tokenOf('y', [1]) ? job.parts : []))
    .map(({ source }) => (source.type === 'bytes' ? 'peer' : source.inArchive ? 'archive' : 'place'))
  assert.deepEqual(sources, ['place', 'archive', 'peer'])
  assert.ok(bench.isInStep('y'))
})

test('P3: the last copy of content that another path still wants is not taken away before that is staged', async (t) => {
  const bench = newApplierBench(t, { archive: false })
  await bench.have('old', [1])
  await bench.say('new', [2, 1])
  await bench.tell('same', fileFact([1], 42))
  await bench.say('old', 'gone')
  let release: () => void = () => undefined
  bench.pool.beforeStage = () => new Promise((resolve) => (release = resolve))
  await bench.run()
  assert.ok(bench.disk.nodes.has('old'), 'same is not staged yet')
  assert.deepEqual(bench.pool.commits, [])
  bench.pool.beforeStage = () => undefined
  release()
  await bench.runOnline(600)
  for (const path of ['old', 'new', 'same']) assert.ok(bench.isInStep(path), path)
})

test('two files that change places move no content', async (t) => {
  const bench = newApplierBench(t, { archive: false })
  await bench.have('a', [1])
  await bench.have('b', [2])
  await bench.say('a', [2])
  await bench.say('b', [1])
  await bench.run(600)
  assert.deepEqual(bench.exchange.asked, [])
  assert.ok(bench.isInStep('a') && bench.isInStep('b'))
})

test('a directory becomes a file: what lies in it goes first, the content is staged before', async (t) => {
  const bench = newApplierBench(t, { archive: false })
  await bench.have('d', 'directory')
  await bench.have('d/e', 'directory')
  await bench.have('d/e/a', [1])
  for (const path of ['d/e/a', 'd/e', 'd']) await bench.say(path, 'gone')
  await bench.say('d', [1])
  await bench.run(800)
  assert.ok(bench.isInStep('d'))
  assert.deepEqual(bench.exchange.asked, [], 'the content was in the file inside')
})

test('a file becomes a directory with something in it', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('d', [1])
  await bench.say('d', 'gone')
  await bench.say('d', 'directory')
  await bench.say('d/a', [2])
  await bench.runOnline(400)
  assert.ok(bench.isInStep('d') && bench.isInStep('d/a'))
  assert.deepEqual(bench.pool.archived.get('day/d'), [1])
})

test('a directory is not touched while something in it has to wait', async (t) => {
  const bench = newApplierBench(t, { archive: false })
  await bench.have('d', 'directory')
  await bench.have('d/a', [1])
  await bench.tell('new', fileFact([1], 42))
  let release: () => void = () => undefined
  bench.pool.beforeStage = () => new Promise((resolve) => (release = resolve))
  for (const path of ['d/a', 'd']) await bench.say(path, 'gone')
  await bench.run(600)
  assert.deepEqual(bench.pool.commits, [], 'd/a is the last copy of what new is to hold')
  assert.deepEqual(bench.rescans, [])
  bench.pool.beforeStage = () => undefined
  release()
  await bench.run(600)
  for (const path of ['new', 'd/a', 'd']) assert.ok(bench.isInStep(path), path)
  assert.deepEqual(bench.rescans, [])
})

test('a tree goes from the bottom up', async (t) => {
  const bench = newApplierBench(t)
  const paths = ['d', 'd/e', 'd/e/a', 'd/e/f', 'd/e/f/b']
  for (const path of paths)
    await bench.have(path, path.endsWith('a') || path.endsWith('b') ? [1] : 'directory')
  for (const path of paths) await bench.say(path, 'gone')
  await bench.run(800)
  assert.deepEqual([...bench.disk.nodes.keys()], [])
  assert.deepEqual(bench.problems.list(), [])
  const removed = bench.pool.commits.flat().filter(({ type }) => type === 'remove')
  for (const { path } of removed) {
    const inside = removed.findLastIndex((job) => job.path.startsWith(`${path}/`))
    assert.ok(inside < removed.findIndex((job) => job.path === path), path)
  }
})

test('V5: a version that lost a conflict nobody has settled is not replaced', async (t) => {
  const bench = newApplierBench(t, { isWriter: false })
  await bench.have('a', [1])
  // Another version that knows nothing of the first, and wins.
  const fact = { ...bench.index.effective(at('a')).fact, mtimeUs: 1_900_000_000_000_000 }
  const { id, size, pieces } = contentOf([2])
  await bench.context.publish([
    {
      draft: {
        path: at('a'),
        base: [],
        fact: { ...fact, content: id, size } as never,
        origin: undefined,
        was: undefined,
      },
      pieces,
      disk: undefined,
    },
  ])
  assert.ok(bench.index.conflicts.holdsLoser(at('a')))
  await bench.runOnline(600)
  assert.deepEqual(bench.disk.nodes.get('a')!.chunks, [1])
  assert.deepEqual(bench.pool.commits, [])
})

test('content that no peer has waits for one while much else is on its way, and is found when there is one', async (t) => {
  const bench = newApplierBench(t)
  bench.exchange.hasAll = false
  for (let n = 0; n < 300; n++) await bench.say(`f${String(n).padStart(3, '0')}`, [1 + (n % 9), 1 + (n % 8)])
  await bench.run(100)
  const before = bench.pool.stageJobs.length
  assert.equal(before, 0)
  assert.ok(bench.applier.isBulk)
  bench.exchange.hasAll = true
  bench.exchange.emit('availability')
  await bench.runOnline(1500)
  assert.equal(bench.index.counts.needFiles, 0)
})

test('A5: a halted share applies nothing', async (t) => {
  const bench = newApplierBench(t)
  bench.halted = 'on purpose'
  await bench.say('a', [1])
  await bench.runOnline()
  assert.deepEqual(bench.exchange.asked, [])
})

test('after stop() nothing more reaches the disk', async (t) => {
  const base = newApplyBench()
  const bench = newApplierBench(t, { base })
  await bench.say('a', [1])
  await bench.run(30)
  await bench.applier.stop()
  bench.exchange.deliverAll()
  await bench.run()
  assert.deepEqual(bench.pool.commits, [])
})
