// The public part of a record: what blind nodes may read. Integers are varints (bytes.ts).
//
//   kind            u8: 0 delta, 1 checkpoint
//   time            milliseconds since 1970
//   checkpoint      0: none yet; else 1 + index of the block where the newest checkpoint begins
//   view            count, at most MAX_VIEW; each: writer id (8), feed length; ascending by writer id
//   announcements   count; each: gap to the end of the one before (numbers), count >= 1, that many of: id (32), sealed
//                   length. Numbers therefore ascend and never overlap.
import type { ByteReader, ByteWriter } from './bytes.js'
import { invariant } from './error.js'
import { HASH_BYTES, WRITER_ID_BYTES, type WriterId, writerIdFromBytes } from './ids.js'
import { MAX_PIECE_BYTES, MIN_PIECE_BYTES, type PieceInfo } from './piece.js'
import { Malformed } from './violation.js'

/** The highest number a piece may have: the wire's piece index is a signed 32-bit integer. */
export const MAX_PIECE_NUMBER = 0x7fff_ffff
/** Latest time a record may state, milliseconds: the range of Date. */
export const MAX_TIME_MS = 8_640_000_000_000_000
/** Most feeds a view may list: living writers and their earlier epochs. */
export const MAX_VIEW = 1024

/** How long a node knows feeds to be. Ascending by writer id, each once. */
export type FeedView = readonly (readonly [writer: WriterId, length: number])[]

export interface RecordHeader {
  readonly kind: 'delta' | 'checkpoint'
  /** When it was made, by the writer's clock; names things, decides nothing (V7). 0 to MAX_TIME_MS. */
  readonly timeMs: number
  /** How long the writer knew the other feeds to be. */
  readonly view: FeedView
  /** Index of the block where the newest checkpoint begins, if there is one. */
  readonly checkpoint: number | undefined
}

/** Pieces numbered first, first + 1, ... in the author's feed (F1). At least one. */
export interface PieceAnnouncement {
  readonly first: number
  readonly pieces: readonly PieceInfo[]
}

export interface PublicPart {
  readonly header: RecordHeader
  /** Ascending by number, never overlapping. */
  readonly announcements: readonly PieceAnnouncement[]
}

/** Bytes that announcing one piece takes at most, with what the sealed part says of it. */
export const ANNOUNCED_PIECE_BYTES: number = HASH_BYTES + 8

export function writePublicPart(writer: ByteWriter, part: PublicPart): void {
  const { header } = part
  invariant(header.timeMs <= MAX_TIME_MS, 'the time of a record is at most MAX_TIME_MS')
  writer.u8(header.kind === 'delta' ? 0 : 1).uint(header.timeMs)
  writer.uint(header.checkpoint === undefined ? 0 : header.checkpoint + 1)
  writeView(writer, header.view)
  writer.uint(part.announcements.length)
  let end = 0
  for (const { first, pieces } of part.announcements) {
    invariant(first >= end && pieces.length > 0, 'announcements ascend, do not overlap and are not empty')
    writer.uint(first - end).uint(pieces.length)
    end = first + pieces.length
    invariant(end - 1 <= MAX_PIECE_NUMBER, 'piece numbers stay within MAX_PIECE_NUMBER')
    for (const { id, length } of pieces) {
      invariant(id.length === HASH_BYTES, 'a piece id has 32 bytes')
      invariant(length >= MIN_PIECE_BYTES && length <= MAX_PIECE_BYTES, 'a piece has a length within bounds')
      writer.raw(id).uint(length)
    }
  }
}

export function readPublicPart(reader: ByteReader): PublicPart {
  const kind = reader.u8()
  if (kind > 1) throw new Malformed('bad-kind', `record of kind ${kind}`)
  const timeMs = reader.uintUpTo(MAX_TIME_MS, 'time of a record')
  const checkpoint = reader.uint()
  const view = readView(reader)
  const announcements: PieceAnnouncement[] = []
  const count = reader.count(HASH_BYTES + 3, 'announcements')
  let end = 0
  for (let i = 0; i < count; i++) {
    const first = end + reader.uintUpTo(MAX_PIECE_NUMBER, 'gap between announcements')
    const pieces = readPieces(reader)
    end = first + pieces.length
    if (end - 1 > MAX_PIECE_NUMBER) throw new Malformed('too-large', `piece number ${end - 1}`)
    announcements.push({ first, pieces })
  }
  return {
    header: {
      kind: kind === 0 ? 'delta' : 'checkpoint',
      timeMs,
      view,
      checkpoint: checkpoint === 0 ? undefined : checkpoint - 1,
    },
    announcements,
  }
}

/** Feeds and lengths: count, each writer id (8) and length. */
export function writeView(writer: ByteWriter, view: FeedView): void {
  invariant(view.length <= MAX_VIEW, 'a view stays within MAX_VIEW')
  writer.uint(view.length)
  let before = ''
  for (const [id, length] of view) {
    invariant(id > before, 'a view ascends')
    writer.raw(Buffer.from(id, 'hex')).uint(length)
    before = id
  }
}

export function readView(reader: ByteReader): FeedView {
  const count = reader.count(WRITER_ID_BYTES + 1, 'feeds in a view')
  if (count > MAX_VIEW) throw new Malformed('too-large', `view of ${count} feeds`)
  const view: (readonly [WriterId, number])[] = []
  let before = ''
  for (let i = 0; i < count; i++) {
    const id = writerIdFromBytes(reader.take(WRITER_ID_BYTES))
    if (id <= before) throw new Malformed('not-canonical', 'view does not ascend')
    view.push([id, reader.uint()])
    before = id
  }
  return view
}

function readPieces(reader: ByteReader): PieceInfo[] {
  const count = reader.count(HASH_BYTES + 1, 'announced pieces')
  if (count === 0) throw new Malformed('not-canonical', 'announcement of no piece')
  const pieces: PieceInfo[] = []
  for (let i = 0; i < count; i++) {
    const id = reader.take(HASH_BYTES)
    const length = reader.uintUpTo(MAX_PIECE_BYTES, 'length of a piece')
    if (length < MIN_PIECE_BYTES) throw new Malformed('too-small', `piece of ${length} bytes`)
    pieces.push({ id, length })
  }
  return pieces
}
