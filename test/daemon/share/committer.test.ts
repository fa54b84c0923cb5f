// The committer against a real index and a pool that does what it is told: what is noted and when (A4), what a path has to
// be before it is touched (A3), and in which order a batch goes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ABSENT } from '../../../src/core/fact.js'
import type { ApplyTask } from '../../../src/daemon/share/apply-task.js'
import { Committer } from '../../../src/daemon/share/committer.js'
import { Shortcuts } from '../../../src/daemon/share/shortcuts.js'
import { contentOf } from '../../sim/contents.js'
import { type ApplyBench, directoryFact, flush, newApplyBench } from './apply-support.js'
import { at, fileFact } from './support.js'

interface Told {
  readonly committer: Committer
  /** What was said, as "done a", "changed b", ... */
  readonly events: string[]
  readonly heldBack: Set<string>
}

function committerOf(bench: ApplyBench): Told {
  const events: string[] = []
  const heldBack = new Set<string>()
  const committer = new Committer(bench.context, new Shortcuts(bench.context), () => 1, {
    onStale: ({ path }) => events.push(`stale ${path}`),
    isHeldBack: ({ path }) => heldBack.has(path),
    onDone: ({ path }) => events.push(`done ${path}`),
    onChanged: ({ path }) => events.push(`changed ${path}`),
    onBlocked: ({ path }, code) => events.push(`${code} ${path}`),
    onFailed: ({ path }, code) => events.push(`${code} ${path}`),
    onSlipped: (path) => events.push(`slipped ${path}`),
  })
  return { committer, events, heldBack }
}

/** A task with its file staged whole. */
function stagedTask(bench: ApplyBench, path: string): ApplyTask {
  const task = bench.taskAt(path)
  if (task.step.type !== 'write') return task
  const { chunks } = contentOf(bench.index.piecesOfContent(at(path), task.step.fact.content)!.map(chunkOf))
  bench.pool.staged.set(
    task.token,
    new Map(chunks.map((chunk, i) => [task.parts[i]!.offset, chunk] as const)),
  )
  return task
}

function chunkOf({ id }: { readonly id: Buffer }): number {
  for (let chunk = 1; chunk <= 9; chunk++) if (contentOf([chunk]).pieces[0]!.id.equals(id)) return chunk
  throw new Error('a piece that no test made')
}

async function commit(bench: ApplyBench, told: Told, ...paths: string[]): Promise<void> {
  for (const task of paths.map((path) => stagedTask(bench, path))) told.committer.add(task)
  await flush()
}

/** The jobs of a batch, as "file a". */
function jobsOf(bench: ApplyBench, batch = 0): string[] {
  return (bench.pool.commits[batch] ?? []).map(({ type, path }) => `${type} ${path}`)
}

test('A4: intents are noted before the pool is called, and gone once results are recorded', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('b', [1])
  await bench.say('a', [2])
  await bench.say('b', 'gone')
  let noted: unknown
  bench.pool.beforeCommit = () => {
    noted = [...bench.index.recovery.intents()].map(([path, list]) => [
      path,
      list.map(({ fact }) => fact.type),
    ])
    assert.equal(bench.index.disk(at('a')), undefined)
  }
  await commit(bench, told, 'a', 'b')
  assert.deepEqual(noted, [
    ['a', ['file']],
    ['b', ['absent']],
  ])
  assert.deepEqual(told.events, ['done a', 'done b'])
  assert.equal(bench.index.recovery.intents().size, 0)
  assert.ok(bench.isInStep('a'))
  assert.deepEqual(bench.index.applied(at('b')).fact, ABSENT)
})

test('A4: intents are cleared in the very transaction that records the results', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.say('a', [2])
  bench.index.recovery.clear = () => {
    throw new Error('crash')
  }
  await commit(bench, told, 'a')
  assert.equal((bench.failures[0] as Error).message, 'crash')
  assert.equal(bench.index.disk(at('a')), undefined, 'the record is undone with the clearing')
  assert.deepEqual([...bench.index.recovery.intents().keys()], ['a'])
  assert.deepEqual(told.events, [])
})

test('A4: when the pool fails, intents stay', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.say('a', [2])
  bench.pool.beforeCommit = () => {
    throw new Error('worker died')
  }
  await commit(bench, told, 'a')
  assert.equal(bench.failures.length, 1)
  assert.deepEqual([...bench.index.recovery.intents().keys()], ['a'])
})

test('A4: a clock that went back makes no batch overwrite the intents of an earlier run', async () => {
  const bench = newApplyBench()
  await bench.say('a', [2])
  await bench.say('b', [3])
  bench.pool.beforeCommit = () => {
    throw new Error('the process died')
  }
  await commit(bench, committerOf(bench), 'a')
  // The next run's clock shows the very same moment.
  bench.pool.beforeCommit = () => undefined
  const told = committerOf(bench)
  await commit(bench, told, 'b')
  assert.deepEqual(told.events, ['done b'])
  assert.deepEqual([...bench.index.recovery.intents().keys()], ['a'])
})

test('V1: what a newer version of the user has replaced is not put over it', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('a', [1])
  await bench.say('a', [2])
  const task = stagedTask(bench, 'a')
  // The user's change of the old file is published while the new one is on its way: a conflict that the user wins.
  bench.disk.file('a', [3])
  const fact = fileFact([3], 1_700_000_000_000_000)
  const draft = { path: at('a'), base: bench.index.applied(at('a')).version, fact }
  const disk = { stat: bench.disk.stat('a') }
  await bench.context.publish([
    { draft: { ...draft, origin: undefined, was: undefined }, pieces: contentOf([3]).pieces, disk },
  ])
  told.committer.add(task)
  await flush()
  assert.deepEqual(told.events, ['stale a'])
  assert.deepEqual(bench.pool.commits, [])
  assert.equal(bench.index.recovery.intents().size, 0)
})

test('what is held back or dropped is not committed', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  for (const path of ['a', 'b', 'c']) await bench.say(path, [2])
  told.heldBack.add('a')
  const dropped = stagedTask(bench, 'b')
  dropped.dropped = true
  told.committer.add(dropped)
  await commit(bench, told, 'a', 'c')
  assert.deepEqual(jobsOf(bench), ['file c'])
})

test("A3: the pool is to expect the row's stat, and nothing where the index knows nothing", async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('a', [1])
  const { stat } = bench.index.disk(at('a'))!
  await bench.say('a', [2])
  await bench.say('b', [3])
  await commit(bench, told, 'a', 'b')
  const expects = bench.pool.commits[0]!.map((job) => ('expect' in job ? job.expect : undefined))
  assert.deepEqual(expects, [{ type: 'stat', stat }, { type: 'absent' }])
})

test('A3: what was changed meanwhile is reported, and nothing is recorded', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('a', [1])
  const before = bench.index.disk(at('a'))
  await bench.say('a', [2])
  bench.disk.file('a', [7])
  await commit(bench, told, 'a')
  assert.deepEqual(told.events, ['changed a'])
  assert.deepEqual(bench.index.disk(at('a')), before)
  assert.deepEqual(bench.disk.nodes.get('a')!.chunks, [7])
  assert.equal(bench.index.recovery.intents().size, 0)
})

test('A3: nothing is put into a directory that the index does not know', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.say('d', 'directory')
  await bench.say('d/a', [2])
  // One of this name is there, but nobody has looked at it: it may be the user's.
  bench.disk.directory('d')
  await commit(bench, told, 'd/a')
  assert.deepEqual(told.events, ['PARENT_MISSING d/a'])
  assert.deepEqual(bench.pool.commits, [])
})

test('A3: unless the same batch makes the directory', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.say('d', 'directory')
  await bench.say('d/a', [2])
  await commit(bench, told, 'd/a', 'd')
  assert.deepEqual(told.events, ['done d', 'done d/a'])
  assert.ok(bench.isInStep('d/a'))
})

for (const why of ['dropped', 'held back', 'stale'] as const) {
  test(`A3: a directory that the batch was to make, but does not (${why}), is not known`, async () => {
    const bench = newApplyBench()
    const told = committerOf(bench)
    await bench.say('d', 'directory')
    await bench.say('d/a', [2])
    await bench.say('d/e', 'directory')
    await bench.say('d/e/a', [2])
    bench.disk.directory('d')
    const made = bench.taskAt('d')
    if (why === 'dropped') made.dropped = true
    if (why === 'held back') told.heldBack.add('d')
    const stale = { ...made, step: { type: 'mkdir', fact: directoryFact(5) } } as const
    told.committer.add(why === 'stale' ? stale : made)
    await commit(bench, told, 'd/a', 'd/e', 'd/e/a')
    assert.deepEqual(jobsOf(bench), [])
    assert.deepEqual(told.events.filter((event) => event.startsWith('PARENT')).sort(), [
      'PARENT_MISSING d/a',
      'PARENT_MISSING d/e',
      'PARENT_MISSING d/e/a',
    ])
  })
}

test('a batch makes directories from the top, then contents, removes from the bottom, sets times last', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('old', 'directory')
  await bench.have('old/in', 'directory')
  await bench.have('old/in/a', [1])
  await bench.have('kept', 'directory')
  for (const path of ['old/in/a', 'old/in', 'old']) await bench.say(path, 'gone')
  await bench.tell('kept', directoryFact(1_650_000_000_000))
  await bench.say('new', 'directory')
  await bench.say('new/in', 'directory')
  await bench.say('new/in/a', [2])
  await commit(bench, told, 'old', 'kept', 'new/in/a', 'old/in', 'new/in', 'old/in/a', 'new')
  assert.deepEqual(jobsOf(bench), [
    'mkdir new',
    'mkdir new/in',
    'file new/in/a',
    'remove old/in/a',
    'remove old/in',
    'remove old',
    'metadata kept',
    'directory new/in',
    'directory new',
    'directory kept',
  ])
  for (const path of ['old', 'kept', 'new/in', 'new/in/a']) assert.ok(bench.isInStep(path), path)
})

test('a file in the place of a directory: that goes first, then the name must be free', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('d', 'directory')
  const { stat } = bench.index.disk(at('d'))!
  await bench.say('d', 'gone')
  await bench.say('d', [4])
  await commit(bench, told, 'd')
  const [removal, file] = bench.pool.commits[0]!
  assert.deepEqual(removal, { type: 'remove', path: 'd', expect: { type: 'stat', stat } })
  assert.equal(file!.type, 'file')
  assert.deepEqual((file as { expect: unknown }).expect, { type: 'absent' })
  assert.deepEqual(told.events, ['done d'])
  assert.ok(bench.isInStep('d'))
})

test('a file in the place of a directory that cannot go is not recorded, whatever the second half says', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('d', 'directory')
  await bench.say('d', 'gone')
  await bench.say('d', [4])
  bench.disk.file('d/unknown', [9])
  await commit(bench, told, 'd')
  assert.deepEqual(told.events, ['ENOTEMPTY d'])
  assert.equal(bench.index.applied(at('d')).fact.type, 'directory')
})

test('A3: a write that slipped in is looked at where it lies now', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('a', [1])
  await bench.have('b', [1])
  for (const path of ['a', 'b']) await bench.say(path, [2])
  const stat = bench.disk.stat('a')
  bench.pool.answers.set('a', { result: { status: 'done', stat, slipped: at('a slipped') } })
  bench.pool.answers.set('b', { result: { status: 'done' } })
  await commit(bench, told, 'a', 'b')
  assert.deepEqual(told.events, ['done a', 'slipped a slipped', 'done b', 'slipped b'])
})

test('what was done but is not durable is not recorded as applied', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('a', [1])
  const before = bench.index.disk(at('a'))
  await bench.say('a', [2])
  const result = { status: 'failed', code: 'NOT_DURABLE', detail: 'EIO' } as const
  bench.pool.answers.set('a', { result, after: true })
  await commit(bench, told, 'a')
  assert.deepEqual(told.events, ['NOT_DURABLE a'])
  assert.deepEqual(bench.index.disk(at('a')), before)
  assert.ok(bench.index.isWanted(at('a')))
})

test('A9: the time of a directory that a batch disturbs is put back, and known', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('d', 'directory')
  await bench.say('d/a', [2])
  let noted: unknown
  bench.pool.beforeCommit = () => {
    noted = bench.index.recovery
      .intents()
      .get(at('d'))
      ?.map(({ fact }) => fact)
  }
  await commit(bench, told, 'd/a')
  assert.deepEqual(jobsOf(bench), ['file d/a', 'directory d'])
  assert.deepEqual(noted, [bench.index.effective(at('d')).fact], 'a crash in between is no change (A4)')
  assert.deepEqual(bench.index.disk(at('d'))!.stat, bench.disk.stat('d'))
})

test("A9: but not over a user's newer one", async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('d', 'directory')
  await bench.say('d/a', [2])
  const newerMs = 1_660_000_000_000
  bench.pool.beforeCommit = async () => {
    bench.pool.beforeCommit = () => undefined
    bench.disk.directory('d', { mtimeMs: newerMs, ino: bench.disk.stat('d').ino })
    const draft = { path: at('d'), base: bench.index.applied(at('d')).version, fact: directoryFact(newerMs) }
    const disk = { stat: bench.disk.stat('d') }
    await bench.context.publish([
      { draft: { ...draft, origin: undefined, was: undefined }, pieces: [], disk },
    ])
  }
  await commit(bench, told, 'd/a')
  assert.deepEqual(jobsOf(bench, 1), ['directory d'])
  assert.equal(bench.disk.stat('d').mtimeMs, newerMs)
  assert.deepEqual(bench.index.disk(at('d'))!.stat, bench.disk.stat('d'))
})

test('A9: another directory that a user put in the place is not taken for ours by its time', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('d', 'directory')
  await bench.say('d/a', [2])
  const known = bench.index.disk(at('d'))!.stat
  bench.pool.beforeCommit = () => bench.disk.directory('d')
  await commit(bench, told, 'd/a')
  assert.notEqual(bench.disk.stat('d').ino, known!.ino)
  assert.deepEqual(bench.index.disk(at('d'))!.stat, known)
})

test("a reader's own version is archived when the share's replaces it, even without use_sync_trash", async () => {
  const bench = newApplyBench({ isWriter: false, archive: false })
  const told = committerOf(bench)
  await bench.have('a', [1])
  await bench.have('b', [1])
  bench.disk.file('a', [3])
  const { applied } = bench.index.disk(at('a'))!
  const drift = { kinds: ['content'] as const, sinceMs: 1, fact: fileFact([3]) }
  bench.index.transaction(() =>
    bench.index.setDisk(at('a'), { applied, stat: bench.disk.stat('a'), drift }, contentOf([3]).layout),
  )
  for (const path of ['a', 'b']) await bench.say(path, [2])
  await commit(bench, told, 'a', 'b')
  assert.deepEqual([...bench.pool.archived], [['day/a', [3]]])
  const place = bench.index.archivedPlaceOf(contentOf([3]).pieces[0]!.id)
  assert.deepEqual(place, { path: 'day/a', offset: 0 })
})

test("what is larger than the limit is not archived, but a reader's own version and the small ones are", async () => {
  const bench = newApplyBench({ isWriter: false })
  const limited = { ...bench.context, maxVersionedBytes: () => fileFact([1]).size }
  const told = committerOf(Object.assign(bench, { context: limited }))
  for (const path of ['large', 'mine']) await bench.have(path, [1, 2])
  await bench.have('small', [1])
  bench.disk.file('mine', [3, 4])
  const { applied } = bench.index.disk(at('mine'))!
  const drift = { kinds: ['content'] as const, sinceMs: 1, fact: fileFact([3, 4]) }
  bench.index.transaction(() =>
    bench.index.setDisk(
      at('mine'),
      { applied, stat: bench.disk.stat('mine'), drift },
      contentOf([3, 4]).layout,
    ),
  )
  for (const path of ['large', 'mine']) await bench.say(path, [5])
  await bench.say('small', 'gone')
  await commit(bench, told, 'large', 'mine', 'small')
  assert.deepEqual([...told.events].sort(), ['done large', 'done mine', 'done small'])
  assert.deepEqual([...bench.pool.archived.keys()].sort(), ['day/mine', 'day/small'])
})

test('a commit begins when the archive is ready for it, and says when it is over', async () => {
  const bench = newApplyBench()
  const steps: string[] = []
  const context = {
    ...bench.context,
    useArchive: async (atMs: number) => {
      steps.push(`use ${atMs}`)
      await Promise.resolve()
      steps.push('ready')
      return () => void steps.push('over')
    },
  }
  const told = committerOf(Object.assign(bench, { context }))
  await bench.say('a', [2])
  bench.pool.beforeCommit = () => {
    steps.push('commit')
  }
  await commit(bench, told, 'a')
  assert.deepEqual(steps, ['use 1', 'ready', 'commit', 'over'])
})

test('A5: a root that is not to be trusted halts the share before anything is noted', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.say('a', [2])
  bench.rootFault = 'the marker is missing'
  await commit(bench, told, 'a')
  assert.equal(bench.halted, 'the marker is missing')
  assert.deepEqual(told.events, ['HALTED a'])
  assert.deepEqual(bench.pool.commits, [])
  assert.equal(bench.index.recovery.intents().size, 0)
})

test('A5: the pool is told which directory the root must be', async () => {
  const bench = newApplyBench()
  const root = { ino: 5, dev: 6 }
  const told = committerOf(Object.assign(bench, { context: { ...bench.context, rootIdentity: () => root } }))
  await bench.have('d', 'directory')
  await bench.say('d/a', [2])
  await commit(bench, told, 'd/a')
  assert.deepEqual(bench.pool.options[0]!.expectRoot, root)
})

test('A9: paths are guarded against a look at the disk for as long as the batch is on its way', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('d', 'directory')
  await bench.say('d/a', [2])
  const since = bench.context.guard.startLook()
  const states: boolean[] = []
  const state = (): void => {
    states.push(...['d/a', 'd'].map((path) => bench.context.guard.isDisturbed(at(path), since)))
  }
  bench.pool.beforeCommit = state
  state()
  await commit(bench, told, 'd/a')
  state()
  assert.deepEqual(states, [false, false, true, true, true, true])
})

for (const withholdsSetid of [true, false])
  test(`set-user-id bits are ${withholdsSetid ? 'withheld from files, and count as applied' : 'carried'}`, async () => {
    const bench = newApplyBench({ withholdsSetid })
    const told = committerOf(bench)
    const modes = (batch: number): (number | undefined)[] =>
      bench.pool.commits[batch]!.map((job) => ('mode' in job ? job.mode : undefined))
    await bench.have('old', [1])
    await bench.tell('new', { ...fileFact([2]), mode: 0o6755 })
    await bench.tell('old', { ...fileFact([1]), mode: 0o4711 })
    await bench.tell('d', { ...directoryFact(), mode: 0o2775 })
    await commit(bench, told, 'd', 'new', 'old')
    assert.deepEqual(jobsOf(bench), ['mkdir d', 'file new', 'metadata old', 'directory d'])
    assert.deepEqual(
      modes(0),
      withholdsSetid ? [0o2775, 0o755, 0o711, undefined] : [0o2775, 0o6755, 0o4711, undefined],
    )
    for (const path of ['new', 'old', 'd']) assert.equal(bench.index.step(at(path)).type, 'none', path)
    assert.deepEqual([...bench.index.withheld].sort(), withholdsSetid ? ['new', 'old'] : [])
  })

test('hooks hear of what was done, in the transaction that notes it, and of nothing else', async () => {
  const bench = newApplyBench()
  const told = committerOf(bench)
  await bench.have('gone', [1])
  await bench.have('old', [1])
  await bench.have('refused', [1])
  await bench.tell('gone', ABSENT)
  await bench.tell('old', { ...fileFact([1]), mode: 0o600 })
  await bench.tell('refused', fileFact([3]))
  await bench.tell('d', directoryFact())
  await bench.tell('d/new', fileFact([2]))
  bench.pool.answers.set('refused', { result: { status: 'changed' } })
  const states: string[] = []
  const noteChange: typeof bench.context.noteChange = (path, by) => {
    states.push(
      `${by} ${path}: ${bench.index.step(path).type}, intents ${bench.index.recovery.intents().size > 0}`,
    )
  }
  Object.assign(bench.context, { noteChange })
  await commit(bench, told, 'd', 'd/new', 'gone', 'old', 'refused')
  // The intents go with the same transaction, after it.
  assert.deepEqual(
    states.sort(),
    ['d/new', 'd', 'gone', 'old'].map((path) => `share ${path}: none, intents true`),
  )
})
