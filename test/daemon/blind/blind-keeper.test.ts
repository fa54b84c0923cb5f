// Retention end to end, over a real vault in a folder: what no kept moment needs goes, the space comes back, what is live stays.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { blake3 } from '../../../src/core/hash.js'
import { type DeviceId, shareIdFromBytes, type WriterId } from '../../../src/core/ids.js'
import type { PublicPart } from '../../../src/core/record.js'
import { KEEP_ALL } from '../../../src/core/retention.js'
import { BlindBook } from '../../../src/daemon/blind/blind-book.js'
import { BlindKeeper } from '../../../src/daemon/blind/blind-keeper.js'
import { silentLog } from '../../../src/ports/log.js'
import { BlindIndex } from '../../../src/store/blind-index.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { FolderStorage } from '../../../src/vault/folder-storage.js'
import { Vault } from '../../../src/vault/vault.js'
import { patternBytes } from '../../core/piece-pattern.js'
import { until } from '../../support/until.js'

const WRITER = 'a1a1a1a1a1a1a1a1' as WriterId
const HOUR = 3_600_000
const NOW = 1_760_000_000_000

async function bytesIn(folder: string): Promise<number> {
  const packs = await readdir(join(folder, 'packs'))
  const sizes = await Promise.all(packs.map(async (name) => (await stat(join(folder, 'packs', name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

it('lets go what no kept moment needs, and the vault gives the space back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-keeper-'))
  const database = new MemoryDatabase()
  const shareId = shareIdFromBytes(patternBytes(32, 1))
  const storage = await FolderStorage.open(join(folder, 'vault'))
  const vault = await Vault.open({ storage, shareId, database, log: silentLog, packBytes: 64 * 1024 })
  const index = new BlindIndex(database, 'x:')
  const policy = { ...KEEP_ALL, keepMs: 24 * HOUR }
  const book = new BlindBook({ index, vault, policy: () => policy, nowMs: () => NOW })
  let isCaughtUp = false
  const lost: number[] = []
  const keeper = new BlindKeeper({
    ...{ book, vault, log: silentLog, bytesPerSecond: Number.POSITIVE_INFINITY, minDeadBytes: 1024 },
    isCaughtUp: () => isCaughtUp,
    onDropping: (dead) => lost.push(...(book.numbersOf(dead).get(WRITER) ?? [])),
    onChange: () => {},
    fail: (thrown) => assert.fail(String(thrown)),
  })
  const pieces = Array.from({ length: 100 }, (_, i) => Buffer.alloc(8000 + i, `piece ${i} `)).map(
    (bytes) => ({
      id: blake3(bytes),
      bytes,
      length: bytes.length,
    }),
  )
  const feed = index.feeds.add({
    ...{ writer: WRITER, key: Buffer.alloc(32), device: 'ab'.repeat(32) as DeviceId, deviceName: 'a' },
    ...{ epoch: 0, certificate: Buffer.alloc(0) },
  })
  const say = (
    at: number,
    atMs: number,
    numbers: readonly number[],
    kind: 'delta' | 'checkpoint',
    whole?: number,
  ) => {
    const header: PublicPart['header'] = { kind, timeMs: atMs, view: [], checkpoint: whole }
    const announcements = numbers.map((first) => ({ first, pieces: [pieces[first]!] }))
    book.takeOver(feed, at, { header, announcements })
  }
  try {
    say(0, NOW - 90 * HOUR, [...pieces.keys()], 'delta')
    await vault.add({ pieces })
    book.stored(pieces)
    const live = [...pieces.keys()].filter((n) => n % 10 === 0)
    say(1, NOW - 80 * HOUR, live, 'checkpoint')
    say(2, NOW - 79 * HOUR, [], 'delta', 1)
    const full = await bytesIn(join(folder, 'vault'))

    // Some feed is not read as far as it is known: nothing goes.
    keeper.look()
    await until('it is counted', () => keeper.isAtRest)
    assert.deepEqual([lost, vault.stats().pieces], [[], 100])

    isCaughtUp = true
    keeper.look()
    await until('it has let go', () => vault.stats().pieces === 10 && keeper.isAtRest)
    assert.equal(lost.length, 90)
    assert.deepEqual(
      [book.counts.live.pieces, book.counts.missing.pieces, book.counts.past.pieces],
      [10, 0, 0],
    )
    const left = await bytesIn(join(folder, 'vault'))
    assert.ok(left < full / 3, `${left} of ${full} bytes are left`)
    const read = await vault.read(live.map((n) => pieces[n]!.id))
    assert.deepEqual(
      read.map((bytes) => bytes?.length),
      live.map((n) => pieces[n]!.length),
    )
  } finally {
    await keeper.stop()
    await vault.close()
    await rm(folder, { recursive: true })
  }
})

it('lets go again what was dropped when the index that says so is lost', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-keeper-'))
  const shareId = shareIdFromBytes(patternBytes(32, 1))
  const pieces = Array.from({ length: 40 }, (_, i) => Buffer.alloc(8000 + i, `piece ${i} `)).map((bytes) => ({
    ...{ id: blake3(bytes), bytes, length: bytes.length },
  }))
  const live = [...pieces.keys()].filter((n) => n % 4 === 0)
  /** One run of the daemon, whose database is lost in the end. The feed comes back out of the vault, record by record. */
  const run = async (isFirst: boolean): Promise<void> => {
    const database = new MemoryDatabase()
    const storage = await FolderStorage.open(join(folder, 'vault'))
    const vault = await Vault.open({ storage, shareId, database, log: silentLog })
    const index = new BlindIndex(database, 'x:')
    const policy = { ...KEEP_ALL, keepMs: 24 * HOUR }
    const book = new BlindBook({ index, vault, policy: () => policy, nowMs: () => NOW })
    const said = { records: 0 }
    const lost: number[] = []
    const keeper = new BlindKeeper({
      // The packs keep all of it.
      ...{ book, vault, log: silentLog, minDeadBytes: Number.POSITIVE_INFINITY },
      isCaughtUp: () => said.records === 3,
      onDropping: (dead) => lost.push(...(book.numbersOf(dead).get(WRITER) ?? [])),
      onChange: () => {},
      fail: (thrown) => assert.fail(String(thrown)),
    })
    const feed = index.feeds.add({
      ...{ writer: WRITER, key: Buffer.alloc(32), device: 'ab'.repeat(32) as DeviceId, deviceName: 'a' },
      ...{ epoch: 0, certificate: Buffer.alloc(0) },
    })
    const say = (atMs: number, numbers: readonly number[], kind: 'delta' | 'checkpoint', whole?: number) => {
      const header: PublicPart['header'] = { kind, timeMs: atMs, view: [], checkpoint: whole }
      const announcements = numbers.map((first) => ({ first, pieces: [pieces[first]!] }))
      book.takeOver(feed, said.records, { header, announcements })
      said.records++
      keeper.look()
    }
    try {
      if (isFirst) await vault.add({ pieces })
      assert.equal(vault.stats().pieces, 40, 'all of it is live in the vault')
      await book.survey()
      say(NOW - 90 * HOUR, [...pieces.keys()], 'delta')
      say(NOW - 80 * HOUR, live, 'checkpoint')
      await until('it is counted', () => keeper.isAtRest)
      assert.deepEqual(lost, [], 'not before all is read')
      say(NOW - 79 * HOUR, [], 'delta', 1)
      await until('it has let go', () => vault.stats().pieces === 10 && keeper.isAtRest)
      assert.equal(lost.length, 30)
      assert.deepEqual(
        live.map((n) => vault.has(pieces[n]!.id)),
        live.map(() => true),
      )
    } finally {
      await keeper.stop()
      await vault.close()
    }
  }
  try {
    await run(true)
    await run(false)
  } finally {
    await rm(folder, { recursive: true })
  }
})

it('holds back for a day where its clock may have leapt ahead, and no longer', async () => {
  const index = new BlindIndex(new MemoryDatabase(), 'x:')
  const policy = { ...KEEP_ALL, keepMs: 24 * HOUR }
  let nowMs = NOW
  const gone = new Set<string>()
  const vault = {
    has: (id: Buffer) => !gone.has(id.toString('hex')),
    lengthOf: (id: Buffer) => (gone.has(id.toString('hex')) ? undefined : 10),
  }
  const bookOf = () => new BlindBook({ index, vault, policy: () => policy, nowMs: () => nowMs })
  let book = bookOf()
  const feed = index.feeds.add({
    ...{ writer: WRITER, key: Buffer.alloc(32), device: 'ab'.repeat(32) as DeviceId, deviceName: 'a' },
    ...{ epoch: 0, certificate: Buffer.alloc(0) },
  })
  const piece = { id: patternBytes(32, 3), length: 10 }
  const say = (at: number, kind: 'delta' | 'checkpoint', checkpoint?: number) =>
    book.takeOver(feed, at, {
      header: { kind, timeMs: NOW, view: [], checkpoint },
      announcements: at === 0 ? [{ first: 0, pieces: [piece] }] : [],
    })
  say(0, 'delta')
  say(1, 'checkpoint')
  say(2, 'delta', 1)
  const held: boolean[] = []
  const keeperFor = (holdBackMs?: number) =>
    new BlindKeeper({
      book,
      vault: {
        drop: async (ids) => {
          for (const id of ids) gone.add(id.toString('hex'))
        },
        compact: async () => ({ packs: 0, movedBytes: 0, freedBytes: 0, damaged: [] }),
      },
      log: silentLog,
      isCaughtUp: () => true,
      onDropping: () => {},
      onHeldBack: (isHeldBack) => held.push(isHeldBack),
      onChange: () => {},
      fail: (thrown) => assert.fail(String(thrown)),
      ...(holdBackMs === undefined ? {} : { holdBackMs }),
    })
  nowMs = NOW + 10 * 365 * 24 * HOUR
  const first = keeperFor()
  first.renew()
  await until('it is counted', () => held.length > 0)
  // Not for as long as it is asked again, nor by a restart.
  first.renew()
  await until('it is counted again', () => first.isAtRest)
  await first.stop()
  assert.deepEqual([held, gone.size], [[true], 0])
  book = bookOf()
  const patient = keeperFor(0)
  patient.renew()
  await until('it has let go', () => gone.size === 1)
  await patient.stop()
})

it('compacts for little where the vault lacks room', async () => {
  const index = new BlindIndex(new MemoryDatabase(), 'x:')
  const book = new BlindBook({
    index,
    vault: { has: () => true, lengthOf: () => 10 },
    policy: () => KEEP_ALL,
    nowMs: () => NOW,
  })
  let isShort = false
  const least: (number | undefined)[] = []
  const keeper = new BlindKeeper({
    book,
    vault: {
      drop: async () => {},
      compact: async ({ minDeadBytes } = {}) => {
        least.push(minDeadBytes)
        return { packs: 0, movedBytes: 0, freedBytes: 0, damaged: [] }
      },
    },
    ...{ log: silentLog, isCaughtUp: () => true, isShort: () => isShort },
    ...{ onDropping: () => {}, onHeldBack: () => {}, onChange: () => {} },
    fail: (thrown) => assert.fail(String(thrown)),
  })
  keeper.renew()
  await until('it has compacted', () => least.length === 1)
  isShort = true
  keeper.renew()
  await until('it has compacted again', () => least.length === 2)
  await keeper.stop()
  assert.equal(least[0], undefined)
  assert.ok(least[1]! <= 1 << 20)
})
