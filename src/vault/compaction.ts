// Brings space back: what is live in a pack that is mostly dead is written to the tail, and then the pack goes. Pack by
// pack, the emptiest first, so that never more than one pack's live part is there twice, and a full disk gets room soon.
// After a crash at any step each frame is in one pack or in both, and the later one counts (C2).
import { blake3 } from '../core/hash.js'
import type { ShareId } from '../core/ids.js'
import { type Catalog, samePlace } from './catalog.js'
import { contentsBytes, readContents } from './contents.js'
import {
  FRAME,
  FRAME_HEADER_BYTES,
  isFrameType,
  type NewFrame,
  PACK_HEADER_BYTES,
  packIdentity,
} from './frame.js'
import type { FrameReader } from './frame-reader.js'
import type { KeyedPlace, PackRow } from './frame-rows.js'
import { type PackStorage, packName, packNumber } from './pack-storage.js'
import { scanPack } from './scan.js'
import type { CompactionOptions, CompactionReport, Damaged } from './stored.js'
import type { Tail } from './tail.js'

export interface Compacting {
  readonly storage: PackStorage
  readonly catalog: Catalog
  readonly tail: Tail
  readonly reader: FrameReader
  readonly shareId: ShareId
  /** Nothing else writes while the body runs. */
  exclusive<T>(body: () => Promise<T>): Promise<T>
  /** Forgets frames that turned out not to hold, where they still stand. */
  forget(rows: readonly KeyedPlace[]): Promise<Damaged[]>
}

const MIN_DEAD_SHARE = 0.25
const MIN_DEAD_BYTES = 2 ** 20
/** Frames are moved in such portions: what is written to meanwhile waits no longer than for one. */
const PORTION_BYTES = 4 * 2 ** 20
const PORTION_FRAMES = 1024

/** Bytes of a pack that nothing needs; its header and its contents are needed as long as it is. */
export function deadBytesOf(packBytes: number, row: PackRow | undefined): number {
  const needed = PACK_HEADER_BYTES + (row?.live ?? 0) + contentsBytes(row?.frames ?? 0)
  return Math.max(0, packBytes - needed)
}

export async function compactPacks(
  compacting: Compacting,
  options: CompactionOptions,
): Promise<CompactionReport> {
  const { signal, maxPacks = Number.POSITIVE_INFINITY, pace } = options
  const report = { packs: 0, movedBytes: 0, freedBytes: 0, damaged: [] as Damaged[] }
  await endTail(compacting, options)
  for (const { number, bytes } of await duePacks(compacting, options)) {
    if (report.packs >= maxPacks || isStopped(signal)) break
    for (const portion of portionsOf(await liveIn(compacting, number, bytes))) {
      if (isStopped(signal)) return report
      const moved = await move(compacting, portion, report.damaged)
      report.movedBytes += moved
      await pace?.(moved)
    }
    // What the pack's contents do not name, and the index does.
    for (const portion of portionsOf(await leftIn(compacting, number)))
      report.movedBytes += await move(compacting, portion, report.damaged)
    await remove(compacting, number)
    report.packs++
    report.freedBytes += bytes
  }
  return report
}

function isDue(bytes: number, row: PackRow | undefined, options: CompactionOptions): boolean {
  const dead = deadBytesOf(bytes, row)
  const { minDeadBytes = MIN_DEAD_BYTES, minDeadShare = MIN_DEAD_SHARE } = options
  return dead > 0 && dead >= minDeadBytes && dead >= minDeadShare * bytes
}

/** A tail that is mostly dead is ended, so that its turn comes. */
async function endTail({ catalog, tail, exclusive }: Compacting, options: CompactionOptions): Promise<void> {
  if (isDue(tail.bytes, catalog.pack(tail.number), options)) await exclusive(() => tail.seal())
}

/** The emptiest first; of equals the oldest. */
async function duePacks(
  { storage, catalog, tail }: Compacting,
  options: CompactionOptions,
): Promise<{ number: number; bytes: number }[]> {
  const live = ({ number }: { number: number }): number => catalog.pack(number)?.live ?? 0
  return (await storage.list())
    .map(({ name, bytes }) => ({ number: packNumber(name) ?? 0, bytes }))
    .filter(({ number, bytes }) => {
      const row = catalog.pack(number)
      // Only what the index knows to its end: what it does not name may still count.
      return number > 0 && row?.covered === bytes && (number !== tail.number || tail.isSealed)
        ? isDue(bytes, row, options)
        : false
    })
    .sort((a, b) => live(a) - live(b) || a.number - b.number)
}

async function liveIn(
  { storage, catalog, shareId }: Compacting,
  number: number,
  bytes: number,
): Promise<KeyedPlace[]> {
  if (catalog.pack(number)?.live === 0) return []
  const identity = packIdentity(shareId, number)
  const name = packName(number)
  const frames: { key: Buffer; offset: number; length: number }[] =
    (await readContents(storage, name, identity, bytes)) ?? []
  if (frames.length === 0)
    for await (const found of scanPack(storage, name, identity, PACK_HEADER_BYTES, bytes))
      if (found.type === 'frame')
        frames.push({ key: found.key, offset: found.offset, length: found.payload.length })
  return frames
    .map(({ key, offset, length }) => ({ key, place: { pack: number, offset, length } }))
    .filter(({ key, place }) => samePlace(catalog.get(key), place))
}

/** Reads all rows, unless the counts say that there is none. */
async function leftIn({ catalog }: Compacting, number: number): Promise<KeyedPlace[]> {
  return catalog.pack(number)?.live === 0 ? [] : catalog.inPack(number)
}

function isStopped(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

function* portionsOf(rows: readonly KeyedPlace[]): Generator<KeyedPlace[]> {
  let portion: KeyedPlace[] = []
  let bytes = 0
  for (const row of rows) {
    portion.push(row)
    bytes += row.place.length
    if (bytes < PORTION_BYTES && portion.length < PORTION_FRAMES) continue
    yield portion
    portion = []
    bytes = 0
  }
  if (portion.length > 0) yield portion
}

/** Writes frames to the tail and points the index there; the bytes written. */
async function move(
  { catalog, tail, reader, exclusive, forget }: Compacting,
  rows: readonly KeyedPlace[],
  damaged: Damaged[],
): Promise<number> {
  const still = rows.filter(({ key, place }) => samePlace(catalog.get(key), place))
  const payloads = await reader.read(still)
  damaged.push(...(await forget(still.filter((_, i) => payloads[i] === undefined))))
  const sources = new Map<NewFrame, KeyedPlace>()
  still.forEach((row, i) => {
    const payload = payloads[i]
    if (payload !== undefined) sources.set(frameOf(row.key, payload), row)
  })
  await exclusive(() =>
    tail.write([...sources.keys()], (frame, place) => {
      // Dropped or written anew meanwhile: then the copy counts for nothing.
      if (samePlace(catalog.get(frame.key), sources.get(frame)!.place)) catalog.put(frame.key, place)
    }),
  )
  return [...sources.keys()].reduce((sum, { payload }) => sum + FRAME_HEADER_BYTES + payload.length, 0)
}

function frameOf(key: Buffer, payload: Buffer): NewFrame {
  const type = key[0]!
  if (!isFrameType(type)) throw new RangeError(`frame of type ${type}`)
  const digest = type === FRAME.piece || type === FRAME.certificate ? key.subarray(1) : blake3(payload)
  return { type, key, digest, payload }
}

async function remove({ storage, catalog, tail, exclusive }: Compacting, number: number): Promise<void> {
  await exclusive(async () => {
    const live = catalog.pack(number)?.live ?? 0
    if (live !== 0) throw new RangeError(`pack ${number} holds ${live} live bytes after all were moved`)
    await tail.beginAfter(number)
    await storage.remove(packName(number))
    catalog.transaction(() => catalog.removePack(number))
  })
}
