import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { ABORT, open } from 'lmdb'
import { LmdbDatabase, openLmdb } from '../../src/store/lmdb.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { tablesSuite } from './tables.suite.js'

tablesSuite('in memory', async () => {
  const database = new MemoryDatabase()
  return { database, close: () => database.close() }
})

tablesSuite('LMDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shoal-tables-'))
  const database = openLmdb(directory)
  return {
    database,
    async close() {
      await database.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
})

it('LMDB has room for the tables of more than a dozen shares', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shoal-tables-'))
  const database = openLmdb(directory)
  try {
    for (let at = 0; at < 300; at++) database.table(`share:${at}`)
    const last = database.table<number>('share:299')
    last.put(Buffer.from('a'), 7)
    assert.equal(last.get(Buffer.from('a')), 7)
  } finally {
    await database.close()
    await rm(directory, { recursive: true, force: true })
  }
})

it('LMDB keeps its rows when it is closed and opened again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shoal-tables-'))
  try {
    const first = openLmdb(directory)
    first.transaction(() => first.table<string>('t').put(Buffer.from('a'), 'kept'))
    await first.close()
    const second = openLmdb(directory)
    assert.equal(second.table<string>('t').get(Buffer.from('a')), 'kept')
    await second.close()
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

it('LMDB: what a transaction wrote is written again when the library refuses its commit, and its body is not run again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shoal-tables-'))
  const root = open({ path: directory, pageSize: 8192, keyEncoding: 'binary', encoding: 'binary' })
  const database = new LmdbDatabase(root)
  try {
    const table = database.table<string>('t')
    const commit = root.transactionSync.bind(root)
    let refusals = 0
    // As the library does it: nothing is written, and the error comes after the body.
    root.transactionSync = <T>(body: () => T): T => {
      if (refusals === 0) return commit(body)
      refusals--
      commit(() => {
        body()
        return ABORT
      })
      throw Object.assign(new Error('MDB_BAD_TXN'), { code: -30782 })
    }
    table.put(Buffer.from('gone'), 'old')
    for (const times of [1, 4]) {
      refusals = times
      let runs = 0
      const result = database.transaction(() => {
        table.put(Buffer.from('a'), 'first')
        database.transaction(() => table.put(Buffer.from('a'), `again ${times}`))
        table.remove(Buffer.from('gone'))
        return ++runs
      })
      assert.deepEqual([result, refusals], [1, 0])
      assert.equal(table.get(Buffer.from('a')), `again ${times}`)
      assert.equal(table.get(Buffer.from('gone')), undefined)
    }
    refusals = 1
    table.put(Buffer.from('alone'), 'there')
    assert.deepEqual([refusals, table.get(Buffer.from('alone'))], [0, 'there'])
    refusals = 100
    assert.throws(() => database.transaction(() => table.put(Buffer.from('a'), 'never')), { code: -30782 })
    refusals = 0
    assert.equal(table.get(Buffer.from('a')), 'again 4')
    const whole = root.transactionSync
    root.transactionSync = () => {
      throw Object.assign(new Error('Input/output error'), { code: 5 })
    }
    assert.throws(() => table.put(Buffer.from('a'), 'never'), {
      code: 'IO',
      message: 'cannot write the index under storage_path: Input/output error',
    })
    root.transactionSync = whole
    // What the body itself throws is nobody's commit.
    const thrown = Object.assign(new Error('of the body'), { code: -30782 })
    assert.throws(() => {
      database.transaction(() => {
        table.put(Buffer.from('a'), 'never')
        throw thrown
      })
    }, thrown)
    assert.equal(table.get(Buffer.from('a')), 'again 4')
  } finally {
    await database.close()
    await rm(directory, { recursive: true, force: true })
  }
})

it('LMDB says what to do when it can take no more tables, and goes on with those that there are', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shoal-tables-'))
  const database = openLmdb(directory)
  try {
    const first = database.table<number>('first')
    const fill = (): void => {
      for (let at = 0; at <= 2048; at++) database.table(`more-${at}`)
    }
    assert.throws(fill, { code: 'STORAGE_UNUSABLE', message: /start the daemon anew/ })
    first.put(Buffer.from('a'), 1)
    database.clear('more-')
    assert.equal(first.get(Buffer.from('a')), 1)
  } finally {
    await database.close()
    await rm(directory, { recursive: true, force: true })
  }
})
