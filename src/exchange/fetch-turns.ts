// Under a limit a peer is asked for one block whenever its turn comes (X4). What was charged and will not come is given back.
import type { Picker } from '../core/picker.js'
import type { Source } from './fetch-source.js'
import type { Link } from './link.js'
import type { Gate, PacedLane } from './pacer.js'

/** What one peer is asked for at a time, in seconds of the limit: more of it would come at once if the peer paused. */
const LIMITED_SECONDS = 2

export interface FetchTurnsOptions {
  readonly limit: Gate | undefined
  readonly exempt: (link: Link) => boolean
  readonly picker: Picker
  /** Asks for one block if it may; its length, 0: there is none to ask for. */
  readonly ask: (source: Source) => number
}

export class FetchTurns {
  readonly #o: FetchTurnsOptions
  readonly #lanes = new Map<Source, PacedLane>()

  constructor(options: FetchTurnsOptions) {
    this.#o = options
  }

  /** What that peer's blocks wait for; undefined: nothing. */
  gateOf(source: Source): Gate | undefined {
    const { limit } = this.#o
    return limit === undefined || limit.isFree || this.#o.exempt(source.link) ? undefined : limit
  }

  /** Bytes that it may be asked for at a time. */
  targetOf(source: Source): number {
    const rate = this.gateOf(source)?.bytesPerSecond
    return rate === undefined ? Number.POSITIVE_INFINITY : rate * LIMITED_SECONDS
  }

  /** There is something to ask for. */
  want(source: Source, gate: Gate): void {
    let lane = this.#lanes.get(source)
    if (lane === undefined) {
      lane = this.#laneOf(source)
      this.#lanes.set(source, lane)
    }
    gate.want(lane, source.link.connection)
  }

  /** Of what was asked for in turns, so much will not come. */
  refund(source: Source, bytes: number): void {
    const lane = this.#lanes.get(source)
    if (lane !== undefined && bytes > 0) this.#o.limit?.refund(lane, bytes)
  }

  drop(source: Source): void {
    const lane = this.#lanes.get(source)
    if (lane === undefined) return
    this.#o.limit?.pacer.drop(lane)
    this.#lanes.delete(source)
  }

  #laneOf(source: Source): PacedLane {
    const { picker, ask } = this.#o
    return {
      get isSmall(): boolean {
        return source.urgent !== undefined || picker.hasFresh(source.number)
      },
      go: () => ask(source),
    }
  }
}
