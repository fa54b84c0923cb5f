// The calls about a reader's own changes.
import type { DriftCalls } from '../../control/calls-drift.js'
import type {
  AcknowledgeRequest,
  ArchiveExtraReport,
  ArchiveExtraRequest,
  DriftPath,
  DriftReport,
  MemberDriftReport,
  RestoreDriftReport,
  RestoreDriftRequest,
} from '../../control/schema-drift.js'
import { ARCHIVE_DIR } from '../../folder/marker.js'
import { memberDrift } from '../member-drift.js'
import type { DriftItem } from '../share/local-drift.js'
import type { Share } from '../share/share.js'
import { type DaemonView, isoTime, pathOf, readableOf, shareAt } from './view.js'

export function driftCalls(view: DaemonView): DriftCalls {
  return {
    async drift(): Promise<DriftReport[]> {
      const shares = await readableOf(view)
      return shares.flatMap((share) => [...share.drift.items()].map((item) => driftReport(share, item)))
    },

    async acknowledgeDrift({ share: at, path, reason, lifeMs }: AcknowledgeRequest): Promise<DriftReport> {
      const share = await shareAt(view, at)
      return driftReport(share, share.drift.acknowledge(pathOf(path), reason, lifeMs))
    },

    async withdrawDrift({ share, path }: DriftPath): Promise<void> {
      const { drift } = await shareAt(view, share)
      drift.withdraw(pathOf(path))
    },

    async archiveExtra({ share: at, paths }: ArchiveExtraRequest = {}): Promise<ArchiveExtraReport> {
      const shares = at === undefined ? await readableOf(view) : [await shareAt(view, at)]
      const chosen = paths?.map(pathOf)
      const results = await Promise.all(
        shares.map(async ({ dir, drift }) => {
          const { moved, left } = await drift.archiveExtras(chosen)
          return {
            moved: moved.map(({ path, to }) => ({ dir, path, to: archivePlace(to) })),
            left: left.map((each) => ({ dir, ...each })),
          }
        }),
      )
      return { moved: results.flatMap(({ moved }) => moved), left: results.flatMap(({ left }) => left) }
    },

    async restoreDrift({ share: at, paths }: RestoreDriftRequest): Promise<RestoreDriftReport> {
      const { dir, drift } = await shareAt(view, at)
      const { moved, left } = await drift.restore(paths.map(pathOf))
      return {
        restored: moved.map(({ path, to }) => ({ dir, path, to: archivePlace(to) })),
        left: left.map((each) => ({ dir, ...each })),
      }
    },

    async driftOfAll(): Promise<MemberDriftReport[]> {
      const shares = await readableOf(view)
      const own = { device: view.device(), name: view.name }
      return shares.flatMap((share) => memberDrift(share, own, Date.now()))
    },
  }
}

function archivePlace(to: string | undefined): string | null {
  return to === undefined ? null : `${ARCHIVE_DIR}/${to}`
}

function driftReport({ dir }: Share, item: DriftItem): DriftReport {
  const { path, kinds, sinceMs, policy, restores, notBeforeMs, acknowledgement } = item
  const said = acknowledgement?.value
  return {
    dir,
    path,
    kind: kinds.includes('extra') ? 'added' : kinds.includes('missing') ? 'deleted' : 'changed',
    kinds,
    since: isoTime(sinceMs),
    policy,
    restores,
    nextRestore: notBeforeMs === undefined ? null : isoTime(notBeforeMs),
    acknowledgement:
      said === undefined
        ? null
        : { reason: said.reason, since: isoTime(said.madeMs), until: isoTime(said.untilMs) },
  }
}
