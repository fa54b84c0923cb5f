// Contract of a vault under crashes: whatever step of writing, sealing or compacting the process ends at, whatever part of
// that step got to the disk, and whether the index is there, lost or as it was a while ago, nothing acknowledged is lost.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { Vault } from '../../src/vault/vault.js'
import { Random } from '../sim/random.js'
import { copyOf, PREFIX } from './databases.js'
import { Crash, FakeStorage, type Fault } from './fake-storage.js'
import { apply, check, Expected, nextOperation, type Operation, SHARE } from './history.js'

const ROUNDS = Number(process.env.SHOAL_ROUNDS ?? 60)
const OPERATIONS = 40
const PACK_BYTES = 8 * 1024
const CRASHES: readonly Fault[] = ['crash-before', 'crash-within', 'crash-after']

function open(storage: FakeStorage, database: MemoryDatabase): Promise<Vault> {
  return Vault.open({
    storage,
    shareId: SHARE,
    database,
    prefix: PREFIX,
    log: silentLog,
    packBytes: PACK_BYTES,
  })
}

interface World {
  storage: FakeStorage
  database: MemoryDatabase
  /** The index as it was some time ago. */
  older: MemoryDatabase
  vault: Vault
}

/** Opens what is left after a crash; what is opened may crash again. */
async function reopened(world: World, random: Random): Promise<void> {
  for (;;) {
    world.storage = world.storage.left()
    const index = random.weighted({ kept: 2, lost: 1, older: 2 })
    if (index === 'lost') world.database = new MemoryDatabase()
    if (index === 'older') world.database = copyOf(world.older)
    if (random.chance(0.3)) world.storage.faultAt = (step) => (step === 1 ? random.pick(CRASHES) : undefined)
    try {
      world.vault = await open(world.storage, world.database)
      world.storage.faultAt = () => undefined
      return
    } catch (thrown) {
      if (!(thrown instanceof Crash)) throw thrown
    }
  }
}

async function round(seed: number): Promise<void> {
  const random = new Random(seed)
  const storage = new FakeStorage(random)
  const database = new MemoryDatabase()
  const world = { storage, database, older: copyOf(database), vault: await open(storage, database) }
  const expected = new Expected()
  for (let i = 0; i < OPERATIONS; i++) {
    const operation = nextOperation(random, expected)
    if (random.chance(0.3)) world.older = copyOf(world.database)
    if (random.chance(0.25)) {
      const at = world.storage.steps + 1 + random.below(6)
      const fault = random.pick([...CRASHES, 'fail' as const])
      world.storage.faultAt = (step) => (step === at ? fault : undefined)
    }
    expected.begun(operation)
    try {
      await apply(world.vault, operation)
      expected.done(operation)
    } catch (thrown) {
      if (!world.storage.isCrashed && !/this step failed/.test(String(thrown))) throw thrown
    }
    world.storage.faultAt = () => undefined
    if (!world.storage.isCrashed && i % 8 !== 0) continue
    if (world.storage.isCrashed) await reopened(world, random)
    await check(world.vault, expected)
  }
  await check(world.vault, expected)
}

describe('a vault loses nothing that it acknowledged', () => {
  it(`in ${ROUNDS} seeded histories of crashes and failures`, async () => {
    for (let seed = 1; seed <= ROUNDS; seed++)
      await round(seed).catch((thrown: unknown) => {
        throw new Error(`seed ${seed}: ${String(thrown)}`, { cause: thrown })
      })
  })

  it('at every single step of one history', async () => {
    // Adds over several packs, most of it dropped, and compaction.
    const numbers = (from: number, to: number): number[] =>
      Array.from({ length: to - from }, (_, i) => from + i)
    const script: Operation[] = [
      { type: 'add', pieces: numbers(0, 20), certificates: [0, 1], lengths: [[0, 0, 4]] },
      { type: 'add', pieces: numbers(20, 40), certificates: [], lengths: [[0, 4, 6]] },
      { type: 'drop', pieces: numbers(3, 35) },
      { type: 'compact' },
      { type: 'add', pieces: numbers(10, 30), certificates: [2], lengths: [[1, 0, 3]] },
      { type: 'drop', pieces: numbers(0, 28) },
      { type: 'compact' },
    ]
    for (const fault of CRASHES)
      for (let at = 1; ; at++) {
        const random = new Random(at)
        const storage = new FakeStorage(random)
        const database = new MemoryDatabase()
        const world = { storage, database, older: copyOf(database), vault: await open(storage, database) }
        const first = storage.steps
        storage.faultAt = (step) => (step === first + at ? fault : undefined)
        const expected = new Expected()
        for (const operation of script) {
          expected.begun(operation)
          await apply(world.vault, operation).then(
            () => expected.done(operation),
            (thrown: unknown) => assert.ok(thrown instanceof Crash, String(thrown)),
          )
          if (storage.isCrashed) break
        }
        const didCrash = storage.isCrashed
        if (didCrash) await reopened(world, random)
        await check(world.vault, expected)
        // What was interrupted can be done now.
        await apply(world.vault, { type: 'compact' })
        await check(world.vault, expected)
        if (didCrash) continue
        assert.ok(at > 15, `the script has ${at} steps`)
        break
      }
  })
})
