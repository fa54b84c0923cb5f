// The fetcher: what it asks the exchange for, when, and what it lets go of.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_EXTRA } from '../../../src/core/entry.js'
import type { DeviceId } from '../../../src/core/ids.js'
import { contentIdOf, type PieceInfo } from '../../../src/core/piece.js'
import { type ApplyTask, type TaskPart, taskOf } from '../../../src/daemon/share/apply-task.js'
import { Fetcher } from '../../../src/daemon/share/fetcher.js'
import { FakeExchange, PEER } from './apply-support.js'
import { at, newIndex } from './support.js'

const MIB = 1 << 20
/** Bytes that may be on their way for bulk; fresh changes may go to twice that. */
const BUDGET = 16 * MIB

interface Scene {
  readonly fetcher: Fetcher
  readonly exchange: FakeExchange
  readonly got: { readonly task: ApplyTask; readonly part: TaskPart; readonly from: DeviceId }[]
  /** Adds all parts of a task and pumps. */
  start(task: ApplyTask): void
  arrive(piece: PieceInfo): void
}

function newScene(): Scene {
  const exchange = new FakeExchange()
  const got: { task: ApplyTask; part: TaskPart; from: DeviceId }[] = []
  const fetcher = new Fetcher(newIndex(), exchange, (task, part, { from }) => {
    got.push({ task, part, from })
  })
  return {
    fetcher,
    exchange,
    got,
    start: (task) => {
      for (const part of task.parts) fetcher.add(task, part)
      fetcher.pump()
    },
    arrive: ({ id, length }) => exchange.emit('pieces', [{ id, bytes: Buffer.alloc(length), from: PEER }]),
  }
}

function piece(n: number, length = MIB): PieceInfo {
  const id = Buffer.alloc(32)
  id.writeUInt32BE(n)
  return { id, length }
}

function task(path: string, pieces: readonly PieceInfo[], fresh = false): ApplyTask {
  const content = contentIdOf(pieces.map(({ id }) => id))
  const fact = { type: 'file', mode: 0o644, mtimeUs: 1, size: 1, content, extra: NO_EXTRA } as const
  return taskOf(at(path), { type: 'write', fact }, [], fresh, pieces)
}

function many(first: number, count: number, length = MIB): PieceInfo[] {
  return Array.from({ length: count }, (_, i) => piece(first + i, length))
}

function bytesAsked({ exchange }: Scene): number {
  return exchange.asked.reduce((sum, { length }) => sum + length, 0)
}

test('one piece that two files want is fetched once and delivered to both', () => {
  const scene = newScene()
  const both = [task('a', [piece(1)]), task('b', [piece(1)])]
  for (const one of both) scene.start(one)
  assert.equal(scene.exchange.asked.length, 1)
  scene.arrive(piece(1))
  assert.deepEqual(
    scene.got.map(({ task: of, from }) => [of.path, from]),
    [
      ['a', PEER],
      ['b', PEER],
    ],
  )
})

test('no more is asked for than the budget allows, and more when bytes are released', () => {
  const scene = newScene()
  const pieces = many(1, 40)
  scene.start(task('a', pieces))
  assert.equal(bytesAsked(scene), BUDGET)
  scene.fetcher.pump()
  assert.equal(bytesAsked(scene), BUDGET)
  for (const one of pieces.slice(0, 8)) scene.arrive(one)
  assert.equal(bytesAsked(scene), BUDGET, 'what has arrived is still in memory')
  scene.fetcher.released(8 * MIB)
  assert.equal(bytesAsked(scene), BUDGET + 8 * MIB)
})

test('each copy of a piece for several files counts until it is released', () => {
  const scene = newScene()
  const shared = many(1, 16)
  scene.start(task('a', shared))
  scene.start(task('b', shared))
  scene.start(task('c', many(100, 16)))
  for (const one of shared) scene.arrive(one)
  scene.fetcher.released(16 * MIB)
  assert.equal(bytesAsked(scene), BUDGET, 'the other copies are still in memory')
  scene.fetcher.released(16 * MIB)
  assert.equal(bytesAsked(scene), 2 * BUDGET)
})

test('dropped tasks unwant what nobody else waits for, and give their budget back', () => {
  const scene = newScene()
  const dropped = task('a', many(1, 16))
  scene.start(dropped)
  scene.start(task('b', [piece(1)]))
  scene.start(task('c', many(100, 15)))
  const ids: string[] = []
  scene.exchange.unwant = (list) => ids.push(...list.map(({ id }) => id.toString('hex')))
  dropped.dropped = true
  scene.fetcher.drop(dropped)
  assert.deepEqual(
    ids,
    many(2, 15).map(({ id }) => id.toString('hex')),
  )
  scene.fetcher.pump()
  assert.equal(bytesAsked(scene), BUDGET + 15 * MIB)
  scene.arrive(piece(1))
  assert.deepEqual(
    scene.got.map(({ task: of }) => of.path),
    ['b'],
  )
})

test('what only dropped tasks queue for is never asked for', () => {
  const scene = newScene()
  scene.start(task('a', many(1, 16)))
  const dropped = task('b', [piece(50)])
  scene.start(dropped)
  scene.start(task('c', [piece(60)]))
  dropped.dropped = true
  scene.fetcher.drop(dropped)
  scene.fetcher.released(16 * MIB)
  const asked = scene.exchange.asked.map(({ id }) => id.readUInt32BE())
  assert.ok(!asked.includes(50))
  assert.ok(asked.includes(60))
})

test('a piece that comes for dropped tasks alone gives its budget back', () => {
  const scene = newScene()
  const first = task('a', many(1, 16))
  scene.start(first)
  scene.start(task('b', many(100, 16)))
  first.dropped = true
  for (const one of many(1, 16)) scene.arrive(one)
  assert.deepEqual(scene.got, [])
  assert.equal(bytesAsked(scene), 2 * BUDGET)
})

test('X3: a fresh change goes out although bulk has used up the budget, ahead of bulk', () => {
  const scene = newScene()
  scene.start(task('bulk', many(1, 40)))
  assert.equal(bytesAsked(scene), BUDGET)
  scene.start(task('fresh', [piece(90, 1000)], true))
  assert.deepEqual(
    scene.exchange.asked.slice(16).map(({ id, priority }) => [id.readUInt32BE(), priority]),
    [[90, 0]],
  )
  assert.ok(scene.exchange.asked.slice(0, 16).every(({ priority }) => priority === 1))
})

test('X3: a fresh change does not wait for a piece that bulk has in its queue', () => {
  const scene = newScene()
  scene.start(task('bulk', many(1, 40)))
  scene.start(task('fresh', [piece(40)], true))
  assert.deepEqual(
    scene.exchange.asked.slice(16).map(({ id, priority }) => [id.readUInt32BE(), priority]),
    [[40, 0]],
  )
  for (const one of many(1, 39)) scene.arrive(one)
  scene.fetcher.released(16 * MIB)
  scene.fetcher.released(16 * MIB)
  const numbers = scene.exchange.asked.map(({ id }) => id.readUInt32BE())
  assert.equal(numbers.length, new Set(numbers).size, 'nothing is asked for twice')
  scene.arrive(piece(40))
  assert.deepEqual(
    scene.got.filter(({ part }) => part.piece.id.equals(piece(40).id)).map(({ task: of }) => of.path),
    ['bulk', 'fresh'],
  )
})

test('an id that files have with different lengths is two pieces, each for those that mean it', () => {
  const scene = newScene()
  for (const [name, length] of [
    ['a', 100],
    ['b', 200],
    ['c', 200],
  ] as const)
    scene.start(task(name, [piece(1, length)]))
  assert.deepEqual(
    scene.exchange.asked.map(({ length }) => length),
    [100, 200],
  )
  scene.arrive(piece(1, 200))
  assert.deepEqual(
    scene.got.map(({ task: of }) => of.path),
    ['b', 'c'],
  )
})

test('P1: a wrong piece is reported with who sent it', () => {
  const scene = newScene()
  const one = task('a', [piece(1)])
  const wrong: unknown[] = []
  scene.exchange.wrong = ({ id }, from) => wrong.push([id, from])
  scene.fetcher.wrong(one.parts[0]!, PEER)
  assert.deepEqual(wrong, [[piece(1).id, PEER]])
})
