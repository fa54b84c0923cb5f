// How long a connection may take, and when it counts as lost.

export interface LinkTimings {
  /** From the first byte to ready, and from ready to a proven share channel. Default 10 s. */
  readonly proofTimeoutMs: number
  /** An idle side sends an empty frame so often. Default 5 s. */
  readonly keepAliveMs: number
  /** A peer that is silent for so long, or takes nothing of what waits for it, is gone. Default 25 s. */
  readonly deadPeerMs: number
}

export const DEFAULT_TIMINGS: LinkTimings = { proofTimeoutMs: 10_000, keepAliveMs: 5_000, deadPeerMs: 25_000 }
