// The stager: one job of a file at a time, what it asks of the pool, and that it lets go of every byte it was given.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApplyTask } from '../../../src/daemon/share/apply-task.js'
import { Stager } from '../../../src/daemon/share/stager.js'
import type { StageFileJob } from '../../../src/folder/stage.js'
import { contentOf } from '../../sim/contents.js'
import { type ApplyBench, fakeClock, flush, newApplyBench, PEER, pieceBytes } from './apply-support.js'

interface Scene {
  readonly bench: ApplyBench
  readonly stager: Stager
  readonly events: string[]
  released: number
  /** A peer's bytes for a part of a task. */
  give(task: ApplyTask, part: number, bytes?: Buffer): void
  fileJobs(): StageFileJob[]
}

function newScene(): Scene {
  const bench = newApplyBench()
  const events: string[] = []
  const stager = new Stager(bench.context, {
    onStaged: ({ path }) => events.push(`staged ${path}`),
    onWrong: ({ path }, part, from) => events.push(`wrong ${path} ${part.index} ${from}`),
    onMissing: ({ path }, { part }) => events.push(`missing ${path} ${part.index} ${part.notIn}`),
    onResumed: ({ path }) => events.push(`resumed ${path}`),
    onFailed: (task, code) => {
      task.dropped = true
      events.push(`${code} ${task.path}`)
    },
    onReleased: (bytes) => {
      scene.released += bytes
    },
  })
  const scene: Scene = {
    bench,
    stager,
    events,
    released: 0,
    give: (task, index, bytes) => {
      const part = task.parts[index]!
      const chunk = [1, 2, 3].find((n) => contentOf([n]).pieces[0]!.id.equals(part.piece.id))!
      stager.add(task, {
        part,
        type: 'bytes',
        bytes: bytes ?? pieceBytes(chunk),
        room: undefined,
        from: PEER,
      })
    },
    fileJobs: () => bench.pool.stageJobs.filter((job) => job.type === 'file'),
  }
  return scene
}

const LENGTHS = [1, 2, 3].map((chunk) => contentOf([chunk]).pieces[0]!.length)

async function say(scene: Scene, path: string, chunks: readonly number[]): Promise<ApplyTask> {
  await scene.bench.say(path, chunks)
  return scene.bench.taskAt(path)
}

test('parts of one file that come together go in one job, which is final', async () => {
  const scene = newScene()
  const task = await say(scene, 'a', [1, 2])
  scene.give(task, 0)
  scene.give(task, 1)
  await flush()
  assert.deepEqual(scene.events, ['staged a'])
  const [job, ...more] = scene.fileJobs()
  assert.deepEqual(more, [])
  assert.deepEqual([job!.begin, job!.final, job!.parts.length], [true, true, 2])
  assert.equal(scene.released, LENGTHS[0]! + LENGTHS[1]!)
})

test('two jobs never make one file: what comes meanwhile waits, and continues it', async () => {
  const scene = newScene()
  const task = await say(scene, 'a', [1, 2])
  let release: () => void = () => undefined
  scene.bench.pool.beforeStage = () => new Promise((resolve) => (release = resolve))
  scene.give(task, 0)
  await flush()
  scene.give(task, 1)
  await flush()
  assert.equal(scene.fileJobs().length, 1)
  scene.bench.pool.beforeStage = () => undefined
  release()
  await flush()
  assert.deepEqual(
    scene.fileJobs().map(({ begin, final }) => [begin, final]),
    [
      [true, false],
      [false, true],
    ],
  )
  assert.deepEqual(scene.events, ['staged a'])
})

test('bulk is gathered for some milliseconds, a fresh change starts at once', async (t) => {
  const clock = fakeClock(t)
  const scene = newScene()
  await scene.bench.say('bulk', [1])
  const bulk = scene.bench.taskAt('bulk', false)
  scene.give(bulk, 0)
  await flush()
  assert.deepEqual(scene.fileJobs(), [])
  await clock.advance(10)
  assert.deepEqual(scene.events, ['staged bulk'])
  scene.give(await say(scene, 'fresh', [2]), 0)
  await flush()
  assert.deepEqual(scene.events, ['staged bulk', 'staged fresh'])
})

test('P1: of a job with a wrong piece the right ones count, and who sent it is named', async () => {
  const scene = newScene()
  const task = await say(scene, 'a', [1, 2])
  scene.give(task, 0)
  scene.give(task, 1, Buffer.alloc(LENGTHS[1]!, 77))
  await flush()
  assert.deepEqual(scene.events, [`wrong a 1 ${PEER}`])
  assert.deepEqual(
    task.parts.map(({ state }) => state),
    ['staged', 'missing'],
  )
  scene.give(task, 1)
  await flush()
  assert.deepEqual(scene.events.slice(1), ['staged a'])
})

test('a place that does not hold a piece is told apart from the archive', async () => {
  const scene = newScene()
  const task = await say(scene, 'a', [1])
  const part = task.parts[0]!
  scene.stager.add(task, { part, type: 'place', path: 'x', inArchive: false, offset: 0 })
  await flush()
  scene.stager.add(task, { part, type: 'place', path: 'x', inArchive: true, offset: 0 })
  await flush()
  assert.deepEqual(scene.events, ['missing a 0 places', 'missing a 0 archive'])
})

test('an empty file is staged by a job without parts', async () => {
  const scene = newScene()
  const task = await say(scene, 'a', [1])
  const empty = { ...task, parts: [], missing: 0 }
  scene.stager.addEmpty(empty)
  await flush()
  assert.deepEqual(scene.events, ['staged a'])
  assert.deepEqual(
    scene.fileJobs().map(({ begin, final, parts }) => [begin, final, parts.length]),
    [[true, true, 0]],
  )
})

test('A4: a leftover is resumed: the rest needs sources, and a complete one goes through a last job', async () => {
  const scene = newScene()
  const part = await say(scene, 'part', [1, 2])
  const whole = await say(scene, 'whole', [3])
  scene.bench.pool.staged.set(part.token, new Map([[0, 1]]))
  scene.bench.pool.staged.set(whole.token, new Map([[0, 3]]))
  scene.stager.resume(part)
  scene.stager.resume(whole)
  await flush()
  assert.deepEqual(scene.events, ['resumed part', 'staged whole'])
  assert.deepEqual(
    part.parts.map(({ state }) => state),
    ['staged', 'missing'],
  )
  const [last] = scene.fileJobs()
  assert.deepEqual([last!.token, last!.begin, last!.final], [whole.token, false, true])
})

test('A4: a leftover without anything right in it is begun anew', async () => {
  const scene = newScene()
  const task = await say(scene, 'a', [1])
  scene.stager.resume(task)
  await flush()
  assert.deepEqual(scene.events, ['resumed a'])
  scene.give(task, 0)
  await flush()
  assert.deepEqual(
    scene.fileJobs().map(({ begin }) => begin),
    [true],
  )
})

test('a leftover whose task was dropped while it was looked at does not stay', async () => {
  const scene = newScene()
  const task = await say(scene, 'a', [1, 2])
  scene.bench.pool.staged.set(task.token, new Map([[0, 1]]))
  scene.stager.resume(task)
  task.dropped = true
  await flush()
  assert.deepEqual(scene.events, [])
  assert.equal(scene.bench.pool.staged.size, 0)
})

for (const when of ['before', 'during'] as const) {
  test(`a task dropped ${when} its job lets go of all its bytes and its file`, async () => {
    const scene = newScene()
    const task = await say(scene, 'a', [1, 2])
    let release: () => void = () => undefined
    scene.bench.pool.beforeStage = () => new Promise((resolve) => (release = resolve))
    scene.give(task, 0)
    if (when === 'during') await flush()
    scene.give(task, 1)
    task.dropped = true
    scene.bench.pool.beforeStage = () => undefined
    release()
    await flush()
    assert.deepEqual(scene.events, [])
    assert.equal(scene.released, LENGTHS[0]! + LENGTHS[1]!)
    assert.equal(scene.bench.pool.staged.size, 0)
  })
}

test('a job that fails lets go of what came in meanwhile as well', async () => {
  const scene = newScene()
  const task = await say(scene, 'a', [1, 2])
  let release: () => void = () => undefined
  scene.bench.pool.beforeStage = () => new Promise((resolve) => (release = resolve))
  scene.bench.pool.stageFaults.push('ENOSPC')
  scene.give(task, 0)
  await flush()
  scene.give(task, 1)
  scene.bench.pool.beforeStage = () => undefined
  release()
  await flush()
  assert.deepEqual(scene.events, ['ENOSPC a'])
  assert.equal(scene.released, LENGTHS[0]! + LENGTHS[1]!)
})
