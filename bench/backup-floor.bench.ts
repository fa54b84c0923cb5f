// What would storing a tree on a blind node cost with nothing but what the rules ask for: no picking, asking, accounting or
// index, no feeds, no daemons? Below that no arrangement of the exchange can go.
//   npm run bench -- backup-floor [FILES] [MEAN_BYTES] [SEED]      default 40000 14500 2
// One process reads each file as a writer does for every transfer (unchanged before and after, sealed, still the piece of
// that id: P2), and sends it in frames of half a megabyte over Noise and TCP on loopback; another one decrypts, hashes each piece (P1),
// and writes packs, 8 MiB and a sync at a time (B1). In $BENCH_DIR or the folder for temporary files, from a warm cache. Beside
// restic with the same tree, where it is installed.
import { type ChildProcess, fork } from 'node:child_process'
import fs from 'node:fs'
import { open } from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ShareId } from '../src/core/ids.js'
import { type PieceKeys, pieceIdOf } from '../src/core/piece.js'
import { SafeRoot } from '../src/folder/safefs.js'
import { packReadJobs, type ReadPieceJob, readPiecesBatch, unpackPieces } from '../src/folder/serve.js'
import { RoomyNoise } from '../src/swarm/roomy-noise.js'
import { FRAME_HEADER_BYTES, frameHeader, packIdentity, pieceFrame } from '../src/vault/frame.js'
import { BACKUP_TOOLS } from './support/backup-tools.js'
import { table } from './support/report.js'
import { makeTree } from './support/tree.js'

const FRAME_BYTES = 384 * 1024
const BATCH = 64
const SYNC_BYTES = 8 * 2 ** 20
const SHARE = '07'.repeat(32) as ShareId
const keys: PieceKeys = { sivKey: Buffer.alloc(32, 1), pieceKey: Buffer.alloc(32, 2) }

if (process.argv[2] === 'store') await store(process.argv[3]!)
else await measure()

async function measure(): Promise<void> {
  const [filesText = '40000', meanText = '14500', seedText = '2'] = process.argv.slice(2)
  const base = fs.mkdtempSync(path.join(process.env.BENCH_DIR ?? os.tmpdir(), 'shoal-bench-'))
  try {
    const source = path.join(base, 'source')
    const facts = makeTree(source, Number(filesText), Number(meanText), Number(seedText))
    console.log(`node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}`)
    console.log(`${facts.files} files, ${(facts.bytes / 2 ** 20).toFixed(0)} MiB\n`)
    const jobs = jobsOf(source)
    const { writer, blind, seconds } = await transfer(source, jobs, path.join(base, 'pack'))
    const micros = (cpuSeconds: number): string => ((cpuSeconds / jobs.length) * 1e6).toFixed(0)
    const rows = [
      ['', 's', 'CPU s', 'microseconds of it a file'],
      ['writer: reads, checks, seals, encrypts, sends', '', writer.toFixed(2), micros(writer)],
      ['blind node: receives, decrypts, hashes, writes', '', blind.toFixed(2), micros(blind)],
      ['both', seconds.toFixed(1), (writer + blind).toFixed(2), micros(writer + blind)],
    ]
    const restic = BACKUP_TOOLS.find(({ name }) => name === 'restic off')
    const obstacle = restic?.obstacle()
    if (restic === undefined || obstacle !== undefined) console.log(`skipped restic: ${obstacle}`)
    else {
      const [folder, target] = [path.join(base, 'restic'), path.join(base, 'restored')]
      for (const each of [folder, target]) fs.mkdirSync(each)
      const { backup } = await restic.run(folder, source, target)
      rows.push([
        'restic, no compression, all of it',
        backup.seconds.toFixed(1),
        backup.cpuSeconds.toFixed(2),
        micros(backup.cpuSeconds),
      ])
    }
    table(rows)
  } finally {
    fs.rmSync(base, { recursive: true, force: true })
  }
}

/** Each file as one piece of at most 1 MiB, with the id it must have. */
function jobsOf(source: string): ReadPieceJob[] {
  const root = new SafeRoot(source)
  const names = fs
    .readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => path.relative(source, path.join(each.parentPath, each.name)))
    .sort()
  const jobs = names.flatMap((name): ReadPieceJob[] => {
    const stat = root.lstat(name)
    if (stat?.type !== 'file' || stat.size === 0) return []
    return [{ path: name, stat, offset: 0, length: Math.min(stat.size, 2 ** 20) }]
  })
  root.close()
  return inBatches(jobs).flatMap((batch) =>
    read(source, batch).map((piece, i) => ({ ...batch[i]!, id: pieceIdOf(piece) })),
  )
}

function read(source: string, jobs: readonly ReadPieceJob[]): Buffer[] {
  const room = Buffer.allocUnsafeSlow(jobs.reduce((sum, { length }) => sum + length + 64, 0)).buffer
  const payload = packReadJobs(source, keys, jobs, room as ArrayBuffer)
  return unpackPieces(payload, readPiecesBatch(payload)).map((piece) => {
    if (piece === null) throw new Error('a file has changed')
    return piece
  })
}

function inBatches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) =>
    all.slice(i * BATCH, (i + 1) * BATCH),
  )
}

async function transfer(
  source: string,
  jobs: readonly ReadPieceJob[],
  pack: string,
): Promise<{ writer: number; blind: number; seconds: number }> {
  const child = fork(fileURLToPath(import.meta.url), ['store', pack], { execArgv: process.execArgv })
  const { port } = await said<{ port: number }>(child)
  const noise = new RoomyNoise(true, net.connect(port, '127.0.0.1'))
  noise.on('error', () => undefined)
  await noise.opened
  const start = performance.now()
  const before = process.cpuUsage()
  let pieces: Buffer[] = []
  let bytes = 0
  const send = async (): Promise<void> => {
    const frame = noise.alloc(bytes)
    let at = 0
    for (const piece of pieces) {
      at = frame.writeUInt32LE(piece.length, at)
      at += piece.copy(frame, at)
    }
    pieces = []
    bytes = 0
    if (!noise.write(frame)) await new Promise((resolve) => noise.once('drain', resolve))
  }
  for (const batch of inBatches(jobs))
    for (const piece of read(source, batch)) {
      pieces.push(piece)
      bytes += 4 + piece.length
      if (bytes >= FRAME_BYTES) await send()
    }
  if (bytes > 0) await send()
  // The other side knows which pieces come, from feeds; here it is told how many.
  child.send({ pieces: jobs.length })
  const { cpuSeconds } = await said<{ cpuSeconds: number }>(child)
  const { user, system } = process.cpuUsage(before)
  noise.destroy()
  return { writer: (user + system) / 1e6, blind: cpuSeconds, seconds: (performance.now() - start) / 1000 }
}

function said<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T))
    child.once('exit', (code) => reject(new Error(`the other process ended: ${code}`)))
  })
}

/** The blind node's half: one connection, until all pieces that it is told of are durable. */
async function store(pack: string): Promise<void> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  process.send!({ port: (server.address() as net.AddressInfo).port })
  const socket = await new Promise<net.Socket>((resolve) => server.once('connection', resolve))
  const noise = new RoomyNoise(false, socket)
  noise.on('error', () => undefined)
  await noise.opened
  const before = process.cpuUsage()
  const identity = packIdentity(SHARE, 1)
  const handle = await open(pack, 'wx')
  let parts: Buffer[] = []
  let frames: Buffer[] = []
  let waiting = 0
  let offset = 0
  let count = 0
  let expected = Number.POSITIVE_INFINITY
  let isWriting = false
  const write = async (): Promise<void> => {
    if (isWriting) return
    isWriting = true
    const [ours, used] = [parts, frames]
    parts = []
    frames = []
    waiting = 0
    if (ours.length > 0) await handle.writev(ours)
    await handle.datasync()
    for (const frame of used) noise.giveBack(frame)
    isWriting = false
    if (waiting >= SYNC_BYTES || (count === expected && waiting > 0)) void write()
    else if (count === expected) {
      const { user, system } = process.cpuUsage(before)
      process.send!({ cpuSeconds: (user + system) / 1e6 })
      noise.destroy()
      server.close()
      process.disconnect()
    }
  }
  process.once('message', (message) => {
    expected = (message as { pieces: number }).pieces
    void write()
  })
  noise.on('data', (frame: Buffer) => {
    for (let at = 0; at < frame.length; ) {
      const length = frame.readUInt32LE(at)
      const bytes = frame.subarray(at + 4, at + 4 + length)
      at += 4 + length
      // A blind node compares it with the id that a feed has announced.
      const id = pieceIdOf(bytes)
      parts.push(frameHeader(identity, offset, pieceFrame(id, bytes)), bytes)
      offset += FRAME_HEADER_BYTES + length
      waiting += FRAME_HEADER_BYTES + length
      count++
    }
    frames.push(frame)
    if (waiting >= SYNC_BYTES || count === expected) void write()
  })
}
