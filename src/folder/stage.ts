// The staging area (A2): content is put together in `.shoal/staging/TOKEN`, on the file system it is meant for, and only
// a complete, verified file is ever renamed from there (commit.ts). Every piece is verified against its id before any of
// it is used, whoever sent it and wherever on our own disk it was found (P1, P3). What an earlier run left in the area is
// either looked at piece by piece and reused ('resume') or thrown away (A4).
//
// Invariants:
//  1. Bytes get into a staged file only out of a piece whose id was just computed and is the one asked for.
//  2. A staged file with a second link is never written: the other link may be the user's file already (a crash between
//     the two halves of a commit leaves that).
//  3. A job that continues a file fails if the file is not there; it never starts an empty one with holes in it.
//  4. Blocks of zeros may be left out as holes (sparse.ts), which read as what was verified. Where something else may lie
//     from before, a hole is punched or the zeros are written.
import fs from 'node:fs'
import { openPieceInto, type PieceKeys, pieceIdOf, SIV_BYTES, sealPiece } from '../core/piece.js'
import { isShortage } from '../core/shortage.js'
import { type DiskStat, sameStat, statOf } from '../core/stat.js'
import { Dresser } from './dress.js'
import { ARCHIVE_DIR, STAGING_DIR, stagedPath } from './marker.js'
import { codeOf, type Fault, faultOf, isGone, SafeRoot } from './safefs.js'
import { isZeros, SparseFile } from './sparse.js'
import {
  ID_BYTES,
  type PartSource,
  plainLengthOf,
  type StagedAs,
  type StageFileJob,
  type StageJob,
  type StagePart,
  type StagePayload,
  type StageResult,
} from './stage-job.js'
import { utimesTime } from './utimes.js'

/** A place cannot be read, whatever is to be written. */
const READ_FAULTS: ReadonlySet<string> = new Set(['EIO', 'ESTALE', 'EREMOTEIO', 'ETIMEDOUT'])

export type { PartSource, StageFileJob, StageJob, StagePart, StageResult } from './stage-job.js'

/** Runs a batch on this thread. Never throws for what a disk or a piece does; one result a job, in order. */
export function stageBatch(payload: StagePayload): StageResult[] {
  let root: SafeRoot
  try {
    root = new SafeRoot(payload.root)
  } catch (thrown) {
    return payload.jobs.map((job) => failure(job.token, faultOf(thrown)))
  }
  const stager = new Stager(root, payload)
  try {
    root.directory(STAGING_DIR)
    return payload.jobs.map((job) => stager.run(job))
  } catch (thrown) {
    const { code, detail } = faultOf(thrown)
    return payload.jobs.map((job) =>
      failure(job.token, { code: isShortage(code) ? code : 'OWN_DIR_UNUSABLE', detail }),
    )
  } finally {
    stager.close()
    root.close()
  }
}

function failure(token: string, failed: Fault): StageResult {
  return { token, good: [], wrong: [], missing: [], failed }
}

class StageFault extends Error {
  readonly code: string

  constructor(code: string, detail: string) {
    super(detail)
    this.code = code
  }
}

/** A file that pieces are read from, kept open from part to part: a moved large file has thousands of them. */
interface OpenPlace {
  readonly path: string
  /** -1 if it cannot be read. */
  readonly fd: number
  readonly stat: DiskStat | undefined
}

class Stager {
  readonly #root: SafeRoot
  readonly #keys: PieceKeys
  readonly #payload: StagePayload
  readonly #dresser: Dresser
  readonly #isSparse: boolean
  #nextId = 0
  /** The last piece that was nothing but zeros: a big hole consists of that one. */
  #zeros: { readonly id: Buffer; readonly sealedLength: number; readonly length: number } | undefined
  #place: OpenPlace | undefined

  constructor(root: SafeRoot, payload: StagePayload) {
    this.#root = root
    this.#payload = payload
    this.#dresser = new Dresser(payload.scope)
    this.#isSparse = payload.sparse ?? true
    this.#keys = { sivKey: Buffer.from(payload.sivKey), pieceKey: Buffer.from(payload.pieceKey) }
  }

  close(): void {
    this.#leavePlace()
  }

  run(job: StageJob): StageResult {
    const firstId = this.#nextId
    if (job.type !== 'discard') this.#nextId += job.parts.length
    const good: number[] = []
    const wrong: number[] = []
    const missing: number[] = []
    try {
      const path = stagedPath(job.token)
      if (job.type === 'discard') this.#discard(path)
      else if (job.type === 'resume') this.#resume(path, job, firstId, good, missing)
      else {
        const staged = this.#file(path, job, firstId, good, wrong, missing)
        if (staged !== undefined) return { token: job.token, good, wrong, missing, staged }
      }
      return { token: job.token, good, wrong, missing }
    } catch (thrown) {
      return { token: job.token, good, wrong, missing, failed: faultOf(thrown) }
    }
  }

  #file(
    path: string,
    job: StageFileJob,
    firstId: number,
    good: number[],
    wrong: number[],
    missing: number[],
  ): StagedAs | undefined {
    const fd = job.begin ? this.#create(path) : this.#reopen(path, job.size)
    try {
      const file = new SparseFile(fd, job.begin, this.#isSparse)
      for (const [index, part] of job.parts.entries()) {
        if (this.#isKnownZeros(part, firstId + index)) {
          const length = plainLengthOf(part)
          checkRange(part, length, job)
          file.writeZeros(length, part.offset)
          good.push(index)
          continue
        }
        const plaintext =
          part.source.type === 'bytes'
            ? this.#fromBytes(part, part.source, firstId + index)
            : this.#fromPlace(part, part.source, firstId + index)
        if (plaintext === undefined) {
          const list = part.source.type === 'bytes' ? wrong : missing
          list.push(index)
          continue
        }
        checkRange(part, plaintext.length, job)
        file.write(plaintext, part.offset)
        this.#noteZeros(plaintext, part, firstId + index)
        good.push(index)
      }
      if (!job.final || good.length < job.parts.length) return undefined
      // Only a file of one job can be checked for holes here; the caller keeps count of the parts of the others.
      const isWhole = job.begin ? coversExactly(job) : fs.fstatSync(fd).size === job.size
      if (!isWhole) throw new StageFault('BAD_SIZE', `the parts do not make a file of ${job.size} bytes`)
      return finish(fd, job, this.#dresser)
    } finally {
      fs.closeSync(fd)
    }
  }

  #noteZeros(plaintext: Buffer, { sealedLength }: StagePart, idIndex: number): void {
    // Most contents differ from zeros in their first bytes.
    if (!this.#isSparse || plaintext.length === 0 || plaintext[0] !== 0 || !isZeros(plaintext)) return
    this.#zeros = { id: Buffer.from(this.#idAt(idIndex)), sealedLength, length: plaintext.length }
  }

  /** Whether this is that piece again: what has its id is the same zeros, wherever they are to come from. */
  #isKnownZeros(part: StagePart, idIndex: number): boolean {
    const zeros = this.#zeros
    return (
      zeros !== undefined &&
      part.sealedLength === zeros.sealedLength &&
      plainLengthOf(part) === zeros.length &&
      zeros.id.equals(this.#idAt(idIndex))
    )
  }

  #create(path: string): number {
    const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants
    try {
      return this.#root.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST') throw thrown
      this.#root.unlink(path)
      return this.#root.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    }
  }

  #reopen(path: string, size: number): number {
    let fd: number
    try {
      fd = this.#root.open(path, fs.constants.O_WRONLY)
    } catch (thrown) {
      if (!isGone(thrown) && codeOf(thrown) !== 'ELOOP') throw thrown
      throw new StageFault('STAGED_GONE', 'the staged file is not there any more')
    }
    if (isUsable(fs.fstatSync(fd), size)) return fd
    fs.closeSync(fd)
    throw new StageFault('STAGED_GONE', 'the staged file is not the one that was begun')
  }

  /** The plaintext, or undefined if the bytes are not the piece. */
  #fromBytes(
    part: StagePart,
    source: PartSource & { readonly type: 'bytes' },
    idIndex: number,
  ): Buffer | undefined {
    const { bytes } = this.#payload
    if (source.length !== part.sealedLength || source.at < 0 || source.at + source.length > bytes.byteLength)
      return undefined
    const sealed = Buffer.from(bytes, source.at, source.length)
    if (!this.#isPiece(sealed, idIndex)) return undefined
    const room = scratch(part.sealedLength - SIV_BYTES)
    const plaintext = openPieceInto(this.#keys, sealed, room, part.plain)
    if (plaintext === undefined)
      throw new StageFault('PIECE_UNOPENABLE', 'a piece is not sealed under the keys of this share')
    return plaintext
  }

  /** The plaintext, or undefined if the place does not hold the piece. */
  #fromPlace(
    part: StagePart,
    source: PartSource & { readonly type: 'place' },
    idIndex: number,
  ): Buffer | undefined {
    if (source.length !== plainLengthOf(part) || source.length < 0 || source.offset < 0) return undefined
    const place = this.#openPlace(source.inArchive ? `${ARCHIVE_DIR}/${source.path}` : source.path)
    if (place.stat === undefined || source.offset + source.length > place.stat.size) return undefined
    if (source.stat !== undefined && !sameStat(place.stat, source.stat)) return undefined
    return this.#readPiece(place.fd, source.offset, part, idIndex)
  }

  #readPiece(fd: number, offset: number, part: StagePart, idIndex: number): Buffer | undefined {
    const plaintext = scratch(plainLengthOf(part))
    try {
      if (!readFully(fd, plaintext, offset)) return undefined
    } catch (thrown) {
      // A bad sector in one of several possible sources: the piece is simply not there.
      if (READ_FAULTS.has(codeOf(thrown))) return undefined
      throw thrown
    }
    const sealed = sealPiece(this.#keys, plaintext, part.plain !== undefined)
    return this.#isPiece(sealed, idIndex) ? plaintext : undefined
  }

  #isPiece(sealed: Buffer, idIndex: number): boolean {
    return pieceIdOf(sealed).equals(this.#idAt(idIndex))
  }

  #idAt(index: number): Uint8Array {
    return this.#payload.ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES)
  }

  #openPlace(path: string): OpenPlace {
    if (this.#place?.path === path) return this.#place
    this.#leavePlace()
    this.#place = { path, fd: -1, stat: undefined }
    let fd: number
    try {
      fd = this.#root.open(path)
    } catch {
      // Gone, unreadable, a symlink: whatever it is, the piece cannot be had from here, and 'missing' says so.
      return this.#place
    }
    const stat = statOf(fs.fstatSync(fd))
    this.#place = { path, fd, stat: stat.type === 'file' ? stat : undefined }
    return this.#place
  }

  #leavePlace(): void {
    if (this.#place !== undefined && this.#place.fd >= 0) fs.closeSync(this.#place.fd)
    this.#place = undefined
  }

  #resume(
    path: string,
    job: StageJob & { readonly type: 'resume' },
    firstId: number,
    good: number[],
    missing: number[],
  ): void {
    let fd: number | undefined
    try {
      fd = this.#root.open(path, fs.constants.O_RDWR)
    } catch (thrown) {
      if (!isGone(thrown) && codeOf(thrown) !== 'ELOOP' && codeOf(thrown) !== 'EACCES') throw thrown
    }
    try {
      const stats = fd === undefined ? undefined : fs.fstatSync(fd)
      const size = stats !== undefined && isUsable(stats, job.size) ? stats.size : 0
      for (const [index, part] of job.parts.entries()) {
        const length = plainLengthOf(part)
        const isRight =
          fd !== undefined &&
          length >= 0 &&
          part.offset >= 0 &&
          part.offset + length <= size &&
          this.#readPiece(fd, part.offset, part, firstId + index) !== undefined
        const list = isRight ? good : missing
        list.push(index)
      }
    } finally {
      if (fd !== undefined) fs.closeSync(fd)
    }
    if (good.length === 0) this.#discard(path)
  }

  #discard(path: string): void {
    try {
      this.#root.unlink(path)
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOENT') throw thrown
    }
  }
}

/** A regular file of ours that no other name leads to, and not longer than it may become. */
function isUsable(stats: fs.Stats, size: number): boolean {
  return stats.isFile() && stats.nlink === 1 && stats.size <= size
}

/** Whether the parts, which came in any order, follow each other from the first byte of the file to its last. */
function coversExactly(job: StageFileJob): boolean {
  let end = 0
  for (const part of [...job.parts].sort((a, b) => a.offset - b.offset)) {
    if (part.offset !== end) return false
    end += plainLengthOf(part)
  }
  return end === job.size
}

function checkRange({ offset }: StagePart, length: number, { size }: StageFileJob): void {
  if (offset < 0 || offset + length > size)
    throw new StageFault('BAD_SIZE', `a part ends beyond the file's ${size} bytes`)
}

/** What was given to it, if that was all of it. */
function finish(fd: number, job: StageFileJob, dresser: Dresser): StagedAs | undefined {
  const { mode, mtimeUs, dress } = job
  // A file that its owner may not read is left to the commit, which must be able to open it once more.
  const isDressed = mode !== undefined && ((mode & 0o600) === 0o600 || process.geteuid?.() === 0)
  const shown = isDressed ? dresser.dress({ fd, isHandle: false, isSeen: false }, { mode, dress }) : undefined
  if (mtimeUs === undefined) return undefined
  const time = utimesTime(mtimeUs)
  fs.futimesSync(fd, time, time)
  if (!isDressed) return undefined
  return { stat: statOf(fs.fstatSync(fd)), ...(shown === undefined ? {} : { shown }) }
}

/** False if the file ends before. */
function readFully(fd: number, target: Buffer, offset: number): boolean {
  let done = 0
  while (done < target.length) {
    const count = fs.readSync(fd, target, done, target.length - done, offset + done)
    if (count === 0) return false
    done += count
  }
  return true
}

/** Plaintexts up to this size are made in one kept buffer: one a piece is garbage that nobody collects in time. */
const SCRATCH_BYTES = 1 << 20
let kept: Buffer = Buffer.alloc(0)

/** A buffer for one piece, overwritten by the next call. */
function scratch(bytes: number): Buffer {
  if (bytes > SCRATCH_BYTES) return Buffer.allocUnsafeSlow(bytes)
  if (kept.length === 0) kept = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  return kept.subarray(0, bytes)
}
