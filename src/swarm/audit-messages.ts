// Challenges to prove that pieces are there, and answers to them, byte for byte, in the manner of messages.ts. What an answer's
// hashes are is core/audit.ts's.
//
//   challenge  version u8 = 1, nonce 32, count uint <= 256, that many of: writer 8, number of the piece uint < 2^31
//                                                                        channel shoal/share/1, message 8
//   answer     version u8 = 1, nonce 32 of the challenge, count uint <= 256, that many in its order of:
//              u8 0: not here; 1: hash 32; 2: not now                    channel shoal/share/1, message 9
import { AUDIT_NONCE_BYTES } from '../core/audit.js'
import { ByteReader, ByteWriter } from '../core/bytes.js'
import { HASH_BYTES, type WriterId, writerIdFromBytes } from '../core/ids.js'
import { type Decoded, decoding, Malformed } from '../core/violation.js'

/** Pieces of one challenge. */
export const MAX_CHALLENGED = 256
/** No message of either kind is longer. */
export const MAX_AUDIT_BYTES: number = 64 + MAX_CHALLENGED * (HASH_BYTES + 1)

export interface ChallengeMessage {
  readonly nonce: Buffer
  readonly pieces: readonly { readonly writer: WriterId; readonly index: number }[]
}

/** A hash, or why there is none. */
export type ProvedPiece = Buffer | 'not-here' | 'not-now'

export interface ChallengeAnswer {
  readonly nonce: Buffer
  readonly pieces: readonly ProvedPiece[]
}

const FORMAT = 1
const WRITER_BYTES = 8
const MAX_INDEX = 2 ** 31 - 1

export function encodeChallenge({ nonce, pieces }: ChallengeMessage): Buffer {
  const writer = start(nonce, pieces.length)
  for (const piece of pieces) writer.raw(Buffer.from(piece.writer, 'hex')).uint(piece.index)
  return writer.finish()
}

export function decodeChallenge(bytes: Buffer): Decoded<ChallengeMessage> {
  return read(bytes, (reader) => ({
    writer: writerIdFromBytes(reader.take(WRITER_BYTES)),
    index: reader.uintUpTo(MAX_INDEX, 'number of a piece'),
  }))
}

export function encodeChallengeAnswer({ nonce, pieces }: ChallengeAnswer): Buffer {
  const writer = start(nonce, pieces.length)
  for (const piece of pieces) {
    if (Buffer.isBuffer(piece)) writer.u8(1).raw(piece)
    else writer.u8(piece === 'not-here' ? 0 : 2)
  }
  return writer.finish()
}

export function decodeChallengeAnswer(bytes: Buffer): Decoded<ChallengeAnswer> {
  return read(bytes, (reader): ProvedPiece => {
    const kind = reader.u8()
    if (kind > 2) throw new Malformed('bad-answer', `answer of kind ${kind} to a challenge`)
    if (kind === 1) return Buffer.from(reader.take(HASH_BYTES))
    return kind === 0 ? 'not-here' : 'not-now'
  })
}

function start(nonce: Buffer, count: number): ByteWriter {
  if (count > MAX_CHALLENGED) throw new RangeError(`${count} pieces in one challenge`)
  return new ByteWriter(MAX_AUDIT_BYTES).u8(FORMAT).raw(nonce).uint(count)
}

function read<T>(bytes: Buffer, one: (reader: ByteReader) => T): Decoded<{ nonce: Buffer; pieces: T[] }> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const format = reader.u8()
    if (format !== FORMAT) throw new Malformed('bad-format', `challenge or answer of format ${format}`)
    const nonce = Buffer.from(reader.take(AUDIT_NONCE_BYTES))
    const count = reader.uintUpTo(MAX_CHALLENGED, 'count of pieces')
    const pieces: T[] = []
    for (let i = 0; i < count; i++) pieces.push(one(reader))
    reader.end()
    return { nonce, pieces }
  })
}
