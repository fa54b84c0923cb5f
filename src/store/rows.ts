// The shapes of rows, packed as arrays: half a million paths are kept, and field names in each row would double them.
// A path is not repeated in its row, it is the key. Private to the store; a change of a shape changes STORE_FORMAT.
import { DRIFT_KINDS, type DriftKind } from '../core/drift.js'
import type { Entry, Extra } from '../core/entry.js'
import { NO_EXTRA } from '../core/entry.js'
import { ABSENT, type Fact } from '../core/fact.js'
import type { WriterId } from '../core/ids.js'
import type { Applied, Intent } from '../core/local.js'
import type { Heads } from '../core/merge.js'
import type { RelPath } from '../core/path.js'
import type { DiskStat } from '../core/stat.js'
import type { Version } from '../core/version.js'

/** Changes with every change of a row's shape; an index of another format is thrown away and built anew. */
export const STORE_FORMAT = 7

type PackedVersion = (string | number)[]
type PackedExtra = (number | Buffer)[] | 0
type PackedEntry = unknown[]

/** Writer and counter in turn. */
export function packVersion(version: Version): PackedVersion {
  return flatPairs<string | number>(version)
}

/** What Array.flat() gives for pairs, which takes several times as long. */
function flatPairs<T>(pairs: readonly (readonly [T, T])[]): T[] {
  const flat: T[] = []
  for (const pair of pairs) flat.push(pair[0], pair[1])
  return flat
}

export function unpackVersion(packed: PackedVersion): Version {
  const version: [WriterId, number][] = []
  for (let i = 0; i < packed.length; i += 2) version.push([packed[i] as WriterId, packed[i + 1] as number])
  return version
}

function packExtra(extra: Extra): PackedExtra {
  return extra.length === 0 ? 0 : flatPairs<number | Buffer>(extra)
}

function unpackExtra(packed: PackedExtra): Extra {
  if (packed === 0) return NO_EXTRA
  const extra: [number, Buffer][] = []
  for (let i = 0; i < packed.length; i += 2) extra.push([packed[i] as number, packed[i + 1] as Buffer])
  return extra
}

const KINDS = ['tombstone', 'file', 'directory', 'symlink'] as const

export function packHeads(heads: Heads): PackedEntry[] {
  return heads.map(packEntry)
}

function packEntry(entry: Entry): PackedEntry {
  const base = [
    KINDS.indexOf(entry.type),
    packVersion(entry.version),
    entry.author,
    entry.origin === entry.author ? 0 : entry.origin,
    packExtra(entry.extra),
    entry.mtimeUs,
  ]
  switch (entry.type) {
    case 'tombstone':
      return entry.was === undefined ? base : [...base, entry.was.mode, entry.was.mtimeUs]
    case 'file':
      return [
        ...base,
        entry.mode,
        entry.size,
        entry.content,
        entry.pieces.flatMap((run) => [run.first, run.count]),
      ]
    case 'directory':
      return [...base, entry.mode]
    case 'symlink':
      return [...base, entry.target]
  }
}

export function unpackHeads(path: RelPath, packed: PackedEntry[]): Heads {
  return packed.map((row) => unpackEntry(path, row))
}

// Field by field, without spreading: this runs for every path of every batch.
function unpackEntry(path: RelPath, row: PackedEntry): Entry {
  const version = unpackVersion(row[1] as PackedVersion)
  const author = row[2] as WriterId
  const origin = row[3] === 0 ? author : (row[3] as WriterId)
  const extra = unpackExtra(row[4] as PackedExtra)
  const mtimeUs = row[5] as number
  switch (KINDS[row[0] as number]!) {
    case 'tombstone': {
      const was = row.length > 6 ? { mode: row[6] as number, mtimeUs: row[7] as number } : undefined
      return { type: 'tombstone', path, version, author, origin, extra, mtimeUs, was }
    }
    case 'file': {
      const flat = row[9] as number[]
      const pieces = []
      for (let i = 0; i < flat.length; i += 2) pieces.push({ first: flat[i]!, count: flat[i + 1]! })
      const mode = row[6] as number
      const size = row[7] as number
      const content = row[8] as Buffer
      return { type: 'file', path, version, author, origin, extra, mtimeUs, mode, size, content, pieces }
    }
    case 'directory':
      return { type: 'directory', path, version, author, origin, extra, mtimeUs, mode: row[6] as number }
    case 'symlink':
      return { type: 'symlink', path, version, author, origin, extra, mtimeUs, target: row[6] as string }
  }
}

type PackedFact = unknown[]

function packFact(fact: Fact): PackedFact {
  switch (fact.type) {
    case 'absent':
      return [0]
    case 'file':
      return [1, packExtra(fact.extra), fact.mtimeUs, fact.mode, fact.size, fact.content]
    case 'directory':
      return [2, packExtra(fact.extra), fact.mtimeUs, fact.mode]
    case 'symlink':
      return [3, packExtra(fact.extra), fact.mtimeUs, fact.target]
  }
}

function unpackFact(row: PackedFact): Fact {
  if (row[0] === 0) return ABSENT
  const base = { extra: unpackExtra(row[1] as PackedExtra), mtimeUs: row[2] as number }
  switch (row[0]) {
    case 1:
      return {
        type: 'file',
        ...base,
        mode: row[3] as number,
        size: row[4] as number,
        content: row[5] as Buffer,
      }
    case 2:
      return { type: 'directory', ...base, mode: row[3] as number }
    default:
      return { type: 'symlink', ...base, target: row[3] as string }
  }
}

/** What this device knows of its own disk at a path. */
export interface DiskRow {
  readonly applied: Applied
  /** The stat that goes with `applied.fact` (or with `drift.fact`); undefined for an absent path. */
  readonly stat: DiskStat | undefined
  /** A reader's local change: what the disk really holds, while `applied` stays what the share said last. */
  readonly drift: Drift | undefined
  /** Marks of the attributes that go with `stat` (core/shown.ts); undefined: never looked at, or there can be none. */
  readonly shown?: Buffer | undefined
  /** What the disk does not have of what `applied` says, as bits of LACKS (core/metadata.ts); 0 unless told. */
  readonly lacks?: number
}

export interface Drift {
  /** All that differs. */
  readonly kinds: readonly DriftKind[]
  /** When the path was first found to differ, milliseconds since 1970. */
  readonly sinceMs: number
  readonly fact: Fact
}

const STAT_KINDS = ['file', 'directory', 'symlink', 'other'] as const

export function packDiskRow(row: DiskRow): unknown[] {
  const { stat, drift } = row
  const packedStat =
    stat === undefined
      ? 0
      : [
          STAT_KINDS.indexOf(stat.type),
          stat.mode,
          stat.size,
          stat.mtimeMs,
          stat.ctimeMs,
          stat.ino,
          stat.dev,
          stat.nlink,
          stat.uid,
          stat.gid,
        ]
  const packed: unknown[] = [packVersion(row.applied.version), packFact(row.applied.fact), packedStat]
  const { shown, lacks = 0 } = row
  const hasDress = shown !== undefined || lacks !== 0
  if (drift !== undefined) packed.push(packKinds(drift.kinds), drift.sinceMs, packFact(drift.fact))
  else if (hasDress) packed.push(0, 0, 0)
  if (hasDress) packed.push(shown === undefined ? 0 : shown.length === 1 ? shown[0] : shown, lacks)
  return packed
}

export function unpackDiskRow(row: unknown[]): DiskRow {
  const stat = row[2] as number[] | 0
  return {
    applied: { version: unpackVersion(row[0] as PackedVersion), fact: unpackFact(row[1] as PackedFact) },
    stat: stat === 0 ? undefined : unpackStatRow(stat),
    drift:
      row.length > 3 && row[3] !== 0
        ? {
            kinds: unpackKinds(row[3] as number),
            sinceMs: row[4] as number,
            fact: unpackFact(row[5] as PackedFact),
          }
        : undefined,
    ...(row.length > 6 ? unpackDress(row[6] as Buffer | number, row[7] as number) : {}),
  }
}

/** A bit each. */
function packKinds(kinds: readonly DriftKind[]): number {
  return kinds.reduce((bits, kind) => bits | (1 << DRIFT_KINDS.indexOf(kind)), 0)
}

function unpackKinds(bits: number): DriftKind[] {
  return DRIFT_KINDS.filter((_, at) => (bits & (1 << at)) !== 0)
}

/** Marks of one byte, by far the commonest, are kept as that number; none has the value 0. */
const SHORT_MARKS = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte))

function unpackDress(shown: Buffer | number, lacks: number): Pick<DiskRow, 'shown' | 'lacks'> {
  return { shown: typeof shown !== 'number' ? shown : shown === 0 ? undefined : SHORT_MARKS[shown]!, lacks }
}

/** The stat of a packed row; undefined without one. For those who need no more. */
export function unpackStatOf(row: unknown[]): DiskStat | undefined {
  const stat = row[2] as number[] | 0
  return stat === 0 ? undefined : unpackStatRow(stat)
}

/** The inode and the links of a packed row's stat; undefined without one. For walks that need no more. */
export function statOfPacked(row: unknown[]): { readonly ino: number; readonly nlink: number } | undefined {
  const stat = row[2] as number[] | 0
  return stat === 0 ? undefined : { ino: stat[5]!, nlink: stat[7]! }
}

function unpackStatRow(stat: number[]): DiskStat {
  return {
    type: STAT_KINDS[stat[0]!]!,
    mode: stat[1]!,
    size: stat[2]!,
    mtimeMs: stat[3]!,
    ctimeMs: stat[4]!,
    ino: stat[5]!,
    dev: stat[6]!,
    nlink: stat[7]!,
    uid: stat[8]!,
    gid: stat[9]!,
  }
}

export function packIntents(intents: readonly (Intent & { readonly path: RelPath })[]): unknown[] {
  return intents.map((intent) => [intent.path, packVersion(intent.version), packFact(intent.fact)])
}

export function unpackIntents(rows: unknown[]): (Intent & { readonly path: RelPath })[] {
  return (rows as unknown[][]).map((row) => ({
    path: row[0] as RelPath,
    version: unpackVersion(row[1] as PackedVersion),
    fact: unpackFact(row[2] as PackedFact),
  }))
}
