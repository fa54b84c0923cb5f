// The index of a vault in tests.
import { MemoryDatabase } from '../../src/store/memory.js'
import { AFTER_LAST_KEY, FIRST_KEY } from '../../src/store/tables.js'

const TABLES = ['frames', 'packs', 'about']
export const PREFIX = 'vault:'

/** What a power cut may leave of an index: as it was some time ago. */
export function copyOf(database: MemoryDatabase): MemoryDatabase {
  const copy = new MemoryDatabase()
  for (const name of TABLES) {
    const to = copy.table(`${PREFIX}${name}`)
    for (const { key, value } of database.table(`${PREFIX}${name}`).range(FIRST_KEY, LAST)) to.put(key, value)
  }
  return copy
}

const LAST = Buffer.concat([AFTER_LAST_KEY, AFTER_LAST_KEY, AFTER_LAST_KEY])
