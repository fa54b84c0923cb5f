// How long does a second machine take to get a tree, beside rsync -a and cp -a of the same tree in the same run, and how
// long does a single change take afterwards?
//   npm run bench -- sync [FILES,FILES...] [MEAN_BYTES] [SEED]      default 10000,100000 14500 2
// Two daemons on this machine over known_hosts on loopback, in $BENCH_DIR, or /dev/shm where there is one. The trees are
// compared by content at the end; a difference fails the run, a time never does.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { compareTrees, timeCommand } from './support/commands.js'
import { type Cost, pair } from './support/node.js'
import { median, percentile, table } from './support/report.js'
import { makeTree } from './support/tree.js'

const DEADLINE_MS = 20 * 60_000
const CHANGES = 50

const [sizesText = '10000,100000', meanText = '14500', seedText = '2'] = process.argv.slice(2)
const place = process.env.BENCH_DIR ?? (fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir())
const base = fs.mkdtempSync(path.join(place, 'shoal-bench-'))
try {
  console.log(
    `node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}, in ${path.dirname(base)}`,
  )
  for (const files of sizesText.split(',').map(Number))
    await measure(files, Number(meanText), Number(seedText))
} finally {
  fs.rmSync(base, { recursive: true, force: true })
}

async function measure(files: number, meanBytes: number, seed: number): Promise<void> {
  const folder = path.join(base, String(files))
  const source = path.join(folder, 'a')
  const target = path.join(folder, 'b')
  fs.mkdirSync(folder)
  const facts = makeTree(source, files, meanBytes, seed)
  console.log(`\n${facts.files} files, ${facts.folders} folders, ${(facts.bytes / 2 ** 20).toFixed(0)} MiB`)
  const copySeconds = timeCommand(['cp', '-a', source, path.join(folder, 'cp')])
  const rsyncSeconds = timeCommand(['rsync', '-a', `${source}/`, path.join(folder, 'rsync')])
  const [a, b] = await pair(folder, source, target)
  const scanStart = performance.now()
  a.start()
  try {
    await a.until((share) => share.state === 'idle' && share.files === files, DEADLINE_MS)
    const scanSeconds = (performance.now() - scanStart) / 1000
    const before = a.cost()
    const start = performance.now()
    b.start()
    const digest = (await a.share())!.digest
    await b.until((share) => share.digest === digest && share.needFiles === 0, DEADLINE_MS)
    const syncSeconds = (performance.now() - start) / 1000
    const after = a.cost()
    const costs: [string, Cost][] = [
      ['first daemon, scanning', before],
      ['first daemon, serving', { ...after, cpuSeconds: after.cpuSeconds - before.cpuSeconds }],
      ['second daemon', b.cost()],
    ]
    compareTrees(source, target)
    const latencies = await changes(source, target)
    const ratio = (seconds: number | undefined): string =>
      seconds === undefined ? 'not there' : `${(syncSeconds / seconds).toFixed(2)}x`
    table([
      ['what', 'seconds', 'second daemon takes'],
      ['cp -a', seconds(copySeconds), ratio(copySeconds)],
      ['rsync -a', seconds(rsyncSeconds), ratio(rsyncSeconds)],
      ['first scan (start to idle)', seconds(scanSeconds), ratio(scanSeconds)],
      ['second daemon, start to convergence', seconds(syncSeconds), ''],
    ])
    table([
      ['cost', 'CPU s', 'peak RSS MiB'],
      ...costs.map(([what, cost]) => [what, cost.cpuSeconds.toFixed(1), cost.peakRssMiB.toFixed(0)]),
    ])
    console.log(
      `change latency over ${CHANGES} single-file changes: median ${median(latencies).toFixed(0)} ms, p99 ${percentile(latencies, 0.99).toFixed(0)} ms, min ${Math.min(...latencies).toFixed(0)} ms`,
    )
  } finally {
    await Promise.all([a.stop(), b.stop()])
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Writes one small file at a time on one side and waits for its content on the other. Milliseconds each. */
async function changes(source: string, target: string): Promise<number[]> {
  const latencies: number[] = []
  for (let i = 0; i < CHANGES; i++) {
    // Every other one is an edit of a file that is there.
    const name = `bench-change-${i >> 1}.txt`
    const content = `change ${i} ${'x'.repeat(2000)}`
    const start = performance.now()
    fs.writeFileSync(path.join(source, name), content)
    while (!holds(path.join(target, name), content)) {
      if (performance.now() - start > 30_000) throw new Error(`change ${i} did not arrive within 30 s`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    latencies.push(performance.now() - start)
    // Let it settle, so that each change is a single one and not part of a burst.
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return latencies
}

function holds(file: string, content: string): boolean {
  try {
    return fs.readFileSync(file, 'utf8') === content
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw thrown
  }
}

function seconds(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2)
}
