// Where in the archive pieces were put last (P3). A hint only: what lies there may be gone since, and whoever copies it
// verifies it as always (P1).
import { SIV_BYTES } from '../core/piece.js'
import { type Layout, unpackLayout } from './pieces.js'
import type { Database, Table } from './tables.js'

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
    for (const { id, length } of unpackLayout(layout)) {
      this.#table.put(Buffer.from(id), [archivePath, offset])
      offset += length - SIV_BYTES
    }
  }

  placeOf(id: Buffer): ArchivedPlace | undefined {
    const row = this.#table.get(id)
    return row === undefined ? undefined : { path: row[0], offset: row[1] }
  }
}
