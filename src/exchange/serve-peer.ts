// What serving knows of one peer: what it asked for, read or not, and in which order that goes out.
import { RateMeter } from '../core/rate-meter.js'
import type { FeedWire } from './feed-wire.js'
import { Fifo } from './fifo.js'
import type { Link } from './link.js'
import type { PacedLane } from './pacer.js'
import type { ServedRuns } from './runs/run-serve.js'
import type { PartsAsked } from './serve-costs.js'
import type { Lease } from './serve-lease.js'

/** Pieces this small are a small file, or the end of one; under a limit they go before others. */
const SMALL_BYTES: number = 32 * 1024
/** But not before what has waited for so long: whoever asked takes what is passed over for much longer to be refused. */
const PASSED_OVER_MS = 4000

export interface Asked {
  readonly peer: Served
  readonly wire: FeedWire
  readonly key: number
  readonly pieceKey: string
  readonly index: number
  readonly offset: number
  readonly length: number
  readonly askedAtMs: number
  readonly respond: (block?: Uint8Array) => void
  gone: boolean
  /** Charged with other parts of its piece (serve-costs.ts). */
  isPart: boolean
  block: Buffer | undefined
  /** With this block the peer has the end of the piece, and what comes before it was asked for before. */
  isLast: boolean
  lease: Lease | undefined
}

export interface Served {
  readonly link: Link
  readonly open: Map<FeedWire, Map<number, Asked>>
  readonly queued: Fifo<Asked>
  readonly ready: Fifo<Asked>
  /** Under a limit: ready, and before the others. */
  readonly small: Fifo<Asked>
  readonly runs: ServedRuns
  readonly lane: PacedLane
  /** By piece. */
  readonly parts: Map<string, PartsAsked>
  openCount: number
  /** Requests that are being read or ready, those that were taken back since too. */
  begunCount: number
  /** What is being read or ready costs so much (serve-costs.ts). */
  aheadBytes: number
  uploadedBytes: number
  readonly meter: RateMeter
}

/** `go`: a turn of its lane. */
export function newPeer(link: Link, go: (maxBytes: number) => number): Served {
  const small = new Fifo<Asked>()
  return {
    link,
    open: new Map(),
    queued: new Fifo(),
    ready: new Fifo(),
    small,
    runs: { open: new Map(), queued: new Fifo(), ready: new Fifo(), count: 0 },
    lane: {
      get isSmall(): boolean {
        return small.length > 0
      },
      go,
    },
    parts: new Map(),
    openCount: 0,
    begunCount: 0,
    aheadBytes: 0,
    uploadedBytes: 0,
    meter: new RateMeter(),
  }
}

/** A block is read: into the line that it waits in. */
export function lineUp(asked: Asked, pieceBytes: number, isPaced: boolean, nowMs: number): void {
  const { small, ready } = asked.peer
  const oldestMs = ready.peek()?.askedAtMs ?? nowMs
  if (isPaced && pieceBytes <= SMALL_BYTES && nowMs - oldestMs < PASSED_OVER_MS) small.push(asked)
  else ready.push(asked)
}
