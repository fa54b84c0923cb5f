// A rename elsewhere is a rename here: which changes are, what is done and noted then (A2-A4), and what is copied instead.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ABSENT } from '../../../src/core/fact.js'
import { contentOf } from '../../sim/contents.js'
import { type ApplierBench, newApplierBench, newApplyBench } from './apply-support.js'
import { at, fileFact } from './support.js'

/** What was done, as "move cur/a:2,S < cur/a:2,". */
function jobsOf(bench: ApplierBench): string[] {
  return bench.pool.commits.flat().flatMap((job) => {
    if (job.type === 'directory') return []
    return [`${job.type} ${job.path}${job.type === 'move' ? ` < ${job.from}` : ''}`]
  })
}

function assertInStep(bench: ApplierBench, ...paths: string[]): void {
  for (const path of paths) assert.ok(bench.isInStep(path), path)
  assert.deepEqual(bench.problems.list(), [])
  assert.equal(bench.applier.isBusy, false)
}

test('A2: a new name for a file that has to go is one move; nothing is staged, fetched or archived', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('cur', 'directory')
  await bench.have('cur/a:2,', [1, 2])
  const { ino } = bench.disk.stat('cur/a:2,')
  await bench.say('cur/a:2,S', [1, 2])
  await bench.say('cur/a:2,', 'gone')
  await bench.run()
  assert.deepEqual(jobsOf(bench), ['move cur/a:2,S < cur/a:2,'])
  assertInStep(bench, 'cur/a:2,S', 'cur/a:2,')
  assert.equal(bench.disk.stat('cur/a:2,S').ino, ino)
  assert.deepEqual(bench.pool.stageJobs, [])
  assert.deepEqual(bench.exchange.asked, [])
  assert.equal(bench.pool.archived.size, 0)
  assert.deepEqual(bench.applied.sort(), ['cur/a:2,', 'cur/a:2,S'])
})

test('the same when the removal is heard of first', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('a', [1])
  await bench.say('a', 'gone')
  await bench.say('b', [1])
  await bench.run()
  assert.deepEqual(jobsOf(bench), ['move b < a'])
  assertInStep(bench, 'a', 'b')
})

test('A4: what is about to be so at both names is noted first, and both are noted in one transaction', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('a', [1])
  await bench.say('b', [1])
  await bench.say('a', 'gone')
  let noted: unknown
  bench.pool.beforeCommit = () => {
    noted = [...bench.index.recovery.intents()].map(([path, list]) => [path, list[0]!.fact.type])
    assert.equal(bench.context.guard.isDisturbed(at('a'), -1), true, 'a look leaves the old name alone (A9)')
  }
  const { clear } = bench.index.recovery
  bench.index.recovery.clear = (batch) => {
    assert.deepEqual(bench.index.applied(at('a')).fact, ABSENT)
    assert.equal(bench.index.applied(at('b')).fact.type, 'file')
    clear.call(bench.index.recovery, batch)
  }
  const held: boolean[] = []
  await bench.run()
  assert.deepEqual(noted, [['b', ['file']].flat(), ['a', ['absent']].flat()])
  // The piece never was out of reach for others.
  for (const changes of bench.index.drain().held.values()) held.push(...changes.values())
  assert.ok(!held.includes(false))
  assertInStep(bench, 'a', 'b')
})

test('the old name counts as gone as of what was known when it was moved, not of what came in meanwhile (V1)', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('a', [1])
  await bench.say('b', [1])
  await bench.say('a', 'gone')
  const gone = bench.index.effective(at('a')).version
  bench.pool.beforeCommit = async () => {
    bench.pool.beforeCommit = () => undefined
    await bench.say('a', [3])
    assert.notDeepEqual(bench.index.effective(at('a')).version, gone)
  }
  await bench.runOnline()
  assertInStep(bench, 'a', 'b')
  assert.deepEqual(bench.disk.nodes.get('a')!.chunks, [3], 'what came in is applied after')
})

test('a directory with another name: all in it is moved, then the old one goes', async (t) => {
  const bench = newApplierBench(t)
  const names = ['x', 'y', 'z']
  await bench.have('old', 'directory')
  for (const [i, name] of names.entries()) await bench.have(`old/${name}`, [i + 1])
  await bench.say('new', 'directory')
  for (const [i, name] of names.entries()) {
    await bench.say(`new/${name}`, [i + 1])
    await bench.say(`old/${name}`, 'gone')
  }
  await bench.say('old', 'gone')
  await bench.run(800)
  assert.deepEqual(jobsOf(bench), [
    'mkdir new',
    ...names.map((name) => `move new/${name} < old/${name}`),
    'remove old',
  ])
  assertInStep(bench, 'old', 'new', ...names.map((name) => `new/${name}`))
  assert.deepEqual(bench.pool.stageJobs, [])
})

test('of equal files, each new name comes from the old one most like it', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('1.mx:2,', [1])
  await bench.have('2.mx:2,', [1])
  for (const name of ['2.mx:2,S', '1.mx:2,S']) await bench.say(name, [1])
  for (const name of ['1.mx:2,', '2.mx:2,']) await bench.say(name, 'gone')
  await bench.run()
  assert.deepEqual(jobsOf(bench).sort(), ['move 1.mx:2,S < 1.mx:2,', 'move 2.mx:2,S < 2.mx:2,'])
  assertInStep(bench, '1.mx:2,S', '2.mx:2,S', '1.mx:2,', '2.mx:2,')
})

test('a name after a name after a name: what is on its way is moved on', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('a', [1])
  await bench.say('b', [1])
  await bench.say('a', 'gone')
  bench.pool.beforeCommit = async () => {
    bench.pool.beforeCommit = () => undefined
    await bench.say('c', [1])
    await bench.say('b', 'gone')
    bench.applier.note(bench.index.drain())
  }
  await bench.run(800)
  assert.equal(jobsOf(bench).filter((job) => job.startsWith('move')).length, 2)
  assertInStep(bench, 'a', 'b', 'c')
  assert.equal(bench.pool.archived.size, 0)
  assert.deepEqual(bench.exchange.asked, [])
})

test('what is no plain rename is copied and removed', async (t) => {
  const cases: Readonly<Record<string, (bench: ApplierBench) => Promise<void>>> = {
    'the old name gets something else': async (bench) => {
      await bench.say('new', [1])
      await bench.say('old', [2])
    },
    'the new name holds something': async (bench) => {
      await bench.have('new', [2])
      await bench.say('new', [1])
      await bench.say('old', 'gone')
    },
    'the time is another': async (bench) => {
      await bench.tell('new', fileFact([1], 42))
      await bench.say('old', 'gone')
    },
    'more names come than go': async (bench) => {
      await bench.say('new', [1])
      await bench.say('newer', [1])
      await bench.say('old', 'gone')
    },
    'two files swap places': async (bench) => {
      await bench.have('new', [2])
      await bench.say('new', [1])
      await bench.say('old', [2])
    },
  }
  for (const [what, happens] of Object.entries(cases))
    await t.test(what, async (t) => {
      const bench = newApplierBench(t)
      await bench.have('old', [1])
      await happens(bench)
      await bench.runOnline(800)
      assert.deepEqual(
        jobsOf(bench).filter((job) => job.startsWith('move')),
        [],
      )
      assertInStep(bench, 'old', 'new')
    })
})

test('a reader’s own change at the old name is not moved away', async (t) => {
  const bench = newApplierBench(t, { isWriter: false })
  await bench.have('old', [1])
  const row = bench.index.disk(at('old'))!
  bench.disk.file('old', [5])
  const drift = { kinds: ['content'], sinceMs: 1, fact: fileFact([5]) } as const
  bench.index.transaction(() =>
    bench.index.setDisk(at('old'), { ...row, stat: bench.disk.stat('old'), drift }, contentOf([5]).layout),
  )
  await bench.say('new', [1])
  await bench.say('old', 'gone')
  await bench.runOnline()
  assert.deepEqual(
    jobsOf(bench).filter((job) => job.startsWith('move')),
    [],
  )
  assert.ok(bench.isInStep('new'))
  assert.ok(bench.exchange.chunksAsked.includes(1))
})

test('A3: a move that finds the disk changed is made up for by a copy, and both directories are looked at', async (t) => {
  const base = newApplyBench()
  const bench = newApplierBench(t, { base })
  await bench.have('d', 'directory')
  await bench.have('d/old', [1])
  await bench.say('new', [1])
  await bench.say('d/old', 'gone')
  bench.pool.answers.set('new', { result: { status: 'changed' } })
  await bench.runOnline(800)
  assert.deepEqual(jobsOf(bench), ['move new < d/old', 'file new', 'remove d/old'])
  assert.deepEqual([...new Set(bench.rescans)].sort(), ['', 'd'])
  assertInStep(bench, 'new', 'd/old')
})

test('a write into the file while it was moved is looked at under the new name, on top of what that was to hold', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('old', [1])
  await bench.say('new', [1])
  await bench.say('old', 'gone')
  const { version } = bench.index.effective(at('new'))
  bench.pool.answers.set('new', { result: { status: 'done' }, after: true })
  await bench.run()
  assert.deepEqual(jobsOf(bench), ['move new < old'])
  assert.deepEqual(bench.rescans, [''])
  const row = bench.index.disk(at('new'))
  assert.deepEqual([row?.applied.version, row?.stat], [version, undefined])
  assert.equal(bench.index.applied(at('old')).fact.type, 'absent')
})

test('P3: no move into a directory that takes the place of a file whose content is still wanted: each would wait for the other', async (t) => {
  const cases: Readonly<Record<string, (bench: ApplierBench) => Promise<void>>> = {
    'the content is that of the file in the way': async (bench) => {
      await bench.have('d', [1])
      await bench.have('old', [1])
      await bench.say('d', 'directory')
      await bench.say('d/new', [1])
      await bench.say('old', 'gone')
    },
    'deeper down': async (bench) => {
      await bench.have('d', [1])
      await bench.have('old', [1])
      await bench.say('d', 'directory')
      await bench.say('d/e', 'directory')
      await bench.say('d/e/new', [1])
      await bench.say('old', 'gone')
    },
    'two such files, each wanted where the other one is': async (bench) => {
      await bench.have('d', [1])
      await bench.have('e', [2])
      await bench.have('old1', [1])
      await bench.have('old2', [2])
      await bench.say('d', 'directory')
      await bench.say('e', 'directory')
      await bench.say('d/new', [2])
      await bench.say('e/new', [1])
      await bench.say('old1', 'gone')
      await bench.say('old2', 'gone')
    },
  }
  for (const [what, happens] of Object.entries(cases))
    await t.test(what, async (t) => {
      const bench = newApplierBench(t)
      await happens(bench)
      await bench.run(2000)
      assertInStep(bench, ...['d', 'd/e', 'd/new', 'd/e/new', 'e', 'e/new', 'old', 'old1', 'old2'])
      assert.deepEqual(bench.exchange.asked, [], 'it lies on this disk')
    })
})

test('a directory takes the place of a file that nobody wants: what goes into it is moved', async (t) => {
  const bench = newApplierBench(t)
  await bench.have('d', [1])
  await bench.have('old', [2])
  await bench.say('d', 'directory')
  await bench.say('d/new', [2])
  await bench.say('old', 'gone')
  await bench.run(2000)
  assert.deepEqual(jobsOf(bench), ['mkdir d', 'move d/new < old'])
  assertInStep(bench, 'd', 'd/new', 'old')
})
