// The calls about conflicts (V5).
import type { ConflictCalls } from '../../control/calls-conflicts.js'
import type {
  ConflictReport,
  ResolveReport,
  ResolveRequest,
  VersionReport,
} from '../../control/schema-conflicts.js'
import type { Effective } from '../../core/tree.js'
import type { Share } from '../share/share.js'
import { versionReport } from './versions.js'
import { type DaemonView, pathOf, shareAt, sharesOf } from './view.js'

export function conflictCalls(view: DaemonView): ConflictCalls {
  return {
    async conflicts(): Promise<ConflictReport[]> {
      const shares = await sharesOf(view)
      return shares.flatMap((share, at) =>
        share.contents.conflicts.list().map(({ path, copy, id, kept, other }) => ({
          dir: share.dir,
          share: at,
          path,
          copy,
          id,
          kept: side(share, kept),
          copyVersion: side(share, other),
        })),
      )
    },

    async resolveConflict({ share: at, copy, keep, id }: ResolveRequest): Promise<ResolveReport> {
      const { dir, contents } = await shareAt(view, at)
      const { path, at: place, archived } = await contents.conflicts.resolve(pathOf(copy), keep, id)
      return { dir, path, copy, keep, at: place ?? null, archived: archived ?? null }
    },
  }
}

function side(share: Share, { fact, entry }: Effective): VersionReport | null {
  return fact.type === 'absent' ? null : versionReport(share, fact, entry?.origin)
}
