// A disk that could not write something back says so once: what was told to a sync that ran ahead must not be forgotten.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, it } from 'node:test'
import type { RelPath } from '../../../src/core/path.js'
import { makeDurable } from '../../../src/daemon/restore/durable-tree.js'
import { SyncAhead } from '../../../src/daemon/restore/sync-ahead.js'
import type { FillStep } from '../../../src/folder/fill-job.js'
import type { FolderPool } from '../../../src/folder/pool.js'

const MUCH = 200 << 20

let dir: string
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(tmpdir(), 'shoal-ahead-'))
})
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }))

/** Answers one call after the other as told, and holds each until it is let go. */
function calls(answers: readonly (boolean | undefined)[]) {
  const held: (() => void)[] = []
  let count = 0
  const sync = (): Promise<boolean | undefined> => {
    const answer = answers[count++]
    return new Promise((resolve) => held.push(() => resolve(answer)))
  }
  return { sync, next: (): void => held.shift()!(), count: (): number => count }
}

it('begins once much was written, one at a time, and ends with one of its own', async () => {
  const { sync, next, count } = calls([true, true])
  const ahead = new SyncAhead(dir, sync)
  ahead.wrote(1000)
  assert.equal(count(), 0)
  ahead.wrote(MUCH)
  ahead.wrote(MUCH)
  assert.equal(count(), 1)
  next()
  const finished = ahead.finish()
  while (count() < 2) await new Promise(setImmediate)
  next()
  assert.equal(await finished, true)
  ahead.close()
})

it('A4: one that failed is not made good by a later one', async () => {
  const { sync, next, count } = calls([false, true])
  const ahead = new SyncAhead(dir, sync)
  ahead.wrote(MUCH)
  next()
  assert.equal(await ahead.finish(), false)
  assert.equal(count(), 1)
  ahead.close()
})

it('A4: one that could not even be asked for is not known to be written', async () => {
  const ahead = new SyncAhead(dir, () => Promise.reject(new Error('no thread')))
  ahead.wrote(MUCH)
  assert.equal(await ahead.finish(), false)
  ahead.close()
})

it('says so where there is no such call, and tells which directory it was given', async () => {
  const { sync, next, count } = calls([undefined])
  const ahead = new SyncAhead(dir, sync)
  const { dev, ino } = fs.statSync(dir)
  assert.deepEqual(ahead.root, { dev, ino })
  const finished = ahead.finish()
  while (count() < 1) await new Promise(setImmediate)
  next()
  assert.equal(await finished, undefined)
  ahead.close()
})

it('the real one works here, and closes its descriptor after a sync that is under way', async () => {
  const ahead = new SyncAhead(dir)
  ahead.wrote(MUCH)
  ahead.close()
  const before = fs.readdirSync('/proc/self/fd').length
  while (fs.readdirSync('/proc/self/fd').length >= before) await new Promise(setImmediate)
  const other = new SyncAhead(dir)
  assert.equal(await other.finish(), true)
  other.close()
})

it('A4: what a sync ahead could not write is asked for path by path, what is not known for all at once', async () => {
  const steps: FillStep[] = []
  const fill = async (_dir: string, _root: unknown, _keys: unknown, step: FillStep) => {
    steps.push(step)
    return { faults: [] }
  }
  const tree = (answer: boolean | undefined): Parameters<typeof makeDurable>[0] => ({
    ...{ dir, root: { dev: 1, ino: 1 }, keys: { sivKey: Buffer.alloc(32), pieceKey: Buffer.alloc(32) } },
    ...{ pool: { fill } as unknown as FolderPool, ahead: { finish: async () => answer } as SyncAhead },
    ...{ files: () => ['a' as RelPath], directories: () => ['d' as RelPath] },
  })
  await makeDurable(tree(true))
  assert.deepEqual(steps.splice(0), [])
  await makeDurable(tree(undefined))
  assert.deepEqual(steps.splice(0), [{ type: 'sync' }])
  await makeDurable(tree(false))
  assert.deepEqual(steps, [
    { type: 'sync', files: ['a'] },
    { type: 'sync', directories: ['d'] },
  ])
})
