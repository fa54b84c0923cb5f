// Runs: small pieces with numbers that follow each other, asked for and answered as one. A request, an answer and what both
// sides keep of it cost as much for a piece of a kilobyte as for one of a megabyte, and a mail directory has hundreds of
// thousands of the former (docs/decisions/0073). They are messages of a BEP 10 extension, `shoal_runs`, numbers big-endian:
//
//   ask      0, first u32, count u16, bytes u32: the sealed pieces first to first + count - 1, which come to so many bytes
//   answer   1, first u32, count u16, the pieces one after another
//   refuse   2, first u32, count u16: they are to be asked for one by one
//   cancel   3, first u32, count u16: is not answered any more
//
// Of a feed, one run at a time begins with a number. Where one goes wrong in any way, its pieces are asked for one by one.
import { MAX_PIECES } from '../../core/bitfield.js'
import type { Violation } from '../../core/violation.js'

export const RUNS = 'shoal_runs'
/** An answer takes one message of the connection. */
export const MAX_RUN_BYTES: number = 384 * 1024
export const MAX_RUN_PIECES = 256
/** Unanswered runs that one peer may have asked for, over all feeds. */
export const MAX_PEER_RUNS = 128

const HEADER_BYTES = 7
const TYPES = ['ask', 'answer', 'refuse', 'cancel'] as const
/** A message after the number of the extension: the longest there is. */
export const MAX_RUN_MESSAGE_BYTES: number = HEADER_BYTES + MAX_RUN_BYTES

/** Piece numbers of one feed. */
export interface RunRange {
  readonly first: number
  /** 1 to MAX_RUN_PIECES. */
  readonly count: number
}

interface Ask extends RunRange {
  readonly type: 'ask'
  readonly bytes: number
}

interface Answer extends RunRange {
  readonly type: 'answer'
  /** A view of what was decoded. */
  readonly pieces: Buffer
}

interface Refuse extends RunRange {
  readonly type: 'refuse'
}

interface Cancel extends RunRange {
  readonly type: 'cancel'
}

export type RunMessage = Ask | Answer | Refuse | Cancel

export function encodeRun(message: RunMessage): Buffer {
  const { type, first, count } = message
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + (type === 'ask' ? 4 : 0))
  bytes.writeUInt8(TYPES.indexOf(type), 0)
  bytes.writeUInt32BE(first, 1)
  bytes.writeUInt16BE(count, 5)
  if (type === 'ask') bytes.writeUInt32BE(message.bytes, 7)
  return type === 'answer' ? Buffer.concat([bytes, message.pieces]) : bytes
}

/** What stands before the pieces of an answer. */
export function answerHeader({ first, count }: RunRange): Buffer {
  return encodeRun({ type: 'answer', first, count, pieces: Buffer.alloc(0) })
}

/** Reads what a peer sent; every number is checked. */
export function decodeRun(bytes: Buffer): RunMessage | Violation {
  const type = TYPES[bytes[0] ?? TYPES.length]
  const length = bytes.length - HEADER_BYTES
  if (type === undefined || length < 0) return bad(`a message of ${bytes.length} bytes`)
  const first = bytes.readUInt32BE(1)
  const count = bytes.readUInt16BE(5)
  if (count < 1 || count > MAX_RUN_PIECES || first + count > MAX_PIECES)
    return bad(`${count} pieces from ${first}`)
  if (type === 'answer') return { type, first, count, pieces: bytes.subarray(HEADER_BYTES) }
  if (length !== (type === 'ask' ? 4 : 0)) return bad(`${type} of ${bytes.length} bytes`)
  if (type !== 'ask') return { type, first, count }
  const asked = bytes.readUInt32BE(HEADER_BYTES)
  if (asked < 1 || asked > MAX_RUN_BYTES) return bad(`${asked} bytes asked for`)
  return { type, first, count, bytes: asked }
}

function bad(detail: string): Violation {
  return { type: 'violation', code: 'bad-run', detail }
}
