// What the parts of a readable share say to a peer and hear of it, from the moment it is met (SharePeers).
import { isBlindState } from '../../core/blind-state.js'
import type { Exchange } from '../../exchange/exchange.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { Auditee } from '../audit/auditee.js'
import type { BlindMembers } from '../blind/blind-members.js'
import type { HoldingsTalk } from '../copies/holdings-talk.js'
import type { ShareContext } from './context.js'
import type { Hearing } from './hearing.js'
import type { Inquiries } from './inquiries.js'
import type { Members } from './members.js'
import type { Reports } from './reports.js'
import type { ShareFeeds } from './share-feeds.js'

export interface MeetingParts {
  readonly exchange: Exchange
  readonly members: Members
  readonly blindMembers: BlindMembers
  readonly reports: Reports
  readonly inquiries: Inquiries
  readonly auditee: Auditee
  readonly holdings: () => HoldingsTalk
  readonly hearing: Hearing
  readonly feeds: () => ShareFeeds
  readonly context: Pick<ShareContext, 'fail'>
  /** Some member has a new state. */
  readonly onMembers: () => void
}

/** Listens to a new peer and greets it. */
export function meet(peer: SharePeer, parts: MeetingParts): void {
  const { exchange, members, blindMembers, reports, inquiries, auditee, holdings } = parts
  const { hearing, feeds, context, onMembers } = parts
  peer.on('certificates', (list) => {
    void feeds().receive(peer, list).catch(context.fail)
  })
  peer.on('states', (list) => {
    const blind = list.filter(isBlindState)
    const isNews = members.receive(
      peer,
      list.filter((bytes) => !isBlindState(bytes)),
    )
    if (blindMembers.receive(peer, blind) || isNews) onMembers()
    hearing.note(peer.device)
  })
  peer.on('reports', (list) => reports.incoming.onReports(peer, list))
  peer.on('report-sequences', (list) => reports.incoming.onSequences(peer, list))
  peer.on('report-wants', (list) => reports.incoming.onWants(peer, list))
  peer.on('inquiries', (list) => inquiries.receiveInquiries(peer, list))
  peer.on('answers', (list) => inquiries.receiveAnswers(peer, list))
  auditee.attach(peer)
  exchange.attach(peer)
  holdings().attach(peer)
  feeds().greet(peer)
  members.greet(peer)
  blindMembers.greet(peer)
  inquiries.greet(peer)
  reports.greet(peer)
}

/** A peer is gone. */
export function leave(
  peer: SharePeer,
  { members, blindMembers, reports }: Pick<MeetingParts, 'members' | 'blindMembers' | 'reports'>,
): void {
  members.seen(peer.device)
  blindMembers.seen(peer.device)
  reports.leave(peer)
}
