// Who wrote which version when: the records of all feeds that are here, merged by the times that their writers put into
// them, newest first. Reads backwards and no further than it is asked to, so the newest versions cost the same whatever came
// before. Times are their writers' word; who wrote, and in which order, the feeds prove.
import type { Entry } from '../../core/entry.js'
import { ShoalError } from '../../core/error.js'
import type { WriterId } from '../../core/ids.js'
import type { RelPath } from '../../core/path.js'
import { decodeRecord, type FeedRecord } from '../../core/record.js'
import type { IndexFeed } from '../../store/feeds.js'

/** What the log needs of a feed; Feed has these. */
export interface ReadableFeed {
  has(from: number, to: number): Promise<boolean>
  read(from: number, to: number): AsyncIterable<{ readonly index: number; readonly block: Buffer }>
}

export interface LoggedFeed {
  readonly row: IndexFeed
  readonly feed: ReadableFeed
}

export interface LoggedEntry {
  readonly row: IndexFeed
  readonly block: number
  readonly atMs: number
  readonly entry: Entry
  readonly isRestated: boolean
}

export interface LogQuery {
  readonly path: RelPath | undefined
  readonly limit: number
  readonly sinceMs: number
  readonly after: string | undefined
}

/** Records looked through for one answer; who asks goes on from there. */
const MAX_RECORDS = 512
/** Milliseconds for one answer: the event loop is needed for other things. */
const BUDGET_MS = 300
const CURSOR = /^\d{1,9}:(?:[0-9a-f]{16}\.\d{1,12}(?:,|$))*$/

/** The next part of the log. USAGE: `after` is not what an answer before gave. */
export async function readLog(
  feeds: readonly LoggedFeed[],
  entryKey: Buffer,
  { path, limit, sinceMs, after }: LogQuery,
): Promise<{ readonly entries: LoggedEntry[]; readonly next: string | undefined }> {
  const cursor = after === undefined ? undefined : parseCursor(after)
  const tails = await Promise.all(
    feeds.map(async (each) => {
      const { writer, next } = each.row
      const isWhole = await each.feed.has(0, next)
      return new Tail(each, entryKey, cursor === undefined ? next : (cursor.ends.get(writer) ?? 0), isWhole)
    }),
  )
  let skip = cursor?.skip ?? 0
  const entries: LoggedEntry[] = []
  const startMs = performance.now()
  for (let records = 0; ; records++) {
    for (const tail of tails) await tail.load(sinceMs)
    const newest = tails.filter((tail) => tail.record !== undefined).sort(newerFirst)[0]
    if (newest === undefined) return { entries, next: undefined }
    if (records >= MAX_RECORDS || performance.now() - startMs > BUDGET_MS)
      return { entries, next: cursorOf(tails, skip) }
    const found = newest.entries().filter(({ entry }) => isAt(entry.path, path))
    const taken = found.slice(skip, skip + limit - entries.length)
    entries.push(...taken)
    skip += taken.length
    if (skip < found.length) return { entries, next: cursorOf(tails, skip) }
    skip = 0
    newest.drop()
    if (entries.length >= limit) return { entries, next: cursorOf(tails, 0) }
  }
}

/** One feed, from its end backwards. */
class Tail {
  readonly #of: LoggedFeed
  readonly #entryKey: Buffer
  readonly #isWhole: boolean
  /** Blocks before it are still to come. */
  end: number
  record: FeedRecord | undefined
  #isOver = false

  constructor(of: LoggedFeed, entryKey: Buffer, end: number, isWhole: boolean) {
    this.#of = of
    this.#entryKey = entryKey
    this.end = Math.min(end, of.row.next)
    this.#isWhole = isWhole
  }

  get writer(): WriterId {
    return this.#of.row.writer
  }

  /** Reads the newest record that is not dropped yet, if it is here and not too old. */
  async load(sinceMs: number): Promise<void> {
    while (this.record === undefined && !this.#isOver && this.end > 0) {
      const { feed, row } = this.#of
      const at = this.end - 1
      this.#isOver = !(await feed.has(at, at + 1))
      if (this.#isOver) return
      for await (const { block } of feed.read(at, at + 1)) {
        const place = { entryKey: this.#entryKey, feedKey: row.key, index: at, author: row.writer }
        const decoded = decodeRecord(block, place)
        // Where a record cannot be read, following it has made a problem of the share.
        if (decoded.type === 'ok') this.record = decoded.value
        else this.end--
      }
      if (this.record !== undefined && this.record.header.timeMs < sinceMs) {
        this.record = undefined
        this.#isOver = true
      }
    }
  }

  /** Of the record, last first. A checkpoint only says again what stands in blocks that are here too. */
  entries(): LoggedEntry[] {
    const { header, entries } = this.record!
    const isRestated = header.kind === 'checkpoint'
    if (isRestated && this.#isWhole) return []
    const { row } = this.#of
    const about = { row, block: this.end - 1, atMs: header.timeMs, isRestated }
    return entries.map((entry) => ({ ...about, entry })).reverse()
  }

  drop(): void {
    this.record = undefined
    this.end--
  }
}

function newerFirst(a: Tail, b: Tail): number {
  const byTime = b.record!.header.timeMs - a.record!.header.timeMs
  return byTime !== 0 ? byTime : a.writer < b.writer ? -1 : 1
}

function isAt(path: RelPath, wanted: RelPath | undefined): boolean {
  return wanted === undefined || path === wanted || path.startsWith(`${wanted}/`)
}

function cursorOf(tails: readonly Tail[], skip: number): string {
  const ends = tails.filter(({ end }) => end > 0).map(({ writer, end }) => `${writer}.${end}`)
  return `${skip}:${ends.join(',')}`
}

function parseCursor(text: string): { skip: number; ends: Map<string, number> } {
  if (!CURSOR.test(text)) throw new ShoalError('USAGE', '"after" is not what an answer before gave as "next"')
  const [skip, rest] = text.split(':') as [string, string]
  const parts = rest.split(',').filter((part) => part !== '')
  return {
    skip: Number(skip),
    ends: new Map(parts.map((part) => [part.slice(0, 16), Number(part.slice(17))])),
  }
}
