// Rounds of kill -9 over two writers (A4): edits on both sides, a daemon killed at a random moment of its scan, transfer
// or apply, edits while it is down, a restart. Every path has one editor at a time, so the outcome is known exactly:
// both trees must equal the model, there must be no conflict copy, and no version that the killed side has published of
// what was not its own. One seed gives one history of edits and kills; the moments they hit depend on the machine.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { deviceKeysOf } from '../../src/core/device.js'
import type { RelPath } from '../../src/core/path.js'
import { keysOf } from '../../src/core/secret.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { ShareIndex } from '../../src/store/share-index.js'
import { converged, pause, type TestNode, type World } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'

export interface CrashOptions {
  readonly seed: number
  readonly rounds: number
  /** Convergence is waited for and checked after so many rounds. */
  readonly checkEvery: number
  readonly onRound?: (round: number, what: string) => void
}

const SIDES = ['anna', 'ben'] as const
type Side = (typeof SIDES)[number]
/** Bytes; the large ones take several pieces and some tens of milliseconds. */
const LARGE_BYTES = 3 << 20

/** What one path must hold in the end, and who may have said so. */
interface Expected {
  /** Who may edit it now. */
  readonly side: Side
  /** Who has edited it last: only that side may have published it. */
  readonly author: Side
  readonly hash: string
}

export async function crashRounds(world: World, options: CrashOptions): Promise<void> {
  const { rounds, checkEvery, onRound } = options
  const random = randomFrom(options.seed)
  const model = new Map<string, Expected>()
  // One of them pads, so that paths come in both ways.
  const nodes = await world.start(SIDES, (name) => ({
    share: { use_sync_trash: true, padding: name === 'anna' ? 'padme' : 'none' },
  }))
  const history = new History(nodes, model, random)
  history.edit('anna', 60)
  history.edit('ben', 60)
  for (let round = 1; round <= rounds; round++) {
    const what: string[] = []
    for (const side of SIDES) if (random() < 0.8) what.push(history.edit(side, 1 + Math.floor(random() * 40)))
    const victims = random() < 0.15 ? nodes : [nodes[random() < 0.5 ? 0 : 1]!]
    // Early moments hit the scan and the append, later ones transfer and apply.
    const delayMs = Math.floor(random() ** 2 * 350)
    await pause(delayMs)
    if (random() < 0.3) what.push(history.edit(random() < 0.5 ? 'anna' : 'ben', 5))
    await Promise.all(victims.map((node) => node.kill()))
    what.push(`killed ${victims.map(({ name }) => name).join()} after ${delayMs} ms`)
    for (const side of SIDES) if (random() < 0.5) what.push(history.edit(side, 1 + Math.floor(random() * 10)))
    await Promise.all(victims.map((node) => node.start()))
    if (random() < 0.25) {
      await pause(Math.floor(random() * 150))
      await victims[0]!.kill()
      await victims[0]!.start()
      what.push('killed again after its start')
    }
    onRound?.(round, what.join('; '))
    if (round % checkEvery !== 0 && round !== rounds) continue
    await check(nodes, model, round)
    history.hand()
  }
  await checkAuthors(nodes, model)
  await checkNoChurn(nodes)
}

/** Edits, as the model and the disks see them. */
class History {
  readonly #nodes: readonly TestNode[]
  readonly #model: Map<string, Expected>
  readonly #random: () => number
  #count = 0

  constructor(nodes: readonly TestNode[], model: Map<string, Expected>, random: () => number) {
    this.#nodes = nodes
    this.#model = model
    this.#random = random
  }

  /** Makes, changes, renames and deletes some of a side's own files. */
  edit(side: Side, count: number): string {
    for (let i = 0; i < count; i++) this.#one(side)
    return `${count} edits by ${side}`
  }

  /** Some files change hands; only when all nodes hold the same. */
  hand(): void {
    for (const [name, expected] of this.#model) {
      if (this.#random() < 0.2)
        this.#model.set(name, { ...expected, side: expected.side === 'anna' ? 'ben' : 'anna' })
    }
  }

  #one(side: Side): void {
    const node = this.#nodes.find(({ name }) => name === side)!
    const own = [...this.#model].filter(([, expected]) => expected.side === side).map(([name]) => name)
    const dice = this.#random()
    const picked = own[Math.floor(this.#random() * own.length)]
    if (dice < 0.45 || picked === undefined) {
      this.#write(node, side, `d${Math.floor(this.#random() * 8)}-${side}/f${this.#count}`)
    } else if (dice < 0.7) this.#write(node, side, picked)
    else if (dice < 0.85) {
      const to = `d${Math.floor(this.#random() * 8)}-${side}/r${this.#count++}`
      fs.mkdirSync(path.dirname(node.at(to)), { recursive: true })
      fs.renameSync(node.at(picked), node.at(to))
      this.#model.set(to, { ...this.#model.get(picked)!, author: side })
      this.#model.delete(picked)
    } else {
      fs.rmSync(node.at(picked))
      this.#model.delete(picked)
    }
  }

  #write(node: TestNode, side: Side, name: string): void {
    const isLarge = this.#random() < 0.03
    const length = isLarge ? LARGE_BYTES : Math.floor(this.#random() * 20_000)
    const content = Buffer.alloc(length, `${this.#count++} by ${side} `)
    // Repetitive content would be one piece over and over.
    for (let at = 0; at + 4 <= length; at += 4096)
      content.writeUInt32LE(Math.floor(this.#random() * 2 ** 32), at)
    const file = node.at(name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    if (this.#random() < 0.5) fs.writeFileSync(file, content)
    else {
      const beside = `${file}.tmp`
      fs.writeFileSync(beside, content)
      fs.renameSync(beside, file)
    }
    this.#model.set(name, { side, author: side, hash: hashOf(content) })
  }
}

async function check(
  nodes: readonly TestNode[],
  model: ReadonlyMap<string, Expected>,
  round: number,
): Promise<void> {
  const reports = await converged(nodes)
  const where = `after round ${round}`
  for (const [i, node] of nodes.entries()) {
    const files = [...snapshot(node.dir)].flatMap(([name, line]) => (line.startsWith('file ') ? [name] : []))
    assert.deepEqual(files.sort(), [...model.keys()].sort(), `${node.name} ${where}`)
    for (const [name, { hash }] of model)
      assert.equal(hashOf(fs.readFileSync(node.at(name))), hash, `${name} on ${node.name} ${where}`)
    assert.equal(reports[i]!.conflicts, 0, where)
  }
  assertEqualTrees(nodes.map(({ dir }) => dir))
}

/** A4: what a killed daemon had half applied is adopted at its restart, never announced as its own. */
async function checkAuthors(nodes: readonly TestNode[], model: ReadonlyMap<string, Expected>): Promise<void> {
  await Promise.all(nodes.map((node) => node.stop()))
  const devices = new Map(nodes.map((node) => [node.name, deviceOf(node)]))
  for (const node of nodes) {
    withIndex(node, (index) => {
      for (const [name, { author }] of model) {
        const head = index.heads(name as RelPath)[0]!
        assert.equal(index.feeds.byWriter(head.author)!.device, devices.get(author), `${name} is ${author}'s`)
      }
    })
  }
  await Promise.all(nodes.map((node) => node.start()))
}

/** A restart, clean or not, announces nothing while nothing was edited. */
async function checkNoChurn(nodes: readonly TestNode[]): Promise<void> {
  await converged(nodes)
  await Promise.all(nodes.map((node) => node.stop()))
  const before = countersOf(nodes[0]!)
  await Promise.all(nodes.map((node) => node.start()))
  await converged(nodes)
  await Promise.all(nodes.map((node) => node.kill()))
  await Promise.all(nodes.map((node) => node.start()))
  await converged(nodes)
  await Promise.all(nodes.map((node) => node.stop()))
  assert.deepEqual(countersOf(nodes[0]!), before)
}

/** Of a node that has run once. */
export function deviceOf(node: TestNode): string {
  const { seed } = JSON.parse(fs.readFileSync(path.join(node.storage, 'identity.json'), 'utf8')) as {
    seed: string
  }
  return deviceKeysOf(Buffer.from(seed, 'hex')).device
}

/** Entries published by each writer so far, as a stopped node knows it. */
export function countersOf(node: TestNode): Record<string, number> {
  return withIndex(node, (index) =>
    Object.fromEntries(
      index.feeds.all().map(({ deviceName, epoch, counter }) => [`${deviceName}:${epoch}`, counter]),
    ),
  )
}

/** Opens the index of a stopped node. */
export function withIndex<T>(node: TestNode, body: (index: ShareIndex) => T): T {
  const database = openLmdb(path.join(node.storage, 'index'))
  try {
    const prefix = `${keysOf(node.world.secret).shareId.slice(0, 16)}:`
    return body(new ShareIndex(database, prefix, { overwriteDrift: false, isIgnored: () => false }))
  } finally {
    void database.close()
  }
}

export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
