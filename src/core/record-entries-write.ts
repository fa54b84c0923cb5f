// Writes the entries part of a record; layout and bounds are in record-entries.ts.
import { ByteWriter } from './bytes.js'
import { type Entry, type Extra, MODE_MASK, type PieceRun } from './entry.js'
import { assertNever, invariant } from './error.js'
import { HASH_BYTES, type WriterId } from './ids.js'
import { MAX_PATH_BYTES, type RelPath } from './path.js'
import type { AnnouncedPieces } from './record-announced.js'
import {
  DOTTED,
  EXPLICIT,
  EXTRA,
  isSingle,
  itemsOf,
  MAX_COUNTER,
  MAX_ENTRY_PIECES,
  MAX_EXTRA_BYTES,
  MAX_RECORD_ENTRIES,
  MAX_RECORD_ITEMS,
  MAX_RECORD_WRITERS,
  MAX_RUNS,
  MAX_VECTOR,
  NEGATIVE_MTIME,
  NEGATIVE_WAS,
  OTHER_ORIGIN,
  piecesIn,
  SINGLE,
  sizeFault,
  TYPES,
  targetFault,
  WAS,
} from './record-entries.js'
import { MAX_PIECE_NUMBER } from './record-public.js'
import type { Version } from './version.js'

/** The entries part; all entries by one author. Broken bounds are a bug of the caller and throw INTERNAL. */
export function writeEntries(entries: readonly Entry[], announced: AnnouncedPieces): Buffer {
  invariant(entries.length <= MAX_RECORD_ENTRIES, 'a record stays within MAX_RECORD_ENTRIES')
  const writer = new EntryWriter(entries[0]?.author, announced)
  writer.out.uint(entries.length)
  for (const entry of entries) writer.entry(entry)
  return writer.out.finish()
}

class EntryWriter {
  readonly out = new ByteWriter(64 * 1024)
  readonly #author: WriterId | undefined
  readonly #announced: AnnouncedPieces
  readonly #writers = new Map<WriterId, number>()
  #path = Buffer.allocUnsafe(MAX_PATH_BYTES)
  #pathBefore = Buffer.allocUnsafe(MAX_PATH_BYTES)
  #lengthBefore = 0
  #counter = 0
  #number = 0
  #items = 0

  constructor(author: WriterId | undefined, announced: AnnouncedPieces) {
    this.#author = author
    this.#announced = announced
    if (author !== undefined) this.#writers.set(author, 0)
  }

  entry(entry: Entry): void {
    invariant(entry.author === this.#author, 'the entries of a record have one author')
    this.#items += itemsOf(entry)
    invariant(this.#items <= MAX_RECORD_ITEMS, 'a record stays within MAX_RECORD_ITEMS')
    // Asked once per file, since the answer counts against a limit.
    const explicit = entry.type === 'file' && !this.#followsFromPieces(entry)
    const dotted = entry.version.length === 1 && entry.version[0]![0] === entry.author
    this.out.u8(flagsOf(entry, explicit, dotted))
    this.#writePath(entry.path)
    this.#writeVersion(entry.version, dotted)
    this.#writeMagnitude(entry.mtimeUs)
    if (entry.origin !== entry.author) this.#writeWriter(entry.origin)
    switch (entry.type) {
      case 'file':
        this.#writeMode(entry.mode)
        this.#writeRuns(entry.pieces)
        if (explicit) this.out.uint(entry.size).raw(entry.content)
        break
      case 'directory':
        this.#writeMode(entry.mode)
        break
      case 'symlink':
        invariant(
          targetFault(entry.target) === undefined,
          'the target of a symlink is 1 to 4095 bytes, no NUL',
        )
        this.out.text(entry.target)
        break
      case 'tombstone':
        if (entry.was !== undefined) {
          this.#writeMode(entry.was.mode)
          this.#writeMagnitude(entry.was.mtimeUs)
        }
        break
      default:
        assertNever(entry)
    }
    if (entry.extra.length > 0) this.#writeExtra(entry.extra)
  }

  #followsFromPieces(entry: Extract<Entry, { type: 'file' }>): boolean {
    invariant(entry.content.length === HASH_BYTES, 'a content id has 32 bytes')
    const pieces = piecesIn(entry.pieces)
    invariant(pieces <= MAX_ENTRY_PIECES, 'a file stays within MAX_ENTRY_PIECES')
    const content = this.#announced.contentOf(entry.pieces)
    if (content === undefined) {
      invariant(sizeFault(entry.size, pieces) === undefined, 'a size fits its pieces')
      return false
    }
    invariant(
      content.size === entry.size && content.content.equals(entry.content),
      'size and content of a file are those of its pieces',
    )
    return true
  }

  #writePath(path: RelPath): void {
    const now = this.#path
    const length = now.write(path, 'utf8')
    const before = this.#pathBefore
    const most = Math.min(length, this.#lengthBefore)
    let shared = 0
    while (shared < most && now[shared] === before[shared]) shared++
    this.out.uint(shared).bytes(now.subarray(shared, length))
    this.#path = before
    this.#pathBefore = now
    this.#lengthBefore = length
  }

  #writeVersion(version: Version, dotted: boolean): void {
    invariant(version.length > 0 && version.length <= MAX_VECTOR, 'a version has 1 to 256 writers')
    if (!dotted) this.out.uint(version.length)
    let before = ''
    for (const [id, counter] of version) {
      invariant(id > before, 'a version ascends')
      invariant(counter >= 1 && counter <= MAX_COUNTER, 'a counter is 1 to 2^48 - 1')
      before = id
      if (!dotted) this.#writeWriter(id)
      if (id === this.#author) {
        this.out.int(counter - this.#counter - 1)
        this.#counter = counter
      } else this.out.uint(counter)
    }
  }

  #writeWriter(id: WriterId): void {
    const known = this.#writers.get(id)
    if (known !== undefined) {
      this.out.uint(known)
      return
    }
    invariant(this.#writers.size <= MAX_RECORD_WRITERS, 'a record stays within MAX_RECORD_WRITERS')
    this.out.uint(this.#writers.size).raw(Buffer.from(id, 'hex'))
    this.#writers.set(id, this.#writers.size)
  }

  #writeMode(mode: number): void {
    invariant(mode >= 0 && mode <= MODE_MASK, 'a mode is 0 to 0o7777')
    this.out.uint(mode)
  }

  #writeMagnitude(value: number): void {
    this.out.uint(Math.abs(value))
  }

  #writeRuns(runs: readonly PieceRun[]): void {
    invariant(runs.length <= MAX_RUNS, 'a file stays within MAX_RUNS')
    const single = isSingle(runs)
    if (!single) this.out.uint(runs.length)
    for (const { first, count } of runs) {
      invariant(first >= 0 && count >= 1 && first + count - 1 <= MAX_PIECE_NUMBER, 'a run has sound numbers')
      this.out.int(first - this.#number)
      if (!single) this.out.uint(count)
      this.#number = first + count
    }
  }

  #writeExtra(extra: Extra): void {
    this.out.uint(extra.length)
    let bytes = 0
    let before = -1
    for (const [tag, value] of extra) {
      invariant(tag > before, 'extra ascends by tag')
      bytes += 8 + value.length
      this.out.uint(tag).bytes(value)
      before = tag
    }
    invariant(bytes <= MAX_EXTRA_BYTES, 'extra stays within MAX_EXTRA_BYTES')
  }
}

function flagsOf(entry: Entry, explicit: boolean, dotted: boolean): number {
  let flags: number = TYPES.indexOf(entry.type)
  if (entry.mtimeUs < 0) flags |= NEGATIVE_MTIME
  if (entry.origin !== entry.author) flags |= OTHER_ORIGIN
  if (entry.extra.length > 0) flags |= EXTRA
  if (dotted) flags |= DOTTED
  if (explicit) flags |= EXPLICIT
  if (entry.type === 'file' && isSingle(entry.pieces)) flags |= SINGLE
  if (entry.type === 'tombstone' && entry.was !== undefined)
    flags |= entry.was.mtimeUs < 0 ? WAS | NEGATIVE_WAS : WAS
  return flags
}
