// Reads what the index knows under keys, while compaction moves it and, in a vault that is read alone, another process writes.
import type { ShareId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import type { Catalog } from './catalog.js'
import type { FrameReader } from './frame-reader.js'
import type { KeyedPlace } from './frame-rows.js'
import { loadPacks } from './loading.js'
import { type PackStorage, packNumber } from './pack-storage.js'

/** Compaction may move a piece while it is read, again and again only if it is very unlucky. */
const READ_TRIES = 8

export interface KeyReaderOptions {
  readonly storage: PackStorage
  readonly catalog: Catalog
  readonly reader: FrameReader
  readonly shareId: ShareId
  readonly log: Log
  /** These do not hold, if they still stand where they stood. */
  readonly forget: (rows: readonly KeyedPlace[]) => Promise<unknown>
}

export class KeyReader {
  readonly #o: KeyReaderOptions

  constructor(options: KeyReaderOptions) {
    this.#o = options
  }

  /** Payloads in the order asked; undefined: not here, or damaged. */
  async read(keys: readonly (Buffer | undefined)[]): Promise<(Buffer | undefined)[]> {
    const { catalog, reader, forget } = this.#o
    const answers: (Buffer | undefined)[] = new Array(keys.length).fill(undefined)
    let open = [...keys.keys()]
    for (let tries = 0; open.length > 0 && tries < READ_TRIES; tries++) {
      const wanted = open.flatMap((at) => {
        const place = keys[at] === undefined ? undefined : catalog.get(keys[at])
        return place === undefined ? [] : [{ at, key: keys[at]!, place }]
      })
      const payloads = await reader.read(wanted)
      wanted.forEach(({ at }, i) => {
        answers[at] = payloads[i]
      })
      const failed = wanted.filter((_, i) => payloads[i] === undefined)
      // What compaction has moved meanwhile is read where it is now.
      await this.#follow(failed)
      await forget(failed)
      open = failed.map(({ at }) => at)
    }
    return answers
  }

  /** Of a vault that another process writes to: packs that went are forgotten, and what came is known. */
  async #follow(failed: readonly KeyedPlace[]): Promise<void> {
    const { storage, catalog, shareId, log } = this.#o
    if (!storage.isReadOnly || failed.length === 0) return
    const there = new Set((await storage.list()).map(({ name }) => packNumber(name)))
    if (failed.every(({ place }) => there.has(place.pack))) return
    await loadPacks({ storage, catalog, shareId, log })
  }
}
