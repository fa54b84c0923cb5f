// The call about who wrote what when.
import type { LogCalls } from '../../control/calls-log.js'
import type { LogEntry, LogReport, LogRequest } from '../../control/schema-log.js'
import { ShoalError } from '../../core/error.js'
import type { LoggedEntry } from '../share/feed-log.js'
import type { Share } from '../share/share.js'
import { type DaemonView, isoTime, pathOf, shareAt } from './view.js'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1000

export function logCalls(view: DaemonView): LogCalls {
  return {
    async log({
      share: at = 0,
      path,
      limit = DEFAULT_LIMIT,
      since = 0,
      after,
    }: LogRequest = {}): Promise<LogReport> {
      if (limit < 1 || limit > MAX_LIMIT)
        throw new ShoalError('USAGE', `"limit" is a whole number from 1 to ${MAX_LIMIT}`)
      const share = await shareAt(view, at)
      const wanted = path === undefined || path === '' ? undefined : pathOf(path)
      const { entries, next } = await share.log({ path: wanted, limit, sinceMs: since, after })
      return { dir: share.dir, entries: entries.map((each) => logEntry(each, share)), next: next ?? null }
    },
  }
}

function logEntry({ row, block, atMs, entry, isRestated }: LoggedEntry, share: Share): LogEntry {
  const isFile = entry.type === 'file'
  const by = entry.origin === entry.author ? undefined : share.index.feeds.byWriter(entry.origin)
  return {
    at: isoTime(atMs),
    device: row.device,
    name: row.deviceName,
    writer: row.writer,
    block,
    path: entry.path,
    type: entry.type === 'tombstone' ? 'deleted' : entry.type,
    size: isFile ? entry.size : null,
    mode: isFile || entry.type === 'directory' ? entry.mode : null,
    mtime: entry.type === 'tombstone' ? null : mtimeOf(entry.mtimeUs),
    target: entry.type === 'symlink' ? entry.target : null,
    content: isFile ? entry.content.toString('hex', 0, 8) : null,
    origin: by?.deviceName ?? null,
    restated: isRestated,
  }
}

/** Null beyond what a date can say. */
function mtimeOf(us: number): string | null {
  const date = new Date(us / 1000)
  return Number.isNaN(date.getTime()) ? null : date.toISOString()
}
