// Fills a new folder with a tree (fill-job.ts): the shortest way from packs to files. Every piece is verified against its id
// and under the share's keys before any of it is written, and a file gets its name when all of its content is verified (P1).
// Nothing that is there is ever opened for writing or replaced: each name is taken with O_EXCL, mkdir, symlink or link, in
// directories that no symlink leads to (safefs.ts).
//
// What a kill leaves behind is told by its mode (TORN_MODE): a file that has it is not whole. What a power cut leaves has
// its time and another size. torn.ts takes both away before a fill is gone on with.
import fs from 'node:fs'
import { pathFault } from '../core/path.js'
import { openPieceInto, type PieceKeys, pieceIdOf, SIV_BYTES } from '../core/piece.js'
import { mtimeUsOf } from '../core/stat.js'
import { forgetCachedSync } from '../ports/page-cache.js'
import { type Attire, Dresser } from './dress.js'
import { Durability, type SyncCalls, systemSyncCalls } from './durable.js'
import { fillFile, type Placing } from './fill-file.js'
import {
  type FillFault,
  type FillFile,
  type FillPayload,
  type FillResult,
  type FillSpan,
  type FillStep,
  PART_NUMBERS,
  unpackFiles,
} from './fill-job.js'
import { STAGING_DIR } from './marker.js'
import { codeOf, faultOf, PathFault, SafeRoot, setTimes } from './safefs.js'
import { utimesTime } from './utimes.js'

type StepOf<Type extends FillStep['type']> = FillStep & { readonly type: Type }

const ID_BYTES = 32
/** What these say holds for everything that comes after: the rest of a step is not tried. */
const FINAL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE'])
/** A piece does not hold, or cannot be read. */
const NO_PIECE = 'NO_PIECES'

/** Runs a step on this thread. Never throws for what a disk or a piece does. `calls`: for tests. */
export function fill(payload: FillPayload, calls: SyncCalls = systemSyncCalls): FillResult {
  let root: SafeRoot
  try {
    root = new SafeRoot(payload.root)
  } catch (thrown) {
    return { faults: [{ at: 0, ...faultOf(thrown) }] }
  }
  try {
    const { dev, ino } = root.rootStat()
    const { expectRoot } = payload
    if (dev !== expectRoot.dev || ino !== expectRoot.ino)
      return {
        faults: [{ at: 0, code: 'ROOT_CHANGED', detail: 'the root is another directory than before' }],
      }
    return { faults: perform(root, payload, calls) }
  } finally {
    root.close()
  }
}

function perform(root: SafeRoot, payload: FillPayload, calls: SyncCalls): FillFault[] {
  const { step, scope } = payload
  const dresser = new Dresser(scope)
  switch (step.type) {
    case 'directories':
      return each(step.paths, (path) => root.mkdir(checked(path), 0o700))
    case 'files':
      return files(root, payload, step, dresser)
    case 'symlinks':
      return each(step.links, (link) => symlink(root, link, dresser))
    case 'links':
      return each(step.links, ({ path, from }) => root.link(checked(from), checked(path)))
    case 'look':
      return each(unpackFiles(step.files), (file) => look(root, file))
    case 'end':
      return each(step.directories, (directory) => end(root, directory, dresser))
    case 'sync':
      return sync(new Durability(root, STAGING_DIR, calls), step)
  }
}

/** Does one after the other; what fails is noted, and ends it only if all that follows would fail as well. */
function each<T>(items: readonly T[], body: (item: T, at: number) => void): FillFault[] {
  const faults: FillFault[] = []
  for (const [at, item] of items.entries()) {
    try {
      body(item, at)
    } catch (thrown) {
      faults.push({ at, ...faultOf(thrown) })
      if (FINAL.has(codeOf(thrown))) break
    }
  }
  return faults
}

/** The caller's types say this already; a mistake here would write into our own folder or out of the tree. */
function checked(path: string): string {
  const fault = pathFault(path)
  if (fault !== undefined) throw new PathFault('BAD_PATH', fault)
  return path
}

class PieceFault extends Error {
  readonly code = NO_PIECE
}

function files(
  root: SafeRoot,
  { sivKey, pieceKey }: FillPayload,
  step: StepOf<'files'>,
  dresser: Dresser,
): FillFault[] {
  const keys: PieceKeys = { sivKey: Buffer.from(sivKey), pieceKey: Buffer.from(pieceKey) }
  const spans = readSpans(step.spans)
  const placing: Placing = { root, dresser, isSparse: step.sparse }
  let part = 0
  return each(unpackFiles(step.files), (file) => {
    const first = part
    part += file.parts
    checked(file.path)
    const content = plaintextOf(keys, step, spans, first, part)
    fillFile(placing, file, content)
  })
}

/** The plaintext of parts one after the other, verified; overwritten by the next call. NO_PIECES. */
function plaintextOf(
  keys: PieceKeys,
  { parts, ids }: StepOf<'files'>,
  spans: readonly (Buffer | undefined)[],
  first: number,
  end: number,
): Buffer {
  let room = 0
  for (let part = first; part < end; part++) room += parts[part * PART_NUMBERS + 2]!
  const target = plainRoom.take(room)
  let length = 0
  for (let part = first; part < end; part++) {
    const at = part * PART_NUMBERS
    const [span, offset, sealedLength, plain] = parts.subarray(at, at + PART_NUMBERS)
    const sealed = spans[span!]?.subarray(offset!, offset! + sealedLength!)
    const id = ids.subarray(part * ID_BYTES, (part + 1) * ID_BYTES)
    if (sealed?.length !== sealedLength || !pieceIdOf(sealed!).equals(id))
      throw new PieceFault('a piece of its content is not what it is to be, or cannot be read')
    const into = target.subarray(length, length + sealed!.length - SIV_BYTES)
    const opened = openPieceInto(keys, sealed!, into, plain! < 0 ? undefined : plain!)
    if (opened === undefined) throw new PieceFault('a piece is not sealed under the keys of this share')
    length += opened.length
  }
  return target.subarray(0, length)
}

/** Undefined for what cannot be read: nothing that stands in it counts. */
function readSpans(spans: readonly FillSpan[]): (Buffer | undefined)[] {
  let total = 0
  for (const { bytes, length } of spans) if (bytes === undefined) total += length
  const room = spanRoom.take(total)
  let used = 0
  let open: { readonly file: string; readonly fd: number } | undefined
  const close = (): void => {
    if (open !== undefined) fs.closeSync(open.fd)
    open = undefined
  }
  try {
    return spans.map(({ file, bytes, offset, length }) => {
      if (bytes !== undefined) return Buffer.from(bytes)
      if (file === undefined) return undefined
      const target = room.subarray(used, used + length)
      used += length
      try {
        if (open?.file !== file) {
          close()
          const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
          open = { file, fd: fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) }
        }
        if (!isRead(open!.fd, target, offset)) return undefined
        forgetCachedSync(open!.fd, offset, length)
        return target
      } catch {
        // Gone, moved by a compaction or a bad sector: its files are left to the ordinary way, which tells these apart.
        return undefined
      }
    })
  } finally {
    close()
  }
}

function isRead(fd: number, target: Buffer, offset: number): boolean {
  for (let done = 0; done < target.length; ) {
    const count = fs.readSync(fd, target, done, target.length - done, offset + done)
    if (count === 0) return false
    done += count
  }
  return true
}

/** Larger buffers are not kept: they are of pieces of huge files, one job each. */
const KEPT_BYTES = 8 << 20

/** A buffer that is kept from job to job: one a job is garbage that nobody collects in time. */
class Room {
  #kept: Buffer = Buffer.alloc(0)

  take(bytes: number): Buffer {
    if (bytes > KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes)
    if (bytes > this.#kept.length) this.#kept = Buffer.allocUnsafeSlow(bytes)
    return this.#kept.subarray(0, bytes)
  }
}

const spanRoom = new Room()
const plainRoom = new Room()

function symlink(root: SafeRoot, link: StepOf<'symlinks'>['links'][number], dresser: Dresser): void {
  const { path, target, mtimeUs, dress } = link
  root.symlink(target, checked(path))
  if (dress !== undefined)
    withHandle(root, path, (fd) => dresser.dress({ fd, isHandle: true, isSeen: true }, { dress }))
  root.setLinkTimes(path, utimesTime(mtimeUs))
}

/** Throws if somebody has changed it since. */
function look(root: SafeRoot, { path, size, mtimeUs }: FillFile): void {
  const found = root.lstat(path)
  const isAsMade = found?.type === 'file' && found.size === size && mtimeUsOf(found) === mtimeUs
  if (!isAsMade) throw Object.assign(new Error('it is not as it was made'), { code: 'CHANGED' })
}

function end(root: SafeRoot, directory: StepOf<'end'>['directories'][number], dresser: Dresser): void {
  const { path, mode, mtimeUs, dress } = directory
  const attire: Attire = { mode, ...(dress === undefined ? {} : { dress }) }
  withHandle(root, checked(path), (fd) => {
    if (!fs.fstatSync(fd).isDirectory())
      throw new PathFault('NOT_A_DIRECTORY', `"${path}" is not a directory`)
    dresser.dress({ fd, isHandle: true, isSeen: true }, attire)
    setTimes(fd, utimesTime(mtimeUs))
  })
}

function withHandle(root: SafeRoot, path: string, body: (fd: number) => void): void {
  const handle = root.handle(path)
  try {
    body(handle)
  } finally {
    fs.closeSync(handle)
  }
}

function sync(durability: Durability, { directories, files: paths }: StepOf<'sync'>): FillFault[] {
  if (directories === undefined && paths === undefined) {
    if (durability.everything()) return []
    return [{ at: 0, code: 'NO_SYNC', detail: 'the file system cannot be made durable as a whole' }]
  }
  const fault = durability.settle(new Set(directories), new Set(paths))
  return fault === undefined ? [] : [{ at: 0, ...fault }]
}
