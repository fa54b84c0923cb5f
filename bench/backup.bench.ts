// How long does it take to store a tree on a blind node and to restore it from its vault, and what does that take in
// processor, memory and disk, beside restic and borg with the same tree in the same run?
//   npm run bench -- backup [FILES] [MEAN_BYTES] [SEED] [TOOLS]      default 100000 14500 2 "restic off,restic auto,borg none,borg lz4"
// In $BENCH_DIR or the folder for temporary files. A writer that has scanned the tree and a blind node over loopback, from
// the start of the blind node until it lacks nothing of what the writer has published; its vault is durable by then. Then
// `shoal restore --from VAULT` with both daemons stopped. The first scan is counted by itself: a writer does it once, the
// others read and hash all files in their backup. All restored trees are compared; a difference fails the run, a time
// never does. `npm run bench:tools`, as root, installs restic and borg where they are missing.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { deriveSecret, formatSecret, writeSecretOf } from '../src/core/secret.js'
import { BACKUP_TOOLS, type BackupFigures, settleDisk } from './support/backup-tools.js'
import { compareTrees } from './support/commands.js'
import { BenchNode, freePort } from './support/node.js'
import { table } from './support/report.js'
import { makeTree } from './support/tree.js'
import { diskMiB, MemorySampler, measureCommand, type Usage } from './support/usage.js'

const DEADLINE_MS = 30 * 60_000
const SHOAL = fileURLToPath(new URL('../../bin/shoal', import.meta.url))

interface Row extends BackupFigures {
  readonly name: string
  readonly isCompressed: boolean
}

const all = BACKUP_TOOLS.map(({ name }) => name).join(',')
const [filesText = '100000', meanText = '14500', seedText = '2', toolsText = all] = process.argv.slice(2)
const place = process.env.BENCH_DIR ?? os.tmpdir()
if (!fs.existsSync('/proc/self/stat')) {
  console.log('skipped: it looks at processes in /proc, which is not here')
  process.exit(0)
}
const base = fs.mkdtempSync(path.join(place, 'shoal-bench-'))
try {
  await measureAll(Number(filesText), Number(meanText), Number(seedText), toolsText.split(','))
} finally {
  fs.rmSync(base, { recursive: true, force: true })
}

async function measureAll(
  files: number,
  meanBytes: number,
  seed: number,
  names: readonly string[],
): Promise<void> {
  const source = path.join(base, 'source')
  const facts = makeTree(source, files, meanBytes, seed)
  const kind = spawnSync('stat', ['-f', '-c', '%T', base], { encoding: 'utf8' }).stdout?.trim()
  console.log(`node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}, on ${kind}`)
  console.log(`${facts.files} files, ${facts.folders} folders, ${(facts.bytes / 2 ** 20).toFixed(0)} MiB\n`)
  const rows: Row[] = []
  for (const name of names) {
    const tool = BACKUP_TOOLS.find((each) => each.name === name)
    if (tool === undefined) throw new Error(`there is no ${name}: ${all}`)
    const obstacle = tool.obstacle()
    if (obstacle !== undefined) {
      console.log(`skipped ${name}: ${obstacle}`)
      continue
    }
    const figures = await inFolder(name, source, (folder, target) => tool.run(folder, source, target))
    rows.push({ ...figures, name, isCompressed: tool.isCompressed })
  }
  const { scan, ...own } = await inFolder('shoal', source, (folder, target) =>
    measureShoal(folder, source, target, files),
  )
  const cells = (usage: Usage): string[] => [
    usage.seconds.toFixed(1),
    usage.cpuSeconds.toFixed(1),
    usage.peakMiB.toFixed(0),
  ]
  const lines = [{ ...own, name: 'shoal, blind node' }, ...rows].map((row) => [
    row.name,
    ...[...cells(row.backup), ...cells(row.restore)],
    ...[row.diskMiB.toFixed(1), row.besideMiB.toFixed(1)],
  ])
  table([
    ['', 'backup s', 'CPU s', 'peak MiB', 'restore s', 'CPU s', 'peak MiB', 'disk MiB', 'beside MiB'],
    ["shoal, writer's first scan", ...cells(scan)],
    ...lines,
  ])
  console.log()
  const ratio = (what: string, own: number, others: readonly Row[], of: (row: Row) => number): void => {
    const best = [...others].sort((a, b) => of(a) - of(b))[0]
    if (best === undefined) console.log(`${what}: nothing to compare with`)
    else console.log(`${what}: ${(own / of(best)).toFixed(2)} of ${best.name}`)
  }
  const uncompressed = rows.filter(({ isCompressed }) => !isCompressed)
  ratio('backup, seconds', own.backup.seconds, rows, (row) => row.backup.seconds)
  ratio(
    'first scan and backup, seconds',
    scan.seconds + own.backup.seconds,
    rows,
    (row) => row.backup.seconds,
  )
  ratio('restore, seconds', own.restore.seconds, rows, (row) => row.restore.seconds)
  ratio('disk, without compression', own.diskMiB, uncompressed, (row) => row.diskMiB)
  ratio('disk, compressed as well', own.diskMiB, rows, (row) => row.diskMiB)
}

/**
 * Gives a folder to work in and one to restore into, and compares what was restored. Nothing is removed before the end of the
 * run: ext4 passes over inodes that were freed in the last minutes one by one, and who comes later would pay for that.
 */
async function inFolder<T extends BackupFigures>(
  name: string,
  source: string,
  run: (folder: string, target: string) => Promise<T>,
): Promise<T> {
  const folder = path.join(base, name)
  const target = path.join(base, `${name} restored`)
  for (const each of [folder, target]) fs.mkdirSync(each)
  const figures = await run(folder, target)
  compareTrees(source, target)
  const { backup, restore } = figures
  console.log(`${name}: ${backup.seconds.toFixed(1)} and ${restore.seconds.toFixed(1)} s`)
  return figures
}

/** `besideMiB`: what the blind node keeps beside its vault, and could make anew from it. */
async function measureShoal(
  folder: string,
  source: string,
  target: string,
  files: number,
): Promise<BackupFigures & { readonly scan: Usage }> {
  const secret = writeSecretOf(Buffer.alloc(32, 7))
  const secretFile = path.join(folder, 'secret')
  fs.writeFileSync(secretFile, formatSecret(secret), { mode: 0o600 })
  const vault = path.join(folder, 'vault')
  fs.mkdirSync(vault)
  const [writerPort, blindPort] = [await freePort(), await freePort()]
  const writer = new BenchNode({
    ...{ folder, name: 'writer', dir: source, port: writerPort, knownHosts: [`127.0.0.1:${blindPort}`] },
    secret: formatSecret(secret),
  })
  const blind = new BenchNode({
    ...{ folder, name: 'blind', dir: vault, port: blindPort, knownHosts: [`127.0.0.1:${writerPort}`] },
    secret: formatSecret(deriveSecret(secret, 'blind')),
  })
  try {
    settleDisk()
    const scan = await measureScan(writer, files)
    const backup = await measureBackup(writer, blind)
    await Promise.all([writer.stop(), blind.stop()])
    const figures = { diskMiB: diskMiB(vault), besideMiB: diskMiB(path.join(folder, 'storage-blind')) }
    settleDisk()
    const restore = await measureCommand([
      ...[SHOAL, 'restore', '--secret-file', secretFile, '--from', vault, '--to', target],
      ...['--no-search-lan', '--json'],
    ])
    return { scan, backup, restore, ...figures }
  } finally {
    await Promise.all([writer.stop(), blind.stop()])
    fs.rmSync(path.join(source, '.shoal'), { recursive: true, force: true })
  }
}

async function measureScan(writer: BenchNode, files: number): Promise<Usage> {
  const start = performance.now()
  writer.start()
  const sampler = new MemorySampler([writer.pid])
  try {
    await writer.until((share) => share.state === 'idle' && share.files === files, DEADLINE_MS)
    const seconds = (performance.now() - start) / 1000
    return { seconds, cpuSeconds: writer.cost().cpuSeconds, peakMiB: sampler.stop() }
  } finally {
    sampler.stop()
  }
}

async function measureBackup(writer: BenchNode, blind: BenchNode): Promise<Usage> {
  const { head } = (await writer.share())!
  const cpuBefore = writer.cost().cpuSeconds
  const start = performance.now()
  blind.start()
  const sampler = new MemorySampler([writer.pid, blind.pid])
  try {
    await blind.until(
      (share) => share.head === head && share.state === 'idle' && share.blind?.missingPieces === 0,
      DEADLINE_MS,
    )
    const seconds = (performance.now() - start) / 1000
    const cpuSeconds = writer.cost().cpuSeconds - cpuBefore + blind.cost().cpuSeconds
    return { seconds, cpuSeconds, peakMiB: sampler.stop() }
  } finally {
    sampler.stop()
  }
}
