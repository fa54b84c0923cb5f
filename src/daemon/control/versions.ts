// Versions of paths as the control API tells them.
import type { VersionReport } from '../../control/schema-conflicts.js'
import type { LiveFact } from '../../core/fact.js'
import type { WriterId } from '../../core/ids.js'
import type { Share } from '../share/share.js'
import { isoTime } from './view.js'

/** What a path holds or held. `writer`: who made it; undefined: not known. */
export function versionReport(share: Share, fact: LiveFact, writer: WriterId | undefined): VersionReport {
  return {
    type: fact.type,
    size: fact.type === 'file' ? fact.size : 0,
    mtime: timeOfUs(fact.mtimeUs),
    mode: fact.type === 'symlink' ? null : fact.mode,
    target: fact.type === 'symlink' ? fact.target : null,
    ...writerOf(share, writer),
    when: null,
  }
}

/** The device behind a writer. */
export function writerOf(
  { index }: Share,
  writer: WriterId | undefined,
): Pick<VersionReport, 'device' | 'name'> {
  const feed = writer === undefined ? undefined : index.feeds.byWriter(writer)
  return { device: feed?.device ?? null, name: feed?.deviceName ?? null }
}

/** Microseconds since 1970 as ISO 8601. */
export function timeOfUs(us: number): string {
  return isoTime(Math.floor(us / 1000))
}
