// The applier with its parts, on a disk, peers and a clock that the test holds: what comes first, where content comes from,
// what has to wait, and what happens when a path cannot be done.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyedToken } from '../../../src/daemon/share/token.js'
import { contentOf } from '../../sim/contents.js'
import { newApplierBench, newApplyBench, PEER } from './apply-support.js'
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

test('P3: content on this disk is copied and not fetched, as a rename is', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('old', [1, 2])
  await bench.say('new', [1, 2])
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
  await bench.say('same', [1])
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
  assert.ok(bench.index.holdsLoser(at('a')))
  await bench.runOnline(600)
  assert.deepEqual(bench.disk.nodes.get('a')!.chunks, [1])
  assert.deepEqual(bench.pool.commits, [])
})

test('A3: a file that was changed meanwhile is rescanned and tried again later', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('a', [1])
  await bench.say('a', [2])
  bench.disk.file('a', [7])
  await bench.runOnline(200)
  assert.ok(bench.rescans.includes(''))
  assert.deepEqual(bench.disk.nodes.get('a')!.chunks, [7])
  assert.equal(bench.pool.commits.length, 1)
  await bench.runOnline(300)
  assert.equal(bench.pool.commits.length, 2, 'again after a quarter of a second')
  assert.deepEqual(bench.exchange.chunksAsked, [2], 'what was staged is used again (A4)')
})

test('A6: what is blocked is tried with growing pauses, and reported after four tries', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('d', 'directory')
  bench.disk.file('d/unknown', [9])
  await bench.say('d', 'gone')
  const tries: number[] = []
  bench.pool.beforeCommit = () => {
    tries.push(passed)
  }
  let passed = 0
  for (; passed < 1700; passed += 10) await bench.run(10)
  assert.equal(tries.length, 3)
  const [first, second, third] = tries as [number, number, number]
  assert.ok(second - first >= 250 && third - second >= 500, `${tries}`)
  assert.deepEqual(bench.problems.list(), [])
  assert.ok(bench.rescans.includes('d'))
  for (; passed < 2400; passed += 10) await bench.run(10)
  assert.deepEqual(
    bench.problems.list().map(({ path, code }) => [path, code]),
    [['d', 'ENOTEMPTY']],
  )
  bench.disk.remove('d/unknown')
  await bench.run(2500)
  assert.deepEqual(bench.problems.list(), [], 'a problem goes with its cause')
  assert.ok(bench.isInStep('d'))
})

test('A6: one path that fails is reported at once and does not stop the others', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('a', [1])
  await bench.say('b', [2])
  bench.pool.answers.set('a', { result: { status: 'failed', code: 'EACCES', detail: 'no' } })
  await bench.runOnline(200)
  assert.ok(bench.isInStep('b'))
  assert.deepEqual(
    bench.problems.list().map(({ path, code }) => [path, code]),
    [['a', 'EACCES']],
  )
  await bench.runOnline(1500)
  assert.ok(bench.isInStep('a'))
  assert.deepEqual(bench.problems.list(), [])
})

test('A6: content staged for a commit that failed is not fetched again', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('a', [1, 2])
  bench.pool.answers.set('a', { result: { status: 'failed', code: 'EACCES', detail: 'no' } })
  await bench.runOnline(1700)
  assert.ok(bench.isInStep('a'))
  assert.deepEqual(bench.exchange.chunksAsked.sort(), [1, 2])
})

test('a commit that failed is looked at: it may have been done all the same (NOT_DURABLE)', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('d', 'directory')
  await bench.have('d/a', [1])
  await bench.say('d/a', [2])
  const result = { status: 'failed', code: 'NOT_DURABLE', detail: 'EIO' } as const
  bench.pool.answers.set('d/a', { result, after: true })
  await bench.runOnline(200)
  assert.deepEqual(bench.rescans, ['d'])
  assert.ok(bench.index.isWanted(at('d/a')))
})

test('A4: what an earlier run had staged is looked at, and only the rest is fetched', async (t) => {
  const token = tokenOf('a', [1, 2])
  const bench = newApplierBench(t, { leftovers: [token] })
  bench.pool.staged.set(token, new Map([[0, 1]]))
  await bench.say('a', [1, 2])
  await bench.runOnline()
  assert.deepEqual(bench.exchange.chunksAsked, [2])
  assert.equal(bench.pool.stageJobs[0]!.type, 'resume')
  assert.ok(bench.isInStep('a'))
})

test('A4: leftovers go when nothing is wanted any more, not before', async (t) => {
  const token = tokenOf('gone since', [3])
  const bench = newApplierBench(t, { leftovers: [token] })
  bench.pool.staged.set(token, new Map([[0, 3]]))
  await bench.say('a', [1])
  await bench.run()
  assert.ok(bench.pool.staged.has(token))
  await bench.runOnline()
  assert.equal(bench.pool.staged.size, 0)
})

test('P1: a wrong piece is not used, its sender reported, and the piece asked for again', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('a', [1])
  await bench.run(30)
  bench.exchange.deliver(1, Buffer.alloc(contentOf([1]).pieces[0]!.length, 99))
  await bench.run(30)
  assert.deepEqual(bench.exchange.liars, [{ chunk: 1, from: PEER }])
  assert.deepEqual(bench.exchange.chunksAsked, [1, 1])
  assert.ok(!bench.disk.nodes.has('a'))
  await bench.runOnline()
  assert.ok(bench.isInStep('a'))
})

test('a task is given up when the share moves on, its pieces are not asked for any more', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('a', [1])
  await bench.run(30)
  await bench.say('a', [2])
  await bench.run(30)
  assert.deepEqual(bench.exchange.unwanted, [1])
  await bench.runOnline()
  assert.ok(bench.isInStep('a'))
  await bench.say('b', [3])
  await bench.run(30)
  await bench.say('b', 'gone')
  // Nobody says that there is nothing to do any more: it is noticed when tasks are looked at again.
  await bench.run(600)
  assert.deepEqual(bench.exchange.unwanted, [1, 3])
  assert.equal(bench.applier.isBusy, false)
})

test('what was staged of a version that is no longer wanted is thrown away', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('a', [1, 2])
  await bench.run(30)
  bench.exchange.deliver(1)
  await bench.run(30)
  assert.equal(bench.pool.staged.size, 1)
  await bench.say('a', 'gone')
  await bench.run(600)
  assert.equal(bench.pool.staged.size, 0)
})

const NEWER_MS = 1_650_000_000_000

test('a new time of the same content does not fetch it again: part is staged', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('a', [1, 2])
  await bench.run(30)
  bench.exchange.deliver(1)
  await bench.run(30)
  await bench.tell('a', fileFact([1, 2], NEWER_MS * 1000))
  await bench.runOnline(800)
  assert.ok(bench.isInStep('a'))
  assert.equal(bench.disk.stat('a').mtimeMs, NEWER_MS)
  assert.deepEqual(bench.exchange.chunksAsked.sort(), [1, 2])
})

test('a new time of the same content does not fetch it again: staged whole, it waits for a directory to go', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('d', 'directory')
  await bench.have('d/in', [5])
  for (const path of ['d/in', 'd']) await bench.say(path, 'gone')
  await bench.say('d', [1, 2])
  bench.pool.answers.set('d/in', { result: { status: 'changed' } })
  await bench.runOnline(100)
  assert.equal(bench.pool.staged.get(tokenOf('d', [1, 2]))?.size, 2)
  await bench.tell('d', fileFact([1, 2], NEWER_MS * 1000))
  await bench.runOnline(1200)
  assert.ok(bench.isInStep('d'))
  assert.equal(bench.disk.stat('d').mtimeMs, NEWER_MS)
  assert.deepEqual(bench.exchange.chunksAsked.sort(), [1, 2])
})

test('what is being committed is left alone until its outcome is known', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('a', [1])
  let release: () => void = () => undefined
  bench.pool.beforeCommit = () => new Promise((resolve) => (release = resolve))
  await bench.runOnline(60)
  await bench.say('a', [2])
  await bench.runOnline(600)
  assert.deepEqual(
    bench.pool.stageJobs.map(({ type }) => type),
    ['file'],
    'its staged file may be about to get its name',
  )
  bench.pool.beforeCommit = () => undefined
  release()
  await bench.runOnline()
  assert.ok(bench.isInStep('a'))
  assert.deepEqual(bench.problems.list(), [])
  assert.deepEqual([...bench.pool.archived.values()], [[1]])
})

test('what could not be staged is thrown away, and its bytes no longer count', async (t) => {
  const bench = newApplierBench(t)
  await bench.say('a', [1, 2])
  await bench.run(30)
  bench.exchange.deliver(1)
  await bench.run(30)
  bench.pool.stageFaults.push('ENOSPC')
  bench.exchange.deliver(2)
  await bench.run(30)
  assert.equal(bench.pool.staged.size, 0)
  assert.deepEqual(
    bench.problems.list().map(({ code }) => code),
    ['ENOSPC'],
  )
  await bench.runOnline(1500)
  assert.ok(bench.isInStep('a'))
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
