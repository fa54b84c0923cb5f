// The fetching half of runs: which run to ask whom for, and what becomes of those that were asked for. A run stands in its
// peer's account (fetch-source.ts) as one block does, so that pace, budgets and stalls hold for it.
//   R1. A run is asked of one peer at a time, that holds all of it, is not limited and carries it in half a second at most.
//   R2. One that a peer refuses or passes over is handed back, and not asked for again: its pieces go one by one, where it
//       shows what is wrong with them.
//   R3. One whose peer leaves, chokes us or stalls waits for another peer.
//   R4. Where several peers serve, what fewest of them hold goes first, and then what the seed says, as in the picker (I3).
import type { DeviceId, WriterId } from '../../core/ids.js'
import type { FeedWire } from '../feed-wire.js'
import type { Source } from '../fetch-source.js'
import type { Asked } from '../pace.js'
import type { PieceRoom, PieceRooms } from '../piece-rooms.js'
import { MAX_PEER_RUNS, MAX_RUN_BYTES, type RunMessage, type RunRange } from './run-message.js'

/** Pieces wanted as one. */
export interface WantedRun extends RunRange {
  readonly writer: WriterId
  /** Of all together, sealed. */
  readonly bytes: number
}

/** A run as it arrived; nobody has looked at the bytes yet. */
export interface FetchedRun<Run extends WantedRun = WantedRun> {
  readonly run: Run
  readonly bytes: Buffer
  readonly from: DeviceId
  /** Where they lie with others: to be left once nobody looks at them any more, or never. */
  readonly room: PieceRoom | undefined
}

/** A run that a peer was asked for. */
export interface RunAsked {
  readonly run: WantedRun
  readonly wire: FeedWire
  readonly asked: Asked
}

export interface RunFetchOptions {
  readonly sources: ReadonlyMap<unknown, Source>
  readonly seed: number
  readonly nowMs: () => number
  readonly rooms: PieceRooms
  /** Whether what that peer is asked for waits for its turns. */
  readonly isPaced: (source: Source) => boolean
  readonly violated: (source: Source, code: string, detail: string) => void
  /** So many more bytes are on their way; fewer, if negative. */
  readonly countInFlight: (source: Source, bytes: number) => void
  /** Asks for more soon. */
  readonly soon: () => void
}

/** Of a peer whose rate is not known yet: as much as of a piece (fetch-source.ts). */
const FIRST_RUN_BYTES: number = 128 * 1024
const RUNS_PER_SECOND = 2
/** A peer that refuses what it holds is not asked for runs for so long. */
const REFUSED_FOR_MS = 15_000

export class RunFetch {
  readonly #o: RunFetchOptions
  /** Not asked for, the first first. */
  #waiting: WantedRun[] = []
  #fetched: FetchedRun[] = []
  #refused: WantedRun[] = []
  /** Pieces on their way. */
  #askedPieces = 0

  constructor(options: RunFetchOptions) {
    this.#o = options
  }

  /** Pieces in runs that were asked for. */
  get askedCount(): number {
    return this.#askedPieces
  }

  /** Pieces in runs that have not come. */
  get wantedCount(): number {
    return this.#waiting.reduce((sum, { count }) => sum + count, this.#askedPieces)
  }

  /** Their numbers in a feed. */
  wantedIn(writer: WriterId): number[] {
    const asked = [...this.#o.sources.values()].flatMap(({ runs }) =>
      Array.from(runs.values(), ({ run }) => run),
    )
    return [...this.#waiting, ...asked].flatMap((run) =>
      run.writer === writer ? Array.from({ length: run.count }, (_, i) => run.first + i) : [],
    )
  }

  /** The longest run that some peer would be asked for now; 0: there is none. */
  get longestBytes(): number {
    let longest = 0
    for (const source of this.#o.sources.values())
      if (this.#mayAsk(source)) longest = Math.max(longest, longestFor(source))
    return longest
  }

  /** Whether some peer would be asked for it, now or when it has answered others. */
  canServe(run: WantedRun): boolean {
    for (const source of this.#o.sources.values())
      if (this.#mayAsk(source) && wireFor(source, run) !== undefined) return true
    return false
  }

  /** Whether some peer that is asked for runs holds that piece. */
  holds(writer: WriterId, index: number): boolean {
    for (const source of this.#o.sources.values())
      if (this.#mayAsk(source) && wireOf(source, writer)?.held.get(index) === true) return true
    return false
  }

  /** Fetches them. Each is told of once: as fetched, or as refused. */
  want(runs: readonly WantedRun[]): void {
    this.#waiting.push(...runs)
    this.#o.soon()
  }

  /** Takes those out that wait and that nobody would be asked for. */
  takeUnserved(): WantedRun[] {
    const unserved = this.#waiting.filter((run) => !this.canServe(run))
    if (unserved.length > 0) this.#waiting = this.#waiting.filter((run) => !unserved.includes(run))
    return unserved
  }

  /** What has arrived since the last call. */
  takeFetched(): readonly FetchedRun[] {
    const fetched = this.#fetched
    if (fetched.length > 0) this.#fetched = []
    return fetched
  }

  /** What was refused since the last call (R2). */
  takeRefused(): readonly WantedRun[] {
    const refused = this.#refused
    if (refused.length > 0) this.#refused = []
    return refused
  }

  /** Asks that peer for one run of at most so many bytes; its bytes, 0: there is none to ask for. */
  ask(source: Source, maxBytes: number, nowMs: number): number {
    if (this.#waiting.length === 0 || source.runs.size >= MAX_PEER_RUNS || !this.#mayAsk(source)) return 0
    const at = this.#next(source, maxBytes)
    if (at === undefined) return 0
    const [run] = this.#waiting.splice(at, 1)
    const wire = run === undefined ? undefined : wireFor(source, run)
    if (run === undefined || wire === undefined) return 0
    source.runs.set(keyOf(wire, run.first), { run, wire, asked: source.begun(run.bytes, nowMs) })
    this.#askedPieces += run.count
    source.pieceBytes += run.bytes
    this.#o.countInFlight(source, run.bytes)
    wire.sayOfRun({ type: 'ask', first: run.first, count: run.count, bytes: run.bytes })
    return run.bytes
  }

  /** An answer, or a refusal; how many pieces have arrived. */
  answered(source: Source, wire: FeedWire, message: RunMessage, nowMs: number): number {
    const { first, count } = message
    if (message.type !== 'answer' && message.type !== 'refuse') return 0
    const known = source.runs.get(keyOf(wire, first))
    // What it answers was cancelled, and another run from there has been asked for since.
    const isOfAnother = known !== undefined && known.run.count !== count && source.cancelledRuns > 0
    const taken = isOfAnother ? undefined : this.#take(source, wire, first)
    if (taken === undefined) {
      // Cancelled before; never asked for otherwise (G5).
      if (--source.cancelledRuns < 0) this.#o.violated(source, 'unrequested', `run from ${first}`)
      return 0
    }
    const { run, asked } = taken
    // Of two requests for one run nobody knows which was answered. The later one must not stand at the peer, where it
    // would count, and asking once more would be a repeated request.
    if (source.cancelledRuns > 0) wire.sayOfRun({ type: 'cancel', first, count })
    source.answeredTo(asked)
    if (message.type === 'refuse') {
      // It says to hold all of it, and yet: a limit has begun there, perhaps.
      if (wire.held.hasAll(first, run.count)) source.noRunsUntilMs = nowMs + REFUSED_FOR_MS
      this.#refused.push(run)
      return 0
    }
    if (count !== run.count || message.pieces.length !== run.bytes) {
      this.#waiting.unshift(run)
      const said = `${message.pieces.length} bytes in ${count} pieces where ${run.bytes} in ${run.count} were asked for`
      this.#o.violated(source, 'bad-run', said)
      return 0
    }
    source.pace.block(run.bytes, asked, nowMs)
    const kept = this.#o.rooms.keep(message.pieces)
    this.#fetched.push({ run, bytes: kept.bytes, room: kept.room, from: source.link.device })
    return count
  }

  /** R3: what it was asked for, on one wire or on all, waits for somebody else; `tell`: it need not answer any more. */
  giveBack(source: Source, wire?: FeedWire, tell = true): void {
    for (const each of [...source.runs.values()])
      if (wire === undefined || each.wire === wire) this.#waiting.unshift(this.#cancel(source, each, tell))
  }

  /** R2: what was asked for a stall time before something that is answered. */
  passedOver(source: Source): void {
    for (const each of [...source.runs.values()]) {
      if (!source.hasPassedOver(each.asked)) break // oldest first
      this.#refused.push(this.#cancel(source, each, true))
    }
  }

  #cancel(source: Source, { run, wire }: RunAsked, tell: boolean): WantedRun {
    this.#take(source, wire, run.first)
    source.cancelledRuns++
    if (tell) wire.sayOfRun({ type: 'cancel', first: run.first, count: run.count })
    return run
  }

  #take(source: Source, wire: FeedWire, first: number): RunAsked | undefined {
    const key = keyOf(wire, first)
    const taken = source.runs.get(key)
    if (taken === undefined) return undefined
    const { bytes, count } = taken.run
    source.runs.delete(key)
    source.over(bytes)
    source.pieceBytes -= bytes
    this.#askedPieces -= count
    this.#o.countInFlight(source, -bytes)
    return taken
  }

  #mayAsk(source: Source): boolean {
    return !source.stalled && !this.#o.isPaced(source) && this.#o.nowMs() >= source.noRunsUntilMs
  }

  /** The place in the line of what to ask that peer for (R1, R4). */
  #next(source: Source, maxBytes: number): number | undefined {
    const isAlone = this.#o.sources.size === 1
    let best: number | undefined
    let bestHolders = Number.POSITIVE_INFINITY
    let bestOrder = 0
    for (const [at, run] of this.#waiting.entries()) {
      if (run.bytes > maxBytes || wireFor(source, run) === undefined) continue
      if (isAlone) return at
      const holders = this.#holdersOf(run)
      const order = Math.imul(run.first ^ this.#o.seed, 0x9e3779b1) >>> 0
      if (holders > bestHolders || (holders === bestHolders && order >= bestOrder)) continue
      best = at
      bestHolders = holders
      bestOrder = order
    }
    return best
  }

  #holdersOf({ writer, first, count }: WantedRun): number {
    let holders = 0
    for (const { link } of this.#o.sources.values())
      if (link.wires.get(writer)?.held.hasAll(first, count) === true) holders++
    return holders
  }
}

/** Where that peer serves it, if it does (R1). */
function wireFor(source: Source, { writer, first, count, bytes }: WantedRun): FeedWire | undefined {
  const wire = wireOf(source, writer)
  return bytes <= longestFor(source) && wire?.held.hasAll(first, count) === true ? wire : undefined
}

/** Where that peer serves runs of a feed, if it does. */
function wireOf({ link }: Source, writer: WriterId): FeedWire | undefined {
  const wire = link.wires.get(writer)
  return wire?.serving === true && wire.speaksOfRuns ? wire : undefined
}

function longestFor({ pace }: Source): number {
  const rate = pace.rateBytesPerSecond
  return rate === 0 ? FIRST_RUN_BYTES : Math.min(MAX_RUN_BYTES, Math.floor(rate / RUNS_PER_SECOND))
}

function keyOf(wire: FeedWire, first: number): string {
  return `${wire.writer}:${first}`
}
