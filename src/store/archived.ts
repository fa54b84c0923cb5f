// Where in the archive pieces were put last (P3). A hint only: what lies there may be gone since, and whoever copies it
// verifies it as always (P1). But what is known to be gone must be forgotten: a conflict copy is promised (V5), and a
// version that was lost is not taken back (gone.ts), as long as its content is thought to lie here.
import { plainBytesOf } from '../core/piece.js'
import { type Layout, unpackLayout } from './pieces.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, keyAfter, type Table } from './tables.js'

export interface ArchivedPlace {
  /** Below the archive. */
  readonly path: string
  /** Of the piece's plaintext in that file, bytes. */
  readonly offset: number
}

export class ArchivedTable {
  readonly #table: Table<[archivePath: string, offset: number]>

  constructor(database: Database, prefix: string) {
    this.#table = database.table(`${prefix}archived`)
  }

  /** A file with these pieces was moved to the archive. */
  note(layout: Layout, archivePath: string): void {
    let offset = 0
    for (const piece of unpackLayout(layout)) {
      this.#table.put(Buffer.from(piece.id), [archivePath, offset])
      offset += plainBytesOf(piece)
    }
  }

  placeOf(id: Buffer): ArchivedPlace | undefined {
    const row = this.#table.get(id)
    return row === undefined ? undefined : { path: row[0], offset: row[1] }
  }

  /**
   * Of at most `limit` pieces after a key, forgets those whose day folder is not there. Returns the key to go on after, or
   * undefined when those were the last.
   */
  forget(isDayThere: (day: string) => boolean, after: Buffer | undefined, limit: number): Buffer | undefined {
    const rows = this.#table.range(after === undefined ? FIRST_KEY : keyAfter(after), AFTER_LAST_KEY, limit)
    for (const { key, value } of rows) if (!isDayThere(value[0].split('/', 1)[0]!)) this.#table.remove(key)
    return rows.length < limit ? undefined : rows.at(-1)!.key
  }
}
