// A share as it was at a moment: the feeds of all its writers up to then, merged by the ordinary rules into an index that
// knows no disk. Versions in conflict that no writer had settled by then come as the winner and copies beside it (V5).
import { deviceLabel, openCertificate } from '../../core/certificate.js'
import { conflictPath, DISTINCT_NAMES } from '../../core/conflict.js'
import { type Entry, isLive, type LiveEntry, sameContent } from '../../core/entry.js'
import { ShoalError } from '../../core/error.js'
import type { RelPath } from '../../core/path.js'
import { decodeRecord, type FeedRecord } from '../../core/record.js'
import type { ReadKeys, ShareKeys } from '../../core/secret.js'
import { compareVersions } from '../../core/version.js'
import type { Log } from '../../ports/log.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { Refusal } from '../../store/ingest.js'
import { type Span, spanAt } from './moment.js'
import type { PastFeed, Range } from './past-feed.js'
import type { PastIndex } from './past-tree.js'

export type RestoreKeys = ShareKeys & { readonly read: ReadKeys }

/** A record as it was read, for who wants to see each. */
export type OnRecord = (feed: IndexFeed, record: FeedRecord, index: number) => void

/** Notes a writer whose certificate holds (K5); FEED_CORRUPT for one that does not. */
export function addWriter(index: PastIndex, keys: RestoreKeys, certificate: Buffer): IndexFeed {
  const opened = openCertificate(certificate, keys.shareId, keys.publicKey)
  if (opened.type === 'violation')
    throw new ShoalError('FEED_CORRUPT', `a certificate there does not hold for this share: ${opened.detail}`)
  const { writer, feedKey, device, deviceName, epoch } = opened.value
  return index.feeds.add({
    writer,
    key: Buffer.from(feedKey),
    device,
    deviceName,
    epoch,
    certificate: Buffer.from(certificate),
  })
}

/** Where each feed begins and ends for a moment. NOT_FOUND if one is not kept that far back. */
export async function spansAt(
  feeds: readonly PastFeed[],
  atMs: number | undefined,
): Promise<ReadonlyMap<PastFeed, Span>> {
  const spans = new Map<PastFeed, Span>()
  for (const feed of feeds) spans.set(feed, await spanAt(feed, atMs))
  return spans
}

/** How far a feed was read. */
export interface Taken {
  /** The block after the last one that counts. */
  readonly to: number
  /** Why it ends before its span does. */
  readonly ended:
    | { readonly by: 'later-time'; readonly atMs: number }
    | { readonly by: 'bad-record'; readonly detail: string }
    | undefined
  /** What was passed over, because it is lost. */
  readonly lost: readonly Range[]
}

/**
 * Reads a feed into the index; goes on where an earlier call ended. Ends before the first record of a time after `atMs`, and
 * before one that cannot be read: nobody takes away what stands before it. What cannot be believed is told to `onRefused`. Of
 * a feed of which records are lost, an earlier call ended before the first of them, whatever it read beyond: they may be here now.
 */
export async function takeOver(
  index: PastIndex,
  feed: PastFeed,
  span: Span,
  options: {
    readonly keys: RestoreKeys
    /** Milliseconds since 1970; undefined: all counts. */
    readonly atMs: number | undefined
    readonly signal: AbortSignal
    readonly onRefused: (path: RelPath, detail: string) => void
    readonly onRecord?: OnRecord
  },
): Promise<Taken> {
  const { keys, atMs = Number.POSITIVE_INFINITY, signal, onRefused, onRecord } = options
  const { writer } = feed.row
  const from = Math.max(span.from, index.feeds.byWriter(writer)!.next)
  if (from >= span.to) return { to: span.to, ended: await leftOut(feed, span, atMs, signal), lost: [] }
  const lost: Range[] = []
  let awaited = from
  const refusals = new Refusals(onRefused)
  for await (const { index: at, block } of feed.blocks(from, span.to, signal)) {
    if (at > awaited) lost.push([awaited, at])
    awaited = at + 1
    const place = { entryKey: keys.read.entryKey, feedKey: feed.row.key, index: at, author: writer }
    const decoded = decodeRecord(block, place)
    if (decoded.type === 'violation') {
      const detail = `record ${at} cannot be read: ${decoded.detail}`
      refusals.tell()
      return { to: at, ended: { by: 'bad-record', detail }, lost }
    }
    const { timeMs } = decoded.value.header
    if (timeMs > atMs) {
      refusals.tell()
      return { to: at, ended: { by: 'later-time', atMs: timeMs }, lost }
    }
    const row = index.feeds.byWriter(writer)!
    const next = lost[0]?.[0] ?? awaited
    const refused = index.transaction(() => index.ingest(row, decoded.value, next))
    refusals.take(at, decoded.value, refused, lost.length > 0)
    onRecord?.(row, decoded.value, at)
  }
  if (awaited < span.to) lost.push([awaited, span.to])
  refusals.tell()
  return { to: span.to, ended: await leftOut(feed, span, atMs, signal), lost }
}

/**
 * What is refused after a lost record may have been announced in that: it is told in the end, unless its writer said something of
 * the path again, in a checkpoint or because it changed.
 */
class Refusals {
  readonly #onRefused: (path: RelPath, detail: string) => void
  readonly #held = new Map<RelPath, { readonly at: number; readonly detail: string }>()

  constructor(onRefused: (path: RelPath, detail: string) => void) {
    this.#onRefused = onRefused
  }

  /** `isAfterLost`: whether a record before it is. */
  take(at: number, { header, entries }: FeedRecord, refused: readonly Refusal[], isAfterLost: boolean): void {
    if (!isAfterLost) {
      for (const { path, detail } of refused) this.#onRefused(path, detail)
      return
    }
    for (const { path } of entries) this.#held.delete(path)
    // What a whole checkpoint left out was replaced by then (F3).
    for (const [path, held] of this.#held) if (held.at < (header.checkpoint ?? 0)) this.#held.delete(path)
    for (const { path, detail } of refused)
      this.#held.set(path, { at, detail: `${detail}, which may have stood in a record that is lost` })
  }

  tell(): void {
    for (const [path, { detail }] of this.#held) this.#onRefused(path, detail)
  }
}

/** Told wherever the halving ended (moment.ts): before the first of a later time, there may be others of an earlier one after it. */
async function leftOut(
  feed: PastFeed,
  { to }: Span,
  atMs: number,
  signal: AbortSignal,
): Promise<Taken['ended']> {
  const next = atMs === Number.POSITIVE_INFINITY || to >= feed.length ? undefined : await feed.header(to)
  if (next === undefined || !(await feed.goesBackTo(atMs, to + 1, signal))) return undefined
  return { by: 'later-time', atMs: next.timeMs }
}

/** Gives what lost a conflict that was not settled by then a name of its own. */
export function addConflictCopies(index: PastIndex, log: Log): void {
  const losers: { readonly path: RelPath; readonly loser: LiveEntry }[] = []
  for (const heads of index.contested()) {
    const [winner, ...others] = heads
    for (const loser of others)
      if (isLive(loser) && loser.type !== 'directory' && !sameContent(winner!, loser))
        losers.push({ path: loser.path, loser })
  }
  for (const { path, loser } of losers) {
    const copy = copyPath(index, path, loser)
    const feed = index.feeds.byWriter(loser.author)
    if (copy === undefined || feed === undefined) continue
    log.debug({ path, copy }, 'conflict that nobody had settled')
    const header = { kind: 'delta' as const, timeMs: 0, view: [], checkpoint: undefined }
    const record = { header, announcements: [], entries: [{ ...loser, path: copy }] }
    index.transaction(() => index.ingest(feed, record, feed.next))
  }
}

/** Undefined: it is there already. */
function copyPath(index: PastIndex, path: RelPath, loser: LiveEntry): RelPath | undefined {
  const origin = index.feeds.byWriter(loser.origin)
  const label = origin === undefined ? loser.origin : deviceLabel(origin.deviceName)
  for (let attempt = -1; attempt < DISTINCT_NAMES; attempt++) {
    const copy = conflictPath(path, loser, label, attempt >= 0, Math.max(0, attempt))
    const there = index.heads(copy)
    if (there.some((entry) => isSame(entry, loser))) return undefined
    if (there.length === 0) return copy
  }
  return undefined
}

function isSame(entry: Entry, loser: LiveEntry): boolean {
  return sameContent(entry, loser) || compareVersions(entry.version, loser.version) === 'equal'
}
