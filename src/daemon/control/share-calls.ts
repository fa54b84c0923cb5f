// The calls about the shares as a whole: reads their state, decides nothing.
import type { ShareCalls } from '../../control/calls-shares.js'
import type {
  ApproveRequest,
  MemberReport,
  ProblemReport,
  ShareReport,
  StatusReport,
} from '../../control/schema.js'
import type { HookReport } from '../../control/schema-hooks.js'
import type { OneOrAll, ShareProblemReport } from '../../control/schema-shares.js'
import type { ScrubReport } from '../../control/schema-trust.js'
import type { DriftSection } from '../../core/drift-section.js'
import type { ScrubSection } from '../../core/scrub-section.js'
import { holdsSame } from '../../core/state.js'
import type { HookView } from '../../hooks/hook.js'
import { PACKAGE_VERSION } from '../../ports/package-version.js'
import { type AnyShare, isBlind } from '../any-share.js'
import { clockProblems } from '../member-limits.js'
import type { Share } from '../share/share.js'
import { blindMemberReports, blindShareReport, passedMemberReports } from './blind-report.js'
import { copiesReport } from './copy-calls.js'
import { limitsReportOf } from './limit-calls.js'
import { connectionRow, isOfThisRun, type Now } from './standing-row.js'
import { type DaemonView, isoTime, oneOrAllOf, sharesOf } from './view.js'

/** Absent where none is configured. */
function relaysOf(view: DaemonView): Pick<StatusReport, 'relays'> {
  const relays = view.relays().map(({ address, isConnected, problem, todo }) => ({
    ...{ address, connected: isConnected, problem: problem ?? null, todo: todo ?? null },
  }))
  return relays.length === 0 ? {} : { relays }
}

export function shareCalls(view: DaemonView): ShareCalls {
  return {
    async status(): Promise<StatusReport> {
      const folders = await view.folders.list()
      const added = new Set(
        folders.map((each) => ('settings' in each && each.isAdded ? each.settings.dir : '')),
      )
      const shares = await sharesOf(view)
      const network = view.network()
      const { refused, awaitingRestart } = view.configState
      return {
        device: view.device(),
        name: view.name,
        version: PACKAGE_VERSION,
        pid: process.pid,
        ...(network === undefined ? {} : { network }),
        limits: limitsReportOf(view),
        ...relaysOf(view),
        ...(refused === undefined ? {} : { refusedConfiguration: refused }),
        ...(awaitingRestart.length === 0 ? {} : { awaitingRestart }),
        shares: shares.map((share) => ({
          ...anyReport(share, problemsOf(view, share), { ...view.limits(), nowMs: Date.now() }),
          added: added.has(share.dir),
        })),
      }
    },

    async scan({ share }: OneOrAll = {}): Promise<void> {
      const shares = await oneOrAllOf(view, share)
      await Promise.all(shares.map((share) => share.scan()))
    },

    async settle(): Promise<void> {
      const shares = await sharesOf(view)
      await Promise.all(shares.map((share) => share.settle()))
    },

    async problems(): Promise<ShareProblemReport[]> {
      const shares = await sharesOf(view)
      return shares.flatMap((share, at) =>
        problemsOf(view, share).map((problem) => ({ ...problem, dir: share.dir, share: at })),
      )
    },

    async pause({ share }: OneOrAll = {}): Promise<void> {
      const shares = await oneOrAllOf(view, share)
      await Promise.all(shares.map(({ pausing }) => pausing.pause()))
    },

    async resume({ share }: OneOrAll = {}): Promise<void> {
      const shares = await oneOrAllOf(view, share)
      await Promise.all(shares.map(({ pausing }) => pausing.resume()))
    },

    async approve({ share: at }: ApproveRequest = {}): Promise<void> {
      const shares = await oneOrAllOf(view, at)
      for (const share of shares) share.approve()
    },

    async stop(): Promise<void> {
      view.stop()
    },
  }
}

/** As problems of a share (I4), for as long as they are kept. */
function endedInvites(view: DaemonView, { shareId }: AnyShare): ProblemReport[] {
  const records = view.invites()?.list() ?? []
  return records.flatMap((record) => {
    if (record.type !== 'ended' || record.share !== shareId) return []
    const { id, wrongTries, atMs } = record
    const detail = `invite ${id} was ended after ${wrongTries} wrong tries; forget it with: shoal invite CONFIG --revoke ${id}`
    return [{ path: '', code: 'INVITE_ENDED', detail, sinceMs: atMs }]
  })
}

function problemsOf(view: DaemonView, share: AnyShare): ProblemReport[] {
  const own = [...share.problems.list(), ...clockProblems(share.peers, view.limits().maxTimeDiffMs)]
  return [
    ...endedInvites(view, share),
    ...own.map(({ path, code, detail, sinceMs }) => ({ path, code, detail, sinceMs })),
  ]
}

function anyReport(
  share: AnyShare,
  problems: readonly ProblemReport[],
  now: Now,
): Omit<ShareReport, 'added'> {
  if (!isBlind(share)) return shareReport(share, problems, now)
  const passed = passedMemberReports(share, now)
  return blindShareReport(share, problems, [...passed, ...blindMemberReports(share, now)])
}

function shareReport(share: Share, problems: readonly ProblemReport[], now: Now): Omit<ShareReport, 'added'> {
  const { files, bytes, needFiles, needBytes } = share.index.counts
  const { open, nextRestoreMs, ...drift } = share.drift.summary()
  const { downloadedBytes, uploadedBytes } = share.exchange.stats()
  const { pausedMs } = share.pausing
  return {
    dir: share.dir,
    grade: share.grade,
    state: share.state,
    scan: share.scanProgress ?? null,
    haltReason: share.haltReason ?? null,
    pausedSince: pausedMs === undefined ? null : isoTime(pausedMs),
    files,
    bytes,
    needFiles,
    needBytes,
    conflicts: share.conflictCount,
    drift: open,
    scrub: scrubReport(share.scrub.section),
    driftDetail: { ...drift, nextRestore: nextRestoreMs === undefined ? null : isoTime(nextRestoreMs) },
    problems,
    digest: share.holding.digest.toString('hex'),
    receivedBytes: downloadedBytes,
    sentBytes: uploadedBytes,
    head: share.head,
    hooks: share.hooks.views().map(hookReport),
    copies: copiesReport(share),
    members: [
      ...memberReports(share, now),
      ...blindMemberReports(share, now, ({ state }) => share.copies.held.wasHeld(state)),
    ],
    blind: null,
  }
}

function scrubReport(section: ScrubSection | undefined): ScrubReport | undefined {
  if (section === undefined) return undefined
  const { lastMs, open, found, repaired } = section
  return { last: lastMs === 0 ? null : isoTime(lastMs), damaged: open, found, repaired }
}

function hookReport({ waitsFor, dueInMs, last, ...view }: HookView): HookReport {
  return {
    ...view,
    waitsFor: waitsFor ?? null,
    dueInMs: dueInMs ?? null,
    last: last === undefined ? null : runReport(last),
  }
}

function runReport({ atMs, count, ...run }: HookView['last'] & object): HookReport['last'] {
  return { at: new Date(atMs).toISOString(), ...run, paths: count }
}

function memberReports(share: Share, now: Now): MemberReport[] {
  const peers = new Map(share.peers.map((peer) => [peer.device, peer]))
  const { holding } = share
  return share.members.all().map((member) => {
    const { state } = member
    const report = share.reports.of(state.device)?.report
    return {
      ...connectionRow(share, state.device, member, now),
      name: state.name,
      grade: share.isWriter(state.device) ? 'write' : 'read',
      digestEqual: holdsSame(state, holding) && isOfThisRun(peers.get(state.device), state),
      unreadable: false,
      drift: state.drift,
      acknowledged: acknowledgedOf(report?.drift),
      scrub: scrubReport(report?.scrub),
    }
  })
}

function acknowledgedOf(drift: DriftSection | undefined): number | undefined {
  return drift === undefined ? undefined : drift.total - drift.open
}
