// What is told of blind shares, and of the blind nodes of any share: by their signed states (core/blind-state.ts).
import type { BlindReport, MemberReport, ProblemReport, ShareReport } from '../../control/schema.js'
import { NO_DETAIL } from '../../control/schema-drift.js'
import type { MemberStanding, MembersReport } from '../../control/schema-members.js'
import { behindBy, covers, formatHead, headTag } from '../../core/head.js'
import type { DeviceId, WriterId } from '../../core/ids.js'
import type { FeedView } from '../../core/record-public.js'
import { openView } from '../../store/feeds.js'
import type { AnyShare } from '../any-share.js'
import type { BlindMember } from '../blind/blind-members.js'
import type { BlindShare } from '../blind/blind-share.js'
import { isExpired } from '../member-limits.js'
import type { HeardAnswer } from '../share/inquiries.js'
import { isoTime } from './view.js'

/** Whether a blind node, as it signed it, holds every piece of the share as far as this device has read it. */
export function holdsAll(share: AnyShare, { state }: BlindMember): boolean {
  return state.missingPieces === 0 && covers(state.feeds, viewOf(share))
}

/** How far a share is read here, without feeds that nobody can follow any more. */
export function viewOf(share: AnyShare): FeedView {
  if (share.grade !== 'blind') return openView(share.index.feeds.all())
  const closed = closedOf(share)
  return (share.keeping?.feeds.view ?? []).filter(([writer]) => !closed.has(writer))
}

function closedOf(share: AnyShare): Set<WriterId> {
  const closed = share.index.feeds.all().filter((feed) => feed.closed)
  return new Set(closed.map(({ writer }) => writer))
}

export function blindReport(share: BlindShare): BlindReport {
  const { live, missing, past, missingPast } = share.counts
  const vault = share.vaultStats
  return {
    pieces: live.pieces,
    bytes: live.bytes,
    missingPieces: missing.pieces,
    missingBytes: missing.bytes,
    pastPieces: past.pieces,
    pastBytes: past.bytes,
    missingPastPieces: missingPast.pieces,
    missingPastBytes: missingPast.bytes,
    packs: vault?.packs ?? 0,
    vaultBytes: (vault?.bytes ?? 0) + (vault?.deadBytes ?? 0),
    deadBytes: vault?.deadBytes ?? 0,
  }
}

/** The report of a blind share: it counts pieces where others count files. */
export function blindShareReport(
  share: BlindShare,
  problems: readonly ProblemReport[],
  members: readonly MemberReport[],
): Omit<ShareReport, 'added'> {
  const { live, missing } = share.counts
  const { downloadedBytes, uploadedBytes } = share.exchange.stats()
  const { pausedMs } = share.pausing
  return {
    dir: share.dir,
    grade: 'blind',
    state: share.state,
    scan: null,
    haltReason: share.haltReason ?? null,
    pausedSince: pausedMs === undefined ? null : isoTime(pausedMs),
    files: 0,
    bytes: live.bytes - missing.bytes,
    needFiles: missing.pieces,
    needBytes: missing.bytes,
    conflicts: 0,
    drift: 0,
    driftDetail: NO_DETAIL,
    problems,
    digest: '',
    receivedBytes: downloadedBytes,
    sentBytes: uploadedBytes,
    head: share.head,
    hooks: [],
    copies: null,
    members,
    blind: blindReport(share),
  }
}

/** The blind nodes of a share, in its status. */
export function blindMemberReports(
  share: AnyShare,
  limits: { readonly peerExpirationDays: number },
  nowMs: number,
): MemberReport[] {
  return share.blindMembers.all().map((member) => {
    const { state, lastSeenMs } = member
    const peer = share.peers.find(({ device }) => device === state.device)
    const isOfThisRun = peer === undefined || peer.instance === state.instance
    return {
      ...rowOf(share, state.device, lastSeenMs, limits, nowMs),
      name: state.name,
      grade: 'blind',
      digestEqual: holdsAll(share, member) && isOfThisRun,
    }
  })
}

/** Members who read, in the status of a blind share: what they hold, it cannot tell. */
export function passedMemberReports(
  share: BlindShare,
  limits: { readonly peerExpirationDays: number },
  nowMs: number,
): MemberReport[] {
  return share.passedStates.all().map(({ device, lastSeenMs }) => ({
    ...rowOf(share, device, lastSeenMs, limits, nowMs),
    name: nameOf(share, device),
    grade: share.isWriter(device) ? 'write' : 'read',
    digestEqual: false,
    unreadable: true,
  }))
}

function rowOf(
  share: AnyShare,
  device: DeviceId,
  lastSeenMs: number,
  { peerExpirationDays }: { readonly peerExpirationDays: number },
  nowMs: number,
): Omit<MemberReport, 'name' | 'grade' | 'digestEqual'> {
  const peer = share.peers.find((each) => each.device === device)
  return {
    device,
    connected: peer !== undefined,
    transport: peer?.transport ?? null,
    address: peer?.address ?? null,
    unreadable: false,
    drift: 0,
    lastSeen: isoTime(peer === undefined ? lastSeenMs : nowMs),
    expired: peer === undefined && isExpired(lastSeenMs, nowMs, peerExpirationDays),
    clockAheadMs: peer?.clockAheadMs ?? null,
  }
}

/** From its connection, or its certificate. */
function nameOf(share: BlindShare, device: DeviceId): string {
  const peer = share.peers.find((each) => each.device === device)
  const feed = share.index.feeds.all().find((each) => each.device === device)
  return peer?.name ?? feed?.deviceName ?? device.slice(0, 8)
}

interface Now {
  readonly nowMs: number
  readonly peerExpirationDays: number
}

/** Where a blind node stands: confirmed once it says, at rest, that it holds every piece of what this device has read. */
export function blindStanding(
  share: AnyShare,
  member: BlindMember,
  answer: HeardAnswer | undefined,
  now: Now,
): MemberStanding {
  const { state, lastSeenMs } = member
  const peer = share.peers.find(({ device }) => device === state.device)
  const view = viewOf(share)
  const closed = closedOf(share)
  const digestEqual = holdsAll(share, member) && (peer === undefined || peer.instance === state.instance)
  return {
    ...standingRow(share, state.device, lastSeenMs, answer, now),
    name: state.name,
    grade: 'blind',
    confirmed: answer?.standing === 'at-rest' && answer.sequence === state.sequence && digestEqual,
    digestEqual,
    scanned: true,
    head: formatHead(headTag(share.shareId), state.feeds),
    behind: behindBy(state.feeds, view),
    ahead: behindBy(
      view,
      state.feeds.filter(([writer]) => !closed.has(writer)),
    ),
    needFiles: state.missingPieces,
    needBytes: state.missingBytes,
    problems: state.problems,
    stateAt: isoTime(state.timeMs),
  }
}

/** As a blind share sees its members: of those who read it knows that they answered, and not what they hold. */
export function blindMembersReport(
  share: BlindShare,
  own: { readonly device: DeviceId; readonly name: string },
  inquiry: string | undefined,
  now: Now,
): Omit<MembersReport, 'share'> {
  const answers = inquiry === undefined ? undefined : share.inquiries.answers(inquiry)
  const { missing } = share.counts
  const said = answers?.get(own.device)?.standing ?? 'working'
  return {
    dir: share.dir,
    device: own.device,
    name: own.name,
    grade: 'blind',
    haltReason: share.haltReason ?? null,
    standing: share.standing,
    confirmed: share.standing === 'at-rest' && said !== 'working' && said !== 'halted',
    head: share.head,
    needFiles: missing.pieces,
    needBytes: missing.bytes,
    drift: 0,
    acknowledged: 0,
    members: [
      ...share.passedStates.all().map(({ device, lastSeenMs }): MemberStanding => {
        const answer = answers?.get(device)
        return {
          ...standingRow(share, device, lastSeenMs, answer, now),
          name: nameOf(share, device),
          grade: share.isWriter(device) ? 'write' : 'read',
          confirmed: false,
          digestEqual: false,
          unreadable: true,
          scanned: false,
          head: formatHead(headTag(share.shareId), []),
          behind: 0,
          ahead: 0,
          needFiles: 0,
          needBytes: 0,
          problems: 0,
          stateAt: isoTime(lastSeenMs),
        }
      }),
      ...share.blindMembers
        .all()
        .map((member) => blindStanding(share, member, answers?.get(member.state.device), now)),
    ],
  }
}

function standingRow(
  share: AnyShare,
  device: DeviceId,
  lastSeenMs: number,
  answer: HeardAnswer | undefined,
  { nowMs, peerExpirationDays }: Now,
): Pick<
  MemberStanding,
  | 'device'
  | 'connected'
  | 'answered'
  | 'lastSeen'
  | 'unreachableSince'
  | 'expired'
  | 'drift'
  | 'conflicts'
  | 'unreadable'
> {
  const isConnected = share.peers.some((each) => each.device === device)
  const isReached = isConnected || answer !== undefined
  return {
    device,
    connected: isConnected,
    answered: answer?.standing ?? null,
    lastSeen: isoTime(isConnected ? nowMs : lastSeenMs),
    unreachableSince: isReached ? null : isoTime(lastSeenMs),
    expired: !isReached && isExpired(lastSeenMs, nowMs, peerExpirationDays),
    drift: 0,
    conflicts: 0,
    unreadable: false,
  }
}
