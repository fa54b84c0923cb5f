// The calls about work under way: reads what the parts of the shares count anyway. What costs something per piece is
// worked out once a second at most, however often it is asked for.
import type { LiveCalls } from '../../control/calls-live.js'
import {
  type AvailabilityReport,
  type AvailabilityRequest,
  type LiveReport,
  MAX_TRANSFERS,
  type PeerLive,
  type ShareLive,
  type TransferReport,
} from '../../control/schema-live.js'
import { type Availability, availabilityOf, countHoldings, type HoldingCounts } from '../../core/holdings.js'
import type { DeviceId } from '../../core/ids.js'
import { type AnyShare, isBlind } from '../any-share.js'
import { blindHoldingOurs, holdingOurs } from '../copies/holding-ours.js'
import { LoopDelay } from '../loop-delay.js'
import { type ApplyTask, fileFactOf } from '../share/apply-task.js'
import { type PeerFacts, peerFacts, tenths } from './peer-facts.js'
import { viewOf } from './standing-row.js'
import { anyShareAt, type DaemonView, isoTime, sharesOf } from './view.js'
import { WatchedHoldings } from './watched-holdings.js'

const PIECES_EVERY_MS = 1000
const DEFAULT_WIDTH = 60
/** A blind node fetches pieces, and knows no files. */
const NO_TRANSFERS = { tasks: [], count: 0 }

export function liveCalls(view: DaemonView): LiveCalls {
  const delay = new LoopDelay()
  const counts = new OncePerSecond<HoldingCounts>()
  const availabilities = new OncePerSecond<Availability>()
  const watched = new WatchedHoldings()
  return {
    async live(): Promise<LiveReport> {
      const shares = await sharesOf(view)
      const delayMs = delay.worstMs()
      return {
        at: isoTime(Date.now()),
        eventLoopDelayMs: delayMs === undefined ? null : tenths(delayMs),
        shares: shares.map((share) => shareLive(share, counts, watched)),
      }
    },

    async availability({
      share: at,
      width = DEFAULT_WIDTH,
    }: AvailabilityRequest): Promise<AvailabilityReport> {
      const share = await anyShareAt(view, at)
      const found = availabilities.of(share, width, () =>
        availabilityOf(share.exchange.holdings(holdersOf(share)), width, keepersOf(share)),
      )
      return { dir: share.dir, ...found }
    },
  }
}

/** Keeps the newest answer for each share, for so long. */
class OncePerSecond<T> {
  readonly #kept = new WeakMap<AnyShare, { readonly key: number; readonly atMs: number; readonly value: T }>()

  of(share: AnyShare, key: number, make: () => T): T {
    const kept = this.#kept.get(share)
    const atMs = performance.now()
    if (kept !== undefined && kept.key === key && atMs - kept.atMs < PIECES_EVERY_MS) return kept.value
    const value = make()
    this.#kept.set(share, { key, atMs, value })
    return value
  }
}

function shareLive(
  share: AnyShare,
  counts: OncePerSecond<HoldingCounts>,
  watched: WatchedHoldings,
): ShareLive {
  const { needFiles, needBytes } = needsOf(share)
  const { downloadedBytes, uploadedBytes, wrongPieces } = share.exchange.stats()
  const facts = peerFacts(share)
  const pieces = counts.of(share, facts.length, () => {
    const counted = countHoldings(share.exchange.holdings(holdersOf(share)), keepersOf(share))
    watched.ask(share, (device) => counted.peers.get(device) === counted.pieces)
    return counted
  })
  const { tasks, count: transferCount } = isBlind(share) ? NO_TRANSFERS : share.transfers(MAX_TRANSFERS)
  const names = new Map<string, string>(
    (isBlind(share) ? [] : share.members.all()).map(({ state }) => [state.device, state.name]),
  )
  return {
    dir: share.dir,
    state: share.state,
    needFiles,
    needBytes,
    downRate: facts.reduce((sum, { report }) => sum + report.downRate, 0),
    upRate: facts.reduce((sum, { report }) => sum + report.upRate, 0),
    receivedBytes: downloadedBytes,
    sentBytes: uploadedBytes,
    wrongPieces,
    totalPieces: pieces.pieces,
    heldPieces: pieces.held,
    peers: facts.map((each) => peerLive(each, pieces)),
    transfers: tasks.map((task) => transferReport(task, names)),
    transferCount,
  }
}

/** Of a blind node, in pieces. */
function needsOf(share: AnyShare): { readonly needFiles: number; readonly needBytes: number } {
  if (!isBlind(share)) return share.index.counts
  const { pieces, bytes } = share.counts.missing
  return { needFiles: pieces, needBytes: bytes }
}

/** Peers of whom it is known, beside their bitfields, that they hold all that this device holds. */
function holdersOf(share: AnyShare): ReadonlySet<DeviceId> {
  const { peers, blindMembers } = share
  const facts = { peers, blindMembers, view: viewOf(share) }
  if (isBlind(share)) return blindHoldingOurs(facts)
  return holdingOurs({ ...facts, holding: share.holding, members: share.members })
}

/** Blind nodes, which keep old versions; what is old a blind node itself cannot tell. */
function keepersOf(share: AnyShare): ReadonlySet<DeviceId> {
  if (isBlind(share)) return new Set()
  return new Set(share.peers.filter(({ grade }) => grade === 'blind').map(({ device }) => device))
}

function peerLive({ peer, report, traffic, needs }: PeerFacts, counts: HoldingCounts): PeerLive {
  return {
    ...report,
    inFlightBytes: traffic?.inFlightBytes ?? 0,
    heldPieces: counts.peers.get(peer.device) ?? 0,
    totalPieces: counts.pieces,
    needFiles: needs?.needFiles ?? 0,
    needBytes: needs?.needBytes ?? 0,
    stalled: traffic?.stalled ?? false,
    choked: traffic?.choked ?? false,
  }
}

function transferReport(task: ApplyTask, names: ReadonlyMap<string, string>): TransferReport {
  const bytes = fileFactOf(task)?.size ?? 0
  const rate = task.traffic?.meter.rate(performance.now()) ?? 0
  const { doneBytes } = task
  return {
    path: task.path,
    bytes,
    doneBytes,
    rate,
    etaMs: rate === 0 ? null : Math.round(((bytes - doneBytes) / rate) * 1000),
    startedAt: isoTime(task.startedMs),
    peers: [...(task.traffic?.peers ?? [])].map(([device, sent]) => ({
      device,
      name: names.get(device) ?? device.slice(0, 8),
      bytes: sent,
    })),
    direction: 'down',
  }
}
