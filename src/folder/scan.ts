// Reads directories: which names each has and their stats. It only looks; what a difference means is decided elsewhere.
// Promises: no symlink is followed (A1); a directory that could not be read completely is 'failed', never a shorter
// list; what cannot be carried, another file system mounted below the root too, is reported by name (A7). A listing may still miss a name while others in the directory
// are being renamed, which is how readdir works: whoever takes an absence for a deletion calls confirmMissing first.
//
// A batch becomes one packed result: names in lists, all stats in one array that changes hands without being copied.
import fs from 'node:fs'
import { OWN_DIR, type RelPath } from '../core/path.js'
import type { AttributeScope } from '../core/raw-attributes.js'
import { type DiskStat, diskTypeOf, packStat, STAT_FIELDS, statOf } from '../core/stat.js'
import { lengthFault, mayBeLossy, strictText } from './names.js'
import { codeOf, type Fault, faultOf, isGone, SafeRoot } from './safefs.js'

/** Which directory the root must be (A5): where it is another one, say because a disk was unmounted, nothing is read. */
export interface RootIdentity {
  readonly ino: number
  readonly dev: number
}

/** A name that is there and is not among the carried ones. */
export interface ScanFault {
  /** For people: lossy where the name is not UTF-8. */
  readonly name: string
  /** UNREADABLE: its stat cannot be had; what is indexed under this name is to be left alone. */
  readonly code: 'NOT_UTF8' | 'NOT_CARRIED' | 'TOO_LONG' | 'UNREADABLE'
  readonly detail: string
}

/** One directory as it was found. */
export interface ScannedDirectory {
  readonly path: RelPath | ''
  /**
   * 'gone': there is no directory of this name (any more). 'failed': it cannot be read, and nothing is known about what
   * it holds; with code ROOT_CHANGED or an error of opening the root, nothing is known about anything. 'left': not
   * looked at, because those before it in the batch had so many names; ask again. Never the first of a batch.
   */
  readonly status: 'ok' | 'gone' | 'failed' | 'left'
  readonly code?: string
  readonly detail?: string
  /** The directory itself, before it was read. Always there when 'ok'. */
  readonly stat?: DiskStat
  /** In no order; without `.shoal` at the root and without the faults. */
  readonly names: readonly string[]
  /** STAT_FIELDS a name, in the same order: unpackStat(stats, i) is of names[i]. A view of one array per batch. */
  readonly stats: Float64Array
  /**
   * Attributes in the scope of the directory itself, packed (core/raw-attributes.ts); undefined if not asked for, or if the
   * file system cannot hold any.
   */
  readonly attributes?: Buffer | undefined
  /** The same of the directories among `names`, by their index there. */
  readonly childAttributes?: ReadonlyMap<number, Buffer> | undefined
  readonly faults: readonly ScanFault[]
}

export interface ScanPayload {
  readonly root: string
  readonly directories: readonly (RelPath | '')[]
  readonly expectRoot: RootIdentity | undefined
  /** Attributes to read of directories; none unless told. */
  readonly scope?: AttributeScope
  /** For tests; MOST_NAMES unless told. */
  readonly mostNames?: number
}

export interface ConfirmPayload {
  readonly root: string
  readonly paths: readonly string[]
  readonly expectRoot: RootIdentity | undefined
}

/**
 * No further directory is begun with so many names in a batch. A worker's heap of 192 MB holds some 1.4 million names of
 * 100 bytes, and more at a time than this only keeps the main thread busy for longer.
 */
const MOST_NAMES = 65_536

const NO_STATS: Float64Array = new Float64Array(0)

/** Stats of a batch, growing by doubling. */
class StatPacker {
  #packed = new Float64Array(1024 * STAT_FIELDS)
  #count = 0

  get count(): number {
    return this.#count
  }

  add(stats: fs.Stats): void {
    if ((this.#count + 1) * STAT_FIELDS > this.#packed.length) {
      const grown = new Float64Array(this.#packed.length * 2)
      grown.set(this.#packed)
      this.#packed = grown
    }
    packStat(this.#packed, this.#count++, stats)
  }

  /** Takes back all after the first `count`. */
  cut(count: number): void {
    this.#count = count
  }

  /** An array of exactly what was added. */
  finish(): Float64Array<ArrayBuffer> {
    return this.#packed.slice(0, this.#count * STAT_FIELDS)
  }
}

/** Scans a batch on this thread; one result a directory, in order. `stats` is the array that all results' stats are in. */
export function scanBatch(payload: ScanPayload): {
  results: ScannedDirectory[]
  stats: Float64Array<ArrayBuffer>
} {
  const { mostNames = MOST_NAMES } = payload
  const opened = openRoot(payload.root, payload.expectRoot)
  if (!(opened instanceof SafeRoot)) {
    const results = payload.directories.map((path) => notRead(path, 'failed', opened))
    return { results, stats: new Float64Array(0) }
  }
  try {
    const packer = new StatPacker()
    const found = payload.directories.map((path) => {
      const first = packer.count
      if (first >= mostNames) return { directory: leftOf(path), first, end: first }
      const directory = scanOne(opened, path, packer)
      if (directory.status !== 'ok') packer.cut(first)
      return { directory, first, end: packer.count }
    })
    const lost = rootFault(opened, payload.root)
    if (lost !== undefined) {
      const results = payload.directories.map((path) => notRead(path, 'failed', lost))
      return { results, stats: new Float64Array(0) }
    }
    const stats = packer.finish()
    const results = found.map(({ directory, first, end }) =>
      end === first
        ? directory
        : { ...directory, stats: stats.subarray(first * STAT_FIELDS, end * STAT_FIELDS) },
    )
    return { results, stats }
  } finally {
    opened.close()
  }
}

/**
 * For each path whether there certainly is nothing of that name, on this thread. False whenever that cannot be told:
 * a path that cannot be reached, for want of permission or because the root is not there, is not missing.
 */
export function confirmMissingBatch(payload: ConfirmPayload): boolean[] {
  const opened = openRoot(payload.root, payload.expectRoot)
  if (!(opened instanceof SafeRoot)) return payload.paths.map(() => false)
  try {
    const missing = payload.paths.map((path) => {
      try {
        return fs.lstatSync(opened.at(path), { throwIfNoEntry: false }) === undefined
      } catch (thrown) {
        return hasNoPlace(thrown)
      }
    })
    return rootFault(opened, payload.root) === undefined ? missing : missing.map(() => false)
  } finally {
    opened.close()
  }
}

function scanOne(root: SafeRoot, path: RelPath | '', packer: StatPacker): ScannedDirectory {
  try {
    const fd = root.directory(path)
    const place = `/proc/self/fd/${fd}`
    const stat = statOf(fs.fstatSync(fd))
    const faults: ScanFault[] = []
    const names = namesOf(place, path, faults)
    const kept: string[] = []
    for (const name of names) {
      let stats: fs.Stats | undefined
      try {
        stats = fs.lstatSync(`${place}/${name}`, { throwIfNoEntry: false })
      } catch (thrown) {
        // Without the right to search the directory, every one of its names would be a fault.
        if (codeOf(thrown) === 'EACCES') throw thrown
        faults.push({ name, code: 'UNREADABLE', detail: detailOf(faultOf(thrown)) })
        continue
      }
      if (stats === undefined) continue
      if (diskTypeOf(stats.mode) === 'other') {
        faults.push({ name, code: 'NOT_CARRIED', detail: kindOf(stats) })
        continue
      }
      // Only of directories: some file systems (overlay) give files the device of a layer.
      if (stats.isDirectory() && stats.dev !== stat.dev) {
        faults.push({ name, code: 'NOT_CARRIED', detail: 'another file system is mounted here' })
        continue
      }
      packer.add(stats)
      kept.push(name)
    }
    return { path, status: 'ok', stat, names: kept, stats: NO_STATS, faults }
  } catch (thrown) {
    return notRead(path, path !== '' && hasNoPlace(thrown) ? 'gone' : 'failed', faultOf(thrown))
  }
}

/** The names that can be carried as far as their text goes. */
function namesOf(place: string, path: RelPath | '', faults: ScanFault[]): string[] {
  let names = fs.readdirSync(place)
  if (names.some(mayBeLossy)) {
    // Read again as bytes, which costs more than all else here and is hardly ever needed.
    names = []
    for (const bytes of fs.readdirSync(place, { encoding: 'buffer' })) {
      const name = strictText(bytes)
      if (name !== undefined) names.push(name)
      else faults.push({ name: bytes.toString('utf8'), code: 'NOT_UTF8', detail: 'name is not valid UTF-8' })
    }
  }
  const directoryBytes = Buffer.byteLength(path)
  return names.filter((name) => {
    if (path === '' && name === OWN_DIR) return false
    const fault = lengthFault(directoryBytes, name)
    if (fault !== undefined) faults.push({ name, code: 'TOO_LONG', detail: fault })
    return fault === undefined
  })
}

function openRoot(path: string, expect: RootIdentity | undefined): SafeRoot | Fault {
  let root: SafeRoot
  try {
    root = new SafeRoot(path)
  } catch (thrown) {
    return faultOf(thrown)
  }
  if (expect === undefined) return root
  const stat = root.rootStat()
  if (stat.ino === expect.ino && stat.dev === expect.dev) return root
  root.close()
  return ROOT_CHANGED
}

const ROOT_CHANGED: Fault = { code: 'ROOT_CHANGED', detail: 'the root is another directory than before' }

/** Asked after a batch: when the whole tree was removed or moved meanwhile, no absence in it means anything (A5). */
function rootFault(root: SafeRoot, path: string): Fault | undefined {
  try {
    const now = fs.statSync(path)
    const then = root.rootStat()
    return now.ino === then.ino && now.dev === then.dev ? undefined : ROOT_CHANGED
  } catch (thrown) {
    return faultOf(thrown)
  }
}

function notRead(path: RelPath | '', status: 'gone' | 'failed', fault: Fault): ScannedDirectory {
  return { path, status, code: fault.code, detail: fault.detail, names: [], stats: NO_STATS, faults: [] }
}

function leftOf(path: RelPath | ''): ScannedDirectory {
  return { path, status: 'left', names: [], stats: NO_STATS, faults: [] }
}

/** Whether a failure says that the path has no place on the disk; a symlink in its way is one, because of A1. */
function hasNoPlace(thrown: unknown): boolean {
  return isGone(thrown) || codeOf(thrown) === 'SYMLINK_IN_PATH'
}

function detailOf(fault: Fault): string {
  return `${fault.code}: ${fault.detail}`
}

function kindOf(stats: fs.Stats): string {
  if (stats.isFIFO()) return 'a fifo is not carried'
  if (stats.isSocket()) return 'a socket is not carried'
  return 'a device is not carried'
}
