// A task whose step changes while a worker still puts its file together (P1, A2): the next one for the same path and
// content has the same name in the staging area, and two jobs on one staged file can leave holes in it that nothing
// notices any more. With the real applier and index; a pool and an exchange that the test holds in its hand.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { NO_EXTRA } from '../../../src/core/entry.js'
import { deviceIdFromKey, writerIdOf } from '../../../src/core/ids.js'
import { parsePath } from '../../../src/core/path.js'
import { contentIdOf, SIV_BYTES } from '../../../src/core/piece.js'
import { Applier } from '../../../src/daemon/share/applier.js'
import type { ShareContext } from '../../../src/daemon/share/context.js'
import type { PieceExchange } from '../../../src/daemon/share/piece-exchange.js'
import type { FolderPool } from '../../../src/folder/pool.js'
import type { StageJob } from '../../../src/folder/stage-job.js'
import type { ShareIndex } from '../../../src/store/share-index.js'
import { until } from '../../support/until.js'
import { newBench, newIndex } from './support.js'

const KEY = Buffer.alloc(32, 1)
const WRITER = writerIdOf(KEY)
const PATH = parsePath('file')
const PIECES = [5, 6].map((fill) => ({ id: Buffer.alloc(32, fill), length: 100 + SIV_BYTES }))

/** Hands out what is wanted when told to. */
class Peers extends EventEmitter {
  readonly asked: string[] = []
  want(pieces: readonly { readonly id: Buffer }[]): void {
    for (const { id } of pieces) this.asked.push(id.toString('hex'))
  }
  unwant(): void {}
  wrong(): void {}
  stats(): { inFlightBytes: number } {
    return { inFlightBytes: 1 }
  }
  isAvailable(): boolean {
    return true
  }
  deliver(id: Buffer): void {
    this.emit('pieces', [{ id, bytes: Buffer.alloc(100 + SIV_BYTES), from: deviceIdFromKey(KEY) }])
  }
}

function tell(index: ShareIndex, counter: number, mtimeUs: number): void {
  const entry = {
    type: 'file',
    path: PATH,
    version: [[WRITER, counter]],
    author: WRITER,
    origin: WRITER,
    mode: 0o644,
    mtimeUs,
    size: 200,
    content: contentIdOf(PIECES.map(({ id }) => id)),
    pieces: [{ first: 0, count: 2 }],
    extra: NO_EXTRA,
  } as const
  const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
  const announcements = counter === 1 ? [{ first: 0, pieces: PIECES }] : []
  index.transaction(() => {
    const feed = index.feeds.byWriter(WRITER)!
    assert.deepEqual(index.ingest(feed, { header, announcements, entries: [entry] }, counter), [])
  })
}

test('A2: a staged file is put together by one task at a time, also when only its time changes meanwhile', async () => {
  const index = newIndex()
  const begun: StageJob[] = []
  const pool = {
    takeRoom: (bytes: number) => new ArrayBuffer(bytes),
    // Never done: the worker is busy with other files of the batch.
    stage: (_root: string, _keys: unknown, jobs: readonly StageJob[]) => {
      begun.push(...jobs)
      return new Promise(() => undefined)
    },
  }
  const { context: common } = newBench({ index })
  const context: ShareContext = { ...common, pool: pool as unknown as FolderPool, fail: assert.fail }
  const peers = new Peers()
  const applier = new Applier({
    context,
    exchange: peers as unknown as PieceExchange,
    nowMs: () => 0,
    leftovers: [],
    rescan: () => undefined,
    isDiskKnown: () => true,
    onApplied: () => undefined,
    onMade: () => undefined,
    onQuiet: () => undefined,
  })
  try {
    tell(index, 1, 1000)
    applier.note(index.drain())
    await until('both pieces are asked for', () => peers.asked.length === 2)
    peers.deliver(PIECES[0]!.id)
    await until('a worker has begun the file', () => begun.length === 1)
    tell(index, 2, 2000)
    applier.note(index.drain())
    await new Promise((resolve) => setTimeout(resolve, 20))
    for (const { id } of PIECES) peers.deliver(id)
    // Longer than any batch waits to be started.
    await new Promise((resolve) => setTimeout(resolve, 50))
    const tokens = begun.flatMap((job) => (job.type === 'file' ? [job.token] : []))
    assert.equal(new Set(tokens).size, tokens.length, 'no two jobs for one staged file are under way')
  } finally {
    await applier.stop()
  }
})
