// The archive's keeper over an archive in memory, in a world where the true time is known: whatever clocks, reboots and
// crashes do, no version goes before its ttl has truly passed; and where they behave, all go in the end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ArchiveKeeper, type ArchiveKeeperOptions } from '../../../src/daemon/share/archive-keeper.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { type ArchiveLedger, isVersionExpired } from '../../../src/folder/archive-age.js'
import { silentLog } from '../../../src/ports/log.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const START = Date.UTC(2025, 0, 1, 12)

interface Version {
  readonly day: string
  readonly ctimeMs: number
  readonly trueMs: number
}

class World {
  trueMs = 0
  /** Wall clock minus true time. */
  offsetMs = START
  boot = 1
  bootedAtMs = -5 * DAY
  versions: Version[] = []
  readonly removed: { version: Version; atMs: number }[] = []
  ttlDays = 3
  stored: ArchiveLedger | undefined
  keeper: ArchiveKeeper
  beforeCall: () => Promise<void> | void = () => undefined

  constructor() {
    this.keeper = this.#make()
  }

  get wallMs(): number {
    return this.trueMs + this.offsetMs
  }

  async archive(): Promise<void> {
    const release = await this.keeper.use(this.wallMs)
    const day = new Date(this.wallMs).toISOString().slice(0, 10)
    this.versions.push({ day, ctimeMs: this.wallMs, trueMs: this.trueMs })
    release()
  }

  /** Power off without a word, and on again after a while. */
  reboot(offMs: number): void {
    this.trueMs += offMs
    this.boot++
    this.bootedAtMs = this.trueMs
    this.crash()
  }

  crash(): void {
    this.keeper = this.#make()
  }

  #make(): ArchiveKeeper {
    const world = this
    const pool: ArchiveKeeperOptions['pool'] = {
      listArchiveDays: async () => {
        return { days: [...new Set(this.versions.map(({ day }) => day))].sort(), isThere: true, faults: [] }
      },
      pruneArchive: async ({ directory, time, limit }) => {
        await Promise.resolve()
        await this.beforeCall()
        const own = directory.split('/').at(-1)!
        let removed = 0
        let more = false
        this.versions = this.versions.filter((version) => {
          if (version.day !== own || !isVersionExpired(own, version.ctimeMs, time)) return true
          if (removed === limit) {
            more = true
            return true
          }
          removed++
          this.removed.push({ version, atMs: this.trueMs })
          return false
        })
        return { removed, kept: 0, directories: [], more, faults: [] }
      },
      removeEmptyArchiveDirectories: async () => ({ removed: 0, faults: [] }),
    }
    return new ArchiveKeeper({
      root: '/share',
      pool,
      meta: {
        get archive() {
          return world.stored
        },
        set archive(ledger) {
          world.stored = ledger
        },
      },
      problems: new ProblemBook(() => 0),
      log: silentLog,
      nowMs: () => this.wallMs,
      ttlDays: this.ttlDays,
      rootIdentity: () => ({ dev: 1, ino: 1, markerIno: 1 }),
      haltReason: () => undefined,
      forgetPieces: () => undefined,
      uptime: () => ({ bootId: `boot ${this.boot}`, uptimeMs: this.trueMs - this.bootedAtMs }),
      pauseMs: 0,
    })
  }
}

type Act = (world: World) => Promise<unknown> | unknown

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Act>((world) => world.archive()) },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 60 * 24 }).map((hours): Act => {
      return (world) => {
        world.trueMs += hours * HOUR
      }
    }),
  },
  { weight: 4, arbitrary: fc.constant<Act>((world) => world.keeper.prune()) },
  {
    weight: 3,
    // Dead clocks always start on one and the same day.
    arbitrary: fc
      .oneof(fc.constant(Date.UTC(2001, 0, 1)), fc.integer({ min: 0, max: 4e12 }))
      .map((wall): Act => {
        return (world) => {
          world.offsetMs = wall - world.trueMs
        }
      }),
  },
  {
    weight: 2,
    arbitrary: fc.constant<Act>((world) => {
      world.offsetMs = START
    }),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 0, max: 90 }).map(
      (days): Act =>
        (world) =>
          world.reboot(days * DAY),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.crash()) },
  { weight: 1, arbitrary: fc.constant<Act>(async (world) => world.keeper.stop().then(() => world.crash())) },
)

test('no version goes before its ttl has truly passed, whatever the clocks, reboots and crashes do', async () => {
  let removed = 0
  const property = fc.asyncProperty(fc.array(act, { minLength: 10, maxLength: 60 }), async (acts) => {
    const world = new World()
    for (const step of acts) await step(world)
    removed += world.removed.length
    for (const { version, atMs } of world.removed) assert.ok(atMs - version.trueMs >= world.ttlDays * DAY)
  })
  await fc.assert(property, { numRuns: 500 })
  assert.ok(removed > 100, `the property has seen removals: ${removed}`)
})

test('a machine that starts in 2001 each time keeps what it archived there', async () => {
  const world = new World()
  for (let boot = 0; boot < 40; boot++) {
    world.reboot(HOUR)
    world.offsetMs = Date.UTC(2001, 0, 1) - world.trueMs
    await world.archive()
    world.trueMs += 60_000
    world.offsetMs = START
    for (let hour = 0; hour < 24; hour++) {
      world.trueMs += HOUR
      await world.keeper.prune()
    }
  }
  assert.equal(world.versions.length, 40, 'its folder is put into daily, so nothing in it is surely old')
  world.trueMs += 5 * DAY
  await world.keeper.prune()
  assert.equal(world.versions.length, 0)
})

test('where clocks behave, everything goes a little after the ttl', async () => {
  const world = new World()
  await world.keeper.prune()
  for (let day = 0; day < 10; day++) {
    await world.archive()
    world.trueMs += DAY
    await world.keeper.prune()
  }
  assert.ok(world.versions.length <= 6, `${world.versions.length} are left`)
  world.trueMs += 6 * DAY
  await world.keeper.prune()
  assert.equal(world.versions.length, 0)
})

test('0 days: nothing ever goes', async () => {
  const world = new World()
  world.ttlDays = 0
  world.crash()
  await world.archive()
  world.trueMs += 1000 * DAY
  await world.keeper.prune()
  assert.equal(world.versions.length, 1)
  world.ttlDays = 1
  world.crash()
  await world.keeper.prune()
  assert.equal(world.versions.length, 0)
})

test('fewer days count after an hour without another change, more at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const world = new World()
  world.ttlDays = 365
  world.crash()
  world.keeper.start()
  await world.archive()
  world.trueMs += 100 * DAY
  const prune = async (): Promise<void> => {
    let isOver = false
    void world.keeper.prune().then(() => {
      isOver = true
    })
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve))
      // Its pauses.
      t.mock.timers.tick(1)
    }
  }
  const removedAfter = async (minutes: number): Promise<number> => {
    t.mock.timers.tick(minutes * 60_000)
    await prune()
    return world.removed.length
  }
  // What an editor that saves by itself may write on the way from 365 to 300.
  for (const days of [36, 3, 30, 300]) {
    world.keeper.ttlDays = days
    assert.equal(await removedAfter(59), 0)
  }
  assert.equal(await removedAfter(24 * 60), 0, 'the last one is meant, and keeps it')
  world.keeper.ttlDays = 30
  assert.equal(await removedAfter(59), 0)
  world.keeper.ttlDays = 0
  assert.equal(await removedAfter(24 * 60), 0, 'taken back in time')
  world.keeper.ttlDays = 30
  assert.equal(await removedAfter(61), 1, 'meant after all')
  await world.keeper.stop()
})

test('a commit into a folder waits for the call at work there, and ends the removal', async () => {
  const world = new World()
  for (let i = 0; i < 300; i++) await world.archive()
  world.trueMs += 30 * DAY
  const backAtMs = START
  let used: (() => void) | undefined
  let calls = 0
  let isCallOver = false
  world.beforeCall = async () => {
    if (++calls > 1) return
    // The clock jumps back to the folder's day while it is being emptied, and a commit comes.
    world.offsetMs = backAtMs - world.trueMs
    const using = world.keeper.use(world.wallMs).then((release) => {
      assert.ok(isCallOver, 'the commit begins after the call')
      used = release
    })
    void using
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(used, undefined)
    isCallOver = true
  }
  await world.keeper.prune()
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(used !== undefined)
  assert.equal(calls, 1)
  assert.equal(world.versions.length, 300 - 128)
  used()
  world.offsetMs = START
  await world.keeper.prune()
  assert.equal(world.versions.length, 300 - 128, 'its folder was put into just now')
})

test('a halted share is left alone, and stop() ends a pass', async () => {
  const world = new World()
  for (let i = 0; i < 1000; i++) await world.archive()
  world.trueMs += 30 * DAY
  world.beforeCall = () => {
    void world.keeper.stop()
  }
  await world.keeper.prune()
  assert.equal(world.versions.length, 1000 - 128)
})
