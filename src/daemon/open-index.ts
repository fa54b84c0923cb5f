// The index of all shares under the storage path.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { openLmdb } from '../store/lmdb.js'
import { ShareIndex } from '../store/share-index.js'
import type { Database } from '../store/tables.js'
import { readIfThere } from './durable-file.js'

/** Opens the index; one of another format is thrown away: it is built anew from feeds and disk (section 9). */
export function openIndex(directory: string): Database {
  const format = path.join(directory, 'format')
  const found = readIfThere(format)
  if (found !== undefined && found.trim() !== String(ShareIndex.format))
    rmSync(directory, { recursive: true })
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const database = openLmdb(directory)
  writeFileSync(format, `${ShareIndex.format}\n`)
  return database
}
