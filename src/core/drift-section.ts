// What a report says of a device's drift (docs/design.md, "Report v1"): how many paths differ from the share, and as many
// of them as fit, with what is different, since when, and why that is accepted where somebody has said so.
//
//   total (varint), open (varint): paths that differ, and those of them that nobody has acknowledged
//   count (varint, at most 4096), each, ascending by the bytes of the path:
//     length, path; kinds (varint, below 2^16): a bit each, as numbered in drift.ts; since (varint): milliseconds since 1970
//     flags (u8): 1 the share is to be restored here, 2 acknowledged; then, as the flags say,
//     restores so far (varint), not before (varint): milliseconds since 1970, 0 if nothing holds it up
//     length, acknowledgement (1 to 2048 bytes, signed; its own format)
import { ByteReader, ByteWriter } from './bytes.js'
import { DRIFT_KINDS, type DriftKind } from './drift.js'
import { invariant } from './error.js'
import { MAX_PATH_BYTES, parsePath, type RelPath } from './path.js'
import { MAX_TIME_MS } from './record-public.js'
import { Malformed } from './violation.js'

/** More are counted, not listed. */
export const MAX_DRIFT_ITEMS = 4096
/** What fitDrift keeps to, so that the other sections of a report have room. About 2,500 paths of 50 bytes. */
export const MAX_DRIFT_BYTES: number = 160 * 1024
/** Room for acknowledgements of later versions. */
const MAX_ACKNOWLEDGED_BYTES = 2048

export interface DriftSection {
  /** All paths that differ, listed or not. */
  readonly total: number
  /** Those of them that nobody has acknowledged. */
  readonly open: number
  /** Ascending by the bytes of the path, each path once. */
  readonly items: readonly DriftItem[]
}

export interface DriftItem {
  readonly path: RelPath
  /** A bit for each of DRIFT_KINDS by its place there, and perhaps others of later versions; not 0. */
  readonly kinds: number
  readonly sinceMs: number
  /** If the share's version is to be put back here. */
  readonly restore: { readonly times: number; readonly notBeforeMs: number } | undefined
  /** As signed (core/acknowledgement.ts); undefined: open. */
  readonly acknowledgement: Buffer | undefined
}

const RESTORE = 1
const ACKNOWLEDGED = 2

/** The bits of some kinds. */
export function bitsOfKinds(kinds: Iterable<DriftKind>): number {
  let bits = 0
  for (const kind of kinds) bits |= 1 << DRIFT_KINDS.indexOf(kind)
  return bits
}

/** The kinds of some bits; 'other' stands for what a later version has added. */
export function kindsOfBits(bits: number): (DriftKind | 'other')[] {
  const kinds: (DriftKind | 'other')[] = DRIFT_KINDS.filter((_, at) => (bits & (1 << at)) !== 0)
  return bits >> DRIFT_KINDS.length === 0 ? kinds : [...kinds, 'other']
}

/**
 * The section for these items, each path once, in any order: as many as fit, first what is open, then the newest. `total`
 * and `open` count all of them.
 */
export function fitDrift(items: readonly DriftItem[]): DriftSection {
  const open = items.filter(({ acknowledgement }) => acknowledgement === undefined).length
  const ranked = [...items].sort(
    (a, b) =>
      Number(a.acknowledgement !== undefined) - Number(b.acknowledgement !== undefined) ||
      b.sinceMs - a.sinceMs ||
      comparePaths(a.path, b.path),
  )
  const kept: DriftItem[] = []
  let bytes = 0
  for (const item of ranked) {
    bytes += itemBytes(item)
    if (bytes > MAX_DRIFT_BYTES || kept.length === MAX_DRIFT_ITEMS) break
    kept.push(item)
  }
  return { total: items.length, open, items: kept.sort((a, b) => comparePaths(a.path, b.path)) }
}

/** The bytes of a section. An invariant fails for what readDrift would refuse. */
export function driftBytes({ total, open, items }: DriftSection): Buffer {
  invariant(open <= total && items.length <= total, 'a drift section counts all that it lists')
  invariant(items.length <= MAX_DRIFT_ITEMS, 'a drift section has at most MAX_DRIFT_ITEMS')
  const writer = new ByteWriter(1024).uint(total).uint(open).uint(items.length)
  let before: RelPath | undefined
  for (const item of items) {
    invariant(
      before === undefined || comparePaths(before, item.path) < 0,
      'the paths of a drift section ascend',
    )
    before = item.path
    writeItem(writer, item)
  }
  return writer.finish()
}

/** Reads a whole section; Malformed if it is not one. */
export function readDrift(bytes: Buffer): DriftSection {
  const reader = new ByteReader(bytes)
  const total = reader.uint()
  const open = reader.uintUpTo(total, 'count of open drift')
  const count = reader.uintUpTo(Math.min(total, MAX_DRIFT_ITEMS), 'count of listed drift')
  const items: DriftItem[] = []
  for (let i = 0; i < count; i++) {
    const item = readItem(reader)
    const before = items.at(-1)
    if (before !== undefined && comparePaths(before.path, item.path) >= 0)
      throw new Malformed('not-canonical', 'the paths of a drift section do not ascend')
    items.push(item)
  }
  reader.end()
  return { total, open, items }
}

function writeItem(writer: ByteWriter, { path, kinds, sinceMs, restore, acknowledgement }: DriftItem): void {
  invariant(kinds > 0 && kinds <= 0xffff, 'drift has kinds')
  invariant(sinceMs <= MAX_TIME_MS, 'the time of drift is at most MAX_TIME_MS')
  const length = acknowledgement?.length ?? 1
  invariant(length > 0 && length <= MAX_ACKNOWLEDGED_BYTES, 'an acknowledgement has 1 to 2048 bytes')
  const flags = (restore === undefined ? 0 : RESTORE) | (acknowledgement === undefined ? 0 : ACKNOWLEDGED)
  writer.text(path).uint(kinds).uint(sinceMs).u8(flags)
  if (restore !== undefined) {
    invariant(restore.notBeforeMs <= MAX_TIME_MS, 'the time of a restore is at most MAX_TIME_MS')
    writer.uint(restore.times).uint(restore.notBeforeMs)
  }
  if (acknowledgement !== undefined) writer.bytes(acknowledgement)
}

function readItem(reader: ByteReader): DriftItem {
  const path = parsePath(reader.text(MAX_PATH_BYTES, 'path'))
  const kinds = reader.uintUpTo(0xffff, 'kinds of drift')
  if (kinds === 0) throw new Malformed('bad-drift', 'drift of no kind')
  const sinceMs = reader.uintUpTo(MAX_TIME_MS, 'time of drift')
  const flags = reader.u8()
  if (flags > (RESTORE | ACKNOWLEDGED)) throw new Malformed('bad-drift', `drift with flags ${flags}`)
  const restore =
    (flags & RESTORE) === 0
      ? undefined
      : { times: reader.uint(), notBeforeMs: reader.uintUpTo(MAX_TIME_MS, 'time of a restore') }
  let acknowledgement: Buffer | undefined
  if ((flags & ACKNOWLEDGED) !== 0) {
    acknowledgement = Buffer.from(reader.bytes(MAX_ACKNOWLEDGED_BYTES, 'acknowledgement'))
    if (acknowledgement.length === 0) throw new Malformed('bad-drift', 'empty acknowledgement')
  }
  return { path, kinds, sinceMs, restore, acknowledgement }
}

/** At most what writeItem writes: varints of a time take 7 bytes, those of lengths and kinds 3, of a count 8. */
function itemBytes({ path, restore, acknowledgement }: DriftItem): number {
  const more =
    (restore === undefined ? 0 : 15) + (acknowledgement === undefined ? 0 : acknowledgement.length + 3)
  return Buffer.byteLength(path) + 14 + more
}

function comparePaths(a: RelPath, b: RelPath): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
