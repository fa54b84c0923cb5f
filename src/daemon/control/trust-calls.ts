// The calls about whether what is held is whole: here, and at others.
import type { TrustCalls } from '../../control/calls-trust.js'
import type {
  AuditProgress,
  AuditReport,
  AuditRequest,
  BlindScrubReport,
  MemberScrubReport,
  RehearsalReport,
  RehearsalRequest,
  ScrubCountsReport,
  VerifyReport,
  VerifyRequest,
} from '../../control/schema-trust.js'
import type { AnyShare } from '../any-share.js'
import { auditShare, mustRun, peerOf, type RunningAudit } from '../audit/audit-share.js'
import { drawFiles } from '../audit/sample.js'
import type { BlindMember } from '../blind/blind-members.js'
import type { ScrubCounts } from '../scrub/scrub-state.js'
import { isOfThisRun } from './standing-row.js'
import { type DaemonView, isoTime, oneOrAllOf, shareAt, sharesOf } from './view.js'

export function trustCalls(view: DaemonView): TrustCalls {
  const running = new Set<RunningAudit>()
  return {
    async verified(): Promise<VerifyReport[]> {
      return (await sharesOf(view)).map(verifyReport)
    },

    async verify({ share: at }: VerifyRequest = {}): Promise<VerifyReport[]> {
      const shares = await oneOrAllOf(view, at)
      await Promise.all(shares.map(({ scrub }) => scrub.verify()))
      return shares.map(verifyReport)
    },

    async audit(request: AuditRequest): Promise<AuditReport> {
      return auditShare(await shareAt(view, request.share), view.device(), request, running)
    },

    async audits(): Promise<AuditProgress[]> {
      return [...running].map((audit) => ({ ...audit }))
    },

    async rehearsal({ share: at, node, sample }: RehearsalRequest): Promise<RehearsalReport> {
      const share = await shareAt(view, at)
      mustRun(share)
      const { device, name } = peerOf(share, node)
      const drawn = await drawFiles(share.index, sample)
      return { dir: share.dir, device, name, hosts: share.hostsOf(device), ...drawn }
    },
  }
}

function verifyReport(share: AnyShare): VerifyReport {
  const { pass, last, everyMs, dueMs, open, found, repaired } = share.scrub.summary
  return {
    dir: share.dir,
    grade: share.grade,
    everyMs,
    due: dueMs === undefined ? null : isoTime(dueMs),
    pass: pass === undefined ? null : countsReport(pass),
    last: last === undefined ? null : { ...countsReport(last), ended: isoTime(last.endedMs) },
    open: open.map(({ path, sinceMs, bytes }) => ({ path, since: isoTime(sinceMs), bytes })),
    found,
    repaired,
    members: (share.grade === 'blind' ? [] : share.reports.all()).flatMap(
      ({ device, name, report, isCurrent, asOfMs }) => {
        const { scrub } = report
        if (scrub === undefined) return []
        const member: MemberScrubReport = {
          ...{ device, name, open: scrub.open, found: scrub.found, repaired: scrub.repaired },
          asOf: isCurrent ? null : isoTime(asOfMs),
          last: scrub.lastMs === 0 ? null : isoTime(scrub.lastMs),
        }
        return [member]
      },
    ),
    blindMembers: share.blindMembers.all().map(blindScrubReport(share)),
  }
}

function blindScrubReport(share: AnyShare): (member: BlindMember) => BlindScrubReport {
  return ({ state, lastSeenMs }) => {
    const { device, name, missingPieces, missingBytes, problems } = state
    const peer = share.peers.find((each) => each.device === device)
    const isCurrent = peer !== undefined && isOfThisRun(peer, state)
    const asOf = isCurrent ? null : isoTime(peer === undefined ? lastSeenMs : state.timeMs)
    return { device, name, asOf, missingPieces, missingBytes, problems }
  }
}

function countsReport(counts: ScrubCounts & { readonly startedMs: number }): ScrubCountsReport {
  const { startedMs, files, bytes, damaged, changed, unread } = counts
  return { started: isoTime(startedMs), files, bytes, damaged, changed, unread }
}
