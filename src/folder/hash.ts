// Reads files for announcing: what they are, their pieces' ids and their content id. Promises (A8): an answer 'ok'
// describes one state of the file that was whole on the disk, and belongs to the stat that comes with it; a file that
// changes while it is read is 'changed', to be asked for again when it is quiet. No symlink is followed (A1). A file is
// never in memory as a whole, unless it is one piece.
//
// The proof of one state: the stat of the path before opening (a moment ago, or when it was listed), that of the descriptor
// before and after reading and that of the path after that are the same, and the last change lay at least one tick of the
// file clock before reading (settle.ts).
import type { PieceKeys } from '../core/piece.js'
import type { AttributeScope } from '../core/raw-attributes.js'
import { type DiskStat, sameStat } from '../core/stat.js'
import { AttributeReader, isWide } from './attributes.js'
import { readContent } from './hash-content.js'
import type { HashJob } from './hash-job.js'
import { type HashResult, hadAttributes, type PackedHashes, packHashes } from './hash-result.js'
import { strictText } from './names.js'
import { openForWriting } from './openfiles.js'
import { openToRead } from './read.js'
import { codeOf, faultOf, isGone, SafeRoot, type Ways } from './safefs.js'
import { MAX_PAUSE_MS, pause, unsettledMs } from './settle.js'

export type { HashJob } from './hash-job.js'
export type { HashResult } from './hash-result.js'

export interface HashPayload {
  readonly root: string
  readonly sivKey: Uint8Array
  readonly pieceKey: Uint8Array
  readonly jobs: readonly HashJob[]
  /** Attributes to read of files; none unless told. */
  readonly scope?: AttributeScope
}

/** PATH_MAX of Linux without its NUL; entries carry no more. */
const MAX_TARGET_BYTES = 4095

const CHANGED: HashResult = { status: 'changed' }

/** Hashes a batch on this thread; one result a job, in order. Never throws for what a disk does. `ways`: for tests. */
export function hashBatch(payload: HashPayload, ways?: Ways): PackedHashes {
  let root: SafeRoot
  try {
    root = new SafeRoot(payload.root, ways)
  } catch (thrown) {
    const failed: HashResult = { status: 'failed', ...faultOf(thrown) }
    return packHashes(payload.jobs.map(() => failed))
  }
  try {
    const { jobs, scope } = payload
    const attributes = isWide(scope) ? new AttributeReader(scope) : undefined
    const keys: PieceKeys = { sivKey: Buffer.from(payload.sivKey), pieceKey: Buffer.from(payload.pieceKey) }
    const results: HashResult[] = new Array(jobs.length)
    const startMs = Date.now()
    const found = jobs.map((job) => settledAsSeen(job, startMs) ?? look(root, job.path))
    const busy = busyOf(jobs, found)
    // Fresh files come last, so that the batch pauses once for all of them, and mostly not at all.
    const fresh: number[] = []
    let settledAtMs = 0
    for (const [index, stat] of found.entries()) {
      if ('status' in stat) results[index] = stat
      else if (busy.has(index)) results[index] = { status: 'busy' }
      else {
        const waitMs = stat.type === 'file' ? unsettledMs(stat, startMs) : 0
        if (stat === jobs[index]!.seen) results[index] = hashSeen(root, keys, attributes, jobs[index]!, stat)
        else if (waitMs <= 0) results[index] = hashOne(root, keys, attributes, jobs[index]!, stat)
        else if (waitMs > MAX_PAUSE_MS) results[index] = CHANGED
        else {
          fresh.push(index)
          settledAtMs = Math.max(settledAtMs, startMs + waitMs)
        }
      }
    }
    pause(settledAtMs - Date.now())
    for (const index of fresh) results[index] = hashFresh(root, keys, attributes, jobs[index]!)
    return packHashes(results, attributes !== undefined)
  } finally {
    root.close()
  }
}

/** The stat of a file that a listing has shown, if there is nothing to wait for: opening it tells whether it still is that. */
function settledAsSeen({ seen, openCheck }: HashJob, nowMs: number): DiskStat | undefined {
  const isToLook = seen === undefined || seen.type !== 'file' || openCheck || unsettledMs(seen, nowMs) > 0
  return isToLook ? undefined : seen
}

/** The stat of what is to be hashed, or why there is nothing to hash. */
function look(root: SafeRoot, path: string): DiskStat | HashResult {
  try {
    return root.lstat(path) ?? { status: 'gone' }
  } catch (thrown) {
    return failureOf(thrown)
  }
}

/** Jobs whose file is open for writing elsewhere. */
function busyOf(jobs: readonly HashJob[], found: readonly (DiskStat | HashResult)[]): ReadonlySet<number> {
  const asked: { index: number; dev: number; ino: number }[] = []
  for (const [index, stat] of found.entries())
    if (jobs[index]!.openCheck && 'type' in stat && stat.type === 'file')
      asked.push({ index, dev: stat.dev, ino: stat.ino })
  const { open } = openForWriting(asked)
  const busy = new Set<number>()
  if (open.size > 0) for (const file of asked) if (open.has(`${file.dev}:${file.ino}`)) busy.add(file.index)
  return busy
}

/** What is another file by now, or cannot be opened, is looked at after all. */
function hashSeen(
  root: SafeRoot,
  keys: PieceKeys,
  attributes: AttributeReader | undefined,
  job: HashJob,
  seen: DiskStat,
): HashResult {
  const result = hashOne(root, keys, attributes, job, seen)
  return result.status === 'ok' || result.status === 'same' ? result : hashFresh(root, keys, attributes, job)
}

/** A file that had just changed: it has paused, so if it still looks fresh it is being written. */
function hashFresh(
  root: SafeRoot,
  keys: PieceKeys,
  attributes: AttributeReader | undefined,
  job: HashJob,
): HashResult {
  const stat = look(root, job.path)
  if ('status' in stat) return stat
  if (stat.type === 'file' && unsettledMs(stat, Date.now()) > 0) return CHANGED
  return hashOne(root, keys, attributes, job, stat)
}

/** `before` is the stat of the path just now. */
function hashOne(
  root: SafeRoot,
  keys: PieceKeys,
  attributes: AttributeReader | undefined,
  job: HashJob,
  before: DiskStat,
): HashResult {
  try {
    switch (before.type) {
      case 'file':
        return hashFile(root, keys, attributes, job, before)
      case 'symlink':
        return readSymlink(root, job.path, before)
      case 'directory':
        return CHANGED
      case 'other':
        return { status: 'failed', code: 'NOT_CARRIED', detail: 'neither file, directory nor symlink' }
    }
  } catch (thrown) {
    return failureOf(thrown)
  }
}

function hashFile(
  root: SafeRoot,
  keys: PieceKeys,
  reader: AttributeReader | undefined,
  { path, seen, isKnown, isPadded = false, contents }: HashJob,
  before: DiskStat,
): HashResult {
  const file = openToRead(root, path)
  try {
    // Something else may have taken the name; a fifo, say, must not be read from.
    if (!sameStat(before, file.stat())) return CHANGED
    if (isKnown === true && seen !== undefined && sameStat(before, seen)) {
      const had = hadAttributes(reader?.of(file.fd, before.dev))
      return sameStat(before, file.stat()) ? { status: 'same', stat: before, ...had } : CHANGED
    }
    const told = readContent(file, keys, before, isPadded)
    const isAny = told === undefined || contents === undefined || holds(contents, told.content)
    const other = isAny ? undefined : readContent(file, keys, before, !isPadded)
    const read = other !== undefined && holds(contents!, other.content) ? other : told
    const attributes = reader?.of(file.fd, before.dev)
    if (read === undefined || !sameStat(before, file.stat())) return CHANGED
    const after = root.lstat(path)
    if (after === undefined || !sameStat(before, after)) return CHANGED
    return { status: 'ok', stat: after, ...read, ...hadAttributes(attributes) }
  } finally {
    file.close()
  }
}

function holds(contents: Uint8Array, content: Buffer): boolean {
  for (let at = 0; at < contents.length; at += content.length)
    if (content.equals(contents.subarray(at, at + content.length))) return true
  return false
}

function readSymlink(root: SafeRoot, path: string, before: DiskStat): HashResult {
  const bytes = root.readlink(path)
  const after = root.lstat(path)
  if (after === undefined || !sameStat(before, after)) return CHANGED
  const target = strictText(bytes)
  if (target === undefined) {
    return { status: 'failed', code: 'NOT_UTF8', detail: 'target of the symlink is not valid UTF-8' }
  }
  if (bytes.length === 0 || bytes.length > MAX_TARGET_BYTES) {
    return { status: 'failed', code: 'TOO_LONG', detail: `target of the symlink has ${bytes.length} bytes` }
  }
  return { status: 'symlink', stat: after, target }
}

function failureOf(thrown: unknown): HashResult {
  const code = codeOf(thrown)
  if (isGone(thrown) || code === 'SYMLINK_IN_PATH') return { status: 'gone' }
  // Between the first look and the call its kind changed: open found a symlink, readlink found none.
  if (code === 'ELOOP' || code === 'EINVAL') return CHANGED
  return { status: 'failed', ...faultOf(thrown) }
}
