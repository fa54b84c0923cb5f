// Certificates and heads of a vault: few (1,000 writers) and asked for all at once, so they are in memory as well.
import type { WriterId } from '../core/ids.js'
import type { Catalog } from './catalog.js'
import { FRAME, headOf, type NewFrame } from './frame.js'
import type { FrameReader } from './frame-reader.js'
import type { KeyedPlace } from './frame-rows.js'
import type { Damaged, StoredHead } from './stored.js'

export class SmallFrames {
  readonly #catalog: Catalog
  readonly #reader: FrameReader
  /** By digest in hex. */
  readonly #certificates = new Map<string, Buffer>()
  readonly #heads = new Map<WriterId, StoredHead>()

  constructor(catalog: Catalog, reader: FrameReader) {
    this.#catalog = catalog
    this.#reader = reader
  }

  /** Reads them all; those that do not hold. */
  async load(): Promise<KeyedPlace[]> {
    const damaged: KeyedPlace[] = []
    for (const type of [FRAME.certificate, FRAME.head])
      for (const rows of this.#catalog.chunks(type)) {
        const payloads = await this.#reader.read(rows)
        rows.forEach((row, i) => {
          const payload = payloads[i]
          if (payload === undefined) damaged.push(row)
          else this.#take(row.key, payload)
        })
      }
    return damaged
  }

  certificates(): readonly Buffer[] {
    return [...this.#certificates.values()]
  }

  heads(): readonly StoredHead[] {
    return [...this.#heads.values()]
  }

  head(writer: WriterId): StoredHead | undefined {
    return this.#heads.get(writer)
  }

  /** What was written; anything else than these is passed over. */
  note({ key, payload }: NewFrame): void {
    this.#take(key, payload)
  }

  forget(damaged: Damaged): void {
    if (damaged.type === 'certificate') this.#certificates.delete(damaged.digest.toString('hex'))
    if (damaged.type === 'head') this.#heads.delete(damaged.writer)
  }

  #take(key: Buffer, payload: Buffer): void {
    // Copies: a payload may be a part of something larger.
    if (key[0] === FRAME.certificate) this.#certificates.set(key.toString('hex', 1), Buffer.from(payload))
    if (key[0] !== FRAME.head) return
    const head = headOf(Buffer.from(payload))
    this.#heads.set(head.writer, head)
  }
}
