// P2: what cannot be served is withdrawn with the answer that says so, and offered again afterwards. With the real index;
// the test decides when the worker has read.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_EXTRA } from '../../../src/core/entry.js'
import { deviceIdFromKey, writerIdOf } from '../../../src/core/ids.js'
import { parsePath } from '../../../src/core/path.js'
import { contentIdOf, SIV_BYTES } from '../../../src/core/piece.js'
import type { DiskStat } from '../../../src/core/stat.js'
import type { ShareContext } from '../../../src/daemon/share/context.js'
import { FilePieces } from '../../../src/daemon/share/serving.js'
import { TooManyBytes } from '../../../src/exchange/too-many-bytes.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { packLayout } from '../../../src/store/pieces.js'
import { ShareIndex } from '../../../src/store/share-index.js'

const KEY = Buffer.alloc(32, 1)
const WRITER = writerIdOf(KEY)
const PIECES = [5, 6].map((fill) => ({ id: Buffer.alloc(32, fill), length: 100 + SIV_BYTES }))
const STAT: DiskStat = {
  type: 'file',
  mode: 0o644,
  size: 100,
  mtimeMs: 1,
  ctimeMs: 1,
  ino: 1,
  dev: 1,
  nlink: 1,
  uid: 0,
  gid: 0,
}

function indexOfTwo(): ShareIndex {
  const index = new ShareIndex(new MemoryDatabase(), 's:', { overwriteDrift: false, isIgnored: () => false })
  const device = deviceIdFromKey(KEY)
  const feed = { writer: WRITER, key: KEY, device, deviceName: 'one', epoch: 0, certificate: Buffer.alloc(0) }
  const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
  const announcements = [{ first: 0, pieces: PIECES }]
  index.transaction(() => index.ingest(index.feeds.add(feed), { header, announcements, entries: [] }, 1))
  return index
}

/** A file on the disk that holds one of the pieces; without a stat it has not been looked at since the start. */
function setFile(index: ShareIndex, at: number, stat: DiskStat | undefined): void {
  const piece = PIECES[at]!
  const content = contentIdOf([piece.id])
  const fact = { type: 'file', mode: 0o644, mtimeUs: 1000, size: 100, content, extra: NO_EXTRA } as const
  const row = { applied: { version: [], fact }, stat, drift: undefined }
  index.transaction(() => index.setDisk(parsePath(`f${at}`), row, packLayout([piece])))
}

test('pieces that come to more than is said are not read, and not withdrawn either', async () => {
  const index = indexOfTwo()
  for (const at of [0, 1]) setFile(index, at, STAT)
  const readPieces = async (_root: string, _keys: unknown, jobs: readonly unknown[]): Promise<unknown> => ({
    pieces: jobs.map(() => Buffer.alloc(1)),
    room: new SharedArrayBuffer(1),
  })
  const context = { index, pool: { readPieces }, root: '/nowhere', haltReason: () => undefined }
  const pieces = new FilePieces(context as unknown as ShareContext, {
    rescan: () => assert.fail('nothing is wrong with the files'),
    onServable: () => assert.fail('nothing was withdrawn'),
  })
  const both = [0, 1].map((at) => ({ writer: WRITER, index: at }))
  const bytes = 2 * (100 + SIV_BYTES)
  assert.equal((await pieces.read(both, bytes)).length, 2)
  await assert.rejects(pieces.read(both, bytes - 1), TooManyBytes)
  pieces.stop()
})

test('P2: a piece that can be served again while others of the same answer are read is offered after that answer', async () => {
  const index = indexOfTwo()
  setFile(index, 0, STAT)
  setFile(index, 1, undefined)
  let finishReading: () => void = () => undefined
  const pool = {
    readPieces: () =>
      new Promise((resolve) => {
        finishReading = () => resolve({ pieces: [Buffer.alloc(1)], room: new ArrayBuffer(1) })
      }),
  }
  const context = { index, pool, root: '/nowhere', haltReason: () => undefined } as unknown as ShareContext
  const order: string[] = []
  let isOffered: () => void = () => undefined
  const offered = new Promise<void>((resolve) => {
    isOffered = resolve
  })
  const pieces = new FilePieces(context, {
    rescan: () => undefined,
    onServable: (writer, indices) => {
      assert.equal(writer, WRITER)
      order.push(`offered ${indices.join()}`)
      isOffered()
    },
  })
  try {
    const reading = pieces.read([
      { writer: WRITER, index: 0 },
      { writer: WRITER, index: 1 },
    ])
    setFile(index, 1, STAT)
    // Several times as long as until the first look whether what was withdrawn can be served.
    await new Promise((resolve) => setTimeout(resolve, 500))
    finishReading()
    const [first, second] = await reading
    order.push('answered')
    assert.ok(first instanceof Buffer)
    assert.equal(second, null)
    // FilePieces lets a process end, and so does this wait.
    const alive = setInterval(() => undefined, 1000)
    await offered
    clearInterval(alive)
    assert.deepEqual(order, ['answered', 'offered 1'])
  } finally {
    pieces.stop()
  }
})

test('a piece that was asked for before its file was looked at is offered once it was, however late that is', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const index = indexOfTwo()
  setFile(index, 0, undefined)
  const offered: number[] = []
  const context = { index, pool: { readPieces: assert.fail }, root: '/nowhere', haltReason: () => undefined }
  const pieces = new FilePieces(context as unknown as ShareContext, {
    rescan: () => {},
    onServable: (_writer, indices) => offered.push(...indices),
  })
  try {
    assert.deepEqual(await pieces.read([{ writer: WRITER, index: 0 }]), [null])
    t.mock.timers.tick(10_000)
    t.mock.timers.tick(10_000)
    assert.deepEqual(offered, [])
    setFile(index, 0, STAT)
    t.mock.timers.tick(10_000)
    assert.deepEqual(offered, [0])
  } finally {
    pieces.stop()
  }
})
