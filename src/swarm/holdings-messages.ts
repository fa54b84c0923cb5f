// What members ask and tell of what they hold: all of it, at one moment, to whoever counts copies. Bitfields on the wire
// (BEP 3) leave out what both sides hold; these do not. In the manner of messages.ts, byte for byte.
//
//   ask     nonce 16, flags u8 (1: look at the disk first)                  channel shoal/holdings/1, message 0
//   feed    nonce 16, writer 8, pieces uint <= 2^24, deflated bitfield      channel shoal/holdings/1, message 1
//   end     nonce 16, standing u8, flags u8 (1: off-site), view             channel shoal/holdings/1, message 2
//
// An answer is any number of feeds, each once, and then its end; all carry the nonce of the question. The bitfield is in
// BEP 3's form for that many pieces. Bits of flags that this version does not know are 0 and not looked at.
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { MAX_PIECES } from '../core/bitfield.js'
import { ByteReader, ByteWriter } from '../core/bytes.js'
import { type WriterId, writerIdFromBytes } from '../core/ids.js'
import type { Standing } from '../core/inquiry.js'
import { type FeedView, MAX_VIEW, readView, writeView } from '../core/record-public.js'
import { type Decoded, decoding, Malformed } from '../core/violation.js'

export const NONCE_BYTES = 16
const WRITER_BYTES = 8
/** A bitfield that cannot be made smaller grows by a few bytes in 64 KiB. */
export const MAX_FEED_BYTES: number = NONCE_BYTES + WRITER_BYTES + 8 + (MAX_PIECES >> 3) + 4096
export const ASK_BYTES: number = NONCE_BYTES + 1
export const MAX_END_BYTES: number = NONCE_BYTES + 2 + 8 + MAX_VIEW * (WRITER_BYTES + 8)

/** By their numbers on the wire. */
const STANDINGS: readonly Standing[] = ['working', 'at-rest', 'unread', 'halted', 'paused']
const LOOK_FIRST = 1
const OFFSITE = 1
/** Bits of bitfields are mostly alike: more effort saves a few bytes of nothing. */
const DEFLATE_LEVEL = 1

export interface HoldingsAsk {
  readonly nonce: Buffer
  /** The disk is to be looked at before the answer. */
  readonly looksFirst: boolean
}

export interface HoldingsFeed {
  readonly nonce: Buffer
  readonly writer: WriterId
  readonly pieceCount: number
  /** BEP 3's form for so many pieces. */
  readonly have: Uint8Array
}

export interface HoldingsEnd {
  readonly nonce: Buffer
  readonly standing: Standing
  readonly isOffsite: boolean
  /** How much of each feed it has read. */
  readonly view: FeedView
}

export function encodeAsk({ nonce, looksFirst }: HoldingsAsk): Buffer {
  return new ByteWriter(ASK_BYTES)
    .raw(nonce)
    .u8(looksFirst ? LOOK_FIRST : 0)
    .finish()
}

export function decodeAsk(bytes: Buffer): Decoded<HoldingsAsk> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const nonce = reader.take(NONCE_BYTES)
    const looksFirst = (reader.u8() & LOOK_FIRST) !== 0
    reader.end()
    return { nonce, looksFirst }
  })
}

export function encodeFeed({ nonce, writer, pieceCount, have }: HoldingsFeed): Buffer {
  return new ByteWriter(1024)
    .raw(nonce)
    .raw(Buffer.from(writer, 'hex'))
    .uint(pieceCount)
    .raw(deflateRawSync(have, { level: DEFLATE_LEVEL }))
    .finish()
}

export function decodeFeed(bytes: Buffer): Decoded<HoldingsFeed> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const nonce = reader.take(NONCE_BYTES)
    const writer = writerIdFromBytes(reader.take(WRITER_BYTES))
    const pieceCount = reader.uintUpTo(MAX_PIECES, 'count of pieces')
    const have = inflated(reader.take(reader.left), (pieceCount + 7) >> 3)
    return { nonce, writer, pieceCount, have }
  })
}

export function encodeEnd({ nonce, standing, isOffsite, view }: HoldingsEnd): Buffer {
  const writer = new ByteWriter(256)
    .raw(nonce)
    .u8(STANDINGS.indexOf(standing))
    .u8(isOffsite ? OFFSITE : 0)
  writeView(writer, view)
  return writer.finish()
}

export function decodeEnd(bytes: Buffer): Decoded<HoldingsEnd> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const nonce = reader.take(NONCE_BYTES)
    const standing = STANDINGS[reader.u8()]
    if (standing === undefined) throw new Malformed('bad-standing', 'holdings of an unknown standing')
    const isOffsite = (reader.u8() & OFFSITE) !== 0
    const view = readView(reader)
    reader.end()
    return { nonce, standing, isOffsite, view }
  })
}

/** Exactly so many bytes; never more are made, whatever the stream claims (F7). */
function inflated(bytes: Uint8Array, length: number): Uint8Array {
  let have: Buffer
  try {
    have = inflateRawSync(bytes, { maxOutputLength: Math.max(1, length) })
  } catch {
    throw new Malformed('bad-bitfield', 'bitfield that cannot be inflated')
  }
  if (have.length !== length)
    throw new Malformed('bad-bitfield', `bitfield of ${have.length} bytes, expected ${length}`)
  return have
}
