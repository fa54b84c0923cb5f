// What a disk says about one path, in the form that crosses threads and is kept in the index. It promises that two
// stats compare equal exactly when the file cannot have been touched between them as far as its inode can tell (A3),
// and that packing loses nothing. Reading a stat from a disk is the folder's business; here are only values.

/** What a path is. 'other' (fifo, socket, device) is never carried (A7). */
export type DiskType = 'file' | 'directory' | 'symlink' | 'other'

/** One lstat, from the form with numbers (not the bigint one, so that all parts round alike). */
export interface DiskStat {
  readonly type: DiskType
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number
  /** Bytes; a symlink's is the length of its target, a directory's means nothing. */
  readonly size: number
  /** Milliseconds since 1970 with fractions (about a quarter of a microsecond is kept), may be negative. */
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly ino: number
  readonly dev: number
  readonly nlink: number
  /** Numbers of this node's accounts, 0 to 2^32 - 2. */
  readonly uid: number
  readonly gid: number
}

/** The part of node's fs.Stats that is used; structural, so that the core imports no file system. */
export interface StatLike {
  readonly mode: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly ino: number
  readonly dev: number
  readonly nlink: number
  /** Numbers of this node's accounts, 0 to 2^32 - 2. */
  readonly uid: number
  readonly gid: number
}

/** The format bits of st_mode (stat(2), inode(7)). */
const FORMAT_MASK = 0o170000
const FORMAT_FILE = 0o100000
const FORMAT_DIRECTORY = 0o040000
const FORMAT_SYMLINK = 0o120000
const PERMISSION_MASK = 0o7777
const FORMATS = { file: FORMAT_FILE, directory: FORMAT_DIRECTORY, symlink: FORMAT_SYMLINK, other: 0 } as const

/** Numbers that one packed stat takes: st_mode with its format bits, then the other fields in their order above. */
export const STAT_FIELDS = 9

/** The kind of file that a raw st_mode tells. */
export function diskTypeOf(rawMode: number): DiskType {
  switch (rawMode & FORMAT_MASK) {
    case FORMAT_FILE:
      return 'file'
    case FORMAT_DIRECTORY:
      return 'directory'
    case FORMAT_SYMLINK:
      return 'symlink'
    default:
      return 'other'
  }
}

/** A DiskStat from what node's lstat or fstat returned. */
export function statOf(stats: StatLike): DiskStat {
  return {
    type: diskTypeOf(stats.mode),
    mode: stats.mode & PERMISSION_MASK,
    size: stats.size,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    ino: stats.ino,
    dev: stats.dev,
    nlink: stats.nlink,
    uid: stats.uid,
    gid: stats.gid,
  }
}

/**
 * Whether two stats are of one untouched file (A3). `dev` is left out, because it may change at a remount, and `nlink`
 * too: linking changes the ctime anyway.
 */
export function sameStat(a: DiskStat, b: DiskStat): boolean {
  return (
    a.type === b.type &&
    a.mode === b.mode &&
    a.size === b.size &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs &&
    a.ino === b.ino &&
    a.uid === b.uid &&
    a.gid === b.gid
  )
}

/**
 * The modification time in whole microseconds since 1970, as entries carry it; may be negative. File systems hold times
 * beyond what 53 bits of microseconds reach (the year 2255): those count as the last one that they do.
 */
export function mtimeUsOf(stat: DiskStat): number {
  const us = Math.round(stat.mtimeMs * 1000)
  return Math.min(Math.max(us, -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}

/** Writes a stat, node's or ours, as the `index`th of a packed array, which must have room for it. */
export function packStat(packed: Float64Array, index: number, stats: StatLike | DiskStat): void {
  const at = index * STAT_FIELDS
  packed[at] = 'type' in stats ? FORMATS[stats.type] | stats.mode : stats.mode
  packed[at + 1] = stats.size
  packed[at + 2] = stats.mtimeMs
  packed[at + 3] = stats.ctimeMs
  packed[at + 4] = stats.ino
  packed[at + 5] = stats.dev
  packed[at + 6] = stats.nlink
  packed[at + 7] = stats.uid
  packed[at + 8] = stats.gid
}

/** Reads the `index`th packed stat; RangeError beyond the end. */
export function unpackStat(packed: Float64Array, index: number): DiskStat {
  const at = index * STAT_FIELDS
  if (!Number.isInteger(index) || index < 0 || at + STAT_FIELDS > packed.length)
    throw new RangeError(`no stat at ${index} of ${packed.length / STAT_FIELDS}`)
  const rawMode = packed[at]!
  return {
    type: diskTypeOf(rawMode),
    mode: rawMode & PERMISSION_MASK,
    size: packed[at + 1]!,
    mtimeMs: packed[at + 2]!,
    ctimeMs: packed[at + 3]!,
    ino: packed[at + 4]!,
    dev: packed[at + 5]!,
    nlink: packed[at + 6]!,
    uid: packed[at + 7]!,
    gid: packed[at + 8]!,
  }
}

/** The type of the `index`th packed stat without building the rest; for walks over many names. */
export function packedTypeAt(packed: Float64Array, index: number): DiskType {
  return diskTypeOf(packed[index * STAT_FIELDS] ?? 0)
}
