// Who may have how much under way (G2): the budget is shared out by what each peer's line needs to be kept full, as measured
// (pace.ts). It starts small and grows with what comes, so that peers which are asked and deliver little, or nothing, leave the
// room to those that deliver.
// Promises: whoever has nothing under way gets a piece of any length, in the end: the fastest at once, others when there is room
// or nobody else answers.
import type { Source } from './fetch-source.js'

/** Share of the budget that a peer gets at least: one average piece in the worst of files. */
const MIN_SHARE_BYTES: number = 1024 * 1024
/** A peer that has answered nothing for so long takes no room from others: long before it counts as stalled. */
const IDLE_MS = 2000
/** Nor does one that needs longer, at its rate, for what it was asked for. */
const SLOW_MS = 60_000

export interface SharesOptions {
  readonly sources: ReadonlyMap<unknown, Source>
  readonly maxInFlightBytes: number
}

export class Shares {
  readonly #o: SharesOptions

  constructor(options: SharesOptions) {
    this.#o = options
  }

  /** What may be picked for this peer: the longest piece, on top of what is under way, and whether it is faster than others. */
  of(source: Source, nowMs: number): { readonly maxBytes: number; readonly isFastest: boolean } {
    const { sources, maxInFlightBytes } = this.#o
    const rate = source.pace.rateBytesPerSecond
    let isFastest = true
    let needs = 0
    let othersBytes = 0
    for (const other of sources.values()) {
      if (other.stalled) continue
      needs += other.pace.targetBytes
      if (other === source || !takesRoom(other, nowMs)) continue
      othersBytes += other.pieceBytes
      if (other.pace.rateBytesPerSecond >= rate) isFastest = false
    }
    const hasNothing = source.pieceBytes === 0
    if (hasNothing && isFastest) return { maxBytes: Number.POSITIVE_INFINITY, isFastest }
    const share = Math.max(MIN_SHARE_BYTES, (maxInFlightBytes * source.pace.targetBytes) / needs)
    const left = share - source.pieceBytes
    return { maxBytes: hasNothing ? Math.max(left, maxInFlightBytes - othersBytes) : left, isFastest }
  }
}

function takesRoom(source: Source, nowMs: number): boolean {
  const { pieceBytes, pace } = source
  if (pieceBytes === 0 || source.isIdle(nowMs, IDLE_MS)) return false
  const rate = pace.rateBytesPerSecond
  return rate === 0 || (pieceBytes / rate) * 1000 < SLOW_MS
}
