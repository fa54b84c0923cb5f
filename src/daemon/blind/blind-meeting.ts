// What the parts of a blind share say to a peer and hear of it, from the moment it is met (SharePeers).
import { isBlindState } from '../../core/blind-state.js'
import type { Exchange } from '../../exchange/exchange.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { Auditee } from '../audit/auditee.js'
import type { Inquiries } from '../share/inquiries.js'
import type { BlindCopies } from './blind-copies.js'
import type { BlindMembers } from './blind-members.js'
import type { PassedStates } from './passed-states.js'
import type { VaultOpening } from './vault-opening.js'

export interface BlindMeetingParts {
  readonly opening: VaultOpening
  readonly exchange: Exchange
  readonly auditee: Auditee
  readonly copies: BlindCopies
  readonly passedStates: PassedStates
  readonly blindMembers: BlindMembers
  readonly inquiries: Inquiries
}

/** Listens to a new peer and greets it. */
export function meetBlind(peer: SharePeer, parts: BlindMeetingParts): void {
  const { opening, exchange, auditee, copies, passedStates, blindMembers, inquiries } = parts
  peer.on('certificates', (list) => opening.receive(peer, list))
  peer.on('states', (list) => {
    blindMembers.receive(peer, list.filter(isBlindState))
    passedStates.receive(
      peer,
      list.filter((bytes) => !isBlindState(bytes)),
    )
  })
  peer.on('inquiries', (list) => inquiries.receiveInquiries(peer, list))
  peer.on('answers', (list) => inquiries.receiveAnswers(peer, list))
  auditee.attach(peer)
  exchange.attach(peer)
  copies.talk.attach(peer)
  opening.keeping?.feeds.greet(peer)
  passedStates.greet(peer)
  blindMembers.greet(peer)
  inquiries.greet(peer)
}
