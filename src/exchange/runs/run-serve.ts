// The serving half of runs: each is read as a whole and answered as a whole, or refused (run-message.ts).
//   S1. Of one peer at most MAX_PEER_RUNS are open; what is read ahead of them counts as blocks do (serve.ts).
//   S2. Every run that is not cancelled is answered, or refused.
//   S3. A piece the source cannot serve is withdrawn from everybody, and its run refused: the others in it are asked for anew.
//   S4. Under a limit, where what is urgent must not wait for half a megabyte, all are refused; so they are to who is choked.
//   S5. No more is read for a run than it was said to come to: what counts as read ahead is what the peer says.
import type { WriterId } from '../../core/ids.js'
import type { Log } from '../../ports/log.js'
import type { FeedWire } from '../feed-wire.js'
import type { Fifo } from '../fifo.js'
import { type Link, MAX_MESSAGE_BYTES } from '../link.js'
import type { PieceRequest, PieceSource } from '../serve.js'
import type { Lease, Leases } from '../serve-lease.js'
import type { Served } from '../serve-peer.js'
import { TooManyBytes } from '../too-many-bytes.js'
import { MAX_PEER_RUNS, type RunRange } from './run-message.js'

/** A read is for one worker (serve.ts). */
const READ_BYTES: number = 1024 * 1024
const READ_PIECES = 128
/** What is around the answers in a message. */
const ROOM_FOR_OTHERS: number = 32 * 1024

export interface AskedRun extends RunRange {
  readonly peer: Served
  readonly wire: FeedWire
  readonly length: number
  gone: boolean
  pieces: readonly Buffer[]
  lease: Lease | undefined
}

/** What serving keeps of one peer's runs. */
export interface ServedRuns {
  /** By wire and first number. */
  readonly open: Map<FeedWire, Map<number, AskedRun>>
  readonly queued: Fifo<AskedRun>
  readonly ready: Fifo<AskedRun>
  count: number
}

export interface RunServeOptions {
  readonly source: PieceSource
  readonly leases: Leases
  readonly log: Log
  readonly holds: (writer: WriterId, first: number, count: number) => boolean
  readonly withdraw: (writer: WriterId, indices: readonly number[]) => void
  readonly violated: (link: Link, code: string, detail: string) => void
  readonly isPaced: (link: Link) => boolean
  /** Calls read() soon. */
  readonly soon: () => void
  readonly mayReadAhead: (peer: Served) => boolean
  readonly countAhead: (peer: Served, bytes: number) => void
  /** A run is on its way. */
  readonly sent: (asked: AskedRun) => void
  /** Sends what is ready while the connection takes it. */
  readonly pump: (link: Link) => void
}

export class RunServe {
  readonly #o: RunServeOptions

  constructor(options: RunServeOptions) {
    this.#o = options
  }

  asked(peer: Served, wire: FeedWire, run: RunRange, bytes: number): void {
    const { first, count } = run
    const { runs, link } = peer
    if (!wire.speaksOfRuns || runs.count >= MAX_PEER_RUNS) {
      this.#o.violated(link, 'too-many-runs', 'runs asked for beyond what was agreed')
      return
    }
    let open = runs.open.get(wire)
    if (open === undefined) {
      open = new Map()
      runs.open.set(wire, open)
    }
    if (open.has(first)) {
      this.#o.violated(link, 'repeated-run', `the run from ${first} asked for twice`)
      return
    }
    const isServed = link.unchoked && !this.#o.isPaced(link)
    if (!isServed || !this.#o.holds(wire.writer, first, count)) {
      wire.sayOfRun({ type: 'refuse', first, count })
      return
    }
    const asked: AskedRun = {
      ...{ peer, wire, first, count },
      ...{ length: bytes, gone: false, pieces: [], lease: undefined },
    }
    open.set(first, asked)
    runs.count++
    runs.queued.push(asked)
    this.#o.soon()
  }

  cancelled(peer: Served, wire: FeedWire, first: number): void {
    const asked = peer.runs.open.get(wire)?.get(first)
    if (asked === undefined) return
    this.#forget(asked)
    // Those that are cancelled at once must not fill the queue unseen by S1.
    if (peer.runs.queued.length > 2 * MAX_PEER_RUNS) peer.runs.queued.filter((each) => !each.gone)
  }

  removeWire(peer: Served, wire: FeedWire): void {
    for (const asked of [...(peer.runs.open.get(wire)?.values() ?? [])]) this.#forget(asked)
    peer.runs.open.delete(wire)
  }

  /** The connection is gone, and its wires were removed. */
  removePeer({ runs: { ready } }: Served): void {
    for (let asked = ready.shift(); asked !== undefined; asked = ready.shift()) this.#done(asked)
  }

  /** Starts the reads of what was asked for since the last call; no two peers' in one, as S5 holds for all that is in it. */
  read(peers: Iterable<Served>): void {
    for (const peer of peers) {
      const { queued } = peer.runs
      let batch: AskedRun[] = []
      let bytes = 0
      let pieces = 0
      while (queued.length > 0 && this.#o.mayReadAhead(peer)) {
        const asked = queued.shift()!
        if (asked.gone) continue
        this.#o.countAhead(peer, asked.length)
        batch.push(asked)
        bytes += asked.length
        pieces += asked.count
        if (bytes < READ_BYTES && pieces < READ_PIECES) continue
        this.#start(batch)
        batch = []
        bytes = pieces = 0
      }
      if (batch.length > 0) this.#start(batch)
    }
  }

  /** Sends what is ready while the connection takes it; whether anything moved. Under a limit, refuses it (S4). */
  pump({ link, runs: { ready } }: Served): boolean {
    let moved = false
    const isPaced = this.#o.isPaced(link)
    while (ready.length > 0 && (isPaced || link.drained)) {
      let outBytes = link.outBytes
      while (ready.length > 0) {
        const asked = ready.peek()!
        const isFull = outBytes > 0 && outBytes + asked.length > MAX_MESSAGE_BYTES - ROOM_FOR_OTHERS
        if (isFull && !isPaced) break
        ready.shift()
        moved = true
        if (!asked.gone && isPaced) asked.wire.sayOfRun({ type: 'refuse', ...rangeOf(asked) })
        else if (!asked.gone) {
          asked.wire.answerRun(rangeOf(asked), asked.pieces)
          this.#o.sent(asked)
          outBytes += asked.length
        }
        this.#done(asked)
      }
      link.flush()
      if (isPaced) break
    }
    return moved
  }

  #start(batch: readonly AskedRun[]): void {
    const requests: PieceRequest[] = []
    for (const { wire, first, count } of batch)
      for (let index = first; index < first + count; index++) requests.push({ writer: wire.writer, index })
    const done = (pieces: readonly (Buffer | null)[]): void => this.#finish(batch, pieces)
    const maxBytes = batch.reduce((sum, { length }) => sum + length, 0)
    this.#o.source.read(requests, maxBytes).then(done, (thrown: unknown) => {
      if (thrown instanceof TooManyBytes) return this.#refuseAll(batch)
      this.#o.log.warn({ err: thrown, pieces: requests.length }, 'cannot read pieces to serve')
      done([])
    })
  }

  #finish(batch: readonly AskedRun[], answers: readonly (Buffer | null)[]): void {
    const lease = this.#o.leases.begin(answers, batch[0]!.peer)
    let at = 0
    for (const asked of batch) {
      const pieces = answers.slice(at, at + asked.count)
      at += asked.count
      if (asked.gone) lease.takenBack += asked.length
      else if (isWhole(pieces, asked)) {
        asked.pieces = pieces
        asked.lease = lease
        lease.open++
        asked.peer.runs.ready.push(asked)
      } else this.#refuse(asked, pieces)
    }
    this.#o.leases.counted(lease)
    for (const peer of new Set(batch.map((asked) => asked.peer))) this.#o.pump(peer.link)
    this.#o.leases.release()
    this.#o.soon()
  }

  /** S5. */
  #refuseAll(batch: readonly AskedRun[]): void {
    for (const asked of batch) {
      if (!asked.gone) asked.wire.sayOfRun({ type: 'refuse', ...rangeOf(asked) })
      this.#done(asked)
    }
    this.#o.soon()
  }

  #refuse(asked: AskedRun, pieces: readonly (Buffer | null)[]): void {
    const { wire, first, count } = asked
    const missing: number[] = []
    for (let i = 0; i < count; i++) if ((pieces[i] ?? null) === null) missing.push(first + i)
    if (missing.length > 0) this.#o.withdraw(wire.writer, missing)
    wire.sayOfRun({ type: 'refuse', first, count })
    this.#done(asked)
  }

  /** Was answered, or never will be. */
  #done(asked: AskedRun): void {
    this.#forget(asked)
    this.#o.countAhead(asked.peer, -asked.length)
    if (asked.lease !== undefined) this.#o.leases.end(asked.lease)
    asked.lease = undefined
    asked.pieces = []
  }

  #forget(asked: AskedRun): void {
    if (asked.gone) return
    asked.gone = true
    asked.peer.runs.count--
    asked.peer.runs.open.get(asked.wire)?.delete(asked.first)
  }
}

function rangeOf({ first, count }: RunRange): RunRange {
  return { first, count }
}

function isWhole(pieces: readonly (Buffer | null)[], asked: AskedRun): pieces is readonly Buffer[] {
  let bytes = 0
  for (const piece of pieces) {
    if (piece === null) return false
    bytes += piece.length
  }
  return pieces.length === asked.count && bytes === asked.length
}
