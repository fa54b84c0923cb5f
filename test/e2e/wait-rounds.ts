// Rounds that attack one promise: `status --wait` says "in sync" only when the trees are equal on all members. Edits on
// all nodes at once, also on the same paths and while a daemon is down; kills at random moments, also in the middle of a wait;
// then, without a pause, several nodes wait at once, and whenever one says "in sync", all trees are compared by
// content there and then. With a member down, nobody may say so. One seed gives one history of edits and kills; the moments
// they hit depend on the machine.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { type Verdict, waitForSync } from '../../src/control/wait.js'
import { ShoalError } from '../../src/core/error.js'
import { pause, type TestNode, type World } from '../support/daemons.js'
import { differencesOf, snapshot, type Tree } from '../support/trees.js'
import { randomFrom } from './crash-rounds.js'

export interface WaitRoundsOptions {
  readonly seed: number
  readonly rounds: number
  /** Small edits on one node in the middle of the quiet, in each round. Default 3. */
  readonly sneaks?: number
  readonly onRound?: (round: number, what: string) => void
}

/** How often each happened, so that a soak can be seen to have tested something. */
export interface WaitTally {
  inSync: number
  unreachable: number
  killedInWait: number
}

/** A wait that takes longer than this has hung. */
const IN_SYNC_MS = 90_000
const DOWN_MS = 60_000
/** Then other names are used: what is changed on a reader again and again is put back ever later (D2), up to an hour. */
const ERA_ROUNDS = 20
/** Bytes; the large ones take several pieces. */
const LARGE_BYTES = 2 << 20

export async function waitRounds(world: World, options: WaitRoundsOptions): Promise<WaitTally> {
  const { rounds, sneaks = 3, onRound } = options
  const random = randomFrom(options.seed)
  const nodes = await world.start(['anna', 'ben', 'cleo', 'rita'], (name) =>
    name === 'rita' ? { grade: 'read', share: { drift: 'restore' } } : {},
  )
  const user = new User(nodes, random)
  const tally: WaitTally = { inSync: 0, unreachable: 0, killedInWait: 0 }
  await inSync(nodes[0]!, nodes, { members: nodes.length - 1 })
  for (let round = 1; round <= rounds; round++) {
    user.era = Math.floor(round / ERA_ROUNDS)
    const what = [user.edit(10)]
    const dice = random()
    if (dice < 0.15) what.push(await withOneDown(nodes, user, random, tally))
    else if (dice < 0.6) what.push(await killed(nodes, user, random))
    if (random() < 0.3) await pause(Math.floor(random() * 120))
    what.push(user.edit(4))
    onRound?.(round, what.join('; '))
    if (random() < 0.3) await waitUnderKills(nodes, random, tally)
    else {
      const askers = nodes.filter(() => random() < 0.6)
      await Promise.all((askers.length === 0 ? nodes : askers).map((node) => inSync(node, nodes, {})))
      tally.inSync += askers.length
    }
    for (let i = 0; i < sneaks; i++) await sneak(nodes, user, random, tally)
  }
  return tally
}

/** Waits on one node, and compares all trees the moment it says "in sync". */
async function inSync(
  node: TestNode,
  nodes: readonly TestNode[],
  goal: { readonly members?: number },
): Promise<void> {
  const { verdict } = await waitForSync(node.client, { timeoutMs: IN_SYNC_MS, pollMs: 5, ...goal })
  if (verdict.type === 'in-sync') return assertSame(nodes, node)
  throw new Error(`${node.name}: ${verdict.type} after ${IN_SYNC_MS} ms: ${verdict.because.join()}`)
}

function assertSame(nodes: readonly TestNode[], said: TestNode): void {
  const trees = nodes.map(({ dir }) => contentOf(dir))
  for (const [i, tree] of trees.entries()) {
    const differences = differencesOf(trees[0]!, tree)
    const where = `${said.name} said "in sync", and ${nodes[0]!.name} and ${nodes[i]!.name} differ`
    assert.deepEqual(differences.slice(0, 10), [], where)
  }
}

/** A directory's time moves with what is done in it and is no part of what is compared (section 8). */
function contentOf(directory: string): Tree {
  const lines = [...snapshot(directory)]
  return new Map(
    lines.map(([name, line]) => [name, line.startsWith('directory') ? line.replace(/ \d+$/, '') : line]),
  )
}

/**
 * All is quiet and equal; then somebody edits a little on one node, and others wait at once, or after that daemon may have
 * begun to notice. What they know of that node says that all is well.
 */
async function sneak(
  nodes: readonly TestNode[],
  user: User,
  random: () => number,
  tally: WaitTally,
): Promise<void> {
  const edited = nodes[Math.floor(random() * nodes.length)]!
  user.edit(1 + Math.floor(random() * 2), edited)
  if (random() < 0.5) await pause(Math.floor(random() * 60))
  const askers = nodes.filter((node) => node !== edited)
  await Promise.all(askers.map((node) => inSync(node, nodes, {})))
  tally.inSync += askers.length
}

async function killed(nodes: readonly TestNode[], user: User, random: () => number): Promise<string> {
  const victims = nodes.filter(() => random() < 0.4)
  await pause(Math.floor(random() ** 2 * 250))
  await Promise.all(victims.map((node) => node.kill()))
  user.edit(5)
  await Promise.all(victims.map(started))
  return `killed ${victims.map(({ name }) => name).join()}`
}

/** With a member down nobody says "in sync", and in the end everybody that it is unreachable. */
async function withOneDown(
  nodes: readonly TestNode[],
  user: User,
  random: () => number,
  tally: WaitTally,
): Promise<string> {
  const gone = nodes[Math.floor(random() * nodes.length)]!
  await gone.kill()
  user.edit(4)
  const asker = nodes.find((node) => node !== gone)!
  const endMs = performance.now() + DOWN_MS
  // Others may be behind for as long as it is away: what it was killed over, nobody else has.
  const isNamed = ({ type, because }: Verdict): boolean =>
    because.some(
      (each) =>
        each.startsWith(`${gone.name} (`) && (type === 'unreachable' || each.endsWith(' cannot be reached')),
    )
  for (let verdict: Verdict | undefined; verdict === undefined || !isNamed(verdict); ) {
    verdict = (await waitForSync(asker.client, { timeoutMs: 300, pollMs: 5 })).verdict
    assert.notEqual(verdict.type, 'in-sync', `${asker.name} said so while ${gone.name} was down`)
    assert.ok(performance.now() < endMs, `not told that ${gone.name} is away: ${verdict.because.join()}`)
  }
  tally.unreachable++
  await started(gone)
  return `without ${gone.name}`
}

/** A daemon is killed while others, or it itself, wait. */
async function waitUnderKills(
  nodes: readonly TestNode[],
  random: () => number,
  tally: WaitTally,
): Promise<void> {
  const victim = nodes[Math.floor(random() * nodes.length)]!
  const delayMs = Math.floor(random() * 400)
  const killing = (async () => {
    await pause(delayMs)
    await victim.kill()
    tally.killedInWait++
    await started(victim)
  })()
  const waits = nodes.map((node) =>
    inSync(node, nodes, {}).catch(async (thrown) => {
      if (!(thrown instanceof ShoalError) || thrown.code !== 'DAEMON_UNREACHABLE') throw thrown
      await killing
      return inSync(node, nodes, {})
    }),
  )
  await Promise.all([killing, ...waits])
  tally.inSync += nodes.length
}

/** A machine that is busy may take longer to start a daemon than a test waits; that is no matter of this one. */
async function started(node: TestNode): Promise<void> {
  await node.start().catch(async () => {
    await node.kill()
    await node.start()
  })
}

/** Somebody who edits on all nodes at once. */
class User {
  readonly #nodes: readonly TestNode[]
  readonly #random: () => number
  /** Directories are named by it. */
  era = 0
  #count = 0

  constructor(nodes: readonly TestNode[], random: () => number) {
    this.#nodes = nodes
    this.#random = random
  }

  edit(count: number, node?: TestNode): string {
    for (let i = 0; i < count; i++) this.#one(node ?? this.#pick(this.#nodes))
    return `${count} edits`
  }

  #one(node: TestNode): void {
    const dice = this.#random()
    // The same few names on all nodes: conflicts come of themselves.
    const name = `${this.#directory()}/f${Math.floor(this.#random() * 12)}`
    try {
      const files = filesOf(node.dir)
      const known = files.length === 0 ? undefined : this.#pick(files)
      if (dice < 0.4 || known === undefined) this.#write(node, name)
      else if (dice < 0.55) fs.appendFileSync(node.at(known), `and ${this.#count++}`)
      else if (dice < 0.7) this.#move(node, known, `${name}-${this.#count++}`)
      else if (dice < 0.8) fs.rmSync(node.at(known), { force: true })
      else if (dice < 0.87) this.#asBefore(node, known)
      else if (dice < 0.91) fs.chmodSync(node.at(known), this.#random() < 0.5 ? 0o600 : 0o755)
      else if (dice < 0.95) fs.rmSync(node.at(this.#directory()), { recursive: true, force: true })
      else this.#write(node, `deep/${this.#count}/er/${this.#count++}`)
    } catch (thrown) {
      // The daemon changes the tree at the same time: what was there a moment ago may be gone or be something else.
      const { code } = thrown as NodeJS.ErrnoException
      if (!['ENOENT', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EEXIST'].includes(code ?? '')) throw thrown
    }
  }

  #directory(): string {
    return `d${Math.floor(this.#random() * 4)}-${this.era}`
  }

  #write(node: TestNode, name: string): void {
    const length = this.#random() < 0.04 ? LARGE_BYTES : Math.floor(this.#random() * 3000)
    const content = Buffer.alloc(length, `${this.#count++} on ${node.name} `)
    for (let at = 0; at + 4 <= length; at += 4096) content.writeUInt32LE(this.#count + at, at)
    const file = node.at(name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    if (this.#random() < 0.5) fs.writeFileSync(file, content)
    else {
      fs.writeFileSync(`${file}.new`, content)
      fs.renameSync(`${file}.new`, file)
    }
  }

  /** As long as before, and of the same time. */
  #asBefore(node: TestNode, name: string): void {
    const { size, atime, mtime } = fs.statSync(node.at(name))
    fs.writeFileSync(node.at(name), Buffer.alloc(size, String(this.#count++ % 10)))
    fs.utimesSync(node.at(name), atime, mtime)
  }

  #move(node: TestNode, from: string, to: string): void {
    fs.mkdirSync(path.dirname(node.at(to)), { recursive: true })
    fs.renameSync(node.at(from), node.at(to))
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!
  }
}

function filesOf(directory: string): string[] {
  return [...snapshot(directory)].flatMap(([name, line]) => (line.startsWith('file ') ? [name] : []))
}
