// What a relay bears, in all, for one address and for one pass. Whatever asks for more is refused and may ask again;
// nobody's share of it grows by asking often.

export interface RelayLimits {
  /** Connections at a time. */
  readonly maxConnections: number
  /** Of those from one IPv4 address or one IPv6 /64, behind which there may be a whole site. */
  readonly maxPerAddress: number
  /** Connections that have proved nothing yet, in all and per address; the oldest makes way. */
  readonly maxWaiting: number
  readonly maxWaitingPerAddress: number
  /** New connections per address: so many at once, and one more in each of so many milliseconds. */
  readonly arrivalBurst: number
  readonly arrivalEveryMs: number
  /** Pairs of nodes that are joined at a time. */
  readonly maxPairs: number
  /** Nodes here under one pass. */
  readonly maxPerPass: number
  /** Shares that one node is here for. */
  readonly maxPassesPerNode: number
  /** Calls of one connection: so many at once, and one more in each of so many milliseconds. */
  readonly callBurst: number
  readonly callEveryMs: number
  /** Of those, such as have led to no pair yet: each holds a place that nobody else has meanwhile. */
  readonly maxOpenCalls: number
  /** Frames of one connection: so many at once, and one more in each of so many milliseconds. */
  readonly frameBurst: number
  readonly frameEveryMs: number
  /** Bytes per second that a pair may have forwarded, both ways together; 0: no limit. */
  readonly pairBytesPerSecond: number
  /** The same of all pairs together. */
  readonly totalBytesPerSecond: number
  /** From the first byte to a proof. */
  readonly proofMs: number
  /** From a ticket to both having joined by it. */
  readonly ticketMs: number
  /** A node that is here says something more often; nodes ping three times as often. */
  readonly silentMs: number
  /** A pair without a byte either way, or with one that does not read, is ended after so long. */
  readonly idleMs: number
}

export const DEFAULT_LIMITS: RelayLimits = {
  maxConnections: 2_048,
  maxPerAddress: 256,
  maxWaiting: 128,
  maxWaitingPerAddress: 32,
  arrivalBurst: 128,
  arrivalEveryMs: 50,
  maxPairs: 512,
  maxPerPass: 512,
  maxPassesPerNode: 256,
  callBurst: 64,
  callEveryMs: 250,
  maxOpenCalls: 16,
  frameBurst: 600,
  frameEveryMs: 50,
  pairBytesPerSecond: 0,
  totalBytesPerSecond: 0,
  proofMs: 10_000,
  ticketMs: 15_000,
  silentMs: 60_000,
  idleMs: 60_000,
}
