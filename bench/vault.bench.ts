// How much memory does a vault of many pieces take, and how fast are its packs written, read and gone over?
//   npm run bench -- vault [PIECES] [BYTES]      default 1000000 256
// One process fills a vault in a temporary folder with so many pieces of about so many sealed bytes in batches of 4 MiB or 512;
// another opens it with its index and reads at random; a third opens it without, for reading alone. Memory is the most
// that each of them ever had resident (the index is mapped, and counts). Node gets the flags that it gets in a daemon.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { blake3 } from '../src/core/hash.js'
import { shareIdFromBytes } from '../src/core/ids.js'
import { silentLog } from '../src/ports/log.js'
import { openLmdb } from '../src/store/lmdb.js'
import { FolderStorage } from '../src/vault/folder-storage.js'
import { type StoredPiece, Vault } from '../src/vault/vault.js'
import { FLAGS } from '../test/support/command.js'
import { table } from './support/report.js'

const BATCH_BYTES = 4 * 2 ** 20
const BATCH_PIECES = 512
const READS = 20_000
const READ_AT_ONCE = 16
const SHARE = shareIdFromBytes(Buffer.alloc(32, 1))

type Figures = Readonly<Record<string, number>>
const PARTS = ['write', 'read', 'rebuild'] as const

const [first = '1000000', second = '256', part, root = ''] = process.argv.slice(2)
const pieces = Number(first)
const bytes = Number(second)
if (part === undefined) measureAll()
else console.log(JSON.stringify(await measure(part as (typeof PARTS)[number])))

function measureAll(): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-vault-bench-'))
  try {
    console.log(`node ${process.version}, ${os.cpus()[0]?.model}; ${pieces} pieces of ${bytes} bytes`)
    const rows: string[][] = []
    for (const each of PARTS) {
      const args = [...FLAGS, fileURLToPath(import.meta.url), first, second, each, folder]
      const { stdout, status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      if (status !== 0) throw new Error(`${each} failed`)
      const figures = JSON.parse(stdout.toString()) as Figures
      for (const [name, value] of Object.entries(figures)) rows.push([each, name, String(value)])
    }
    table([['part', 'figure', 'value'], ...rows])
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(what: (typeof PARTS)[number]): Promise<Figures> {
  const folder = path.join(root, 'vault')
  const isReading = what === 'rebuild'
  const database = isReading ? undefined : openLmdb(path.join(root, 'index'))
  const startedMs = performance.now()
  const vault = await Vault.open({
    storage: await (isReading ? FolderStorage.openReadOnly(folder) : FolderStorage.open(folder)),
    ...(database === undefined ? {} : { database }),
    ...{ shareId: SHARE, log: silentLog },
  })
  const openMs = performance.now() - startedMs
  const figures = what === 'write' ? await fill(vault) : await readAll(vault)
  const { packs } = vault.stats()
  await vault.close()
  await database?.close()
  const rss = process.resourceUsage().maxRSS / 1024
  return { 'open, ms': Math.round(openMs), ...figures, packs, 'most memory (RSS), MiB': Math.round(rss) }
}

async function fill(vault: Vault): Promise<Figures> {
  let writingMs = 0
  for (let number = 0; number < pieces; ) {
    const batch: StoredPiece[] = []
    while (batch.length * bytes < BATCH_BYTES && batch.length < BATCH_PIECES && number < pieces)
      batch.push(pieceOf(number++))
    const startedMs = performance.now()
    await vault.add({ pieces: batch })
    writingMs += performance.now() - startedMs
  }
  return { 'written and synced, MB/s': rate(pieces * bytes, writingMs) }
}

async function readAll(vault: Vault): Promise<Figures> {
  if (vault.stats().pieces !== pieces) throw new Error(`${vault.stats().pieces} pieces are there`)
  const reads = Math.min(READS, pieces)
  const startedMs = performance.now()
  for (let at = 0; at < reads; at += READ_AT_ONCE) {
    const some = Array.from({ length: READ_AT_ONCE }, (_, i) => pieceOf(((at + i) * 7919) % pieces))
    const read = await vault.read(some.map(({ id }) => id))
    some.forEach((piece, i) => {
      if (read[i]?.equals(piece.bytes) !== true) throw new Error('a piece is not what was written')
    })
  }
  const readMs = performance.now() - startedMs
  const verifyMs = performance.now()
  const report = await vault.verify()
  if (report.frames !== pieces) throw new Error(`${report.frames} frames are whole`)
  return {
    'pieces at random, 1/s': Math.round((reads * 1000) / readMs),
    'verified, MB/s': rate(report.bytes, performance.now() - verifyMs),
  }
}

function pieceOf(number: number): StoredPiece {
  const content = Buffer.alloc(bytes, createHash('sha256').update(String(number)).digest())
  return { id: blake3(content), bytes: content }
}

function rate(total: number, ms: number): number {
  return Math.round(total / 1000 / Math.max(1, ms))
}
