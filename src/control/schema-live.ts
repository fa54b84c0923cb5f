// Work under way, as GET /v1/live and GET /v1/availability tell it: what a dashboard asks for several times a second, so that
// it costs a daemon nothing per file. Rates are bytes per second over the last few seconds. Answers only grow.
import { z } from 'zod'
import type { Grade } from '../core/secret.js'
import { queryPart } from './route.js'
import { type ShareState, shareState } from './schema.js'
import { count } from './schema-parts.js'

/** GET /v1/live */
export interface LiveReport {
  /** By the daemon's clock, ISO 8601. */
  readonly at: string
  /** How late its event loop was at worst in the last seconds; null: not measured yet. */
  readonly eventLoopDelayMs: number | null
  /** In the order of status(). */
  readonly shares: readonly ShareLive[]
}

export interface ShareLive {
  /** Absolute. */
  readonly dir: string
  readonly state: ShareState
  /** As in status(). */
  readonly needFiles: number
  readonly needBytes: number
  readonly downRate: number
  readonly upRate: number
  /** Content moved since the daemon started. */
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Pieces that were not what their id says, since the daemon started. */
  readonly wrongPieces: number
  /** Pieces that this node or somebody connected holds, or that this node fetches. A look of at most a second ago. */
  readonly totalPieces: number
  readonly heldPieces: number
  readonly peers: readonly PeerLive[]
  /** The oldest files that are being fetched, at most MAX_TRANSFERS. */
  readonly transfers: readonly TransferReport[]
  /** How many are being fetched. */
  readonly transferCount: number
}

/** So many files that are being fetched are told of. */
export const MAX_TRANSFERS = 100

/** A connected member. */
export interface PeerLive {
  /** Device id, 64 hex digits. */
  readonly device: string
  readonly name: string
  readonly grade: Grade
  readonly transport: 'tcp' | 'udx' | 'relayed'
  /** "host:port" */
  readonly address: string
  /** Whether we dialled. */
  readonly initiator: boolean
  /** ISO 8601. */
  readonly connectedAt: string
  /** Of a small message on the connection, there and back; null: not measured, as with a peer of an older version. */
  readonly rttMs: number | null
  readonly downRate: number
  readonly upRate: number
  /** Content, since it connected. */
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Of pieces asked of it. */
  readonly inFlightBytes: number
  /** At least so many of the share's totalPieces: what it told, what it was sent, all that we hold if it holds the same. */
  readonly heldPieces: number
  readonly totalPieces: number
  /** Whether its newest signed state shows our digest, and neither it nor we lack anything. */
  readonly inSync: boolean
  /** By its newest signed state; 0 if there is none yet. */
  readonly needFiles: number
  readonly needBytes: number
  /** It owes pieces and has sent nothing for a while. */
  readonly stalled: boolean
  /** It does not serve us now. */
  readonly choked: boolean
}

/** A file that is being fetched. What is sent shows per peer only: nobody says of which file a piece is. */
export interface TransferReport {
  readonly path: string
  readonly bytes: number
  /** Of those, how many are here and verified. */
  readonly doneBytes: number
  readonly rate: number
  /** At this rate; null: nothing moves. */
  readonly etaMs: number | null
  /** ISO 8601. */
  readonly startedAt: string
  /** Who sent how much of it. What came from this disk is nobody's. */
  readonly peers: readonly { readonly device: string; readonly name: string; readonly bytes: number }[]
  readonly direction: 'down'
}

/** GET /v1/availability */
export interface AvailabilityRequest {
  /** Place of the share in the configuration, from 0. */
  readonly share: number
  /** Buckets to have, 1 to MAX_WIDTH. Default 60. */
  readonly width?: number | undefined
}

export const MAX_WIDTH = 1000

export interface AvailabilityReport {
  readonly dir: string
  /** As ShareLive.totalPieces and heldPieces. */
  readonly pieces: number
  readonly held: number
  /** All pieces in order, feed after feed, in so many buckets of nearly the same size; fewer if there are fewer pieces. */
  readonly buckets: readonly AvailabilityBucket[]
  /** The fewest copies of a piece among this node and who is connected, and how many pieces have no more. */
  readonly rarestCopies: number
  readonly rarestPieces: number
}

export interface AvailabilityBucket {
  readonly pieces: number
  /** By this node. */
  readonly held: number
  /** Copies of its rarest piece and of its most common one, this node's counted. */
  readonly minCopies: number
  readonly maxCopies: number
}

const peerLive: z.ZodType<PeerLive> = z.looseObject({
  device: z.string(),
  name: z.string(),
  grade: z.enum(['write', 'read', 'blind']),
  transport: z.enum(['tcp', 'udx', 'relayed']),
  address: z.string(),
  initiator: z.boolean(),
  connectedAt: z.string(),
  rttMs: count.nullable(),
  downRate: count,
  upRate: count,
  receivedBytes: count,
  sentBytes: count,
  inFlightBytes: count,
  heldPieces: count,
  totalPieces: count,
  inSync: z.boolean(),
  needFiles: count,
  needBytes: count,
  stalled: z.boolean(),
  choked: z.boolean(),
})

const transferReport: z.ZodType<TransferReport> = z.looseObject({
  path: z.string(),
  bytes: count,
  doneBytes: count,
  rate: count,
  etaMs: count.nullable(),
  startedAt: z.string(),
  peers: z.array(z.looseObject({ device: z.string(), name: z.string(), bytes: count })),
  direction: z.literal('down'),
})

const shareLive: z.ZodType<ShareLive> = z.looseObject({
  dir: z.string(),
  state: shareState,
  needFiles: count,
  needBytes: count,
  downRate: count,
  upRate: count,
  receivedBytes: count,
  sentBytes: count,
  wrongPieces: count,
  totalPieces: count,
  heldPieces: count,
  peers: z.array(peerLive),
  transfers: z.array(transferReport),
  transferCount: count,
})

export const liveReport: z.ZodType<LiveReport> = z.looseObject({
  at: z.string(),
  eventLoopDelayMs: count.nullable(),
  shares: z.array(shareLive),
})

export const availabilityRequest: z.ZodType<AvailabilityRequest> = z.strictObject({
  share: queryPart.place,
  width: queryPart.count.pipe(z.int().min(1).max(MAX_WIDTH)).optional(),
})

export const availabilityReport: z.ZodType<AvailabilityReport> = z.looseObject({
  dir: z.string(),
  pieces: count,
  held: count,
  buckets: z.array(z.looseObject({ pieces: count, held: count, minCopies: count, maxCopies: count })),
  rarestCopies: count,
  rarestPieces: count,
})
