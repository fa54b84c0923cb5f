// How long does it take to store a tree on a blind node and to restore it from its vault, and what does that take in
// processor, memory and disk, beside restic and borg with the same tree in the same run?
//   npm run bench -- backup [FILES] [MEAN_BYTES] [SEED] [TOOLS] [ROUNDS]
//   default 100000 14500 2 "restic off,restic auto,borg none,borg lz4" 1
// In $BENCH_DIR or the folder for temporary files. A writer that has scanned the tree and a blind node over loopback, from
// the start of the blind node until it lacks nothing of what the writer has published; its vault is durable by then. Then
// `shoal restore --from VAULT` with both daemons stopped. The first scan is counted by itself: a writer does it once, the
// others read and hash all files in their backup. All restored trees are compared; a difference fails the run, a time
// never does. `npm run bench:tools`, as root, installs restic and borg where they are missing.
// A machine that others use as well is now fast and now slow, and by more than what programs differ. In several rounds all do the
// same one after the other; each round has its ratio, and the medians count.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { deriveSecret, formatSecret, writeSecretOf } from '../src/core/secret.js'
import { BACKUP_TOOLS, type BackupFigures, type BackupTool, settleDisk } from './support/backup-tools.js'
import { compareTrees } from './support/commands.js'
import { BenchNode, freePort } from './support/node.js'
import { median, table } from './support/report.js'
import { makeTree } from './support/tree.js'
import { diskMiB, MemorySampler, measureCommand, type Usage } from './support/usage.js'

const DEADLINE_MS = 30 * 60_000
const SHOAL = fileURLToPath(new URL('../../bin/shoal', import.meta.url))

interface Row extends BackupFigures {
  readonly name: string
  readonly isCompressed: boolean
}

type OwnFigures = BackupFigures & { readonly scan: Usage }

interface Round {
  readonly own: OwnFigures
  readonly others: readonly Row[]
}

const all = BACKUP_TOOLS.map(({ name }) => name).join(',')
const [filesText = '100000', meanText = '14500', seedText = '2', toolsText = all, roundsText = '1'] =
  process.argv.slice(2)
const place = process.env.BENCH_DIR ?? os.tmpdir()
if (!fs.existsSync('/proc/self/stat')) {
  console.log('skipped: it looks at processes in /proc, which is not here')
  process.exit(0)
}
const base = fs.mkdtempSync(path.join(place, 'shoal-bench-'))
try {
  const tools = toolsText.split(',')
  await measureAll(Number(filesText), Number(meanText), Number(seedText), tools, Number(roundsText))
} finally {
  fs.rmSync(base, { recursive: true, force: true })
}

async function measureAll(
  files: number,
  meanBytes: number,
  seed: number,
  names: readonly string[],
  roundCount: number,
): Promise<void> {
  const source = path.join(base, 'source')
  const facts = makeTree(source, files, meanBytes, seed)
  const kind = spawnSync('stat', ['-f', '-c', '%T', base], { encoding: 'utf8' }).stdout?.trim()
  console.log(`node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}, on ${kind}`)
  console.log(`${facts.files} files, ${facts.folders} folders, ${(facts.bytes / 2 ** 20).toFixed(0)} MiB\n`)
  const tools = names.flatMap((name) => toolCalled(name) ?? [])
  const rounds: Round[] = []
  for (let round = 1; round <= roundCount; round++) {
    const others: Row[] = []
    for (const { name, isCompressed, run } of tools) {
      const figures = await inFolder(name, round, source, (folder, target) => run(folder, source, target))
      others.push({ ...figures, name, isCompressed })
    }
    const own = await inFolder('shoal', round, source, (folder, target) =>
      measureShoal(folder, source, target, files),
    )
    rounds.push({ own, others })
  }
  console.log()
  report(rounds)
}

/** Undefined, and said, where it cannot be had. */
function toolCalled(name: string): BackupTool | undefined {
  const tool = BACKUP_TOOLS.find((each) => each.name === name)
  if (tool === undefined) throw new Error(`there is no ${name}: ${all}`)
  const obstacle = tool.obstacle()
  if (obstacle === undefined) return tool
  console.log(`skipped ${name}: ${obstacle}`)
  return undefined
}

function report(rounds: readonly Round[]): void {
  const middle = (of: (round: Round) => number, digits: number): string =>
    median(rounds.map(of)).toFixed(digits)
  const usage = (of: (round: Round) => Usage): string[] => [
    middle((round) => of(round).seconds, 1),
    middle((round) => of(round).cpuSeconds, 1),
    middle((round) => of(round).peakMiB, 0),
  ]
  const line = (name: string, of: (round: Round) => BackupFigures): string[] => [
    name,
    ...usage((round) => of(round).backup),
    ...usage((round) => of(round).restore),
    middle((round) => of(round).diskMiB, 1),
    middle((round) => of(round).besideMiB, 1),
  ]
  table([
    ['', 'backup s', 'CPU s', 'peak MiB', 'restore s', 'CPU s', 'peak MiB', 'disk MiB', 'beside MiB'],
    ["shoal, writer's first scan", ...usage(({ own }) => own.scan)],
    line('shoal, blind node', ({ own }) => own),
    ...rounds[0]!.others.map(({ name }, at) => line(name, ({ others }) => others[at]!)),
  ])
  console.log(rounds.length === 1 ? '' : `medians of ${rounds.length} rounds\n`)
  const ratio = (
    what: string,
    own: (round: Round) => number,
    of: (row: Row) => number,
    isCompared = (_row: Row): boolean => true,
  ): void => {
    const ratios = rounds.flatMap((round) => {
      const best = round.others.filter(isCompared).sort((a, b) => of(a) - of(b))[0]
      return best === undefined ? [] : [{ name: best.name, value: own(round) / of(best) }]
    })
    if (ratios.length === 0) {
      console.log(`${what}: nothing to compare with`)
      return
    }
    const each = ratios.map(({ name, value }) => `${value.toFixed(2)} of ${name}`).join(', ')
    const all = median(ratios.map(({ value }) => value)).toFixed(2)
    console.log(`${what}: ${ratios.length === 1 ? each : `median ${all} (${each})`}`)
  }
  ratio(
    'backup, seconds',
    ({ own }) => own.backup.seconds,
    (row) => row.backup.seconds,
  )
  ratio(
    'first scan and backup, seconds',
    ({ own }) => own.scan.seconds + own.backup.seconds,
    (row) => row.backup.seconds,
  )
  ratio(
    'restore, seconds',
    ({ own }) => own.restore.seconds,
    (row) => row.restore.seconds,
  )
  ratio(
    'disk, without compression',
    ({ own }) => own.diskMiB,
    (row) => row.diskMiB,
    ({ isCompressed }) => !isCompressed,
  )
  ratio(
    'disk, compressed as well',
    ({ own }) => own.diskMiB,
    (row) => row.diskMiB,
  )
}

/**
 * Gives a folder to work in and one to restore into, and compares what was restored. Nothing is removed before the end of the
 * run: ext4 passes over inodes that were freed in the last minutes one by one, and who comes later would pay for that.
 */
async function inFolder<T extends BackupFigures>(
  name: string,
  round: number,
  source: string,
  run: (folder: string, target: string) => Promise<T>,
): Promise<T> {
  const folder = path.join(base, `${name} ${round}`)
  const target = path.join(base, `${name} ${round} restored`)
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
): Promise<OwnFigures> {
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
