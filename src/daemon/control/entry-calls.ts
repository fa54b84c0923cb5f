// The calls about what is in a share.
import type { EntryCalls } from '../../control/calls-entries.js'
import {
  type EntriesReport,
  type EntriesRequest,
  type EntryReport,
  type HistoryReport,
  type HistoryRequest,
  type HistoryVersion,
  MAX_ENTRIES,
  MAX_VERSIONS,
} from '../../control/schema-entries.js'
import { ShoalError } from '../../core/error.js'
import { nameOf } from '../../core/path.js'
import type { Listed } from '../share/contents.js'
import type { PastVersion } from '../share/history.js'
import type { Share } from '../share/share.js'
import { timeOfUs, versionReport, writerOf } from './versions.js'
import { type DaemonView, isoTime, pathOf, shareAt } from './view.js'

export function entryCalls(view: DaemonView): EntryCalls {
  return {
    async entries({ share: at, path = '', after, limit }: EntriesRequest): Promise<EntriesReport> {
      const share = await shareAt(view, at)
      const directory = path === '' ? '' : pathOf(path)
      const { entries, next } = share.contents.browser.list(directory, after, limit ?? MAX_ENTRIES)
      return {
        dir: share.dir,
        path,
        entries: entries.map((each) => entryReport(share, each)),
        next: next === undefined ? null : nameOf(next),
      }
    },

    async history({ share: at, path, limit }: HistoryRequest): Promise<HistoryReport> {
      const share = await shareAt(view, at)
      const history = await share.contents.history(pathOf(path), limit ?? MAX_VERSIONS)
      if (history.versions.length === 0)
        throw new ShoalError('NOT_FOUND', `nothing is known here of ${path}, now or ever`)
      const versions = history.versions.map((each) => pastVersion(share, each))
      return { dir: share.dir, path, versions, isComplete: history.isComplete }
    },
  }
}

function entryReport(share: Share, { path, fact, entry, owner, state }: Listed): EntryReport {
  return {
    ...versionReport(share, fact, entry?.origin),
    path,
    owner: owner === undefined ? null : named(owner.user),
    group: owner === undefined ? null : named(owner.group),
    state,
  }
}

/** By its number where the node that stated it knew no name. */
function named({ name, id }: { readonly name: string; readonly id: number }): string {
  return name === '' ? String(id) : name
}

function pastVersion(share: Share, version: PastVersion): HistoryVersion {
  const { type, size, mtimeUs, mode, target, writer, atMs, isLive, isCurrent, archived } = version
  return {
    type,
    size,
    mtime: timeOfUs(mtimeUs),
    mode: mode ?? null,
    target: target ?? null,
    ...writerOf(share, writer),
    when: atMs === undefined ? null : isoTime(atMs),
    where: isLive ? 'live' : archived === undefined ? 'none' : 'archive',
    isCurrent,
    archived: archived ?? null,
  }
}
