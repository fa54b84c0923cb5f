// What is told of blind shares, and of the blind nodes of any share: by their signed states (core/blind-state.ts).
import type { BlindReport, MemberReport, ProblemReport, ShareReport } from '../../control/schema.js'
import { NO_DETAIL } from '../../control/schema-drift.js'
import type { MemberStanding, MembersReport } from '../../control/schema-members.js'
import { covers, formatHead, headTag } from '../../core/head.js'
import type { DeviceId } from '../../core/ids.js'
import type { AnyShare } from '../any-share.js'
import type { BlindMember } from '../blind/blind-members.js'
import type { BlindShare } from '../blind/blind-share.js'
import type { HeardAnswer } from '../share/inquiries.js'
import {
  answersAtRest,
  connectionRow,
  holdsAll,
  isOfThisRun,
  type Now,
  ownRow,
  progressRow,
  reachRow,
  viewOf,
} from './standing-row.js'
import { isoTime } from './view.js'

/** Of somebody who names no paths. */
const NO_PATHS = { drift: 0, conflicts: 0, unreadable: false } as const

export function blindReport(share: BlindShare): BlindReport {
  const { live, missing, past, missingPast } = share.counts
  const vault = share.vaultStats
  return {
    isOpen: vault !== undefined,
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
  const { last, found, repaired } = share.scrub.summary
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
    scrub: {
      last: last === undefined ? null : isoTime(last.endedMs),
      damaged: share.keeping?.mending.open ?? 0,
      ...{ found, repaired },
    },
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

/** The blind nodes of a share, in its status. `isHeld`: whether it is known that one holds every piece that is live. */
export function blindMemberReports(
  share: AnyShare,
  now: Now,
  isHeld: (member: BlindMember) => boolean = () => false,
): MemberReport[] {
  return share.blindMembers.all().map((member) => {
    const { state } = member
    const peer = share.peers.find(({ device }) => device === state.device)
    return {
      ...connectionRow(share, state.device, member, now),
      name: state.name,
      grade: 'blind',
      digestEqual: (holdsAll(share, member) || isHeld(member)) && isOfThisRun(peer, state),
      unreadable: false,
      drift: 0,
    }
  })
}

/** Members who read, in the status of a blind share: what they hold, it cannot tell. */
export function passedMemberReports(share: BlindShare, now: Now): MemberReport[] {
  return share.passedStates.all().map(({ device, ...sighting }) => ({
    ...connectionRow(share, device, sighting, now),
    name: nameOf(share, device),
    grade: share.isWriter(device) ? 'write' : 'read',
    digestEqual: false,
    unreadable: true,
    drift: 0,
  }))
}

/** From its connection, or its certificate. */
function nameOf(share: BlindShare, device: DeviceId): string {
  const peer = share.peers.find((each) => each.device === device)
  const feed = share.index.feeds.all().find((each) => each.device === device)
  return peer?.name ?? feed?.deviceName ?? device.slice(0, 8)
}

/**
 * Where a blind node stands: confirmed once it says, at rest, that it holds every piece of what this device has read, or once
 * it is known (`isHeld`) to hold every piece that is live, whatever else it takes for live.
 */
export function blindStanding(
  share: AnyShare,
  member: BlindMember,
  answer: HeardAnswer | undefined,
  now: Now,
  isHeld: (answer: HeardAnswer, member: BlindMember) => boolean = () => false,
): MemberStanding {
  const { state } = member
  const peer = share.peers.find(({ device }) => device === state.device)
  const isOfNow = isOfThisRun(peer, state)
  const lacksNothing = holdsAll(share, member) && isOfNow
  // It says that it is at work for as long as it misses anything, or what it said when it was at rest.
  const mayHold =
    peer !== undefined && isOfNow && state.missingPieces > 0 && covers(state.feeds, viewOf(share))
  const isThere = answer?.standing === 'working' || answer?.standing === 'at-rest'
  const isLive = mayHold && isThere && isHeld(answer, member)
  return {
    ...reachRow(share, state.device, member, answer, now),
    ...progressRow(share, state.feeds),
    ...NO_PATHS,
    name: state.name,
    grade: 'blind',
    confirmed: (answersAtRest(answer, state) && lacksNothing) || isLive,
    digestEqual: lacksNothing || isLive,
    scanned: true,
    needFiles: isLive ? 0 : state.missingPieces,
    needBytes: isLive ? 0 : state.missingBytes,
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
  return {
    ...ownRow(share, own, answers),
    needFiles: missing.pieces,
    needBytes: missing.bytes,
    drift: 0,
    acknowledged: 0,
    members: [
      ...share.passedStates.all().map(({ device, ...sighting }): MemberStanding => {
        const answer = answers?.get(device)
        return {
          ...reachRow(share, device, sighting, answer, now),
          ...NO_PATHS,
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
          stateAt: isoTime(sighting.lastSeenMs),
        }
      }),
      ...share.blindMembers
        .all()
        .map((member) => blindStanding(share, member, answers?.get(member.state.device), now)),
    ],
  }
}
