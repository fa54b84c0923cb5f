// The calls about conflicts (V5).
import type { ConflictCalls } from '../../control/calls-conflicts.js'
import type {
  ConflictReport,
  ResolveReport,
  ResolveRequest,
  VersionReport,
} from '../../control/schema-conflicts.js'
import type { RelPath } from '../../core/path.js'
import type { Effective } from '../../core/tree.js'
import { isReadable } from '../any-share.js'
import type { Share } from '../share/share.js'
import { versionReport } from './versions.js'
import { type DaemonView, isoTime, pathOf, shareAt, sharesOf } from './view.js'

/** Who looks at conflicts does not wait longer for when they were made. */
const MAX_LOOKUP_MS = 1000

export function conflictCalls(view: DaemonView): ConflictCalls {
  return {
    async conflicts(): Promise<ConflictReport[]> {
      const shares = await sharesOf(view)
      const reports = await Promise.all(
        shares.map((share, at) => (isReadable(share) ? conflictsOf(share, at) : [])),
      )
      return reports.flat()
    },

    async resolveConflict({ share: at, copy, keep, id }: ResolveRequest): Promise<ResolveReport> {
      const { dir, contents } = await shareAt(view, at)
      const { path, at: place, archived } = await contents.conflicts.resolve(pathOf(copy), keep, id)
      return { dir, path, copy, keep, at: place ?? null, archived: archived ?? null }
    },
  }
}

async function conflictsOf(share: Share, at: number): Promise<ConflictReport[]> {
  const { conflicts, times } = share.contents
  const list = conflicts.list()
  // Both contents were published at the path; the copy has its name from whoever settled it.
  const sides = list.flatMap(({ path, kept, other }) =>
    [kept, other].flatMap(({ entry }) => (entry === undefined ? [] : [{ path, entry }])),
  )
  await within(MAX_LOOKUP_MS, times.lookUp(sides))
  const side = (path: RelPath, { fact, entry }: Effective): VersionReport | null => {
    if (fact.type === 'absent') return null
    const atMs = entry === undefined ? undefined : times.of({ path, entry })
    return {
      ...versionReport(share, fact, entry?.origin),
      when: atMs === undefined ? null : isoTime(atMs),
    }
  }
  return list.map(({ path, copy, id, kept, other }) => ({
    ...{ dir: share.dir, share: at, path, copy, id },
    ...{ kept: side(path, kept), copyVersion: side(path, other) },
  }))
}

/** What takes longer goes on, for the next who asks. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms).unref()
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
