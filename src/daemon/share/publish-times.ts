// When a content was published first, by its writer's clock: the index does not keep that, so it is looked up in the
// writer's feed once and remembered. Nothing is fetched for it; what was not found is not looked for again.
import type { LiveEntry } from '../../core/entry.js'
import type { WriterId } from '../../core/ids.js'
import type { RelPath } from '../../core/path.js'
import type { FeedRecord } from '../../core/record.js'
import { type ReadableFeed, readFeed } from './history.js'

/** A content that a path had. */
export interface Published {
  readonly path: RelPath
  readonly entry: LiveEntry
}

/** Time for one look through the feeds. */
const MAX_READ_MS = 2000
/** More conflicts than this nobody looks at one by one. */
const MAX_REMEMBERED = 10_000

export class PublishTimes {
  readonly #feeds: () => readonly ReadableFeed[]
  readonly #entryKey: Buffer
  readonly #nowMs: () => number
  /** Undefined: looked for, and not found. */
  readonly #known = new Map<string, number | undefined>()

  constructor(feeds: () => readonly ReadableFeed[], entryKey: Buffer, nowMs: () => number) {
    this.#feeds = feeds
    this.#entryKey = entryKey
    this.#nowMs = nowMs
  }

  /** Milliseconds since 1970; undefined: not known, or not looked up yet. */
  of({ path, entry }: Published): number | undefined {
    return this.#known.get(keyOf(entry.origin, path, entry))
  }

  /** Looks up those that are not known yet. */
  async lookUp(all: readonly Published[]): Promise<void> {
    const missing = new Map<string, Published>()
    for (const each of all) {
      const key = keyOf(each.entry.origin, each.path, each.entry)
      if (!this.#known.has(key)) missing.set(key, each)
    }
    if (missing.size === 0) return
    if (this.#known.size > MAX_REMEMBERED) this.#known.clear()
    for (const key of missing.keys()) this.#known.set(key, undefined)
    const writers = new Set([...missing.values()].map(({ entry }) => entry.origin))
    const endMs = this.#nowMs() + MAX_READ_MS
    const mayGoOn = (): boolean => this.#nowMs() <= endMs
    for (const feed of this.#feeds())
      if (writers.has(feed.writer))
        await readFeed(feed, this.#entryKey, mayGoOn, (record) => this.#note(record, feed.writer, missing))
  }

  #note({ header, entries }: FeedRecord, writer: WriterId, missing: ReadonlyMap<string, Published>): void {
    // A checkpoint only says again what was said before (F3).
    if (header.kind !== 'delta') return
    for (const entry of entries) {
      if (entry.type === 'tombstone') continue
      const key = keyOf(writer, entry.path, entry)
      const before = this.#known.get(key)
      if (missing.has(key)) this.#known.set(key, Math.min(before ?? header.timeMs, header.timeMs))
    }
  }
}

function keyOf(writer: WriterId, path: RelPath, entry: LiveEntry): string {
  const content =
    entry.type === 'file' ? entry.content.toString('latin1') : entry.type === 'symlink' ? entry.target : ''
  return [writer, entry.type, entry.mtimeUs, path, content].join('\0')
}
