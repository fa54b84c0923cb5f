// What is told of the peers of a share, by peers() and by live().
import type { PeerReport } from '../../control/schema.js'
import { type DeviceState, holdsSame } from '../../core/state.js'
import type { PeerStats } from '../../exchange/exchange.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { Share } from '../share/share.js'
import { isoTime } from './view.js'

/** A peer, what moved between it and us since it connected, and what it signed last. */
export interface PeerFacts {
  readonly peer: SharePeer
  readonly report: Omit<PeerReport, 'dir'>
  readonly traffic: PeerStats | undefined
  readonly state: DeviceState | undefined
  /** By what it signed last, it holds just what we hold, which may be less than the share says. */
  readonly holdsOurs: boolean
}

export function peerFacts(share: Share): PeerFacts[] {
  const { holding } = share
  const isComplete = share.index.counts.needFiles === 0
  const stats = new Map(share.exchange.stats().perPeer.map((each) => [each.device, each]))
  const states = new Map(share.members.all().map(({ state }) => [state.device, state]))
  return share.peers.map((peer) => {
    const traffic = stats.get(peer.device)
    const state = states.get(peer.device)
    // What the run before the present one signed says nothing of what this one is going to find.
    const holdsOurs = state !== undefined && peer.instance === state.instance && holdsSame(state, holding)
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
      inSync: holdsOurs && isComplete && state.needFiles === 0,
    }
    return { peer, report, traffic, state, holdsOurs }
  })
}

/** Milliseconds as people are told them. */
export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
