// Where every member of a share stands, as the control API tells it (section 10).
import { randomBytes } from 'node:crypto'
import type { MemberStanding, MembersReport, RemovedMemberReport } from '../../control/schema-members.js'
import { sameViews } from '../../core/head.js'
import type { DeviceId } from '../../core/ids.js'
import { INQUIRY_ID_BYTES } from '../../core/inquiry.js'
import { holdsSame, UNKNOWN_DIGEST } from '../../core/state.js'
import { type AnyShare, isBlind } from '../any-share.js'
import type { HeardAnswer } from '../share/inquiries.js'
import type { Member } from '../share/members.js'
import type { Share } from '../share/share.js'
import { blindStanding } from './blind-report.js'
import {
  answersAtRest,
  closedOf,
  isOfThisRun,
  type Now,
  ownRow,
  progressRow,
  reachRow,
  viewOf,
} from './standing-row.js'
import { isoTime } from './view.js'

/** The id of an inquiry: nobody can have answered it before. */
export function newInquiryId(): string {
  return randomBytes(INQUIRY_ID_BYTES).toString('hex')
}

/** Without the share's place. All of it is of one moment. */
export function membersReport(
  share: Share,
  own: { readonly device: DeviceId; readonly name: string },
  inquiry: string | undefined,
  now: Now,
): Omit<MembersReport, 'share'> {
  const answers = inquiry === undefined ? undefined : share.inquiries.answers(inquiry)
  const { needFiles, needBytes } = share.index.counts
  const { open, acknowledged } = share.drift.summary()
  return {
    ...ownRow(share, own, answers),
    needFiles,
    needBytes,
    drift: open,
    acknowledged,
    members: [
      ...share.members
        .all()
        .map((member) => standingOf(share, member, answers?.get(member.state.device), now)),
      ...share.blindMembers
        .all()
        .map((member) =>
          blindStanding(share, member, answers?.get(member.state.device), now, (answer, { state }) =>
            share.copies.held.isKnown({ ...state, inquiry: answer.inquiry }),
          ),
        ),
    ],
  }
}

function standingOf(share: Share, member: Member, answer: HeardAnswer | undefined, now: Now): MemberStanding {
  const { state } = member
  const { device } = state
  const peer = share.peers.find((each) => each.device === device)
  const digestEqual = holdsSame(state, share.holding) && isOfThisRun(peer, state)
  const hasReadAll = sameViews(viewOf(share), state.feeds, closedOf(share))
  return {
    ...reachRow(share, device, member, answer, now),
    ...progressRow(share, state.feeds),
    name: state.name,
    grade: share.isWriter(device) ? 'write' : state.grade,
    confirmed: answersAtRest(answer, state) && digestEqual && state.drift === 0 && hasReadAll,
    digestEqual,
    scanned: !state.digest.equals(UNKNOWN_DIGEST),
    needFiles: state.needFiles,
    needBytes: state.needBytes,
    drift: state.drift,
    conflicts: state.conflicts,
    problems: state.problems,
    unreadable: false,
    stateAt: isoTime(state.timeMs),
  }
}

/** What a share has of a member that is about to be removed. */
export function removalReport(share: AnyShare, device: DeviceId): RemovedMemberReport['shares'][number] {
  const members = isBlind(share) ? [] : share.members.all()
  const member = members.find(({ state }) => state.device === device)
  const blind = share.blindMembers.all().find(({ state }) => state.device === device)
  const passed = isBlind(share) ? share.passedStates.all().find((each) => each.device === device) : undefined
  const seen = member ?? blind ?? passed
  const feeds = share.index.feeds.all().filter((feed) => feed.device === device)
  return {
    dir: share.dir,
    grade: feeds.length > 0 ? 'write' : (member?.state.grade ?? (blind === undefined ? 'read' : 'blind')),
    lastSeen: seen?.isMet === true ? isoTime(seen.lastSeenMs) : null,
    records: feeds.reduce((sum, { next }) => sum + next, 0),
    digestEqual: member !== undefined && !isBlind(share) && holdsSame(member.state, share.holding),
  }
}
