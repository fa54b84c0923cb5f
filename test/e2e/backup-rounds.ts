// Rounds of a share's life and death: three servers and a blind node, seeded edits on all sides, daemons killed in the middle
// of it (the blind node, too), then the servers' disks are gone and all is restored from the blind node and from a copy of its
// vault, as it was in the end and at earlier moments of any round. Then three new servers get everything from it alone, and
// the next round begins. One seed gives one stream of choices; what they hit depends on the machine.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { converged, pause, type TestNode, type World } from '../support/daemons.js'
import { change, type Moment, randomOf } from '../support/past-history.js'
import { differencesOf, snapshot, type Tree } from '../support/trees.js'
import { copyOfVault, keepsLive, loseDisks, restored } from './blind-kit.js'

export interface BackupOptions {
  readonly seed: number
  readonly rounds: number
  /** Moments of each round that are noted, and may be restored later. */
  readonly moments?: number
  /** Earlier moments that are restored after each round. */
  readonly restores?: number
  readonly onRound?: (round: number, what: string) => void
}

export interface BackupTally {
  restored: number
  paths: number
  kills: number
}

/** Generous: many of these wait for a machine that does other things, too. */
const TIMEOUT_MS = 300_000
const MAX_DELAY_MS = 300
const SERVERS = 3
/** A daemon may take away or put there what an edit is about. */
const RACED = new Set(['ENOENT', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY'])

export async function backupRounds(world: World, options: BackupOptions): Promise<BackupTally> {
  const { seed, rounds, moments = 4, restores = 4, onRound } = options
  const random = randomOf(seed)
  const tally: BackupTally = { restored: 0, paths: 0, kills: 0 }
  const known: Moment[] = []
  const blind = await world.node('blind', { grade: 'blind' })
  await blind.start()
  for (let round = 1; round <= rounds; round++) {
    const servers = await newServers(world, round)
    await together(servers, blind)
    const before = known.at(-1)
    if (before !== undefined) mustEqual(before.tree, snapshot(servers[0]!.dir), `new servers, round ${round}`)
    const what: string[] = []
    for (let i = 0; i < moments; i++) {
      what.push(await disturb(servers, blind, random, tally))
      await together(servers, blind)
      known.push({ atMs: Date.now(), tree: snapshot(servers[0]!.dir) })
      // What is written next is later than that.
      await pause(2)
    }
    onRound?.(round, what.join('; '))
    await loseDisks(servers)
    const copy = path.join(world.root, `copy-${round}`)
    copyOfVault(blind, copy)
    const swarm = ['--from', 'swarm', '--host', `127.0.0.1:${blind.port}`]
    const check = async (from: readonly string[], moment: Moment, isNewest: boolean): Promise<void> => {
      const at = isNewest ? [] : ['--at', new Date(moment.atMs).toISOString()]
      const { tree } = await restored(world, 'restored', ...from, ...at)
      mustEqual(moment.tree, tree, `round ${round}, ${from.join(' ')} ${at.join(' ')}`)
      fs.rmSync(path.join(world.root, 'restored'), { recursive: true })
      tally.restored++
      tally.paths += tree.size
    }
    for (const from of [['--from', copy], swarm]) await check(from, known.at(-1)!, true)
    for (let i = 0; i < restores; i++) {
      const moment = known[Math.floor(random() * known.length)]!
      await check(random() < 0.5 ? swarm : ['--from', copy], moment, false)
    }
    fs.rmSync(copy, { recursive: true })
  }
  return tally
}

async function newServers(world: World, round: number): Promise<TestNode[]> {
  const names = Array.from({ length: SERVERS }, (_, i) => `server-${round}-${i + 1}`)
  const servers: TestNode[] = []
  for (const name of names) servers.push(await world.node(name, { knows: [...names, 'blind'] }))
  await Promise.all(servers.map((server) => server.start()))
  return servers
}

/** Edits on all servers, and one of the nodes killed in the middle of what follows from them. What was done. */
async function disturb(
  servers: readonly TestNode[],
  blind: TestNode,
  random: () => number,
  tally: BackupTally,
): Promise<string> {
  let edits = 0
  const edit = (): void => {
    for (const { dir } of servers)
      for (let left = Math.floor(random() * 12); left > 0; left--) if (tryChange(dir, random)) edits++
  }
  edit()
  const victim = [...servers, blind, undefined][Math.floor(random() * (SERVERS + 2))]
  const delayMs = Math.floor(random() ** 2 * MAX_DELAY_MS)
  if (victim === undefined) return `${edits} edits`
  await pause(delayMs)
  await victim.kill()
  tally.kills++
  edit()
  await victim.start()
  return `${edits} edits, ${victim.name} killed after ${delayMs} ms`
}

function tryChange(dir: string, random: () => number): boolean {
  try {
    change(dir, random)
    return true
  } catch (thrown) {
    if (RACED.has((thrown as NodeJS.ErrnoException).code ?? '')) return false
    throw thrown
  }
}

async function together(servers: readonly TestNode[], blind: TestNode): Promise<void> {
  await converged(servers, { timeoutMs: TIMEOUT_MS })
  for (const server of servers) await keepsLive(blind, server, TIMEOUT_MS)
}

function mustEqual(expected: Tree, found: Tree, what: string): void {
  const differences = differencesOf(expected, found)
  assert.equal(
    differences.length,
    0,
    `${what}: ${differences.length} paths differ\n${differences.slice(0, 20).join('\n')}`,
  )
}
