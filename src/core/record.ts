// A record is one block of a feed: a header, the pieces it announces and a sealed batch of entries (docs/design.md,
// "Record v1"; F1-F3, F6, F7). This file puts the parts together and takes them apart; the parts themselves are in
// record-public.ts and record-entries.ts, cutting long lists into records in record-pack.ts.
//
//   magic "SR" (2), format version (1): 1, or 2 if it announces a padded piece
//   public part                          record-public.ts; in clear, so that a blind node can keep and serve pieces
//   nonce (24), random
//   sealed part, the rest of the block   XChaCha20-Poly1305 under entryKey of deflateRaw(entries part); the associated
//                                        data is label, feed key (32), block index (8, big endian) and BLAKE3 of all
//                                        bytes before the nonce, so that nothing can be moved to another place. In format
//                                        2 the entries part comes after the paddings (record-padding.ts)
//
// Promises: decode(encode(x)) is x; what decodes has one entries part only; any bytes whatever give a Violation or a
// value, in time and memory bounded by the constants here.
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { ByteReader, ByteWriter } from './bytes.js'
import type { Entry } from './entry.js'
import { invariant } from './error.js'
import { blake3 } from './hash.js'
import { HASH_BYTES, type WriterId } from './ids.js'
import { AnnouncedPieces } from './record-announced.js'
import { readEntries } from './record-entries-read.js'
import { writeEntries } from './record-entries-write.js'
import { announcesPadded, readPaddings, writePaddings } from './record-padding.js'
import { type PublicPart, readPublicPart, writePublicPart } from './record-public.js'
import { labelBytes, NONCE_BYTES, SEAL_BYTES, seal, unseal } from './seal.js'
import { type Decoded, decoding, Malformed } from './violation.js'

export type { FeedView, PieceAnnouncement, PublicPart, RecordHeader } from './record-public.js'

/** No block of a feed is longer; longer ones are refused unread. Hypercore's own limit is 15 MiB. */
export const MAX_RECORD_BYTES: number = 2 * 1024 * 1024
/** No entries part is longer once inflated. */
export const MAX_ENTRIES_BYTES: number = 8 * 1024 * 1024

/** One block of a feed. */
export interface FeedRecord extends PublicPart {
  /** In the order they were published. */
  readonly entries: readonly Entry[]
}

const MAGIC = Buffer.from('SR')
const FORMAT = 1
/** Of a record that announces a padded piece. */
const PADDED_FORMAT = 2
const LABEL = labelBytes('shoal 2025 record entries v1')

/** Where a record stands and what it is sealed with. */
export interface RecordPlace {
  /** From the read grade, 32 bytes. */
  readonly entryKey: Buffer
  /** Hypercore key of the author's feed, 32 bytes. */
  readonly feedKey: Buffer
  /** The block's position in that feed. */
  readonly index: number
}

/**
 * The block for a record. Every entry must have the same author, whose feed it is. A record over the limits is a bug of
 * the caller (packEntries keeps within them) and throws INTERNAL.
 */
export function encodeRecord(
  record: FeedRecord,
  place: RecordPlace & {
    /** 24 random bytes, fresh for every call. */
    readonly nonce: Buffer
  },
): Buffer {
  invariant(place.nonce.length === NONCE_BYTES, 'a record nonce has 24 bytes')
  const isPadded = announcesPadded(record.announcements)
  const clear = new ByteWriter(4096).raw(MAGIC).u8(isPadded ? PADDED_FORMAT : FORMAT)
  writePublicPart(clear, record)
  const before = clear.finish()
  const plain = writeEntries(record.entries, new AnnouncedPieces(record.announcements))
  const entries = isPadded ? Buffer.concat([writePaddings(record.announcements), plain]) : plain
  invariant(entries.length <= MAX_ENTRIES_BYTES, 'the entries of a record stay within MAX_ENTRIES_BYTES')
  // Level 1: names and small integers gain little from more, and a join decodes what one writer encodes once.
  const sealed = seal(
    place.entryKey,
    place.nonce,
    deflateRawSync(entries, { level: 1 }),
    associated(place, before),
  )
  const block = Buffer.concat([before, place.nonce, sealed])
  invariant(block.length <= MAX_RECORD_BYTES, 'a record stays within MAX_RECORD_BYTES')
  return block
}

/**
 * Takes a block apart. Ids of pieces are views of the block, bytes of entries are not; copy what is kept for long.
 * `author` is the writer whose feed this is, and becomes the author of every entry.
 */
export function decodeRecord(block: Buffer, place: RecordPlace & { author: WriterId }): Decoded<FeedRecord> {
  return decoding(() => {
    const { reader, part, isPadded } = openBlock(block)
    const before = block.subarray(0, block.length - reader.left)
    const nonce = reader.take(NONCE_BYTES)
    const packed = unseal(place.entryKey, nonce, reader.take(reader.left), associated(place, before))
    if (packed === undefined) throw new Malformed('bad-seal', 'the entries were not sealed for this place')
    const inflated = inflate(packed)
    const { announcements, at } = isPadded
      ? readPaddings(inflated, part.announcements)
      : { announcements: part.announcements, at: 0 }
    const announced = new AnnouncedPieces(announcements)
    return { ...part, announcements, entries: readEntries(inflated.subarray(at), place.author, announced) }
  })
}

/** What a blind node may read of a block. Does not tell whether the sealed part is sound. */
export function decodePublicPart(block: Buffer): Decoded<PublicPart> {
  return decoding(() => openBlock(block).part)
}

function openBlock(block: Buffer): { reader: ByteReader; part: PublicPart; isPadded: boolean } {
  if (block.length > MAX_RECORD_BYTES)
    throw new Malformed(
      'too-long',
      `record of ${block.length} bytes, at most ${MAX_RECORD_BYTES} are allowed`,
    )
  const reader = new ByteReader(block)
  if (!reader.take(MAGIC.length).equals(MAGIC)) throw new Malformed('bad-magic', 'not a record')
  const format = reader.u8()
  if (format !== FORMAT && format !== PADDED_FORMAT)
    throw new Malformed('bad-format', `record of format ${format}, known are ${FORMAT} and ${PADDED_FORMAT}`)
  const part = readPublicPart(reader)
  if (reader.left < NONCE_BYTES + SEAL_BYTES) throw new Malformed('truncated', 'no room for the sealed part')
  return { reader, part, isPadded: format === PADDED_FORMAT }
}

function associated(place: RecordPlace, before: Buffer): Buffer {
  invariant(place.feedKey.length === HASH_BYTES, 'a feed key has 32 bytes')
  const index = Buffer.allocUnsafe(8)
  index.writeBigUInt64BE(BigInt(place.index))
  return Buffer.concat([LABEL, place.feedKey, index, blake3(before)])
}

function inflate(packed: Buffer): Buffer {
  let inflated: { buffer: Buffer; engine: { bytesWritten: number } }
  try {
    // `info` adds the engine to the answer, which the types do not know.
    inflated = inflateRawSync(packed, {
      maxOutputLength: MAX_ENTRIES_BYTES,
      info: true,
    }) as unknown as typeof inflated
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new Malformed('too-long', 'entries inflate beyond the limit')
    if (code.startsWith('Z_')) throw new Malformed('bad-deflate', `entries do not inflate: ${code}`)
    throw thrown
  }
  if (inflated.engine.bytesWritten !== packed.length)
    throw new Malformed('trailing', 'bytes after the compressed entries')
  return inflated.buffer
}
