// What is told of the peers of a share, by peers() and by live().
import type { PeerReport } from '../../control/schema.js'
import type { BlindState } from '../../core/blind-state.js'
import { type DeviceState, holdsSame } from '../../core/state.js'
import type { PeerStats } from '../../exchange/exchange.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import { type AnyShare, isBlind } from '../any-share.js'
import { holdsAll, isOfThisRun } from './standing-row.js'
import { isoTime } from './view.js'

/** A peer, what moved between it and us since it connected, and what it signed last. */
export interface PeerFacts {
  readonly peer: SharePeer
  readonly report: Omit<PeerReport, 'dir'>
  readonly traffic: PeerStats | undefined
  /** What it lacks, by that; undefined: it has told nothing that can be read here. */
  readonly needs: Pick<DeviceState, 'needFiles' | 'needBytes'> | undefined
  /** By what it signed last, it holds just what we hold, which may be less than the share says. */
  readonly holdsOurs: boolean
}

/** Of a share here, by what each peer signed last; a blind node knows only of others like it. */
export function peerFacts(share: AnyShare): PeerFacts[] {
  const holding = isBlind(share) ? undefined : share.holding
  const isComplete = isBlind(share) ? share.counts.missing.pieces === 0 : share.index.counts.needFiles === 0
  const blind = new Map(share.blindMembers.all().map((member) => [member.state.device, member]))
  const stats = new Map(share.exchange.stats().perPeer.map((each) => [each.device, each]))
  const states = new Map(
    (isBlind(share) ? [] : share.members.all()).map(({ state }) => [state.device, state]),
  )
  return share.peers.map((peer) => {
    const traffic = stats.get(peer.device)
    const state = states.get(peer.device)
    const node = blind.get(peer.device)
    const holdsOurs =
      node === undefined
        ? state !== undefined &&
          holding !== undefined &&
          isOfThisRun(peer, state) &&
          holdsSame(state, holding)
        : isOfThisRun(peer, node.state) && holdsAll(share, node)
    const needs = node === undefined ? state : needsOf(node.state)
    const report = {
      device: peer.device,
      name: peer.name,
      grade: share.isWriter(peer.device) ? ('write' as const) : peer.grade,
      transport: peer.transport,
      address: peer.address,
      initiator: peer.initiator,
      connectedAt: isoTime(peer.connectedAtMs),
      receivedBytes: traffic?.downloadedBytes ?? 0,
      sentBytes: traffic?.uploadedBytes ?? 0,
      rttMs: peer.rttMs === undefined ? null : tenths(peer.rttMs),
      downRate: traffic?.downRate ?? 0,
      upRate: traffic?.upRate ?? 0,
      inSync: holdsOurs && isComplete && needs?.needFiles === 0,
    }
    return { peer, report, traffic, needs, holdsOurs }
  })
}

function needsOf({ missingPieces, missingBytes }: BlindState): PeerFacts['needs'] {
  return { needFiles: missingPieces, needBytes: missingBytes }
}

/** Milliseconds as people are told them. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
