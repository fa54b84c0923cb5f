// F5: what has been announced or acknowledged survives a crash, and nothing is announced before it would.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ShoalError } from '../../src/core/error.js'
import { listLogs, syncFileData } from '../../src/feed/files.js'
import { WriteAheadLog } from '../../src/feed/wal.js'
import { blocks, join2, own, reaches, remote, texts, turns, World } from './helpers.js'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

/** A syncFile that a test can hold, count and break. It syncs for real. */
class Syncs {
  begun = 0
  failure: Error | undefined
  readonly durableBytes = new Map<string, number>()
  #held:
    | { readonly begin: () => void; readonly released: Promise<void>; readonly release: () => void }
    | undefined

  readonly syncFile = async (path: string): Promise<void> => {
    this.begun++
    const bytes = (await stat(path)).size
    this.#held?.begin()
    await this.#held?.released
    if (this.failure !== undefined) throw this.failure
    await syncFileData(path)
    this.durableBytes.set(basename(path), bytes)
  }

  /** Holds all syncs from now on; resolves once one has begun, to the function that lets them go. */
  hold(): { readonly begun: Promise<void>; readonly release: () => void } {
    let begin = (): void => {}
    let release = (): void => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    this.#held = { begin, released, release }
    return {
      begun,
      release: () => {
        this.#held = undefined
        release()
      },
    }
  }
}

function settled(promise: Promise<unknown>): { done: boolean } {
  const state = { done: false }
  const finish = (): void => {
    state.done = true
  }
  promise.then(finish, finish)
  return state
}

test('F5 O1: neither the caller nor any peer, old or new, learns of a length before its sync', async () => {
  const syncs = new Syncs()
  const mine = await own(await world.store({ syncFile: syncs.syncFile }))
  await mine.append(blocks('a'))
  const connected = await remote(await world.store(), mine)
  const [, connectedEnd] = await join2(world, mine, connected)
  await reaches(connected, 1)

  const held = syncs.hold()
  const append = mine.append(blocks('b', 'c'))
  const state = settled(append)
  await held.begun
  // The blocks are in the database; a peer that connects now, and one that asks again, must not see them.
  const late = await remote(await world.store(), mine)
  await join2(world, mine, late)
  await reaches(late, 1)
  const asking = new AbortController()
  const reading = texts(connected, 1, 2, asking.signal)
  await turns(200)
  assert.equal(state.done, false)
  assert.equal(mine.length, 1)
  assert.equal(connected.length, 1)
  assert.equal(late.length, 1)
  assert.equal(connectedEnd.stream.destroyed, false)

  held.release()
  assert.equal(await append, 3)
  assert.equal(mine.length, 3)
  await Promise.all([reaches(connected, 3), reaches(late, 3)])
  assert.deepEqual(await reading, ['b'])
  assert.deepEqual(await texts(late, 0, 3), ['a', 'b', 'c'])
})

test('F5: a block written while a sync runs waits for the next one', async () => {
  const syncs = new Syncs()
  const store = await world.store({ syncFile: syncs.syncFile })
  const first = await own(store, 1)
  const second = await own(store, 2)
  const held = syncs.hold()
  const earlier = first.append(blocks('a'))
  await held.begun
  const begunBefore = syncs.begun
  const later = second.append(blocks('b'))
  const state = settled(later)
  await turns()
  assert.equal(syncs.begun, begunBefore)
  held.release()
  const next = syncs.hold()
  await earlier
  await next.begun
  assert.equal(state.done, false)
  next.release()
  assert.equal(await later, 1)
})

test('F5: appends that arrive together share writes and syncs, and each gets its own length', async () => {
  const syncs = new Syncs()
  const mine = await own(await world.store({ syncFile: syncs.syncFile }))
  const begun = syncs.begun
  const appends = Array.from({ length: 100 }, (_, index) => mine.append(blocks(`${index}`, 'x')))
  assert.deepEqual(
    await Promise.all(appends),
    Array.from({ length: 100 }, (_, index) => 2 * index + 2),
  )
  assert.ok(syncs.begun - begun <= 3, `${syncs.begun - begun} syncs`)
  assert.equal((await texts(mine, 0, 200))[198], '99')
})

test('F5: after a failed sync nothing is announced or believed any more, and the store reports a move', async () => {
  const directory = await world.directory()
  const syncs = new Syncs()
  const store = await world.store({ directory, syncFile: syncs.syncFile })
  const mine = await own(store)
  await mine.append(blocks('a'))
  const theirs = await remote(await world.store(), mine)
  await join2(world, mine, theirs)
  await reaches(theirs, 1)
  syncs.failure = new Error('the disk is on fire')
  const isIo = (error: unknown): boolean => error instanceof ShoalError && error.code === 'IO'
  await assert.rejects(mine.append(blocks('b')), isIo)
  syncs.failure = undefined
  await assert.rejects(mine.append(blocks('c')), isIo)
  await turns()
  assert.equal(mine.length, 1)
  assert.equal(theirs.length, 1)
  await store.close()
  const again = await world.open({ directory })
  assert.equal(again.moved, true)
})

test('F5: a process killed right after append() resolved has the blocks when it starts again', async () => {
  const directory = await world.directory()
  const child = spawn(process.execPath, [
    fileURLToPath(new URL('./append-child.js', import.meta.url)),
    directory,
  ])
  let reported = 0
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) {
    reported = Number(line)
    if (reported >= 20 && child.exitCode === null) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  assert.ok(reported >= 20)
  const { store, moved } = await world.open({ directory })
  assert.equal(moved, false)
  const feed = await own(store)
  assert.ok(feed.length >= reported, `${feed.length} of ${reported}`)
  for await (const { index, block } of feed.read(0, feed.length))
    assert.deepEqual(block, Buffer.alloc(2000, index))
})

test('F5: a power cut that drops every byte not yet synced leaves all acknowledged blocks', async () => {
  const directory = await world.directory()
  const syncs = new Syncs()
  // Small, so that RocksDB moves from log to log while feeds write at the same time.
  const store = await world.store({ directory, syncFile: syncs.syncFile, writeBufferBytes: 64 * 1024 })
  const feeds = await Promise.all([1, 2, 3, 4].map((seed) => own(store, seed)))
  await Promise.all(
    feeds.map(async (feed) => {
      for (let i = 0; i < 40; i++) await feed.append([Buffer.alloc(1500, i)])
    }),
  )
  const acknowledged = feeds.map((feed) => feed.length)
  // A tail that is written and never synced.
  const held = syncs.hold()
  const pending = feeds.map((feed) => feed.append([Buffer.alloc(1500)]))
  await held.begun
  await turns()

  const copy = await world.directory()
  await rm(copy, { recursive: true })
  await copyLive(directory, copy)
  const database = join(copy, 'cores', 'db')
  let dropped = 0
  for (const name of await listLogs(database)) {
    const path = join(database, name)
    const durable = syncs.durableBytes.get(name) ?? 0
    dropped += (await stat(path)).size - durable
    await truncate(path, durable)
  }
  held.release()
  await Promise.all(pending)
  assert.ok(dropped > 0)

  const after = await world.store({ directory: copy })
  for (const [index, seed] of [1, 2, 3, 4].entries()) {
    const feed = await own(after, seed)
    assert.ok(feed.length >= acknowledged[index]!, `feed ${seed}: ${feed.length} of ${acknowledged[index]}`)
    for await (const { index: at, block } of feed.read(0, 40)) assert.deepEqual(block, Buffer.alloc(1500, at))
  }
})

test('W2: logs that RocksDB has left are synced once more, then never again', async () => {
  const directory = await world.directory()
  const put = (name: string): Promise<void> => writeFile(join(directory, name), 'x')
  await put('000004.log')
  await put('000005.log')
  await put('CURRENT')
  let current = '/000005.log'
  let synced: string[] = []
  const log = new WriteAheadLog({
    directory,
    currentFile: async () => current,
    syncFile: async (path) => void synced.push(basename(path)),
    onFailure: () => {},
  })
  await log.sync()
  assert.deepEqual(synced, ['000004.log', '000005.log'])
  synced = []
  await put('000006.log')
  current = '/000006.log'
  await log.sync()
  assert.deepEqual(synced, ['000005.log', '000006.log'])
  synced = []
  await rm(join(directory, '000004.log'))
  await rm(join(directory, '000005.log'))
  await log.sync()
  assert.deepEqual(synced, ['000006.log'])
})

test('W3: the first failure is final, whatever later syncs would say', async () => {
  const directory = await world.directory()
  await writeFile(join(directory, '000004.log'), 'x')
  const failures: string[] = []
  let broken = true
  const log = new WriteAheadLog({
    directory,
    currentFile: async () => '/000004.log',
    syncFile: async () => {
      if (broken) throw new Error('EIO')
    },
    onFailure: (failure) => failures.push(failure.code),
  })
  const both = [log.sync(), log.sync()]
  for (const sync of both) await assert.rejects(sync, /cannot make the feed store durable/)
  broken = false
  await assert.rejects(log.sync())
  assert.deepEqual(failures, ['IO'])
})

for (const code of ['EMFILE', 'ENFILE'])
  test(`W3: a log that cannot even be opened (${code}) was not failed to be synced: it is tried again`, async () => {
    const directory = await world.directory()
    await writeFile(join(directory, '000004.log'), 'x')
    const failures: string[] = []
    const log = new WriteAheadLog({
      directory,
      currentFile: async () => '/000004.log',
      syncFile: async () => {
        if (tries++ < 3)
          throw Object.assign(new Error(`${code}: too many open files`), { code, syscall: 'open' })
      },
      onFailure: (failure) => failures.push(failure.code),
      shortageWaitMs: 1,
    })
    let tries = 0
    await log.sync()
    assert.deepEqual([tries, failures], [4, []])
  })

test('W3: whoever waits for a log to be opened is told at the end that nothing is known, and that is no failure', async () => {
  const directory = await world.directory()
  await writeFile(join(directory, '000004.log'), 'x')
  const failures: string[] = []
  let tried = (): void => undefined
  const isTried = new Promise<void>((resolve) => {
    tried = resolve
  })
  const log = new WriteAheadLog({
    directory,
    currentFile: async () => '/000004.log',
    syncFile: async () => {
      tried()
      throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', syscall: 'open' })
    },
    onFailure: (failure) => failures.push(failure.code),
    shortageWaitMs: 1,
  })
  const synced = assert.rejects(log.sync(), /cannot make the feed store durable/)
  await isTried
  log.stop()
  await synced
  assert.deepEqual(failures, [])
})

/** Copies a directory that a database works in: a file it removes meanwhile makes the copy start over. */
async function copyLive(from: string, to: string): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    try {
      return await cp(from, to, { recursive: true })
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown
      await rm(to, { recursive: true, force: true })
    }
  }
  throw new Error(`${from} does not keep still`)
}
