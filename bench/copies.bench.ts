// What does the promise of copies cost a daemon with many files? Reads which pieces a share needs from an index in LMDB,
// and counts them among holders.
//   npm run bench -- copies [FILES] [PIECES] [MEMBERS]      default 470000 1000000 10
// Said are milliseconds of the event loop, the longest that it was held up, and what is kept in memory. The counts are
// checked; nothing else is.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { countingCopies, type Holder } from '../src/core/copies.js'
import type { FileEntry } from '../src/core/entry.js'
import { blake3 } from '../src/core/hash.js'
import type { DeviceId, WriterId } from '../src/core/ids.js'
import type { RelPath } from '../src/core/path.js'
import { contentIdOf, type PieceInfo } from '../src/core/piece.js'
import { walkLivePieces } from '../src/daemon/copies/live-walk.js'
import { inSlices, type Sliced } from '../src/daemon/copies/slices.js'
import { openLmdb } from '../src/store/lmdb.js'
import { ShareIndex } from '../src/store/share-index.js'

const BATCH = 2000
const PIECE_BYTES = 14_524
const WRITER = '0102030405060708' as WriterId

const [files = 470_000, pieces = 1_000_000, members = 10] = process.argv.slice(2).map(Number)
const base = fs.mkdtempSync(path.join(process.env.BENCH_DIR ?? os.tmpdir(), 'shoal-bench-'))
try {
  console.log(`node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}`)
  await measure()
} finally {
  fs.rmSync(base, { recursive: true, force: true })
}

async function measure(): Promise<void> {
  const database = openLmdb(base)
  const index = new ShareIndex(database, 'x-', { overwriteDrift: () => false, isIgnored: () => false })
  fill(index)
  const walked = await timed(`reading ${files} files, ${pieces} pieces`, walkLivePieces(index))
  const { bits, lengths } = walked.feeds.get(WRITER)!
  console.log(`kept: ${((bits.byteLength + lengths.byteLength) / 2 ** 20).toFixed(1)} MiB`)
  const all = Uint8Array.from(bits)
  const holders: Holder[] = Array.from({ length: members + 1 }, (_, i) => ({
    isOffsite: i === 0,
    feeds: new Map([[WRITER, all]]),
  }))
  const kept = await timed(
    `counting, ${members + 1} holders, all kept`,
    countingCopies(walked, holders, { min: 3, offsite: 1 }),
  )
  assert.deepEqual([kept.total.pieces, kept.short.pieces], [pieces, 0])
  const short = await timed(
    `counting, ${members + 1} holders, all short`,
    countingCopies(walked, holders, { min: members + 2, offsite: 1 }),
  )
  assert.equal(short.short.pieces, pieces)
  await database.close()
}

/** Measures event loop time in slices, and the longest of them. */
async function timed<R>(what: string, steps: Generator<unknown, R>): Promise<R> {
  const cpu = process.cpuUsage()
  let longestMs = 0
  let lastMs = performance.now()
  const done = (await inSlices(steps, () => {
    lastMs = performance.now()
    return false
  })) as Sliced<R>
  longestMs = Math.max(longestMs, performance.now() - lastMs)
  const { user, system } = process.cpuUsage(cpu)
  console.log(
    `${what}: ${done.busyMs.toFixed(0)} ms busy, ${((user + system) / 1000).toFixed(0)} ms of processor`,
  )
  return done.value
}

function fill(index: ShareIndex): void {
  index.feeds.add({
    ...{ writer: WRITER, key: Buffer.alloc(32, 1), device: 'device' as DeviceId, deviceName: 'a', epoch: 0 },
    certificate: Buffer.alloc(0),
  })
  let number = 0
  for (let from = 0; from < files; from += BATCH) {
    const announced: PieceInfo[] = []
    const entries: FileEntry[] = []
    const first = number
    for (let at = from; at < Math.min(files, from + BATCH); at++) {
      const count = Math.floor((pieces * (at + 1)) / files) - Math.floor((pieces * at) / files)
      const own = Array.from({ length: count }, (_, i) => pieceOf(number + i))
      announced.push(...own)
      entries.push({
        ...{ type: 'file', path: `mail/box${at % 500}/cur/${at}` as RelPath, version: [[WRITER, at + 1]] },
        ...{ author: WRITER, origin: WRITER, extra: [], mode: 0o644, mtimeUs: 1_700_000_000_000_000 },
        size: count * (PIECE_BYTES - 24),
        content: contentIdOf(own.map(({ id }) => id)),
        pieces: count === 0 ? [] : [{ first: number, count }],
      })
      number += count
    }
    const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
    const announcements = announced.length === 0 ? [] : [{ first, pieces: announced }]
    index.transaction(() =>
      index.ingest(index.feeds.byWriter(WRITER)!, { header, announcements, entries }, from + 1),
    )
    index.drain()
  }
}

function pieceOf(number: number): PieceInfo {
  return { id: blake3(Buffer.from(`piece ${number}`)), length: PIECE_BYTES }
}
