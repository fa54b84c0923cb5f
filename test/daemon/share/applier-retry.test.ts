// The applier when something goes wrong or changes on the way: what is tried again and when, what is reported (A6), and
// what becomes of what was staged (A4).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyedToken } from '../../../src/daemon/share/token.js'
import { contentOf } from '../../sim/contents.js'
import { newApplierBench, PEER } from './apply-support.js'
import { at, fileFact } from './support.js'

function tokenOf(path: string, chunks: readonly number[]): string {
  return keyedToken(at(path), contentOf(chunks).id)
}

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

test('P3: what was set aside because nobody had it is tried again when its content comes to this disk', async (t) => {
  const bench = newApplierBench(t)
  bench.exchange.hasAll = false
  // So many wait for a peer that no more are begun.
  for (let i = 0; i < 256; i++) await bench.say(`a${i}`, [1])
  await bench.say('b', [8, 9])
  await bench.run(600)
  await bench.have('c', [9])
  await bench.run(600)
  assert.ok(!bench.isInStep('b'), 'one piece of it is still missing')
  await bench.have('d', [8, 7])
  await bench.run(600)
  assert.ok(bench.isInStep('b'))
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
  // Whatever comes out, so that nothing waits for it at the end.
  t.after(() => release())
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
