// Rounds of kill -9 in the middle of writing, sealing and compacting a vault in a real folder; after each the vault is
// opened with its index, without it, or for reading alone, and must hold everything that was acknowledged.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { silentLog } from '../../src/ports/log.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { FolderStorage } from '../../src/vault/folder-storage.js'
import { Vault } from '../../src/vault/vault.js'
import { Random } from '../sim/random.js'
import { check, Expected, type Operation, SHARE } from './history.js'

export const KILL_PACK_BYTES: number = 64 * 1024
/** Operations after which a process is killed at the latest, and how long into the next, in milliseconds. */
const MAX_OPERATIONS = 12
const MAX_DELAY_MS = 12

export interface KillTally {
  rounds: number
  /** Kills within an operation, by its type. */
  readonly within: Record<string, number>
  /** Operations that were acknowledged. */
  acknowledged: number
  pieces: number
}

interface Line {
  readonly what: 'begun' | 'done'
  readonly operation: Operation
}

export async function killRounds(options: {
  readonly seed: number
  readonly rounds: number
  readonly onRound?: (round: number, what: string) => void
}): Promise<KillTally> {
  const parent = await mkdtemp(join(tmpdir(), 'shoal-vault-kill-'))
  const random = new Random(options.seed)
  const tally: KillTally = { rounds: 0, within: {}, acknowledged: 0, pieces: 0 }
  const expected = new Expected()
  const folder = join(parent, 'vault')
  const index = join(parent, 'index')
  try {
    for (let round = 1; round <= options.rounds; round++) {
      const within = await killedOnce(
        [folder, index, String(options.seed * 1000 + round)],
        expected,
        random,
        tally,
      )
      tally.rounds = round
      tally.within[within] = (tally.within[within] ?? 0) + 1
      const way = random.weighted({ kept: 3, lost: 1, reading: 1 })
      options.onRound?.(round, `killed within ${within}, index ${way}, ${expected.pieces.size} pieces`)
      if (way === 'lost') await rm(index, { recursive: true, force: true })
      await checkFolder(folder, index, way === 'reading', expected)
    }
    tally.pieces = expected.pieces.size
    return tally
  } finally {
    await rm(parent, { recursive: true, force: true })
  }
}

/** Runs a process and kills it; what it was within. */
async function killedOnce(
  args: readonly string[],
  expected: Expected,
  random: Random,
  tally: KillTally,
): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('kill-child.js', import.meta.url)), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    child.stdin!.end(expected.text())
    let left = 1 + random.below(MAX_OPERATIONS)
    let within = 'opening'
    const atEnd = random.chance(0.1) ? 0 : left
    for await (const text of createInterface({ input: child.stdout! })) {
      const { what, operation } = JSON.parse(text) as Line
      if (what === 'begun') expected.begun(operation)
      else {
        expected.done(operation)
        tally.acknowledged++
      }
      within = what === 'begun' ? operation.type : 'nothing'
      if (atEnd === 0 || (what === 'begun' && --left === 0))
        setTimeout(() => child.kill('SIGKILL'), random.below(MAX_DELAY_MS))
    }
    await ended(child)
    if (child.signalCode !== 'SIGKILL') throw new Error(`the process ended by itself with ${child.exitCode}`)
    return within
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('exit', resolve))
}

async function checkFolder(
  folder: string,
  index: string,
  isReading: boolean,
  expected: Expected,
): Promise<void> {
  const storage = await (isReading ? FolderStorage.openReadOnly(folder) : FolderStorage.open(folder))
  const database = isReading ? undefined : openLmdb(index)
  const vault = await Vault.open({
    ...{ storage, shareId: SHARE, log: silentLog, packBytes: KILL_PACK_BYTES },
    ...(database === undefined ? {} : { database }),
    onDamaged: (damaged) => {
      throw new Error(`damaged: ${damaged.type}`)
    },
  })
  try {
    await check(vault, expected)
  } finally {
    await vault.close()
    await database?.close()
  }
}
