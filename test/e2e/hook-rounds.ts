// Rounds of batches for a hook: a writer writes several files with one number in them, a reader of the share runs a hook
// for them, and daemons are killed meanwhile. The hook notes what it was told of and the numbers it finds, so that it can
// be seen how often it ran for each batch, and that it never saw half of one.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { eventually, pause, type TestNode, type World } from '../support/daemons.js'

export interface HookRounds {
  readonly seed: number
  readonly batches: number
  readonly onRound?: (round: number, what: string) => void
}

/** How many batches went how. */
export interface HookTally {
  readonly quiet: number
  readonly killed: number
  /** Runs beyond the first in rounds with a kill. */
  readonly again: number
}

/** Notes a line: how many paths, the paths, and the numbers found in all files of the batch. */
const SCRIPT = `#!/bin/sh
paths=$(tr '\\0' ' ')
numbers=$(for file in "$SHOAL_DIR"/batch/*; do head -n 1 "$file"; done | sort -u | tr '\\n' ' ')
echo "$SHOAL_COUNT|$paths|$numbers" >> "$1"
`

const FILES = 6
/** Files that have not changed for so long are read without further waiting (A8). */
const AT_REST_MS = 50

/** One run of the hook as it noted it. */
export interface NotedRun {
  readonly count: number
  readonly paths: readonly string[]
  readonly numbers: readonly string[]
}

/** The configuration of a hook that notes its runs in a file. */
export function notingHook(world: World, log: string, changes: object = {}): object {
  const script = path.join(world.root, 'note.sh')
  fs.writeFileSync(script, SCRIPT, { mode: 0o755 })
  return { match: 'batch/**', run: [script, log], settle: '150ms', ...changes }
}

export function notedRuns(log: string): NotedRun[] {
  if (!fs.existsSync(log)) return []
  return fs
    .readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [count, paths, numbers] = line.split('|')
      const words = (text: string | undefined): string[] =>
        (text ?? '').split(' ').filter((word) => word !== '')
      return { count: Number(count), paths: words(paths), numbers: words(numbers) }
    })
}

/** Runs the rounds in a world of its own; throws for what must not be. */
export async function hookRounds(world: World, { seed, batches, onRound }: HookRounds): Promise<HookTally> {
  const random = randomOf(seed)
  const logs = { writer: path.join(world.root, 'writer.log'), reader: path.join(world.root, 'reader.log') }
  const [writer, reader] = await world.start(['writer', 'reader'], (name) => ({
    grade: name === 'writer' ? 'write' : 'read',
    share: { on_change: [notingHook(world, logs[name as 'writer' | 'reader'])] },
  }))
  const tally = { quiet: 0, killed: 0, again: 0 }
  let seen = 0
  for (let round = 1; round <= batches; round++) {
    const what = await playRound(round, { writer: writer!, reader: reader! }, random)
    const isKilled = what !== 'quiet'
    onRound?.(round, what)
    const isNoted = (): boolean =>
      notedRuns(logs.reader)
        .slice(seen)
        .some(({ numbers }) => numbers.includes(`${round}`))
    await eventually(`round ${round} (${what}): the hook ran`, isNoted)
    await eventually(`round ${round} (${what}): the hook is idle`, async () => isIdle(reader!))
    const runs = notedRuns(logs.reader).slice(seen)
    seen += runs.length
    for (const { numbers, paths, count } of runs) {
      assert.deepEqual(numbers, [`${round}`], `round ${round} (${what}): half a batch`)
      assert.equal(paths.length, count, `round ${round} (${what})`)
      assert.deepEqual(paths, [...new Set(paths)].sort(), `round ${round} (${what})`)
    }
    // A run that was told of a part is followed by one with the rest only after a crash.
    const told = new Set(runs.flatMap(({ paths }) => paths.filter((each) => each !== 'batch')))
    assert.equal(told.size, FILES, `round ${round} (${what}): ${JSON.stringify(runs)}`)
    if (isKilled) tally.killed++
    else {
      tally.quiet++
      assert.equal(runs.length, 1, `round ${round}: ${JSON.stringify(runs)}`)
    }
    tally.again += runs.length - 1
  }
  // Its own changes are none of the writer's hook's business.
  assert.deepEqual(notedRuns(logs.writer), [])
  return tally
}

/** Writes a batch and disturbs it; says how. */
async function playRound(
  round: number,
  { writer, reader }: { readonly writer: TestNode; readonly reader: TestNode },
  random: () => number,
): Promise<string> {
  await writeAtOnce(writer, (i) => `${round}\n${'x'.repeat(random() < 0.2 ? 300_000 + i : 0)}`)
  await writer.client.settle()
  const dice = random()
  if (dice < 0.5) return 'quiet'
  const delayMs = Math.floor(random() * 700)
  await pause(delayMs)
  const victim = dice < 0.9 ? reader : writer
  await victim.kill()
  await victim.start()
  return `${victim.name} killed after ${delayMs} ms`
}

/**
 * Writes all files of a batch while the daemon sleeps: it finds them together, and so publishes them together. However slow
 * the machine is, there is no half of a batch that lasts for longer than `settle`.
 */
async function writeAtOnce(node: TestNode, contentOf: (i: number) => string): Promise<void> {
  process.kill(node.pid, 'SIGSTOP')
  for (let i = 0; i < FILES; i++) node.write(`batch/f${i}`, contentOf(i))
  await pause(AT_REST_MS)
  process.kill(node.pid, 'SIGCONT')
}

async function isIdle(node: TestNode): Promise<boolean> {
  const { hooks, needFiles, state } = await node.share()
  return needFiles === 0 && state === 'idle' && hooks[0]!.state === 'idle' && hooks[0]!.pending === 0
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
