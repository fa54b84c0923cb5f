// How far the pieces that a record announces are padded: sealed with the entries, since a blind node is to know no more than
// the padded lengths. For each announced piece in order: uint, 0 if it is not padded, else 1 + its zeros. One at least is.
import { ByteReader, ByteWriter } from './bytes.js'
import { invariant } from './error.js'
import { type PieceInfo, SIV_BYTES, sealedBytesOf } from './piece.js'
import type { PieceAnnouncement } from './record-public.js'
import { Malformed } from './violation.js'

/** Whether there is a padded piece among the announced. */
export function announcesPadded(announcements: readonly PieceAnnouncement[]): boolean {
  return announcements.some(({ pieces }) => pieces.some(({ plain }) => plain !== undefined))
}

export function writePaddings(announcements: readonly PieceAnnouncement[]): Buffer {
  const out = new ByteWriter(4096)
  for (const { pieces } of announcements)
    for (const { length, plain } of pieces) {
      invariant(
        plain === undefined || (plain >= 1 && sealedBytesOf(plain, true) === length),
        'a padded piece has the length that its plaintext is padded to',
      )
      out.uint(plain === undefined ? 0 : length - SIV_BYTES - plain + 1)
    }
  return out.finish()
}

/** The announcements with what the sealed part says of them, and where that ends. Throws Malformed. */
export function readPaddings(
  bytes: Buffer,
  announcements: readonly PieceAnnouncement[],
): { readonly announcements: readonly PieceAnnouncement[]; readonly at: number } {
  const reader = new ByteReader(bytes)
  const all = announcements.map(({ first, pieces }) => ({
    first,
    pieces: pieces.map((piece) => withPadding(piece, reader)),
  }))
  if (!announcesPadded(all)) throw new Malformed('not-canonical', 'paddings of pieces that have none')
  return { announcements: all, at: bytes.length - reader.left }
}

function withPadding(piece: PieceInfo, reader: ByteReader): PieceInfo {
  const padding = reader.uint()
  if (padding === 0) return piece
  const plain = piece.length - SIV_BYTES - (padding - 1)
  if (plain < 1 || sealedBytesOf(plain, true) !== piece.length)
    throw new Malformed('bad-padding', `piece of ${piece.length} bytes with ${padding - 1} of padding`)
  return { ...piece, plain }
}
