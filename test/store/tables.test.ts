import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { openLmdb } from '../../src/store/lmdb.js'
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
