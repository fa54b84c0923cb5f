// What is told alike of every member of a share, whatever it can read of it: whether it is reached, how far it has got, and
// what its word is worth. Lists of members (member-standing.ts, blind-report.ts), status and peers are made of this.
import type { MemberReport } from '../../control/schema.js'
import type { MemberStanding, MembersReport } from '../../control/schema-members.js'
import { behindBy, covers, formatHead, headTag } from '../../core/head.js'
import type { DeviceId, WriterId } from '../../core/ids.js'
import type { FeedView } from '../../core/record-public.js'
import { openView } from '../../store/feeds.js'
import type { AnyShare } from '../any-share.js'
import type { BlindMember } from '../blind/blind-members.js'
import { isExpired } from '../member-limits.js'
import type { HeardAnswer } from '../share/inquiries.js'
import type { Sighting } from '../share/state-book.js'
import { isoTime } from './view.js'

export interface Now {
  readonly nowMs: number
  readonly peerExpirationDays: number
}

/** How far a share is read here, without feeds that nobody can follow any more. */
export function viewOf(share: AnyShare): FeedView {
  if (share.grade !== 'blind') return openView(share.index.feeds.all())
  const closed = closedOf(share)
  return (share.keeping?.feeds.view ?? []).filter(([writer]) => !closed.has(writer))
}

/** Feeds that nobody can follow any more. */
export function closedOf(share: AnyShare): Set<WriterId> {
  const closed = share.index.feeds.all().filter((feed) => feed.closed)
  return new Set(closed.map(({ writer }) => writer))
}

/** Whether a blind node, as it signed it, holds every piece of the share as far as this device has read it. */
export function holdsAll(share: AnyShare, { state }: BlindMember): boolean {
  return state.missingPieces === 0 && covers(state.feeds, viewOf(share))
}

/** What the run before the present one signed says nothing of what this one is going to find. `peer`: if it is connected. */
export function isOfThisRun(
  peer: { readonly instance: string } | undefined,
  state: { readonly instance: string },
): boolean {
  return peer === undefined || peer.instance === state.instance
}

/** Whether a member has answered an inquiry that it is at rest, in the very state that is known of it here. */
export function answersAtRest(
  answer: HeardAnswer | undefined,
  state: { readonly sequence: number },
): boolean {
  return answer?.standing === 'at-rest' && answer.sequence === state.sequence
}

/** How far a member has got that has read so much of each feed. */
export function progressRow(
  share: AnyShare,
  feeds: FeedView,
): Pick<MemberStanding, 'head' | 'behind' | 'ahead'> {
  const view = viewOf(share)
  const closed = closedOf(share)
  const open = feeds.filter(([writer]) => !closed.has(writer))
  return {
    head: formatHead(headTag(share.shareId), feeds),
    behind: behindBy(feeds, view),
    ahead: behindBy(view, open),
  }
}

/** Whether and when a member was reached, by a connection or an answer to an inquiry. */
export function reachRow(
  share: AnyShare,
  device: DeviceId,
  { lastSeenMs, isMet }: Sighting,
  answer: HeardAnswer | undefined,
  { nowMs, peerExpirationDays }: Now,
): Pick<MemberStanding, 'device' | 'connected' | 'answered' | 'lastSeen' | 'unreachableSince' | 'expired'> {
  const isConnected = share.peers.some((each) => each.device === device)
  const isReached = isConnected || answer !== undefined
  return {
    device,
    connected: isConnected,
    answered: answer?.standing ?? null,
    lastSeen: isConnected ? isoTime(nowMs) : isMet ? isoTime(lastSeenMs) : null,
    unreachableSince: isReached ? null : isoTime(lastSeenMs),
    expired: !isReached && isExpired(lastSeenMs, nowMs, peerExpirationDays),
  }
}

/** How a member is connected, for the status of a share. */
export function connectionRow(
  share: AnyShare,
  device: DeviceId,
  { lastSeenMs, isMet }: Sighting,
  { nowMs, peerExpirationDays }: Now,
): Pick<
  MemberReport,
  'device' | 'connected' | 'transport' | 'address' | 'lastSeen' | 'expired' | 'clockAheadMs'
> {
  const peer = share.peers.find((each) => each.device === device)
  return {
    device,
    connected: peer !== undefined,
    transport: peer?.transport ?? null,
    address: peer?.address ?? null,
    lastSeen: peer !== undefined ? isoTime(nowMs) : isMet ? isoTime(lastSeenMs) : null,
    expired: peer === undefined && isExpired(lastSeenMs, nowMs, peerExpirationDays),
    clockAheadMs: peer?.clockAheadMs ?? null,
  }
}

/** Where this device stands itself; `answers` are those to an inquiry, its own among them. */
export function ownRow(
  share: AnyShare,
  own: { readonly device: DeviceId; readonly name: string },
  answers: ReadonlyMap<DeviceId, HeardAnswer> | undefined,
): Pick<
  MembersReport,
  'dir' | 'device' | 'name' | 'grade' | 'haltReason' | 'standing' | 'confirmed' | 'head'
> {
  const said = answers?.get(own.device)?.standing ?? 'working'
  return {
    dir: share.dir,
    device: own.device,
    name: own.name,
    grade: share.grade,
    haltReason: share.haltReason ?? null,
    standing: share.standing,
    confirmed: share.standing === 'at-rest' && said !== 'working' && said !== 'halted',
    head: share.head,
  }
}
