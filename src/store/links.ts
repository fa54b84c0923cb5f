// Which paths of this disk are names of one inode, and which belong to one link group (core/link-group.ts): what a row of a
// file with more than one link says, the other way round. Only such files are here; a share without any has no rows.
//
// Every link that comes or goes changes the ctime of the inode, and with that the stat of all its names. What the rows of
// those that were looked at alike have in common is therefore kept once, under the inode: such a row keeps the ctime it
// was first written with (its epoch), and the inode says what an untouched name shows now. So one link more or less is one
// row, not one for each name. A look that finds another content or other metadata begins a new epoch: the other names
// are then as good as touched, until each was looked at.
//
// Keys: "i", inode: epoch, ctime, nlink, a path of the epoch. "n", inode, path: group. "g", group, path: nothing.
import { groupOf } from '../core/link-group.js'
import type { RelPath } from '../core/path.js'
import type { DiskStat } from '../core/stat.js'
import type { DiskRow } from './rows.js'
import { AFTER_LAST_KEY, type Database, keyAfter, pathKey, pathOfKey, type Table } from './tables.js'

/** The epoch is the ctime, in milliseconds, of the look that it began with. */
type InodeRow = [epoch: number, ctimeMs: number, nlink: number, path: RelPath]
type LinkRow = InodeRow | Buffer | 0

const INO_BYTES = 9
const GROUP_BYTES = 17

/** One name of an inode. */
export interface LinkedName {
  readonly path: RelPath
  /** The group that its row says it is in; undefined: none. */
  readonly group: Buffer | undefined
}

/** Reads the row that is written at a path, as it is written; the table needs it for a name of the same epoch. */
export type ReadRow = (path: RelPath) => DiskRow | undefined

export class LinkTable {
  readonly #table: Table<LinkRow>
  #dirty = new Set<number>()

  constructor(database: Database, prefix: string) {
    this.#table = database.table(`${prefix}links`)
  }

  /** Names of an inode that this disk's rows know, in key order, up to `limit`, after a path (exclusive). */
  names(ino: number, limit?: number, after?: RelPath): LinkedName[] {
    const start = inoKey('n', ino)
    const from = after === undefined ? start : keyAfter(Buffer.concat([start, pathKey(after)]))
    return this.#table.range(from, Buffer.concat([start, AFTER_LAST_KEY]), limit).map(({ key, value }) => ({
      path: pathOfKey(key.subarray(INO_BYTES)),
      group: Buffer.isBuffer(value) ? value : undefined,
    }))
  }

  /** A name whose row shows what the inode was when it was last looked at, most likely; undefined for an unknown inode. */
  freshName(ino: number): RelPath | undefined {
    return this.#inode(ino)?.[3]
  }

  /** Whether an inode has a known name besides this path. */
  hasOther(ino: number, path: RelPath): boolean {
    return this.names(ino, 2).some((name) => name.path !== path)
  }

  /** Paths whose row says that they are in a group, in key order. */
  inGroup(group: Buffer): RelPath[] {
    const start = groupKey(group)
    return this.#table
      .range(start, Buffer.concat([start, AFTER_LAST_KEY]))
      .map(({ key }) => pathOfKey(key.subarray(GROUP_BYTES)))
  }

  /** Inodes with names, ascending, after one (exclusive), up to `limit`. */
  inodes(after: number | undefined, limit: number): number[] {
    const from = after === undefined ? Buffer.from('i') : keyAfter(inoKey('i', after))
    return this.#table.range(from, Buffer.from('j'), limit).map(({ key }) => inoOf(key))
  }

  /** Inodes whose names, or what is said of their groups, changed since the last call. */
  takeDirty(): Set<number> {
    const dirty = this.#dirty
    this.#dirty = new Set()
    return dirty
  }

  get hasDirty(): boolean {
    return this.#dirty.size > 0
  }

  /** A row as it is now: with the stat that an untouched name of its inode shows. */
  current(row: DiskRow): DiskRow {
    const { stat } = row
    if (!isShared(stat)) return row
    const inode = this.#inode(stat.ino)
    if (inode === undefined || inode[0] !== stat.ctimeMs) return row
    return { ...row, stat: { ...stat, ctimeMs: inode[1], nlink: inode[2] } }
  }

  /** How many links an inode had when it was last looked at; 0 if it is not known. */
  countOf(ino: number): number {
    return this.#inode(ino)?.[2] ?? 0
  }

  /** Whether a row, as it is, shows what its inode was when it was last looked at. */
  isUpToDate(row: DiskRow | undefined): boolean {
    return row?.stat !== undefined && this.#inode(row.stat.ino)?.[1] === row.stat.ctimeMs
  }

  /** Whether a row, as it is written, is of its inode's epoch. */
  isCurrent({ stat }: DiskRow): boolean {
    return stat !== undefined && this.#inode(stat.ino)?.[0] === stat.ctimeMs
  }

  /**
   * A path's row changes from `was`, as it is written, to `row`. Returns the row to write. `read` gives rows as they are
   * written.
   */
  change(
    path: RelPath,
    was: DiskRow | undefined,
    row: DiskRow | undefined,
    read: ReadRow,
  ): DiskRow | undefined {
    const before = isShared(was?.stat) ? was.stat.ino : undefined
    const after = isShared(row?.stat) ? row.stat.ino : undefined
    const groupBefore = was === undefined ? undefined : groupOf(was.applied.fact)
    const group = row === undefined ? undefined : groupOf(row.applied.fact)
    if (groupBefore !== undefined && (group === undefined || !group.equals(groupBefore)))
      this.#table.remove(Buffer.concat([groupKey(groupBefore), pathKey(path)]))
    if (group !== undefined && (groupBefore === undefined || !group.equals(groupBefore)))
      this.#table.put(Buffer.concat([groupKey(group), pathKey(path)]), 0)
    let written = row
    if (after !== undefined) {
      written = this.#join(path, row!, read)
      const key = Buffer.concat([inoKey('n', after), pathKey(path)])
      if (before !== after || !isSameGroup(group, groupBefore)) this.#table.put(key, group ?? 0)
    }
    if (before !== undefined && before !== after) this.#leave(path, before, read)
    if (before !== undefined) this.#dirty.add(before)
    if (after !== undefined) this.#dirty.add(after)
    return written
  }

  /** What an inode with names is now, by our own doing: links came or went, and nothing else. */
  setInode({ ino, ctimeMs, nlink }: DiskStat): void {
    const inode = this.#inode(ino)
    if (inode !== undefined) this.#table.put(inoKey('i', ino), [inode[0], ctimeMs, nlink, inode[3]])
  }

  /** The row with the epoch that it belongs to. */
  #join(path: RelPath, row: DiskRow, read: ReadRow): DiskRow {
    const stat = row.stat!
    const key = inoKey('i', stat.ino)
    const inode = this.#inode(stat.ino)
    if (inode !== undefined && (inode[1] === stat.ctimeMs || this.#isSameAsOthers(path, row, inode, read))) {
      if (inode[1] !== stat.ctimeMs || inode[2] !== stat.nlink)
        this.#table.put(key, [inode[0], stat.ctimeMs, stat.nlink, path])
      return { ...row, stat: { ...stat, ctimeMs: inode[0] } }
    }
    this.#table.put(key, [stat.ctimeMs, stat.ctimeMs, stat.nlink, path])
    return row
  }

  /** Whether a name of the epoch, maybe the path itself, held the very same before: then only links came or went. */
  #isSameAsOthers(path: RelPath, row: DiskRow, [epoch, , , fresh]: InodeRow, read: ReadRow): boolean {
    const { ino } = row.stat!
    const other = [path, fresh].find((name) => isOfEpoch(read(name), ino, epoch))
    return other !== undefined && isSameFile(read(other)!, row)
  }

  #leave(path: RelPath, ino: number, read: ReadRow): void {
    this.#table.remove(Buffer.concat([inoKey('n', ino), pathKey(path)]))
    const inode = this.#inode(ino)
    if (inode?.[3] !== path) return
    const [epoch, ctimeMs, nlink] = inode
    const left = this.names(ino, OTHERS)
    const next = left.find((name) => isOfEpoch(read(name.path), ino, epoch)) ?? left[0]
    if (next === undefined) this.#table.remove(inoKey('i', ino))
    else this.#table.put(inoKey('i', ino), [epoch, ctimeMs, nlink, next.path])
  }

  #inode(ino: number): InodeRow | undefined {
    return this.#table.get(inoKey('i', ino)) as InodeRow | undefined
  }
}

/** Names looked at to find one of an epoch. A stale one is soon looked at, so the first ones mostly are of it. */
const OTHERS = 8

/** Whether a stat is of a file that has more than one name. */
export function isShared(stat: DiskStat | undefined): stat is DiskStat {
  return stat !== undefined && stat.type === 'file' && stat.nlink > 1
}

function isOfEpoch(row: DiskRow | undefined, ino: number, epoch: number): boolean {
  return row?.stat?.ino === ino && row.stat.ctimeMs === epoch
}

/** Whether two rows tell of one file with the same content and metadata. */
function isSameFile(a: DiskRow, b: DiskRow): boolean {
  const [one, other] = [a.stat!, b.stat!]
  const [held, now] = [a.drift?.fact ?? a.applied.fact, b.drift?.fact ?? b.applied.fact]
  return (
    held.type === 'file' &&
    now.type === 'file' &&
    held.content.equals(now.content) &&
    one.size === other.size &&
    one.mtimeMs === other.mtimeMs &&
    one.mode === other.mode &&
    one.uid === other.uid &&
    one.gid === other.gid
  )
}

function isSameGroup(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}

function inoKey(kind: 'i' | 'n', ino: number): Buffer {
  const key = Buffer.allocUnsafe(INO_BYTES)
  key.write(kind, 'latin1')
  key.writeBigUInt64BE(BigInt(ino), 1)
  return key
}

function inoOf(key: Buffer): number {
  return Number(key.readBigUInt64BE(1))
}

function groupKey(group: Buffer): Buffer {
  return Buffer.concat([Buffer.from('g'), group])
}
