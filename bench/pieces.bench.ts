// What would padding and compression make of the pieces of a tree: how many bytes, and how much more work to seal them?
//   npm run bench -- pieces [FILES] [MEAN_BYTES] [SEED]      default 5000 14500 2
//   npm run bench -- pieces DIR                              a tree that is there; it is only read
// One thread, no daemon: reading, cutting, sealing and hashing as a scan does it (hashBatch), from a warm cache; compression
// is deflate of each piece's plaintext by itself, kept where it is shorter. The tree is made in $BENCH_DIR, or /dev/shm.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { chunkPlanFor, nextCut } from '../src/core/chunker.js'
import { type PieceKeys, pieceIdOf, SIV_BYTES, sealPiece, unpackedLength } from '../src/core/piece.js'
import { hashBatch } from '../src/folder/hash.js'
import { unpackHashes } from '../src/folder/hash-result.js'
import { table } from './support/report.js'
import { makeTree } from './support/tree.js'

const ROUNDS = 3
const BATCH = 256
const keys: PieceKeys = { sivKey: Buffer.alloc(32, 1), pieceKey: Buffer.alloc(32, 2) }

const [first = '5000', meanText = '14500', seedText = '2'] = process.argv.slice(2)
console.log(`node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}`)
if (Number.isNaN(Number(first))) measure(path.resolve(first))
else {
  const place = process.env.BENCH_DIR ?? (fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir())
  const base = fs.mkdtempSync(path.join(place, 'shoal-bench-'))
  try {
    makeTree(path.join(base, 'tree'), Number(first), Number(meanText), Number(seedText))
    measure(path.join(base, 'tree'))
  } finally {
    fs.rmSync(base, { recursive: true, force: true })
  }
}

function measure(root: string): void {
  const files = fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => path.relative(root, path.join(each.parentPath ?? each.path, each.name)))
  const bytes = files.reduce((sum, name) => sum + fs.statSync(path.join(root, name)).size, 0)
  console.log(`\n${files.length} files, ${mib(bytes)} MiB`)
  const plain = best(() => seal(root, files, false))
  const padded = best(() => seal(root, files, true))
  const levels = [1, 6].map((level) => ({ level, ...best(() => compress(root, files, level)) }))
  table([
    ['pieces', 'MiB sealed', 'against plain', 'CPU s', 'against plain'],
    ['plain', mib(plain.sealed), '', plain.seconds.toFixed(2), ''],
    [
      'padded',
      mib(padded.sealed),
      percent(padded.sealed, plain.sealed),
      ...seconds(padded.seconds, plain.seconds),
    ],
    ...levels.map(({ level, sealed, seconds: took }) => [
      `deflate ${level}, then sealed`,
      mib(sealed),
      percent(sealed, plain.sealed),
      ...seconds(took, plain.seconds),
    ]),
  ])
  const [fast] = levels
  console.log(
    `${plain.pieces} pieces, ${padded.pieces} padded; ${fast!.shorter} of them shorter by deflate 1;`,
  )
  console.log(`taking them apart again (inflate alone): ${fast!.inflate.toFixed(2)} s`)
}

function seal(
  root: string,
  files: readonly string[],
  isPadded: boolean,
): { seconds: number; sealed: number; pieces: number } {
  const start = cpuSeconds()
  let sealed = 0
  let pieces = 0
  for (let at = 0; at < files.length; at += BATCH) {
    const jobs = files.slice(at, at + BATCH).map((name) => ({ path: name, openCheck: false, isPadded }))
    for (const result of unpackHashes(hashBatch({ root, ...keys, jobs }))) {
      if (result.status !== 'ok') continue
      pieces += result.lengths.length
      for (const packed of result.lengths) sealed += unpackedLength(packed).length
    }
  }
  return { seconds: cpuSeconds() - start, sealed, pieces }
}

interface Compressed {
  readonly seconds: number
  readonly sealed: number
  readonly shorter: number
  /** Seconds, not part of the others. */
  readonly inflate: number
}

function compress(root: string, files: readonly string[], level: number): Compressed {
  let seconds = 0
  let sealed = 0
  let shorter = 0
  let inflate = 0
  for (const name of files) {
    const start = cpuSeconds()
    const content = fs.readFileSync(path.join(root, name))
    const plan = chunkPlanFor(content.length)
    const packed: Buffer[] = []
    for (let at = 0; at < content.length; ) {
      const length = nextCut(content, at, content.length, plan)
      const plaintext = content.subarray(at, at + length)
      const deflated = deflateRawSync(plaintext, { level })
      if (deflated.length < length) packed.push(deflated)
      const kept = deflated.length < length ? deflated : plaintext
      pieceIdOf(sealPiece(keys, kept))
      sealed += kept.length + SIV_BYTES
      at += length
    }
    const done = cpuSeconds()
    seconds += done - start
    shorter += packed.length
    for (const deflated of packed) inflateRawSync(deflated)
    inflate += cpuSeconds() - done
  }
  return { seconds, sealed, shorter, inflate }
}

/** Of this process, so that a busy machine does not count. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Of some rounds, the one that took least. */
function best<T extends { readonly seconds: number }>(run: () => T): T {
  return Array.from({ length: ROUNDS }, run).reduce((a, b) => (b.seconds < a.seconds ? b : a))
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}

function percent(bytes: number, against: number): string {
  const more = (bytes / against - 1) * 100
  return `${more < 0 ? '' : '+'}${more.toFixed(2)} %`
}

function seconds(took: number, against: number): string[] {
  return [took.toFixed(2), `${(took / against).toFixed(2)} x`]
}
