// The versions of one path that anything here still knows of: what this disk holds, what the feeds have told and is kept of
// them, and what lies in the archive. Nothing is fetched for it. A feed's blocks before its newest checkpoint may be gone,
// and reading is bounded, so that the answer says whether it may lack something.
import { type Entry, isLive } from '../../core/entry.js'
import { ShoalError } from '../../core/error.js'
import { factOf, sameFactContent } from '../../core/fact.js'
import type { WriterId } from '../../core/ids.js'
import { childPath, nameOf, parentOf, type RelPath } from '../../core/path.js'
import { decodeRecord, type FeedRecord } from '../../core/record.js'
import { mtimeUsOf } from '../../core/stat.js'
import { compareVersions, includes } from '../../core/version.js'
import type { Feed } from '../../feed/feed.js'
import type { ArchivedVersion } from '../../folder/archive-list.js'
import { suffixedName } from '../../folder/archive-name.js'
import { ARCHIVE_DIR } from '../../folder/marker.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareContext } from './context.js'

export interface PastVersion {
  readonly type: 'file' | 'directory' | 'symlink' | 'deleted'
  readonly size: number
  readonly mtimeUs: number
  readonly mode: number | undefined
  readonly target: string | undefined
  /** Who made it; undefined: it was found in the archive, and nobody here remembers whose it was. */
  readonly writer: WriterId | undefined
  /** When it was published, by its writer's clock; undefined: not known. */
  readonly atMs: number | undefined
  /** Whether it stands on this disk now. */
  readonly isLive: boolean
  /** Whether it is what the share says now. */
  readonly isCurrent: boolean
  /** Below the share's folder. */
  readonly archived: string | undefined
}

export interface History {
  /** Newest first. */
  readonly versions: readonly PastVersion[]
  readonly isComplete: boolean
}

/** A feed as far as its history is read. */
export type ReadableFeed = Pick<Feed, 'key' | 'length' | 'has' | 'read' | 'writer'>

export interface HistoryOptions {
  readonly feeds: readonly ReadableFeed[]
  readonly entryKey: Buffer
  readonly nowMs: () => number
}

/** Time for the feeds of one answer; records are decoded at some hundred a second at least. */
const MAX_READ_MS = 3000
const CHUNK_BLOCKS = 16

interface Told {
  readonly entry: Entry
  readonly atMs: number | undefined
}

/** Up to `limit` versions of a path. */
export async function historyOf(
  context: Pick<ShareContext, 'index' | 'pool' | 'root' | 'rootIdentity'>,
  options: HistoryOptions,
  path: RelPath,
  limit: number,
): Promise<History> {
  const { index, pool, root, rootIdentity } = context
  const { told, isComplete: isAllTold } = await readFeeds(options, path)
  for (const entry of index.heads(path)) {
    const key = keyOf(entry)
    if (!told.has(key)) told.set(key, { entry, atMs: undefined })
  }
  const entries = [...told.values()]
  const kept = await pool.listArchived({ root, expectRoot: rootIdentity(), path, limit })
  const archived = new Set(kept.versions)
  const winner = index.heads(path)[0]
  const live = liveAmong(
    entries.map(({ entry }) => entry),
    index.disk(path),
  )
  const versions = entries.map(({ entry, atMs }): PastVersion => {
    const place = entry === live ? undefined : [...archived].find((one) => isOf(one, entry))
    if (place !== undefined) archived.delete(place)
    return {
      ...shapeOf(entry),
      writer: entry.origin,
      atMs,
      isLive: entry === live,
      isCurrent: winner !== undefined && keyOf(winner) === keyOf(entry),
      archived: place === undefined ? undefined : `${ARCHIVE_DIR}/${place.at}`,
    }
  })
  for (const one of archived) if (!isOfAnother(one, path, index)) versions.push(foundVersion(one))
  versions.sort((a, b) => Number(b.isCurrent) - Number(a.isCurrent) || timeOf(b) - timeOf(a))
  return {
    versions: versions.slice(0, limit),
    isComplete: isAllTold && kept.isComplete && versions.length <= limit,
  }
}

/** What the feeds have told of a path, by keyOf, as far as their blocks are here. */
async function readFeeds(
  { feeds, entryKey, nowMs }: HistoryOptions,
  path: RelPath,
): Promise<{ readonly told: Map<string, Told>; readonly isComplete: boolean }> {
  const told = new Map<string, Told>()
  const endMs = nowMs() + MAX_READ_MS
  let isComplete = true
  for (const feed of feeds) {
    const isWhole = await readFeed(
      feed,
      entryKey,
      () => nowMs() <= endMs,
      (record) => noteRecord(told, record, path),
    )
    isComplete &&= isWhole
  }
  return { told, isComplete }
}

/**
 * All records of a feed that are here, the newest first: what is asked for is mostly that. Whether that was all of it; never
 * rejects for a feed that is closed meanwhile (F4) or cannot be read.
 */
export async function readFeed(
  feed: ReadableFeed,
  entryKey: Buffer,
  mayGoOn: () => boolean,
  note: (record: FeedRecord) => void,
): Promise<boolean> {
  let isWhole = true
  try {
    for (let end = feed.length; end > 0; end -= CHUNK_BLOCKS) {
      const start = Math.max(0, end - CHUNK_BLOCKS)
      if (!mayGoOn() || !(await feed.has(start, end))) return false
      for await (const { index, block } of feed.read(start, end)) {
        const record = decodeRecord(block, { entryKey, feedKey: feed.key, index, author: feed.writer })
        if (record.type === 'violation') isWhole = false
        else note(record.value)
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof ShoalError)) throw thrown
    return false
  }
  return isWhole
}

function noteRecord(told: Map<string, Told>, { header, entries }: FeedRecord, path: RelPath): void {
  for (const entry of entries) {
    if (entry.path !== path) continue
    const key = keyOf(entry)
    // A checkpoint only says again what was said before, perhaps long before (F3).
    const atMs = header.kind === 'delta' ? header.timeMs : undefined
    const before = told.get(key)
    if (before === undefined || (before.atMs === undefined && atMs !== undefined))
      told.set(key, { entry, atMs })
  }
}

/** The one that this disk holds, if it is among them: of several alike, the one that no other replaces. */
function liveAmong(entries: readonly Entry[], row: DiskRow | undefined): Entry | undefined {
  if (row === undefined || row.drift !== undefined) return undefined
  const { fact, version } = row.applied
  const alike = entries.filter(
    (entry) =>
      isLive(entry) &&
      entry.mtimeUs === (fact.type === 'absent' ? undefined : fact.mtimeUs) &&
      sameFactContent(factOf(entry), fact) &&
      includes(version, entry.version),
  )
  return alike.find((entry) =>
    alike.every((other) => compareVersions(entry.version, other.version) !== 'before'),
  )
}

function keyOf({ version, author }: Entry): string {
  return JSON.stringify([author, version])
}

function shapeOf(entry: Entry): Pick<PastVersion, 'type' | 'size' | 'mtimeUs' | 'mode' | 'target'> {
  const { mtimeUs } = entry
  switch (entry.type) {
    case 'file':
      return { type: 'file', size: entry.size, mtimeUs, mode: entry.mode, target: undefined }
    case 'directory':
      return { type: 'directory', size: 0, mtimeUs, mode: entry.mode, target: undefined }
    case 'symlink':
      return { type: 'symlink', size: 0, mtimeUs, mode: undefined, target: entry.target }
    case 'tombstone':
      return { type: 'deleted', size: 0, mtimeUs, mode: undefined, target: undefined }
  }
}

/** What moves to the archive keeps its size and its time. */
function isOf({ stat }: ArchivedVersion, entry: Entry): boolean {
  if (mtimeUsOf(stat) !== entry.mtimeUs || stat.type !== entry.type) return false
  return entry.type !== 'file' || stat.size === entry.size
}

/** `a~2` in the archive may be a second version of `a`, or the first one of `a~2`. */
function isOfAnother({ count }: ArchivedVersion, path: RelPath, index: ShareContext['index']): boolean {
  if (count === 1) return false
  const other = childPath(parentOf(path), suffixedName(nameOf(path), count))
  return other !== undefined && index.heads(other).length > 0
}

function foundVersion({ at, stat }: ArchivedVersion): PastVersion {
  return {
    type: stat.type === 'symlink' ? 'symlink' : 'file',
    size: stat.type === 'symlink' ? 0 : stat.size,
    mtimeUs: mtimeUsOf(stat),
    mode: stat.type === 'symlink' ? undefined : stat.mode,
    target: undefined,
    writer: undefined,
    atMs: undefined,
    isLive: false,
    isCurrent: false,
    archived: `${ARCHIVE_DIR}/${at}`,
  }
}

function timeOf({ atMs, mtimeUs }: PastVersion): number {
  return atMs ?? mtimeUs / 1000
}
