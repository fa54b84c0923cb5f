// Reads pieces for blocks that peers ask for: whole ones, many at a time, each once however many wait for it. What is read in
// parts is kept for a while, as its other blocks will be asked for.
// What the source lends is held on to only by whoever asked for it, and for all of it, by one request or by several; any other block
// that is a part is one of the copy that is kept, which counts for its peer as long as the block does (serve-costs.ts).
// Promises: each request is told of once, with the piece or with nothing; what the source cannot serve is withdrawn (S3).
import type { WriterId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import { PieceCache } from './piece-cache.js'
import type { PieceRequest, PieceSource } from './serve.js'
import type { Lease, Leases } from './serve-lease.js'
import type { Asked, Served } from './serve-peer.js'

/** A batch is for one worker; smaller ones come back sooner and keep several workers busy. */
const BATCH_PIECES = 64
const BATCH_BYTES: number = 1024 * 1024
const CACHE_BYTES: number = 16 * 1024 * 1024

export interface PieceReadsOptions {
  readonly source: PieceSource
  readonly leases: Leases
  readonly log: Log
  readonly withdraw: (writer: WriterId, indices: readonly number[]) => void
  /** What a request waited for, if it can be served; its memory is the lease's, if there is one. */
  readonly found: (asked: Asked, piece: Buffer | undefined, lease?: Lease) => void
  /** A batch is over, and these peers were told of something. */
  readonly over: (peers: ReadonlySet<Served>) => void
}

interface Read {
  readonly request: PieceRequest
  readonly cacheKey: string
  /** Who it is read for, others may wait too. */
  readonly owner: Served
  /** As far as it is known. */
  readonly bytes: number
  readonly waiting: Asked[]
}

export class PieceReads {
  readonly #o: PieceReadsOptions
  readonly #reads = new Map<string, Read>()
  readonly #cache = new PieceCache(CACHE_BYTES)
  /** Not begun. */
  #waiting: Read[] = []

  constructor(options: PieceReadsOptions) {
    this.#o = options
  }

  /** Finds the piece of a request: at once if it is at hand, else after start(). */
  add(asked: Asked, pieceBytes: number | undefined): void {
    const { peer, wire, index, pieceKey: cacheKey } = asked
    const cached = this.#cache.get(cacheKey)
    if (cached !== undefined) {
      this.#o.found(asked, cached)
      return
    }
    let read = this.#reads.get(cacheKey)
    if (read === undefined) {
      const bytes = Math.max(pieceBytes ?? 0, asked.offset + asked.length)
      read = { request: { writer: wire.writer, index }, cacheKey, owner: peer, bytes, waiting: [] }
      this.#reads.set(cacheKey, read)
      this.#waiting.push(read)
    }
    read.waiting.push(asked)
  }

  /** Begins to read what is not at hand; to be called for each peer by itself. */
  start(): void {
    let batch: Read[] = []
    let bytes = 0
    for (const read of this.#waiting) {
      batch.push(read)
      bytes += read.bytes
      if (batch.length < BATCH_PIECES && bytes < BATCH_BYTES) continue
      this.#start(batch)
      batch = []
      bytes = 0
    }
    this.#waiting = []
    if (batch.length > 0) this.#start(batch)
  }

  #start(batch: readonly Read[]): void {
    const done = (pieces: readonly (Buffer | null)[]): void => this.#finish(batch, pieces)
    this.#o.source.read(batch.map((read) => read.request)).then(done, (thrown: unknown) => {
      this.#o.log.warn({ err: thrown, pieces: batch.length }, 'cannot read pieces to serve')
      done([])
    })
  }

  #finish(batch: readonly Read[], pieces: readonly (Buffer | null)[]): void {
    const missing = new Map<WriterId, number[]>()
    const touched = new Set<Served>()
    // All are one peer's (start()).
    const lease = this.#o.leases.begin(pieces, batch[0]!.owner)
    for (const [at, { request, cacheKey, owner, waiting }] of batch.entries()) {
      this.#reads.delete(cacheKey)
      const piece = pieces[at] ?? undefined
      if (piece === undefined) {
        const indices = missing.get(request.writer)
        if (indices === undefined) missing.set(request.writer, [request.index])
        else indices.push(request.index)
      }
      const isAll = piece !== undefined && isAskedWhole(waiting, owner, piece.length)
      const isLent = (asked: Asked): boolean =>
        asked.peer === owner && (isAll || asked.length === piece?.length)
      const copy = piece === undefined || waiting.every(isLent) ? undefined : Buffer.from(piece)
      if (copy !== undefined) this.#cache.put(cacheKey, copy)
      for (const asked of waiting) {
        touched.add(asked.peer)
        if (isLent(asked)) this.#o.found(asked, piece, lease)
        else this.#o.found(asked, copy)
      }
    }
    this.#o.leases.counted(lease)
    for (const [writer, indices] of missing) this.#o.withdraw(writer, indices)
    this.#o.over(touched)
  }
}

/** Whether a peer waits for so many bytes of a piece; no two of its requests that stand are the same (repeated-request in serve.ts). */
function isAskedWhole(waiting: readonly Asked[], peer: Served, bytes: number): boolean {
  let asked = 0
  for (const each of waiting) if (each.peer === peer && !each.gone) asked += each.length
  return asked >= bytes
}
