// Packs a long list of entries and the pieces they announce into records of a good size: large enough that replication is
// not paid per block, small enough that a node decodes one without a pause. A file with thousands of new pieces gets
// records of pieces alone before the one with its entry: no entry stands before its pieces (F1, F2).
import type { Entry } from './entry.js'
import { invariant } from './error.js'
import type { PieceInfo } from './piece.js'
import {
  entryBytesAtMost,
  itemsOf,
  MAX_RECORD_ENTRIES,
  MAX_RECORD_ITEMS,
  MAX_RECORD_WRITERS,
} from './record-entries.js'
import { ANNOUNCED_PIECE_BYTES, type PieceAnnouncement } from './record-public.js'

/** Where a record is full. Replication of 64 KiB blocks runs at 72 MB/s, of 1 MiB blocks at 126; decoding waits longer. */
export const RECORD_TARGET_BYTES: number = 256 * 1024
/** No larger target keeps every record within MAX_RECORD_BYTES whatever the entries are. */
export const MAX_RECORD_TARGET_BYTES: number = 512 * 1024

/** Something to publish: an entry, the pieces that must be announced for it, or both. */
export interface Publication {
  /** Undefined: announce the pieces alone. */
  readonly entry: Entry | undefined
  /** Pieces the entry needs that were not announced yet. Ones that an earlier publication brought are skipped. */
  readonly announce: readonly PieceAnnouncement[]
}

/** What goes into one record besides its header. Never without both. */
export interface RecordBody {
  readonly announcements: readonly PieceAnnouncement[]
  readonly entries: readonly Entry[]
}

/**
 * Packs publications in their order, lazily; nothing to publish gives no record. Within a record, announcements are
 * sorted by number and joined where they touch. Records are about as long as the target at most, unless a single entry
 * is longer, and always within the hard limits of encodeRecord.
 */
export function* packEntries(
  publications: Iterable<Publication>,
  targetBytes: number = RECORD_TARGET_BYTES,
): Generator<RecordBody> {
  invariant(targetBytes <= MAX_RECORD_TARGET_BYTES, 'a record target is at most MAX_RECORD_TARGET_BYTES')
  const announced = new NumberSet()
  let body = new Body()
  for (const { entry, announce } of publications) {
    const entryBytes = entry === undefined ? 0 : likelyBytes(entry)
    const items = entry === undefined ? 0 : itemsOf(entry)
    const fresh = freshPieces(announce, announced)
    const bytes = entryBytes + fresh.length * ANNOUNCED_PIECE_BYTES
    if (!body.hasRoom(bytes, items, targetBytes) && !body.isEmpty) {
      yield body.finish()
      body = new Body()
    }
    for (const piece of fresh) {
      // Only pieces of a publication too large for one record get here with a full one.
      if (body.bytes + ANNOUNCED_PIECE_BYTES > targetBytes && !body.isEmpty) {
        yield body.finish()
        body = new Body()
      }
      body.addPiece(piece)
    }
    if (entry === undefined) continue
    if (!body.hasRoom(entryBytes, items, targetBytes) && !body.isEmpty) {
      yield body.finish()
      body = new Body()
    }
    body.addEntry(entry, entryBytes, items)
  }
  if (!body.isEmpty) yield body.finish()
}

// Paths share beginnings, integers are small and the whole is compressed: half of the worst is near enough.
function likelyBytes(entry: Entry): number {
  return Math.ceil(entryBytesAtMost(entry) / 2)
}

interface NumberedPiece {
  readonly number: number
  readonly piece: PieceInfo
}

function freshPieces(announce: readonly PieceAnnouncement[], announced: NumberSet): NumberedPiece[] {
  const fresh: NumberedPiece[] = []
  for (const { first, pieces } of announce) {
    for (let i = 0; i < pieces.length; i++) {
      if (announced.add(first + i)) fresh.push({ number: first + i, piece: pieces[i]! })
    }
  }
  return fresh
}

/** Numbers, mostly dense: a join packs a million, for which a Set would take ten times the memory. */
class NumberSet {
  readonly #pages = new Map<number, Uint8Array>()

  /** False if it was there already. */
  add(number: number): boolean {
    const key = Math.floor(number / 32_768)
    let page = this.#pages.get(key)
    if (page === undefined) {
      page = new Uint8Array(4096)
      this.#pages.set(key, page)
    }
    const at = (number % 32_768) >> 3
    const bit = 1 << (number & 7)
    if ((page[at]! & bit) !== 0) return false
    page[at] = page[at]! | bit
    return true
  }
}

/** A record in the making. */
class Body {
  bytes = 0
  #items = 0
  readonly #pieces: NumberedPiece[] = []
  readonly #entries: Entry[] = []
  readonly #writers = new Set<string>()

  get isEmpty(): boolean {
    return this.#pieces.length === 0 && this.#entries.length === 0
  }

  /** Whether more bytes and items fit. Half of the hard limits, so that the limits themselves are never met. */
  hasRoom(bytes: number, items: number, targetBytes: number): boolean {
    return (
      this.bytes + bytes <= targetBytes &&
      this.#items + items <= MAX_RECORD_ITEMS / 2 &&
      this.#entries.length < MAX_RECORD_ENTRIES / 2 &&
      this.#writers.size <= MAX_RECORD_WRITERS / 2
    )
  }

  addPiece(piece: NumberedPiece): void {
    this.#pieces.push(piece)
    this.bytes += ANNOUNCED_PIECE_BYTES
  }

  addEntry(entry: Entry, bytes: number, items: number): void {
    this.#entries.push(entry)
    this.bytes += bytes
    this.#items += items
    for (const [writer] of entry.version) this.#writers.add(writer)
    this.#writers.add(entry.origin)
  }

  finish(): RecordBody {
    return { announcements: joined(this.#pieces), entries: this.#entries }
  }
}

function joined(pieces: NumberedPiece[]): PieceAnnouncement[] {
  pieces.sort((a, b) => a.number - b.number)
  const announcements: { first: number; pieces: PieceInfo[] }[] = []
  let last: { first: number; pieces: PieceInfo[] } | undefined
  for (const { number, piece } of pieces) {
    if (last === undefined || last.first + last.pieces.length !== number) {
      last = { first: number, pieces: [] }
      announcements.push(last)
    }
    last.pieces.push(piece)
  }
  invariant(
    announcements.every((one, i) => i === 0 || announcements[i - 1]!.first < one.first),
    'packed announcements ascend',
  )
  return announcements
}
