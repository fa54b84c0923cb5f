// Reads the entries part of a record; layout and bounds are in record-entries.ts. Refuses whatever the writer would have
// written otherwise.
import { ByteReader, decodeUtf8 } from './bytes.js'
import { type Entry, type Extra, MODE_MASK, NO_EXTRA, type PieceRun } from './entry.js'
import { assertNever } from './error.js'
import { HASH_BYTES, WRITER_ID_BYTES, type WriterId, writerIdFromBytes } from './ids.js'
import { MAX_PATH_BYTES, parsePath, type RelPath } from './path.js'
import type { AnnouncedPieces } from './record-announced.js'
import {
  DOTTED,
  EXPLICIT,
  EXTRA,
  isSingle,
  MAX_COUNTER,
  MAX_ENTRY_PIECES,
  MAX_EXTRA_BYTES,
  MAX_RECORD_ENTRIES,
  MAX_RECORD_ITEMS,
  MAX_RECORD_WRITERS,
  MAX_RUNS,
  MAX_TARGET_BYTES,
  MAX_VECTOR,
  NEGATIVE_MTIME,
  NEGATIVE_WAS,
  OTHER_ORIGIN,
  piecesIn,
  SINGLE,
  sizeFault,
  TYPE_MASK,
  TYPES,
  targetFault,
  WAS,
} from './record-entries.js'
import { MAX_PIECE_NUMBER } from './record-public.js'
import type { Version } from './version.js'
import { Malformed } from './violation.js'

/** A tombstone of the same path as the entry before. */
const MIN_ENTRY_BYTES = 5

/** The entries of a part, with the author filled in. Throws Malformed. */
export function readEntries(bytes: Buffer, author: WriterId, announced: AnnouncedPieces): Entry[] {
  const reader = new EntryReader(new ByteReader(bytes), author, announced)
  return reader.all()
}

class EntryReader {
  readonly #in: ByteReader
  readonly #author: WriterId
  readonly #announced: AnnouncedPieces
  readonly #writers: WriterId[]
  readonly #path = Buffer.allocUnsafe(MAX_PATH_BYTES)
  #pathLength = 0
  #counter = 0
  #number = 0
  #items = 0
  // Most entries say the same of owner and group as the one before: they share one value, and what is kept of them does too.
  #extra: Extra = NO_EXTRA
  #extraBytes: Buffer = Buffer.alloc(0)

  constructor(bytes: ByteReader, author: WriterId, announced: AnnouncedPieces) {
    this.#in = bytes
    this.#author = author
    this.#announced = announced
    this.#writers = [author]
  }

  all(): Entry[] {
    const count = this.#in.count(MIN_ENTRY_BYTES, 'entries')
    if (count > MAX_RECORD_ENTRIES) throw new Malformed('too-large', `record of ${count} entries`)
    const entries: Entry[] = []
    for (let i = 0; i < count; i++) entries.push(this.#entry())
    this.#in.end()
    return entries
  }

  #entry(): Entry {
    const flags = this.#in.u8()
    const path = this.#readPath()
    const version = this.#readVersion((flags & DOTTED) !== 0)
    const mtimeUs = this.#readSigned((flags & NEGATIVE_MTIME) !== 0)
    const origin = (flags & OTHER_ORIGIN) === 0 ? this.#author : this.#readOrigin()
    const author = this.#author
    const type = TYPES[flags & TYPE_MASK]!
    switch (type) {
      case 'file': {
        const mode = this.#readMode()
        const pieces = this.#readRuns((flags & SINGLE) !== 0)
        const { size, content } = this.#readContent(pieces, (flags & EXPLICIT) !== 0)
        const extra = this.#readExtra(flags)
        return { type, path, version, author, origin, extra, mode, mtimeUs, size, content, pieces }
      }
      case 'directory': {
        forbid(flags, EXPLICIT | SINGLE)
        const mode = this.#readMode()
        return { type, path, version, author, origin, extra: this.#readExtra(flags), mode, mtimeUs }
      }
      case 'symlink': {
        forbid(flags, EXPLICIT | SINGLE)
        const target = this.#in.text(MAX_TARGET_BYTES, 'target of a symlink')
        const fault = targetFault(target)
        if (fault !== undefined) throw new Malformed('bad-target', fault)
        return { type, path, version, author, origin, extra: this.#readExtra(flags), mtimeUs, target }
      }
      case 'tombstone': {
        if ((flags & WAS) === 0) forbid(flags, NEGATIVE_WAS)
        const was =
          (flags & WAS) === 0
            ? undefined
            : { mode: this.#readMode(), mtimeUs: this.#readSigned((flags & NEGATIVE_WAS) !== 0) }
        return { type, path, version, author, origin, extra: this.#readExtra(flags), mtimeUs, was }
      }
      default:
        return assertNever(type)
    }
  }

  #readPath(): RelPath {
    const shared = this.#in.uintUpTo(this.#pathLength, 'shared part of a path')
    const rest = this.#in.bytes(MAX_PATH_BYTES - shared, 'path')
    if (shared < this.#pathLength && rest.length > 0 && rest[0] === this.#path[shared])
      throw new Malformed('not-canonical', 'path repeats what it shares')
    this.#path.set(rest, shared)
    this.#pathLength = shared + rest.length
    return parsePath(strictUtf8(this.#path, this.#pathLength))
  }

  #readVersion(dotted: boolean): Version {
    if (dotted) {
      this.#spend(1)
      return [[this.#author, this.#readOwnCounter()]]
    }
    const count = this.#in.count(2, 'writers in a version')
    if (count === 0 || count > MAX_VECTOR) throw new Malformed('too-large', `version of ${count} writers`)
    this.#spend(count)
    const version: (readonly [WriterId, number])[] = []
    let before = ''
    for (let i = 0; i < count; i++) {
      const id = this.#readWriter()
      if (id <= before) throw new Malformed('not-canonical', 'version does not ascend')
      before = id
      version.push([id, id === this.#author ? this.#readOwnCounter() : this.#readCounter()])
    }
    if (count === 1 && version[0]![0] === this.#author)
      throw new Malformed('not-canonical', 'version of the author alone in the long form')
    return version
  }

  #readOwnCounter(): number {
    const counter = this.#counter + 1 + this.#in.int()
    if (counter < 1 || counter > MAX_COUNTER) throw new Malformed('too-large', `counter ${counter}`)
    this.#counter = counter
    return counter
  }

  #readCounter(): number {
    const counter = this.#in.uintUpTo(MAX_COUNTER, 'counter')
    if (counter === 0) throw new Malformed('not-canonical', 'counter of zero')
    return counter
  }

  #readWriter(): WriterId {
    const known = this.#in.uintUpTo(this.#writers.length, 'number of a writer')
    if (known < this.#writers.length) return this.#writers[known]!
    const id = writerIdFromBytes(this.#in.take(WRITER_ID_BYTES))
    if (this.#writers.length > MAX_RECORD_WRITERS || this.#writers.includes(id))
      throw new Malformed('not-canonical', 'writer named twice, or too many')
    this.#writers.push(id)
    return id
  }

  #readOrigin(): WriterId {
    const origin = this.#readWriter()
    if (origin === this.#author) throw new Malformed('not-canonical', 'origin that goes without saying')
    return origin
  }

  #readSigned(negative: boolean): number {
    const magnitude = this.#in.uint()
    if (!negative) return magnitude
    if (magnitude === 0) throw new Malformed('not-canonical', 'negative zero')
    return -magnitude
  }

  #readMode(): number {
    return this.#in.uintUpTo(MODE_MASK, 'mode')
  }

  #readRuns(single: boolean): PieceRun[] {
    if (single) return [this.#readRun(true)]
    const count = this.#in.count(2, 'runs')
    if (count > MAX_RUNS) throw new Malformed('too-large', `file of ${count} runs`)
    const runs: PieceRun[] = []
    for (let i = 0; i < count; i++) runs.push(this.#readRun(false))
    if (isSingle(runs)) throw new Malformed('not-canonical', 'run of one piece in the long form')
    return runs
  }

  #readRun(single: boolean): PieceRun {
    this.#spend(1)
    const first = this.#number + this.#in.int()
    const count = single ? 1 : this.#in.uintUpTo(MAX_ENTRY_PIECES, 'count of a run')
    if (first < 0 || count === 0 || first + count - 1 > MAX_PIECE_NUMBER)
      throw new Malformed('too-large', `run of ${count} pieces from ${first}`)
    this.#number = first + count
    return { first, count }
  }

  #readContent(runs: readonly PieceRun[], explicit: boolean): { size: number; content: Buffer } {
    const pieces = piecesIn(runs)
    if (pieces > MAX_ENTRY_PIECES) throw new Malformed('too-large', `file of ${pieces} pieces`)
    const derived = this.#announced.contentOf(runs)
    if (!explicit) {
      if (derived === undefined)
        throw new Malformed('no-content', 'file of pieces this record does not announce')
      return derived
    }
    if (derived !== undefined) throw new Malformed('not-canonical', 'content that follows from the pieces')
    const size = this.#in.uint()
    const fault = sizeFault(size, pieces)
    if (fault !== undefined) throw new Malformed('bad-size', fault)
    return { size, content: Buffer.from(this.#in.take(HASH_BYTES)) }
  }

  #readExtra(flags: number): Extra {
    if ((flags & EXTRA) === 0) return NO_EXTRA
    if (this.#extra.length > 0 && this.#in.skip(this.#extraBytes)) {
      this.#spend(this.#extra.length)
      return this.#extra
    }
    const { left: begin } = this.#in
    const count = this.#in.count(2, 'extras')
    if (count === 0) throw new Malformed('not-canonical', 'extra of nothing')
    this.#spend(count)
    const extra: (readonly [number, Buffer])[] = []
    let left = MAX_EXTRA_BYTES
    let before = -1
    for (let i = 0; i < count; i++) {
      const tag = this.#in.uint()
      if (tag <= before) throw new Malformed('not-canonical', 'extra does not ascend')
      before = tag
      left -= 8
      if (left < 0) throw new Malformed('too-large', 'too many extras')
      const value = Buffer.from(this.#in.bytes(left, 'extra'))
      left -= value.length
      extra.push([tag, value])
    }
    this.#extra = extra
    this.#extraBytes = this.#in.readSince(begin)
    return extra
  }

  #spend(items: number): void {
    this.#items += items
    if (this.#items > MAX_RECORD_ITEMS) throw new Malformed('too-large', 'too many runs, counters and extras')
  }
}

function forbid(flags: number, bits: number): void {
  if ((flags & bits) !== 0) throw new Malformed('not-canonical', 'flag that means nothing here')
}

// Much faster than a strict decoder on short texts: U+FFFD in the result is rare, and only then may bytes be invalid.
function strictUtf8(bytes: Buffer, length: number): string {
  const text = bytes.toString('utf8', 0, length)
  return text.includes('\ufffd') ? decodeUtf8(bytes.subarray(0, length), 'path') : text
}
