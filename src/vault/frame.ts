// Frames, of which packs are made (docs/design.md, "Vault"). A frame delimits itself and stands for itself: it is found and
// proved without any other. Numbers are little-endian.
//
//   pack header (64)   "shoal pack v1\n\0\0" (16), share id (32), pack number u32,
//                      check (12): start of BLAKE3 over all before
//   frame header (48)  "SHVF" (4), type u8, zero (3), payload length u32, digest (32): BLAKE3 of the payload,
//                      check (4): start of BLAKE3 over share id, pack number u32, offset u32, the 44 bytes before
//   then the payload
//
//   1 piece        the sealed piece; its digest is its id (P1)
//   2 certificate  the certificate (K5)
//   3 block        writer (8), index u64, the block as Hypercore stores it
//   4 head         writer (8), length u64, fork u64, signature
//   5 contents     the last of a sealed pack (contents.ts)
//   6 leaves       writer (8), index u64, what the feed's side keeps under that number (src/feed/leaves.ts)
//
// The check binds a frame to its place, so that bytes in a piece that look like a frame are none, nor is a frame that a
// disk wrote elsewhere.
import { blake3, blake3Start } from '../core/hash.js'
import { HASH_BYTES, type ShareId, WRITER_ID_BYTES, type WriterId, writerIdFromBytes } from '../core/ids.js'
import { MAX_PIECE_BYTES } from '../core/piece.js'
import type { Damaged, StoredBlock, StoredHead, StoredLeaves } from './stored.js'

export const FRAME = { piece: 1, certificate: 2, block: 3, head: 4, contents: 5, leaves: 6 } as const
export type FrameType = (typeof FRAME)[keyof typeof FRAME]

export const PACK_HEADER_BYTES = 64
export const FRAME_HEADER_BYTES = 48
/** Above any piece, any block with what stands before it, and the contents of the fullest pack. */
export const MAX_PAYLOAD_BYTES: number = Math.max(MAX_PIECE_BYTES, 8 * 2 ** 20)

/** A pack of ours ends long before; another one may be of any length. */
const MAX_OFFSET = 2 ** 32 - 1
const PACK_MAGIC = Buffer.from('shoal pack v1\n\0\0', 'latin1')
const PACK_CHECKED = 52
const FRAME_MAGIC = Buffer.from('SHVF', 'latin1')
const FRAME_CHECKED = 44
const MAX_INDEX = BigInt(Number.MAX_SAFE_INTEGER)
const BLOCK_START_BYTES = WRITER_ID_BYTES + 8
const HEAD_START_BYTES = WRITER_ID_BYTES + 16

/** What frames of a pack are bound to. */
export interface PackIdentity {
  /** 32 bytes. */
  readonly shareId: Buffer
  readonly number: number
}

export interface FrameHeader {
  readonly type: FrameType
  /** Of the payload. */
  readonly length: number
  readonly digest: Buffer
}

/** A frame before it has its place. */
export interface NewFrame {
  readonly type: FrameType
  /** What the index knows it by (frameKey). */
  readonly key: Buffer
  readonly digest: Buffer
  readonly payload: Buffer
}

export function packIdentity(shareId: ShareId, number: number): PackIdentity {
  return { shareId: Buffer.from(shareId, 'hex'), number }
}

export function packHeader({ shareId, number }: PackIdentity): Buffer {
  const header = Buffer.alloc(PACK_HEADER_BYTES)
  PACK_MAGIC.copy(header)
  shareId.copy(header, 16)
  header.writeUInt32LE(number, 48)
  blake3(header.subarray(0, PACK_CHECKED)).copy(header, PACK_CHECKED, 0, PACK_HEADER_BYTES - PACK_CHECKED)
  return header
}

/** Whose pack this is by its first bytes; undefined if they do not hold. */
export function readPackHeader(bytes: Buffer): PackIdentity | undefined {
  if (bytes.length < PACK_HEADER_BYTES || !bytes.subarray(0, 16).equals(PACK_MAGIC)) return undefined
  const check = blake3(bytes.subarray(0, PACK_CHECKED)).subarray(0, PACK_HEADER_BYTES - PACK_CHECKED)
  if (!check.equals(bytes.subarray(PACK_CHECKED, PACK_HEADER_BYTES))) return undefined
  return { shareId: Buffer.from(bytes.subarray(16, 48)), number: bytes.readUInt32LE(48) }
}

export function frameHeader(pack: PackIdentity, offset: number, frame: NewFrame): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  writeFrameHeader(header, 0, pack, offset, frame)
  return header
}

/** The same at a place in some bytes. */
export function writeFrameHeader(
  bytes: Buffer,
  at: number,
  pack: PackIdentity,
  offset: number,
  frame: NewFrame,
): void {
  FRAME_MAGIC.copy(bytes, at)
  bytes.writeUInt32LE(frame.type, at + 4)
  bytes.writeUInt32LE(frame.payload.length, at + 8)
  frame.digest.copy(bytes, at + 12)
  bytes.writeUInt32BE(checkOf(pack, offset, bytes, at), at + FRAME_CHECKED)
}

/** The header at the start of `bytes`; undefined if there is none that holds at this offset of this pack. */
export function readFrameHeader(pack: PackIdentity, offset: number, bytes: Buffer): FrameHeader | undefined {
  if (bytes.length < FRAME_HEADER_BYTES || !bytes.subarray(0, 4).equals(FRAME_MAGIC)) return undefined
  if (offset > MAX_OFFSET) return undefined
  if (checkOf(pack, offset, bytes, 0) !== bytes.readUInt32BE(FRAME_CHECKED)) return undefined
  const type = bytes[4]!
  const length = bytes.readUInt32LE(8)
  if (!isFrameType(type) || length > MAX_PAYLOAD_BYTES) return undefined
  return { type, length, digest: Buffer.from(bytes.subarray(12, FRAME_CHECKED)) }
}

/** Where the next frame may begin, from `from` on; -1: nowhere in these bytes. */
export function nextMagic(bytes: Buffer, from: number): number {
  return bytes.indexOf(FRAME_MAGIC, from)
}

export function isFrameType(type: number): type is FrameType {
  return type >= FRAME.piece && type <= FRAME.leaves
}

/** What the index knows a frame by: its type and what it is about. Undefined for contents, and for what is no such payload. */
export function frameKey({ type, digest }: FrameHeader, payload: Buffer): Buffer | undefined {
  switch (type) {
    case FRAME.piece:
    case FRAME.certificate:
      return Buffer.concat([Buffer.of(type), digest])
    case FRAME.block:
    case FRAME.leaves:
      return payload.length < BLOCK_START_BYTES || payload.readBigUInt64LE(WRITER_ID_BYTES) > MAX_INDEX
        ? undefined
        : numberedKey(type, blockOf(payload))
    case FRAME.head:
      return payload.length < HEAD_START_BYTES ? undefined : keyOfHead(headOf(payload).writer)
    case FRAME.contents:
      return undefined
  }
}

export function keyOfPiece(id: Buffer): Buffer {
  const key = Buffer.allocUnsafe(1 + id.length)
  key[0] = FRAME.piece
  id.copy(key, 1)
  return key
}

/** In the order of their indexes. */
export function keyOfBlock(block: { writer: WriterId; index: number }): Buffer {
  return numberedKey(FRAME.block, block)
}

/** In the order of their indexes. */
export function keyOfLeaves(leaves: { writer: WriterId; index: number }): Buffer {
  return numberedKey(FRAME.leaves, leaves)
}

function numberedKey(type: FrameType, { writer, index }: { writer: WriterId; index: number }): Buffer {
  const key = Buffer.alloc(1 + BLOCK_START_BYTES)
  key[0] = type
  key.write(writer, 1, 'hex')
  key.writeBigUInt64BE(BigInt(index), 1 + WRITER_ID_BYTES)
  return key
}

export function keyOfHead(writer: WriterId): Buffer {
  return Buffer.concat([Buffer.of(FRAME.head), Buffer.from(writer, 'hex')])
}

/** What is lost with the frame of a key. */
export function damagedOf(key: Buffer): Damaged {
  const about = key.subarray(1)
  switch (key[0]) {
    case FRAME.piece:
      return { type: 'piece', id: Buffer.from(about) }
    case FRAME.certificate:
      return { type: 'certificate', digest: Buffer.from(about) }
    case FRAME.block:
    case FRAME.leaves:
      return {
        type: key[0] === FRAME.block ? 'block' : 'leaves',
        writer: writerIdFromBytes(about.subarray(0, WRITER_ID_BYTES)),
        index: Number(about.readBigUInt64BE(WRITER_ID_BYTES)),
      }
    default:
      return { type: 'head', writer: writerIdFromBytes(about) }
  }
}

export function pieceFrame(id: Buffer, bytes: Buffer): NewFrame {
  return { type: FRAME.piece, key: keyOfPiece(id), digest: id, payload: bytes }
}

export function certificateFrame(bytes: Buffer): NewFrame {
  const digest = blake3(bytes)
  const key = Buffer.concat([Buffer.of(FRAME.certificate), digest])
  return { type: FRAME.certificate, key, digest, payload: bytes }
}

export function blockFrame(block: StoredBlock): NewFrame {
  return numberedFrame(FRAME.block, block)
}

export function leavesFrame(leaves: StoredLeaves): NewFrame {
  return numberedFrame(FRAME.leaves, leaves)
}

function numberedFrame(type: FrameType, block: StoredBlock | StoredLeaves): NewFrame {
  const payload = Buffer.alloc(BLOCK_START_BYTES + block.bytes.length)
  payload.write(block.writer, 0, 'hex')
  payload.writeBigUInt64LE(BigInt(block.index), WRITER_ID_BYTES)
  block.bytes.copy(payload, BLOCK_START_BYTES)
  return { type, key: numberedKey(type, block), digest: blake3(payload), payload }
}

export function headFrame(head: StoredHead): NewFrame {
  const payload = Buffer.alloc(HEAD_START_BYTES + head.signature.length)
  payload.write(head.writer, 0, 'hex')
  payload.writeBigUInt64LE(BigInt(head.length), WRITER_ID_BYTES)
  payload.writeBigUInt64LE(BigInt(head.fork), WRITER_ID_BYTES + 8)
  head.signature.copy(payload, HEAD_START_BYTES)
  return { type: FRAME.head, key: keyOfHead(head.writer), digest: blake3(payload), payload }
}

/** The block, or the leaves, in a payload that frameKey has a key for. */
export function blockOf(payload: Buffer): StoredBlock {
  return {
    writer: writerIdFromBytes(payload.subarray(0, WRITER_ID_BYTES)),
    index: Number(payload.readBigUInt64LE(WRITER_ID_BYTES)),
    bytes: payload.subarray(BLOCK_START_BYTES),
  }
}

/** The head in a payload that frameKey has a key for. */
export function headOf(payload: Buffer): StoredHead {
  return {
    writer: writerIdFromBytes(payload.subarray(0, WRITER_ID_BYTES)),
    length: Number(payload.readBigUInt64LE(WRITER_ID_BYTES)),
    fork: Number(payload.readBigUInt64LE(WRITER_ID_BYTES + 8)),
    signature: payload.subarray(HEAD_START_BYTES),
  }
}

/** What a check is made of, put together here. */
const checked = Buffer.alloc(HASH_BYTES + 8 + FRAME_CHECKED)

function checkOf({ shareId, number }: PackIdentity, offset: number, header: Buffer, at: number): number {
  // One call of the hash for each frame: its parts one by one would cost three times as much.
  shareId.copy(checked)
  checked.writeUInt32LE(number, HASH_BYTES)
  checked.writeUInt32LE(offset, HASH_BYTES + 4)
  header.copy(checked, HASH_BYTES + 8, at, at + FRAME_CHECKED)
  return blake3Start(checked)
}
