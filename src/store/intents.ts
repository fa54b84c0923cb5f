// What was about to be put on the disk, or had been said in the own feed, when the process last died (A4): only this
// tells the outcome of an interrupted apply from a change of the user's.
import { type Entry, isLive } from '../core/entry.js'
import { ABSENT, factOf } from '../core/fact.js'
import type { Intent } from '../core/local.js'
import type { RelPath } from '../core/path.js'
import { packIntents, unpackIntents } from './rows.js'
import { type Database, type Table, walk } from './tables.js'

/** Before the number of a block of the own feed, as a key among those of batches. */
const TAIL_KEY = Buffer.from('tail')
/** Before the numbers of a feed and of a block of it, as a key for what others' feeds had said before the first look. */
const TOLD_KEY = Buffer.from('told')
/** Its row is there once the whole disk has been looked at with this index. */
const SCANNED_KEY = Buffer.from('scanned')

/**
 * Intents in one row: a whole batch in one would be hundreds of kilobytes, and values that long are kept in runs of pages
 * whose coming and going is what LMDB's book of free pages is worst at.
 */
const ROW_INTENTS = 16

/** What a path is about to hold. */
export type PathIntent = Intent & { readonly path: RelPath }

export class IntentTable {
  readonly #table: Table<unknown[]>
  /** Keys of what earlier runs left. */
  #recovered: Buffer[]
  /** Above every batch that is left: a number used twice would take the place of what an earlier run was about to do. */
  #nextBatch: number

  constructor(database: Database, prefix: string) {
    this.#table = database.table(`${prefix}intents`)
    this.#recovered = [...walk(this.#table)].map(({ key }) => key).filter((key) => !key.equals(SCANNED_KEY))
    this.#nextBatch = 1 + Math.max(0, ...this.#recovered.flatMap((key) => batchOf(key) ?? []))
  }

  /** Whether the index knew the disk when the process last died; else it is new, or was being built anew. */
  get isScanned(): boolean {
    return this.#table.get(SCANNED_KEY) !== undefined
  }

  /** By path, older ones first. Of what the own feed said, only the last word on a path: the disk held that one. */
  all(): Map<RelPath, Intent[]> {
    const intents = new Map<RelPath, Intent[]>()
    const said = new Map<RelPath, Intent>()
    for (const { key, value } of walk(this.#table)) {
      if (key.equals(SCANNED_KEY)) continue
      const isTail = startsWith(key, TAIL_KEY)
      const isTold = startsWith(key, TOLD_KEY)
      for (const { path, version, fact } of unpackIntents(value)) {
        if (isTail) said.set(path, { version, fact })
        else if (isTold) intents.set(path, [{ version, fact }, ...(intents.get(path) ?? [])])
        else intents.set(path, [...(intents.get(path) ?? []), { version, fact }])
      }
    }
    for (const [path, intent] of said) intents.set(path, [...(intents.get(path) ?? []), intent])
    return intents
  }

  /** Returns the number of the batch. */
  put(intents: readonly PathIntent[]): number {
    const batch = this.#nextBatch++
    this.#putRows(batchKey(batch), intents)
    return batch
  }

  clear(batch: number): void {
    for (const { key } of this.#table.range(batchKey(batch), batchKey(batch + 1))) this.#table.remove(key)
  }

  /** Notes records of the own feed that are taken over at a start; `next` is the block after. */
  putOwnTail(next: number, entries: readonly Entry[]): void {
    const said = entries.map((entry) => {
      return { path: entry.path, version: entry.version, fact: isLive(entry) ? factOf(entry) : ABSENT }
    })
    this.#recovered.push(...this.#putRows(Buffer.concat([TAIL_KEY, batchKey(next)]), said))
  }

  /**
   * Notes what a feed has said while the disk is unknown: it may hold any of these versions, also one that was replaced
   * since. The newest of those that fit will be taken.
   */
  putTold(feed: number, next: number, entries: readonly Entry[]): void {
    const told = entries.flatMap((entry) => {
      return isLive(entry) ? [{ path: entry.path, version: entry.version, fact: factOf(entry) }] : []
    })
    if (told.length === 0) return
    this.#recovered.push(...this.#putRows(Buffer.concat([TOLD_KEY, batchKey(feed), batchKey(next)]), told))
  }

  #putRows(prefix: Buffer, intents: readonly PathIntent[]): Buffer[] {
    const keys: Buffer[] = []
    for (let at = 0; at < intents.length; at += ROW_INTENTS) {
      const key = rowKey(prefix, keys.length)
      this.#table.put(key, packIntents(intents.slice(at, at + ROW_INTENTS)))
      keys.push(key)
    }
    return keys
  }

  /** The whole disk has been looked at: what earlier runs left is used up. */
  clearRecovered(): void {
    for (const key of this.#recovered) this.#table.remove(key)
    this.#recovered = []
    if (!this.isScanned) this.#table.put(SCANNED_KEY, [])
  }
}

function rowKey(prefix: Buffer, row: number): Buffer {
  const key = Buffer.alloc(prefix.length + 4)
  prefix.copy(key)
  key.writeUInt32BE(row, prefix.length)
  return key
}

function startsWith(key: Buffer, start: Buffer): boolean {
  return key.subarray(0, start.length).equals(start)
}

function batchKey(batch: number): Buffer {
  const key = Buffer.alloc(8)
  key.writeBigUInt64BE(BigInt(batch))
  return key
}

/** The number of the batch that a row belongs to; undefined for what feeds had said, whose keys begin with letters. */
function batchOf(key: Buffer): number | undefined {
  return startsWith(key, TAIL_KEY) || startsWith(key, TOLD_KEY) ? undefined : Number(key.readBigUInt64BE())
}
