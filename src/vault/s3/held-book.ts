// What the bucket is known to hold of each pack, as far as this node has sent it or was told; kept in the spool's catalogue, so
// that it outlives the process.
// Promises: what is noted is durable before it counts, one note at a time (the file is written whole); a pack of which the
// bucket has something else than a beginning of what is here counts as not sent.
import type { Log } from '../../ports/log.js'
import type { Held, Spool } from './spool.js'

export class HeldBook {
  readonly #spool: Spool
  readonly #log: Log
  #noting: Promise<void> = Promise.resolve()

  constructor(spool: Spool, log: Log) {
    this.#spool = spool
    this.#log = log
  }

  /** Undefined: nothing is known to be there. */
  of(name: string): Held | undefined {
    return this.#spool.catalogue?.get(name)
  }

  /** How much of a pack, from its beginning on, the bucket has. */
  sentBytes(name: string): number {
    const held = this.of(name)
    return held === undefined || held.isStale === true ? 0 : held.bytes
  }

  /** The bucket has this of a pack, or nothing any more. */
  note(name: string, held: Held | undefined): Promise<void> {
    const result = this.#noting.then(() => this.#noteNow(name, held))
    // Its failure is told to whoever asked.
    this.#noting = result.catch(() => undefined)
    return result
  }

  /** What the bucket has of a pack will not be a beginning of it any more. To be told before the spool is. */
  async noteStale(name: string): Promise<void> {
    const held = this.of(name)
    if (held !== undefined && held.isStale !== true) await this.note(name, { ...held, isStale: true })
  }

  /** The bucket has lost a pack. */
  async lost(name: string): Promise<void> {
    this.#log.warn({ pack: name }, 'a pack is not in the bucket any more')
    await this.note(name, undefined)
  }

  /** The bucket was met, and holds just this. What was known not to be a beginning of a pack here is none still. Nothing else is noted meanwhile. */
  async met(found: Map<string, Held>): Promise<void> {
    for (const [name, { bytes, tag, isStale }] of this.#spool.catalogue ?? []) {
      const now = found.get(name)
      if (isStale === true && now?.bytes === bytes && now.tag === tag)
        found.set(name, { bytes, tag, isStale })
    }
    await this.#spool.saveCatalogue(found)
  }

  async #noteNow(name: string, held: Held | undefined): Promise<void> {
    const catalogue = new Map(this.#spool.catalogue)
    if (held === undefined) catalogue.delete(name)
    else catalogue.set(name, held)
    await this.#spool.saveCatalogue(catalogue)
  }
}
