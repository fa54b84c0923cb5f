// Reads files again to see whether they still hold the pieces that the index says (docs/decisions/0045-verify-and-audit.md).
// Promises: 'damaged' is said only of a file whose stat was the one told before and after reading, so that nobody has
// written to it as far as its inode can tell (A3), and that no process is seen to have open for writing; whoever acts on
// it has it read a second time (`again`), for memory and cables fail as well. Nothing is changed; no symlink is followed.
import fs from 'node:fs'
import { type PieceKeys, pieceIdOf, plainBytesOf, sealPiece, unpackedLength } from '../core/piece.js'
import { type DiskStat, sameStat } from '../core/stat.js'
import { openForWriting } from './openfiles.js'
import { type FileToRead, openToRead } from './read.js'
import { codeOf, faultOf, isGone, SafeRoot, type Ways } from './safefs.js'

export interface CheckJob {
  readonly path: string
  /** The file or symlink as it was when it was indexed. */
  readonly stat: DiskStat
  /** Of the file: where the pieces begin in it, bytes, and each piece as a layout has it: id (32), packed length (u32 LE). */
  readonly offset: number
  readonly pieces: Uint8Array
  /** Of a symlink: where it is to lead. */
  readonly target?: string
}

export interface CheckPayload {
  readonly root: string
  readonly sivKey: Uint8Array
  readonly pieceKey: Uint8Array
  readonly jobs: readonly CheckJob[]
  /**
   * A second look at what seemed damaged: what is still to be written is written first, so that a change through a mapping
   * shows in the stat, and files that are open for writing are left alone.
   */
  readonly again: boolean
}

export type CheckResult =
  | { readonly status: 'good' }
  /** By their place in the job; none of a symlink. `unreadable`: the disk could not read some of them. */
  | { readonly status: 'damaged'; readonly bad: readonly number[]; readonly unreadable: boolean }
  /** It is not the file that was indexed, or not for long enough: a look at its directory says what it is. */
  | { readonly status: 'changed' }
  | { readonly status: 'busy' }
  | { readonly status: 'failed'; readonly code: string; readonly detail: string }

const ROW_BYTES = 36
const ID_BYTES = 32
const CHANGED: CheckResult = { status: 'changed' }

/** One result a job, in order. Never throws for what a disk does. `ways`: for tests. */
export function checkBatch(
  { root: path, sivKey, pieceKey, jobs, again }: CheckPayload,
  ways?: Ways,
): CheckResult[] {
  let root: SafeRoot
  try {
    root = new SafeRoot(path, ways)
  } catch (thrown) {
    return jobs.map(() => ({ status: 'failed', ...faultOf(thrown) }))
  }
  try {
    const keys: PieceKeys = { sivKey: Buffer.from(sivKey), pieceKey: Buffer.from(pieceKey) }
    return jobs.map((job) => checkOne(root, keys, job, again))
  } finally {
    root.close()
  }
}

function checkOne(root: SafeRoot, keys: PieceKeys, job: CheckJob, again: boolean): CheckResult {
  try {
    const now = root.lstat(job.path)
    if (now === undefined || !sameStat(now, job.stat)) return CHANGED
    if (job.stat.type === 'symlink') return checkSymlink(root, job)
    if (job.stat.type !== 'file') return CHANGED
    const { open } = again ? openForWriting([now]) : { open: new Set<string>() }
    return open.size > 0 ? { status: 'busy' } : checkFile(root, keys, job, again)
  } catch (thrown) {
    return failureOf(thrown)
  }
}

function checkSymlink(root: SafeRoot, { path, stat, target = '' }: CheckJob): CheckResult {
  const isSame = Buffer.from(target).equals(root.readlink(path))
  const after = root.lstat(path)
  if (after === undefined || !sameStat(after, stat)) return CHANGED
  return isSame ? { status: 'good' } : { status: 'damaged', bad: [], unreadable: false }
}

function checkFile(root: SafeRoot, keys: PieceKeys, job: CheckJob, again: boolean): CheckResult {
  const file = openToRead(root, job.path)
  try {
    if (again) fs.fdatasyncSync(file.fd)
    if (!sameStat(file.stat(), job.stat)) return CHANGED
    const found = readPieces(file, keys, job)
    if (!sameStat(file.stat(), job.stat)) return CHANGED
    const after = root.lstat(job.path)
    return after !== undefined && sameStat(after, job.stat) ? found : CHANGED
  } finally {
    file.close()
  }
}

function readPieces(file: FileToRead, keys: PieceKeys, { offset, pieces }: CheckJob): CheckResult {
  const rows = Buffer.from(pieces.buffer, pieces.byteOffset, pieces.length)
  const bad: number[] = []
  let unreadable = false
  let at = offset
  for (let index = 0; index * ROW_BYTES < rows.length; index++) {
    const row = rows.subarray(index * ROW_BYTES, (index + 1) * ROW_BYTES)
    const lengths = unpackedLength(row.readUInt32LE(ID_BYTES))
    const length = plainBytesOf(lengths)
    const sealed = sealedAt(file, keys, at, length, lengths.plain !== undefined)
    at += length
    if (sealed === 'unreadable') unreadable = true
    if (!Buffer.isBuffer(sealed) || !pieceIdOf(sealed).equals(row.subarray(0, ID_BYTES))) bad.push(index)
  }
  return bad.length === 0 ? { status: 'good' } : { status: 'damaged', bad, unreadable }
}

/** What a range of a file is when sealed; it may be shorter than asked for by now. */
function sealedAt(
  file: FileToRead,
  keys: PieceKeys,
  at: number,
  length: number,
  isPadded: boolean,
): Buffer | 'short' | 'unreadable' {
  const plaintext = Buffer.allocUnsafe(length)
  try {
    if (file.readFully(plaintext, at) < length) return 'short'
  } catch (thrown) {
    // A sector that cannot be read any more is damage; anything else is not.
    if (codeOf(thrown) !== 'EIO') throw thrown
    return 'unreadable'
  }
  return sealPiece(keys, plaintext, isPadded)
}

function failureOf(thrown: unknown): CheckResult {
  const code = codeOf(thrown)
  if (isGone(thrown) || code === 'SYMLINK_IN_PATH' || code === 'ELOOP' || code === 'EINVAL') return CHANGED
  return { status: 'failed', ...faultOf(thrown) }
}
