// The calls about work under way: reads what the parts of the shares count anyway.
import type { LiveCalls } from '../../control/calls-live.js'
import type {
  AvailabilityReport,
  AvailabilityRequest,
  LiveReport,
  PeerLive,
  ShareLive,
} from '../../control/schema-live.js'
import { holdsSame } from '../../core/state.js'
import type { Share } from '../share/share.js'
import { type DaemonView, isoTime, shareAt, sharesOf } from './view.js'

export function liveCalls(view: DaemonView): LiveCalls {
  return {
    async live(): Promise<LiveReport> {
      const shares = await sharesOf(view)
      return { at: isoTime(Date.now()), eventLoopDelayMs: null, shares: shares.map(shareLive) }
    },

    async availability({ share: at }: AvailabilityRequest): Promise<AvailabilityReport> {
      const { dir } = await shareAt(view, at)
      return { dir, pieces: 0, held: 0, buckets: [], rarestCopies: 0, rarestPieces: 0 }
    },
  }
}

function shareLive(share: Share): ShareLive {
  const { needFiles, needBytes } = share.index.counts
  const { downloadedBytes, uploadedBytes, wrongPieces } = share.exchange.stats()
  const peers = peersLive(share)
  const sum = (rateOf: (peer: PeerLive) => number): number =>
    peers.reduce((total, peer) => total + rateOf(peer), 0)
  return {
    dir: share.dir,
    state: share.state,
    needFiles,
    needBytes,
    downRate: sum(({ downRate }) => downRate),
    upRate: sum(({ upRate }) => upRate),
    receivedBytes: downloadedBytes,
    sentBytes: uploadedBytes,
    wrongPieces,
    totalPieces: 0,
    heldPieces: 0,
    peers,
    transfers: [],
    transferCount: 0,
  }
}

function peersLive(share: Share): PeerLive[] {
  const { holding } = share
  const traffic = new Map(share.exchange.stats().perPeer.map((stats) => [stats.device, stats]))
  const states = new Map(share.members.all().map(({ state }) => [state.device, state]))
  return share.peers.map((peer): PeerLive => {
    const moved = traffic.get(peer.device)
    const state = states.get(peer.device)
    return {
      device: peer.device,
      name: peer.name,
      grade: share.isWriter(peer.device) ? 'write' : peer.grade,
      transport: peer.transport,
      address: peer.address,
      initiator: peer.initiator,
      connectedAt: isoTime(peer.connectedAtMs),
      rttMs: null,
      downRate: moved?.rateBytesPerSecond ?? 0,
      upRate: 0,
      receivedBytes: moved?.downloadedBytes ?? 0,
      sentBytes: moved?.uploadedBytes ?? 0,
      inFlightBytes: moved?.inFlightBytes ?? 0,
      heldPieces: 0,
      totalPieces: 0,
      // What the run before the present one signed says nothing of what this one is going to find.
      inSync: state !== undefined && peer.instance === state.instance && holdsSame(state, holding),
      needFiles: state?.needFiles ?? 0,
      needBytes: state?.needBytes ?? 0,
      stalled: moved?.stalled ?? false,
      choked: false,
    }
  })
}
