// Rounds of releases under fire: a writer changes its tree and makes releases of it, nodes that follow are killed at any
// moment, and beside each of them a program reads what it shows without a pause. For the test and the soak.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Random } from '../sim/random.js'
import { eventually, pause, type TestNode, type World } from '../support/daemons.js'
import { faultAt, type TreePlan, writeVersion } from '../support/release-tree.js'

const READER = fileURLToPath(new URL('../support/release-reader.js', import.meta.url))

export interface ReleaseRounds {
  readonly seed: number
  readonly rounds: number
  readonly files: number
  readonly followers: number
  /** Whether followers are killed. */
  readonly kills: boolean
  /** How long a round may take until all show its release. */
  readonly roundMs: number
  readonly onRound?: (told: RoundTold) => void
}

export interface RoundTold {
  readonly round: number
  /** What happened, in words. */
  readonly what: string
  /** From the call that makes the release until all show it, milliseconds. */
  readonly tookMs: number
  /** From the call that rolls back until all show the release before, milliseconds; undefined: it was not tried. */
  readonly rollbackMs: number | undefined
}

export interface RoundsResult {
  readonly rollbackMs: readonly number[]
  /** Of each reader. */
  readonly readers: readonly { readonly looks: number; readonly switches: number }[]
}

/** Throws at the first file that a reader finds to be of another version, or a node that does not come round. */
export async function releaseRounds(world: World, options: ReleaseRounds): Promise<RoundsResult> {
  const { seed, rounds, files, followers, roundMs } = options
  const random = new Random(seed)
  const plan: TreePlan = { seed, files, changedOneIn: 20 }
  const writer = await world.node('writer', { share: { releases: { keep: 3 } } })
  const nodes: TestNode[] = []
  for (let i = 0; i < followers; i++)
    nodes.push(
      await world.node(`follower-${i}`, {
        grade: 'read',
        share: { follow: 'releases', use_sync_trash: false },
      }),
    )
  writeVersion(writer.dir, plan, 0, -1)
  await Promise.all([writer, ...nodes].map((node) => node.start()))
  const readers = nodes.map((node) => new Reader(node, plan))
  const rollbacks: number[] = []
  let usualMs = roundMs / 4
  try {
    for (let round = 0; round < rounds; round++) {
      writeVersion(writer.dir, plan, round, round === 0 ? -1 : round - 1)
      const victim = options.kills && round > 0 ? random.pick(nodes) : undefined
      // Killed while it fetches, while it switches, or just after.
      const afterMs = random.below(Math.ceil(usualMs * 1.1))
      const startedMs = performance.now()
      const made = writer.client.release({ share: 0, name: `v${round}`, when: 'now' })
      const killed = victim === undefined ? undefined : killAndStart(victim, afterMs)
      await Promise.all([made, killed])
      await allShow(nodes, readers, `v${round}`, roundMs)
      const tookMs = performance.now() - startedMs
      usualMs = round === 0 ? usualMs : (usualMs + tookMs) / 2
      const rollbackMs =
        round > 0 && round % 5 === 0 ? await backAndForth(writer, nodes, readers, round, roundMs) : undefined
      if (rollbackMs !== undefined) rollbacks.push(rollbackMs)
      const what = victim === undefined ? 'nobody killed' : `${victim.name} killed after ${afterMs} ms`
      options.onRound?.({ round, what, tookMs, rollbackMs })
    }
    for (const node of nodes) assertShows(node, plan, rounds - 1)
  } finally {
    await Promise.all(readers.map((reader) => reader.stop()))
  }
  for (const reader of readers) reader.check()
  return { rollbackMs: rollbacks, readers: readers.map(({ told }) => told!) }
}

async function killAndStart(node: TestNode, afterMs: number): Promise<void> {
  await pause(afterMs)
  await node.kill()
  await node.start()
}

/** Every file of the release that a node shows. */
function assertShows(node: TestNode, plan: TreePlan, version: number): void {
  const release = fs.realpathSync(node.at('current'))
  for (let i = 0; i < plan.files; i++) assert.equal(faultAt(release, plan, i, version), undefined)
}

async function backAndForth(
  writer: TestNode,
  nodes: readonly TestNode[],
  readers: readonly Reader[],
  round: number,
  roundMs: number,
): Promise<number> {
  const startedMs = performance.now()
  await writer.client.rollbackRelease({ share: 0 })
  await allShow(nodes, readers, `v${round - 1}`, roundMs)
  const tookMs = performance.now() - startedMs
  await writer.client.switchRelease({ share: 0, name: `v${round}`, when: 'now' })
  await allShow(nodes, readers, `v${round}`, roundMs)
  return tookMs
}

async function allShow(
  nodes: readonly TestNode[],
  readers: readonly Reader[],
  name: string,
  withinMs: number,
): Promise<void> {
  const isShown = (node: TestNode): boolean => shownBy(node) === `releases/${name}`
  await eventually(
    `all show ${name}`,
    () => {
      for (const reader of readers) reader.check()
      return nodes.every(isShown)
    },
    withinMs,
  )
}

function shownBy(node: TestNode): string | undefined {
  try {
    return fs.readlinkSync(node.at('current'))
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
}

/** The process that reads what a node shows. */
class Reader {
  readonly #node: TestNode
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #out = ''
  #err = ''
  told: { readonly looks: number; readonly switches: number } | undefined
  #exit: number | null | undefined

  constructor(node: TestNode, plan: TreePlan) {
    this.#node = node
    this.#child = spawn(process.execPath, [READER, node.dir, JSON.stringify(plan)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text
    })
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (exit) => {
        this.#exit = exit
        resolve()
      })
    })
  }

  /** Throws if it has found something. */
  check(): void {
    if (this.#exit === undefined) return
    assert.equal(this.#exit, 0, `the reader beside ${this.#node.name}: ${this.#out}${this.#err}`)
    this.told = JSON.parse(this.#out)
  }

  async stop(): Promise<void> {
    if (this.#exit === undefined) this.#child.kill('SIGTERM')
    await this.#ended
  }
}
