// Puts files together to jobs of some MiB: which bytes of which packs are read, and what becomes of them.
import { MAX_PIECE_BYTES, type PieceInfo, plainBytesOf } from '../../core/piece.js'
import {
  type FillFile,
  type FillSpan,
  type FillStep,
  PART_NUMBERS,
  packFiles,
} from '../../folder/fill-job.js'
import { isBadMedium, isNotThere } from '../../vault/storage-error.js'
import type { PiecePlace } from '../../vault/vault.js'

/** A piece that stands somewhere. */
export interface PlacedPiece {
  readonly piece: PieceInfo
  readonly place: PiecePlace
}

/** Packs as bytes. */
export interface PackBytes {
  fileOf(pack: number): string | undefined
  bytesOf(pack: number, offset: number, length: number): Promise<Buffer>
}

/** Enough for one long read, little enough to lie in the memory of each thread twice. */
export const BATCH_BYTES: number = 2 << 20
/** Small files are as many calls as large ones: so many are work for some ten milliseconds. */
export const BATCH_FILES = 256
/** What lies between two pieces is read along up to here: less than what a read of its own costs. */
const MAX_GAP_BYTES = 16 * 1024
const ID_BYTES = 32

interface Span {
  readonly pack: number
  readonly start: number
  end: number
}

export class FillBatch {
  readonly #files: FillFile[] = []
  readonly #pieces: PlacedPiece[] = []
  /** Of all sealed pieces. */
  #bytes = 0
  /** Of the content. */
  contentBytes = 0

  get files(): readonly FillFile[] {
    return this.#files
  }

  get isFull(): boolean {
    return this.#bytes >= BATCH_BYTES || this.#files.length >= BATCH_FILES
  }

  add(file: FillFile, pieces: readonly PlacedPiece[]): void {
    this.#files.push(file)
    for (const each of pieces) {
      this.#pieces.push(each)
      this.#bytes += each.place.length
      this.contentBytes += plainBytesOf(each.piece)
    }
  }

  /** The step for it. Rejects as PackBytes does, but for what is not there. */
  async step(packs: PackBytes, sparse: boolean): Promise<FillStep> {
    const parts = new Float64Array(this.#pieces.length * PART_NUMBERS)
    const ids = new Uint8Array(this.#pieces.length * ID_BYTES)
    const spans: Span[] = []
    const order = [...this.#pieces.keys()].sort((a, b) => comparePlaces(this.#place(a), this.#place(b)))
    for (const i of order) {
      const { piece, place } = this.#pieces[i]!
      const span = spanFor(spans, place)
      parts.set(
        [spans.length - 1, place.offset - span.start, place.length, piece.plain ?? -1],
        i * PART_NUMBERS,
      )
      ids.set(piece.id, i * ID_BYTES)
    }
    const read = spans.map(({ pack, start, end }) => spanOf(packs, pack, start, end - start))
    return {
      type: 'files',
      files: packFiles(this.#files),
      spans: await Promise.all(read),
      parts,
      ids,
      sparse,
    }
  }

  #place(i: number): PiecePlace {
    return this.#pieces[i]!.place
  }
}

/** A file's pieces cut into lists of about a batch each, at least one piece in each. */
export function* chunksOf(pieces: readonly PlacedPiece[]): Generator<PlacedPiece[]> {
  let chunk: PlacedPiece[] = []
  let bytes = 0
  for (const each of pieces) {
    chunk.push(each)
    bytes += each.place.length
    if (bytes < BATCH_BYTES) continue
    yield chunk
    chunk = []
    bytes = 0
  }
  if (chunk.length > 0) yield chunk
}

function comparePlaces(a: PiecePlace, b: PiecePlace): number {
  return a.pack - b.pack || a.offset - b.offset
}

/** The last span, or a new one where the piece does not lie near it. */
function spanFor(spans: Span[], { pack, offset, length }: PiecePlace): Span {
  const last = spans.at(-1)
  const isNear =
    last?.pack === pack &&
    offset - last.end <= MAX_GAP_BYTES &&
    offset + length - last.start <= BATCH_BYTES + MAX_PIECE_BYTES
  if (isNear) {
    last.end = Math.max(last.end, offset + length)
    return last
  }
  const span = { pack, start: offset, end: offset + length }
  spans.push(span)
  return span
}

async function spanOf(packs: PackBytes, pack: number, offset: number, length: number): Promise<FillSpan> {
  const file = packs.fileOf(pack)
  if (file !== undefined) return { file, offset, length }
  let bytes: Buffer
  try {
    bytes = await packs.bytesOf(pack, offset, length)
  } catch (thrown) {
    // Gone, moved by a compaction or cut short: nothing of it can be used, which says nothing of the other packs.
    if (isNotThere(thrown) || isBadMedium(thrown)) return { offset, length }
    throw thrown
  }
  // It is given away: what shares its memory would go with it.
  const isWhole = bytes.buffer instanceof ArrayBuffer && bytes.length === bytes.buffer.byteLength
  return { bytes: isWhole ? (bytes.buffer as ArrayBuffer) : Uint8Array.from(bytes).buffer, offset, length }
}
