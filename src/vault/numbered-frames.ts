// Blocks of feeds in a vault, and what is kept beside them: of each writer by their numbers.
import type { WriterId } from '../core/ids.js'
import type { Catalog } from './catalog.js'
import { blockOf, damagedOf, FRAME, keyOfBlock, keyOfLeaves } from './frame.js'
import type { StoredBlock } from './stored.js'

/** Read at once. */
const AT_ONCE = 64
/** Looked up at once. */
const ROWS_AT_ONCE = 256
const LAST = Number.MAX_SAFE_INTEGER

export class NumberedFrames {
  readonly #catalog: Catalog
  readonly #read: (keys: readonly Buffer[]) => Promise<(Buffer | undefined)[]>

  /** `read` gives payloads by key, undefined for what is not here, or damaged. */
  constructor(catalog: Catalog, read: (keys: readonly Buffer[]) => Promise<(Buffer | undefined)[]>) {
    this.#catalog = catalog
    this.#read = read
  }

  /** Of one writer, ascending, from `from` on; damaged ones are left out. */
  async *read(
    type: typeof FRAME.block | typeof FRAME.leaves,
    writer: WriterId,
    from: number,
  ): AsyncGenerator<StoredBlock> {
    const keyOf = type === FRAME.block ? keyOfBlock : keyOfLeaves
    const end = keyOf({ writer, index: LAST })
    for (const rows of this.#catalog.chunks(type, keyOf({ writer, index: from }), AT_ONCE)) {
      const keys = rows.map(({ key }) => key).filter((key) => Buffer.compare(key, end) <= 0)
      for (const payload of await this.#read(keys)) if (payload !== undefined) yield blockOf(payload)
      if (keys.length < rows.length) return
    }
  }

  /** Numbers of blocks of one writer, ascending; nothing of them is read. */
  *numbers(writer: WriterId): Generator<number> {
    const end = keyOfBlock({ writer, index: LAST })
    for (const rows of this.#catalog.chunks(FRAME.block, keyOfBlock({ writer, index: 0 }), ROWS_AT_ONCE))
      for (const { key } of rows) {
        const about = Buffer.compare(key, end) > 0 ? undefined : damagedOf(key)
        if (about?.type !== 'block') return
        yield about.index
      }
  }

  /** Of whom there is any block, ascending. */
  *writers(): Generator<WriterId> {
    for (let from: Buffer = Buffer.alloc(0); ; ) {
      const { value: rows } = this.#catalog.chunks(FRAME.block, from, 1).next()
      const about = rows?.[0] === undefined ? undefined : damagedOf(rows[0].key)
      if (about?.type !== 'block') return
      yield about.writer
      from = Buffer.concat([keyOfBlock({ writer: about.writer, index: LAST }), Buffer.of(0)])
    }
  }
}
