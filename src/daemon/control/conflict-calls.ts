// The calls about conflicts (V5).
import type { ConflictCalls } from '../../control/calls-conflicts.js'
import type { ConflictReport } from '../../control/schema.js'
import { type DaemonView, sharesOf } from './view.js'

export function conflictCalls(view: DaemonView): ConflictCalls {
  return {
    async conflicts(): Promise<ConflictReport[]> {
      const shares = await sharesOf(view)
      return shares.flatMap((share) =>
        share.conflicts().map(({ path, copy }) => ({ dir: share.dir, path, copy })),
      )
    },
  }
}
