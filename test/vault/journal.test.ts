// The index of a vault kept as a journal: it is read in slices, may be aborted, and is shortened while it is used; whatever
// of that a crash leaves is read as what was put and removed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { blake3 } from '../../src/core/hash.js'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import type { Database } from '../../src/store/tables.js'
import { FRAME, keyOfPiece } from '../../src/vault/frame.js'
import type { FrameRows, Place } from '../../src/vault/frame-rows.js'
import { JournalRows } from '../../src/vault/journal-rows.js'
import { Vault } from '../../src/vault/vault.js'
import { Random } from '../sim/random.js'
import { copyOf, PREFIX } from './databases.js'
import { FakeStorage } from './fake-storage.js'
import { pieceOf, SHARE } from './history.js'
import { numbers } from './vault.suite.js'

const KEYS = numbers(0, 4000).map((n) => keyOfPiece(blake3(Buffer.from(String(n)))))
const BLOCKS = numbers(0, 20).map((n) => Buffer.from([FRAME.block, ...Buffer.alloc(15, 1), n]))

function putAll(rows: FrameRows, pack: number): void {
  rows.transaction(() => {
    KEYS.forEach((key, offset) => {
      rows.put(key, { pack, offset, length: 1 })
    })
  })
}

function allOf(rows: FrameRows): [string, Place][] {
  return [FRAME.piece, FRAME.block].flatMap((type) =>
    rows
      .range(type, Buffer.alloc(0), Number.MAX_SAFE_INTEGER)
      .map(({ key, place }): [string, Place] => [key.toString('hex'), place]),
  )
}

function journalOf(database: Database): number {
  return database.table<Buffer>(`${PREFIX}journal`).range(Buffer.alloc(0), Buffer.alloc(9, 0xff)).length
}

/** Counts the rows that tables give and the transactions, from one turn of the event loop to the next; the most of each. */
class Watched implements Database {
  readonly #inner: MemoryDatabase
  most = 0
  turns = 0
  onTurn: (turn: number) => void = () => undefined
  #rows = 0
  #isWatching = true

  constructor(inner: MemoryDatabase) {
    this.#inner = inner
    const tick = (): void => {
      this.#rows = 0
      this.onTurn(++this.turns)
      if (this.#isWatching) setImmediate(tick)
    }
    setImmediate(tick)
  }

  end(): void {
    this.#isWatching = false
  }

  table<V>(name: string): ReturnType<typeof MemoryDatabase.prototype.table<V>> {
    const table = this.#inner.table<V>(name)
    const watched: typeof table = {
      get: (key) => table.get(key),
      put: (key, value) => {
        this.#count(1)
        table.put(key, value)
      },
      remove: (key) => {
        this.#count(1)
        table.remove(key)
      },
      range: (start, end, limit) => {
        const rows = table.range(start, end, limit)
        this.#count(rows.length)
        return rows
      },
    }
    return watched
  }

  transaction<T>(body: () => T): T {
    return this.#inner.transaction(body)
  }

  clear(prefix: string): void {
    this.#inner.clear(prefix)
  }

  async close(): Promise<void> {}

  #count(rows: number): void {
    this.#rows += rows
    this.most = Math.max(this.most, this.#rows)
  }
}

describe('the journal of an index', () => {
  it('is read, dropped and written in slices, with turns for others in between', async () => {
    const database = new MemoryDatabase()
    const rows = await JournalRows.open(database, PREFIX)
    for (let pack = 1; pack <= 30; pack++) putAll(rows, pack)
    for (let n = 0; n < 100; n++)
      database.table<Buffer>(`${PREFIX}journal`).put(Buffer.from([9, 0, 0, 0, 0, 0, 0, n]), Buffer.alloc(0))
    const length = journalOf(database)
    assert.ok(length > 200)
    const watched = new Watched(database)
    const again = await JournalRows.open(watched, PREFIX)
    watched.end()
    assert.deepEqual(allOf(again), allOf(rows))
    assert.ok(journalOf(database) < 10, 'it is short now')
    assert.ok(watched.most <= 32, `${watched.most} rows in one slice`)
    assert.ok(watched.turns > length / 16, `${watched.turns} turns`)
  })

  it('can be left while it is opened, at any turn, and nothing is lost', async () => {
    const database = new MemoryDatabase()
    const rows = await JournalRows.open(database, PREFIX)
    for (let pack = 1; pack <= 10; pack++) putAll(rows, pack)
    let aborted = 0
    for (let at = 1; ; at++) {
      const copy = copyOf(database)
      const watched = new Watched(copy)
      const abort = new AbortController()
      watched.onTurn = (turn) => {
        if (turn === at) abort.abort(new Error('enough'))
      }
      const opened = await JournalRows.open(watched, PREFIX, abort.signal).catch((thrown: unknown) => {
        assert.match(String(thrown), /enough/)
        return undefined
      })
      watched.end()
      const again = opened ?? (await JournalRows.open(copy, PREFIX))
      assert.deepEqual(allOf(again), allOf(rows), `turn ${at}`)
      if (opened !== undefined) break
      aborted++
    }
    assert.ok(aborted > 30, `aborted ${aborted} times`)
  })

  it('is shortened while it changes, and whatever a crash leaves of that says the same', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const random = new Random(seed)
      const database = new MemoryDatabase()
      const rows = await JournalRows.open(database, PREFIX)
      for (let pack = 1; pack <= 7; pack++) putAll(rows, pack)
      assert.equal(rows.isLong, true)
      const long = journalOf(database)
      let isOver = false
      const shortening = rows.shorten().finally(() => {
        isOver = true
      })
      const left: { database: MemoryDatabase; expected: [string, Place][] }[] = []
      for (let step = 0; !isOver; step++) {
        rows.transaction(() => {
          for (let i = 0; i < 20; i++) {
            const key = random.pick(random.chance(0.1) ? BLOCKS : KEYS)!
            if (random.chance(0.5)) rows.remove(key)
            else rows.put(key, { pack: 100 + step, offset: i, length: 2 })
          }
        })
        assert.throws(() =>
          rows.transaction(() => {
            rows.put(random.pick(KEYS)!, { pack: 99_999, offset: 1, length: 1 })
            rows.remove(random.pick(KEYS)!)
            throw new Error('undone')
          }),
        )
        left.push({ database: copyOf(database), expected: allOf(rows) })
        await new Promise((resolve) => setImmediate(resolve))
      }
      await shortening
      left.push({ database: copyOf(database), expected: allOf(rows) })
      assert.ok(left.length > 6, `${left.length} crashes`)
      assert.ok(journalOf(database) < long / 1.5, `${journalOf(database)} of ${long} rows`)
      assert.equal(rows.isLong, false)
      for (const [at, { database: found, expected }] of left.entries()) {
        const again = await JournalRows.open(found, PREFIX)
        assert.deepEqual(allOf(again), expected, `seed ${seed}, crash ${at}`)
        // What it writes now is not mixed with what the crash has left.
        await again.shorten()
        assert.deepEqual(allOf(await JournalRows.open(found, PREFIX)), expected)
      }
    }
  })

  it('stays as it is when shortening fails, and that is not tried again at once', async () => {
    const database = new MemoryDatabase()
    const rows = await JournalRows.open(database, PREFIX)
    for (let pack = 1; pack <= 7; pack++) putAll(rows, pack)
    const transaction = database.transaction.bind(database)
    let writes = 0
    database.transaction = (body) => {
      if (++writes === 3) throw new Error('no room')
      return transaction(body)
    }
    await assert.rejects(rows.shorten(), /no room/)
    assert.equal(rows.isLong, false)
    rows.remove(KEYS[0]!)
    assert.deepEqual(allOf(await JournalRows.open(copyOf(database), PREFIX)), allOf(rows))
    // The rows that the failure has left do not count when it is done after all.
    await rows.shorten()
    rows.remove(KEYS[1]!)
    assert.deepEqual(allOf(await JournalRows.open(database, PREFIX)), allOf(rows))
    assert.equal(allOf(rows).length, KEYS.length - 2)
  })
})

describe('a vault', () => {
  it('shortens its index while it is used', async () => {
    const storage = new FakeStorage(new Random(1))
    const database = new MemoryDatabase()
    const options = { storage, shareId: SHARE, database, prefix: PREFIX, log: silentLog }
    const vault = await Vault.open({ ...options, packBytes: 64 * 1024 })
    const pieces = numbers(0, 400).map(pieceOf)
    const ids = pieces.map(({ id }) => id)
    let most = 0
    for (let round = 0; round < 40; round++) {
      await vault.add({ pieces })
      if (round < 39) await vault.drop(ids)
      await vault.compact({ minDeadBytes: 1 })
      most = Math.max(most, journalOf(database))
    }
    assert.ok(journalOf(database) < most, `${journalOf(database)} of ${most} rows are left`)
    await vault.close()
    const again = await Vault.open({ ...options, storage: storage.left() })
    assert.equal(again.stats().pieces, 400)
    assert.deepEqual(
      await again.read(ids),
      pieces.map(({ bytes }) => bytes),
    )
  })

  it('that is left while it is opened without its index is opened by the next', async () => {
    const storage = new FakeStorage(new Random(1))
    const options = { shareId: SHARE, prefix: PREFIX, log: silentLog, packBytes: 8 * 1024 }
    const filled = await Vault.open({ ...options, storage, database: new MemoryDatabase() })
    await filled.add({ pieces: numbers(0, 60).map(pieceOf) })
    await filled.drop([pieceOf(3).id])
    await filled.compact({ minDeadBytes: 1, minDeadShare: 0 })
    await filled.close()
    const database = new MemoryDatabase()
    let aborted = 0
    for (let at = 1; ; at++) {
      const watched = new Watched(database)
      const abort = new AbortController()
      watched.onTurn = (turn) => {
        if (turn === at) abort.abort(new Error('enough'))
      }
      const left = storage.left()
      const opened = await Vault.open({ ...options, storage: left, database: watched, signal: abort.signal })
        .catch((thrown: unknown) => {
          assert.match(String(thrown), /enough/)
          return undefined
        })
        .finally(() => watched.end())
      if (opened === undefined) {
        aborted++
        continue
      }
      assert.deepEqual(
        await opened.read(numbers(4, 60).map((n) => pieceOf(n).id)),
        numbers(4, 60).map((n) => pieceOf(n).bytes),
      )
      assert.deepEqual((await opened.verify()).damaged, [])
      break
    }
    assert.ok(aborted > 1, `aborted ${aborted} times`)
  })
})
