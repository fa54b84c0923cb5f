// What this disk holds, path by path, and as which version; with it the counts and the digest of the tree (section 10)
// and, through PieceTables, which pieces can be read from it. Every method that changes something runs inside the
// caller's transaction.
//
// Drifted paths count by what the disk really holds, and so do their pieces: they are as good a source as any. A piece is
// held exactly when a row's layout has it.
import { TreeDigest } from '../core/digest.js'
import { type Fact, fingerprint } from '../core/fact.js'
import { LACKS, type Lack } from '../core/metadata.js'
import { parentOf, type RelPath } from '../core/path.js'
import { withheldBits } from '../core/setid.js'
import { type DiskStat, sameStat } from '../core/stat.js'
import { isShared, type LinkTable } from './links.js'
import { LAYOUT_BYTES, type Layout, type PieceTables } from './pieces.js'
import { HeldReleases } from './releases.js'
import { type DiskRow, packDiskRow, statOfPacked, unpackDiskRow, unpackStatOf } from './rows.js'
import {
  AFTER_LAST_KEY,
  childrenRange,
  type Database,
  FIRST_KEY,
  keyAfter,
  pathKey,
  pathOfKey,
  type Table,
  walk,
} from './tables.js'

/** Layouts up to this long stand in the row itself; longer ones apart, so that a scan does not read them. */
const INLINE_LAYOUT_BYTES: number = 8 * LAYOUT_BYTES
const NO_LAYOUT: Layout = Buffer.alloc(0)

/** A packed DiskRow, then the layout: none (0), inline (bytes) or in the other table (1). */
type StoredRow = [row: unknown[], layout: 0 | 1 | Buffer]

/** Paths that lack something of what the share says of them. */
export interface Lacking {
  readonly count: number
  /** Some of them. */
  readonly examples: ReadonlySet<RelPath>
}

const LACK_NAMES = ['owner', 'account', 'acl', 'xattrs'] as const
const EXAMPLES = 16

export class DiskTable {
  /** What of it belongs to releases. */
  readonly releases: HeldReleases = new HeldReleases()
  readonly #rows: Table<StoredRow>
  readonly #layouts: Table<Layout>
  readonly #pieces: PieceTables
  readonly #links: LinkTable
  readonly #digest = new TreeDigest()
  readonly #drifted = new Set<RelPath>()
  readonly #withheld = new Set<RelPath>()
  readonly #lacking = new Map<Lack, { count: number; examples: Set<RelPath> }>(
    LACK_NAMES.map((what) => [what, { count: 0, examples: new Set() }]),
  )
  /** Paths that hold what only a reader put there, and that stays. */
  readonly #staying = new Set<RelPath>()
  /** How many of them are below a directory. */
  readonly #driftBelow = new Map<RelPath, number>()
  readonly #stays: (path: RelPath, row: DiskRow) => boolean
  readonly #onDriftBelow: (directory: RelPath) => void
  #files = 0
  #bytes = 0

  /**
   * `stays` says whether a reader's change is left as it is (recount), `onDriftBelow` is called when a directory comes to
   * hold such ones below it, or none any more.
   */
  constructor(
    database: Database,
    prefix: string,
    pieces: PieceTables,
    links: LinkTable,
    stays: (path: RelPath, row: DiskRow) => boolean,
    onDriftBelow: (directory: RelPath) => void,
  ) {
    this.#rows = database.table(`${prefix}disk`)
    this.#layouts = database.table(`${prefix}layouts`)
    this.#pieces = pieces
    this.#stays = stays
    this.#links = links
    this.#onDriftBelow = onDriftBelow
    for (const { path, row } of this.all()) {
      this.#count(path, row, 1)
      if (!isLiveDrift(row) || !stays(path, row)) continue
      this.#staying.add(path)
      this.#countAbove(path, 1)
    }
  }

  get files(): number {
    return this.#files
  }

  get bytes(): number {
    return this.#bytes
  }

  get drifted(): ReadonlySet<RelPath> {
    return this.#drifted
  }

  /** Files that were not given their set-user-id or set-group-id bit (core/setid.ts). */
  get withheld(): ReadonlySet<RelPath> {
    return this.#withheld
  }

  lacking(what: Lack): Lacking {
    return this.#lacking.get(what)!
  }

  /** Whether something below a directory is a reader's own, and stays. */
  holdsDriftBelow(directory: RelPath): boolean {
    return this.#driftBelow.has(directory)
  }

  /** 32 bytes. */
  digest(): Buffer {
    return this.#digest.value()
  }

  get(path: RelPath): DiskRow | undefined {
    const stored = this.#rows.get(pathKey(path))
    return stored === undefined ? undefined : this.#links.current(unpackDiskRow(stored[0]))
  }

  /** The stat of get(), in less time. */
  statAt(path: RelPath): DiskStat | undefined {
    const stored = this.#rows.get(pathKey(path))
    if (stored === undefined) return undefined
    const stat = unpackStatOf(stored[0])
    return isShared(stat) ? this.get(path)?.stat : stat
  }

  *all(): Generator<{ path: RelPath; row: DiskRow }> {
    for (const { key, value } of walk(this.#rows))
      yield { path: pathOfKey(key), row: this.#links.current(unpackDiskRow(value[0])) }
  }

  /** Rows after a path (exclusive; undefined: from the first), in the order of their keys, up to `limit`. */
  after(path: RelPath | undefined, limit: number): { path: RelPath; row: DiskRow }[] {
    const from = path === undefined ? FIRST_KEY : keyAfter(pathKey(path))
    return this.#rows
      .range(from, AFTER_LAST_KEY, limit)
      .map(({ key, value }) => ({ path: pathOfKey(key), row: this.#links.current(unpackDiskRow(value[0])) }))
  }

  /** Paths of files with these inodes whose rows know of one name only. Walks all rows, `chunk` at a time. */
  *singles(inodes: ReadonlySet<number>, chunk: number): Generator<RelPath[]> {
    let found: RelPath[] = []
    let count = 0
    for (const { key, value } of walk(this.#rows, chunk)) {
      const stat = statOfPacked(value[0])
      if (stat !== undefined && inodes.has(stat.ino) && stat.nlink === 1) found.push(pathOfKey(key))
      if (++count % chunk > 0) continue
      yield found
      found = []
    }
    yield found
  }

  /** The rows of paths directly inside a directory. */
  children(directory: RelPath | ''): { path: RelPath; row: DiskRow }[] {
    const { start, end } = childrenRange(directory)
    return this.#rows
      .range(start, end)
      .map(({ key, value }) => ({ path: pathOfKey(key), row: this.#links.current(unpackDiskRow(value[0])) }))
  }

  /** Paths directly inside a directory, in the order of their keys: after a path if one is given, up to `limit`. */
  inside(directory: RelPath | '', after: RelPath | undefined, limit: number): RelPath[] {
    const { start, end } = childrenRange(directory)
    const from = after === undefined ? start : keyAfter(pathKey(after))
    return this.#rows.range(from, end, limit).map(({ key }) => pathOfKey(key))
  }

  /** The pieces of the file at a path, in order. */
  layout(path: RelPath): Layout | undefined {
    const key = pathKey(path)
    return this.#layoutOf(key, this.#rows.get(key))
  }

  set(path: RelPath, row: DiskRow, layout: Layout | undefined): void {
    const key = pathKey(path)
    const stored = this.#rows.get(key)
    const was = stored === undefined ? undefined : unpackDiskRow(stored[0])
    if (was !== undefined) this.#count(path, was, -1)
    this.#count(path, row, 1)
    const before = this.#layoutOf(key, stored) ?? NO_LAYOUT
    const after = (heldFact(row).type === 'file' ? layout : undefined) ?? NO_LAYOUT
    const isApart = after.length > INLINE_LAYOUT_BYTES
    const written = this.#links.change(path, was, row, (other) => this.#written(other)) ?? row
    this.#rows.put(key, [packDiskRow(written), after.length === 0 ? 0 : isApart ? 1 : after])
    if (!before.equals(after)) {
      if (isApart) this.#layouts.put(key, after)
      else if (stored?.[1] === 1) this.#layouts.remove(key)
      this.#pieces.movePlaces(path, before, after)
    }
    this.#tellAbove(path, row)
  }

  remove(path: RelPath): void {
    const key = pathKey(path)
    const stored = this.#rows.get(key)
    if (stored === undefined) return
    const was = unpackDiskRow(stored[0])
    this.#count(path, was, -1)
    const layout = this.#layoutOf(key, stored)
    if (layout !== undefined) this.#pieces.movePlaces(path, layout, NO_LAYOUT)
    if (stored[1] === 1) this.#layouts.remove(key)
    this.#links.change(path, was, undefined, (other) => this.#written(other))
    this.#rows.remove(key)
    this.#tellAbove(path, undefined)
  }

  /**
   * Links to a file came or went by our own doing, and nothing else of it changed: `stat` is what it shows now. `path` is
   * one of its names that are still there; without it, one is known.
   */
  noteLinks(stat: DiskStat, path: RelPath | undefined = this.#links.freshName(stat.ino)): void {
    const row = path === undefined ? undefined : this.get(path)
    if (path === undefined || row?.stat === undefined || !isSameButLinks(row.stat, stat)) return
    const written = this.#written(path)!
    if (!isShared(written.stat) || stat.nlink === 1)
      return this.set(path, { ...row, stat }, this.layout(path))
    // A stale row says nothing about what the inode was like before.
    if (this.#links.isCurrent(written)) this.#links.setInode(stat)
  }

  /** A row as it is written (links.ts). */
  #written(path: RelPath): DiskRow | undefined {
    const stored = this.#rows.get(pathKey(path))
    return stored === undefined ? undefined : unpackDiskRow(stored[0])
  }

  #layoutOf(key: Buffer, stored: StoredRow | undefined): Layout | undefined {
    if (stored === undefined || stored[1] === 0) return undefined
    return stored[1] === 1 ? this.#layouts.get(key) : stored[1]
  }

  /** Whether a reader's change stays may be another by now. */
  recount(path: RelPath): void {
    this.#tellAbove(path, this.get(path))
  }

  #tellAbove(path: RelPath, row: DiskRow | undefined): void {
    const is = row !== undefined && isLiveDrift(row) && this.#stays(path, row)
    if (is === this.#staying.has(path)) return
    if (is) this.#staying.add(path)
    else this.#staying.delete(path)
    for (const directory of this.#countAbove(path, is ? 1 : -1)) this.#onDriftBelow(directory)
  }

  /** Returns the directories above a path for which this made a difference. */
  #countAbove(path: RelPath, sign: 1 | -1): RelPath[] {
    const turned: RelPath[] = []
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
      const before = this.#driftBelow.get(at) ?? 0
      if (before + sign === 0) this.#driftBelow.delete(at)
      else this.#driftBelow.set(at, before + sign)
      if (before === 0 || before + sign === 0) turned.push(at)
    }
    return turned
  }

  #count(path: RelPath, row: DiskRow, sign: 1 | -1): void {
    if (row.drift !== undefined) {
      if (sign === 1) this.#drifted.add(path)
      else this.#drifted.delete(path)
    }
    const fact = heldFact(row)
    if (fact.type === 'absent') return
    if (withheldBits(fact, row.stat) !== 0) {
      if (sign === 1) this.#withheld.add(path)
      else this.#withheld.delete(path)
    }
    if (row.lacks !== undefined && row.lacks !== 0) this.#countLacks(path, row.lacks, sign)
    const print = fingerprint(path, fact)
    if (sign === 1) this.#digest.add(print)
    else this.#digest.remove(print)
    this.releases.note(path, fact, print, sign)
    if (fact.type === 'file') {
      this.#files += sign
      this.#bytes += sign * fact.size
    }
  }

  #countLacks(path: RelPath, lacks: number, sign: 1 | -1): void {
    for (const what of LACK_NAMES) {
      if ((lacks & LACKS[what]) === 0) continue
      const lacking = this.#lacking.get(what)!
      lacking.count += sign
      if (sign === -1) lacking.examples.delete(path)
      else if (lacking.examples.size < EXAMPLES) lacking.examples.add(path)
    }
  }
}

/** Whether nothing but links can have come or gone between two stats of one inode. */
function isSameButLinks(a: DiskStat, b: DiskStat): boolean {
  return sameStat({ ...a, ctimeMs: b.ctimeMs }, b)
}

/** Whether a row stands for something that only a reader put there. */
function isLiveDrift({ drift }: DiskRow): boolean {
  return drift !== undefined && drift.fact.type !== 'absent'
}

/** What the disk really holds. */
function heldFact(row: DiskRow): Fact {
  return row.drift?.fact ?? row.applied.fact
}
