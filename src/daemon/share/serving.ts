// Gives peers the pieces they ask for, out of the files they lie in (P2). What can no longer be served is looked at
// again: the file has changed. The exchange withdraws it, and peers believe that for as long as the connection lasts; so
// once the piece is found somewhere after all (its file was renamed, touched, or not looked at yet), it is told again.
import type { WriterId } from '../../core/ids.js'
import { parentOf, type RelPath } from '../../core/path.js'
import { type PieceInfo, plainBytesOf } from '../../core/piece.js'
import { type DiskStat, sameStat } from '../../core/stat.js'
import type { PieceRequest, PieceSource } from '../../exchange/exchange.js'
import { TooManyBytes } from '../../exchange/too-many-bytes.js'
import { type ReadPieceJob, sealedBytes } from '../../folder/serve.js'
import type { Place } from '../../store/pieces.js'
import type { ShareContext } from './context.js'

/** Withdrawn pieces are looked for again after this long, doubling up to the maximum. */
const RECHECK_MS = 100
const RECHECK_MAX_MS = 5000
/** A piece whose file is as it was may be readable again: the disk had a bad moment. */
const UNCHANGED_MS = 30_000

export interface FilePiecesEvents {
  /** Files in these directories are not as the index says. */
  rescan(directories: readonly (RelPath | '')[]): void
  /** These pieces were withdrawn, and can be served now. */
  onServable(writer: WriterId, indices: readonly number[]): void
}

type Job = ReadPieceJob & { readonly path: RelPath }

interface Found {
  readonly piece: PieceInfo
  readonly place: Place & { readonly stat: DiskStat | undefined }
}

/** A piece that could not be served, and where it was thought to lie. */
interface Withdrawn {
  readonly request: PieceRequest
  readonly path: RelPath | undefined
  readonly stat: DiskStat | undefined
  readonly sinceMs: number
}

export class FilePieces implements PieceSource {
  readonly #context: ShareContext
  readonly #events: FilePiecesEvents
  readonly #withdrawn = new Map<string, Withdrawn>()
  /** Where the pieces of an answer lie, until the exchange has sent them. */
  readonly #rooms = new WeakMap<readonly (Buffer | null)[], SharedArrayBuffer>()
  #timer: NodeJS.Timeout | undefined
  #waitMs = RECHECK_MS
  #stopped = false

  constructor(context: ShareContext, events: FilePiecesEvents) {
    this.#context = context
    this.#events = events
  }

  async read(requests: readonly PieceRequest[], maxBytes?: number): Promise<readonly (Buffer | null)[]> {
    const { pool, root, pieceKeys } = this.#context
    const jobs: Job[] = []
    const positions: number[] = []
    const unread: PieceRequest[] = []
    requests.forEach((request, i) => {
      const found = this.#placeOf(request)
      const stat = found?.place.stat
      if (found === undefined || stat === undefined) {
        unread.push(request)
        return
      }
      const { piece, place } = found
      const { path, offset } = place
      const isPadded = piece.plain !== undefined
      jobs.push({ path, stat, offset, length: plainBytesOf(piece), isPadded, id: piece.id })
      positions.push(i)
    })
    const bytes = maxBytes === undefined ? 0 : sealedBytes(jobs)
    if (maxBytes !== undefined && bytes > maxBytes) throw new TooManyBytes(bytes, maxBytes)
    const answers: (Buffer | null)[] = new Array(requests.length).fill(null)
    const halted = this.#context.haltReason() !== undefined
    const read = halted || jobs.length === 0 ? undefined : await pool.readPieces(root, pieceKeys, jobs)
    if (read !== undefined) this.#rooms.set(answers, read.room)
    const pieces = read?.pieces ?? jobs.map(() => null)
    // Only now, as the exchange withdraws them with this answer: told before that they can be served again, it would
    // withdraw them for ever.
    for (const request of unread) this.#withdraw(request, undefined, undefined)
    const changed = new Set<RelPath | ''>()
    pieces.forEach((piece, i) => {
      answers[positions[i]!] = piece
      if (piece !== null) return
      const { path } = jobs[i]!
      this.#withdraw(requests[positions[i]!]!, path, jobs[i]!.stat)
      changed.add(parentOf(path))
    })
    if (changed.size > 0 && !halted) this.#events.rescan([...changed])
    return answers
  }

  lengthOf({ writer, index: number }: PieceRequest): number | undefined {
    const { index } = this.#context
    const feed = index.feeds.byWriter(writer)
    return feed === undefined ? undefined : index.pieces.at(feed.number, number)?.length
  }

  release(answers: readonly (Buffer | null)[]): void {
    const room = this.#rooms.get(answers)
    if (room === undefined) return
    this.#rooms.delete(answers)
    this.#context.pool.giveRoom(room)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Undefined: no file is known to hold it. Without a stat it was not looked at yet, and will be. */
  #placeOf({ writer, index: number }: PieceRequest): Found | undefined {
    const { index } = this.#context
    const feed = index.feeds.byWriter(writer)
    const piece = feed === undefined ? undefined : index.pieces.at(feed.number, number)
    const place = piece === undefined ? undefined : index.placeOf(piece)
    return piece === undefined || place === undefined ? undefined : { piece, place }
  }

  #withdraw(request: PieceRequest, path: RelPath | undefined, stat: DiskStat | undefined): void {
    const key = `${request.writer}:${request.index}`
    this.#withdrawn.set(key, { request, path, stat, sinceMs: performance.now() })
    this.#waitMs = RECHECK_MS
    clearTimeout(this.#timer)
    this.#arm()
  }

  #arm(): void {
    if (this.#stopped || this.#withdrawn.size === 0) return
    this.#timer = setTimeout(() => {
      this.#waitMs = Math.min(2 * this.#waitMs, RECHECK_MAX_MS)
      this.#recheck()
      this.#arm()
    }, this.#waitMs).unref()
  }

  #recheck(): void {
    if (this.#context.haltReason() !== undefined) return
    const now = performance.now()
    const servable = new Map<WriterId, number[]>()
    for (const [key, { request, path, stat, sinceMs }] of this.#withdrawn) {
      const place = this.#placeOf(request)?.place
      // No longer held at all: if it is again one day, the index says so.
      if (place === undefined) this.#withdrawn.delete(key)
      const found = place?.stat
      if (place === undefined || found === undefined) continue
      const isSame = place.path === path && stat !== undefined && sameStat(stat, found)
      if (isSame && now - sinceMs < UNCHANGED_MS) continue
      this.#withdrawn.delete(key)
      const indices = servable.get(request.writer)
      if (indices === undefined) servable.set(request.writer, [request.index])
      else indices.push(request.index)
    }
    for (const [writer, indices] of servable) this.#events.onServable(writer, indices)
  }
}
