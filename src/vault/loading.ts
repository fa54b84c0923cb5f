// Brings the index of a vault in step with its packs: what was written last before a power cut, packs that came or went,
// all of it where the index was lost. The newest pack is read and proved as a whole: a crash while it was written leaves a
// torn end, which goes.
import { ShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import { type Catalog, isLater } from './catalog.js'
import { type FrameAt, type PackContents, readContents } from './contents.js'
import { PACK_HEADER_BYTES, type PackIdentity, packIdentity, readPackHeader } from './frame.js'
import type { KeyedPlace } from './frame-rows.js'
import { type PackStorage, packName, packNumber } from './pack-storage.js'
import { scanPack } from './scan.js'
import { isUnreadable } from './storage-error.js'
import type { TailState } from './tail.js'
import { ROWS_A_TURN, turn } from './turn.js'

interface Loading {
  readonly storage: PackStorage
  readonly catalog: Catalog
  readonly shareId: ShareId
  readonly log: Log
  /** Ends it: what is loaded by then is. */
  readonly signal?: AbortSignal | undefined
}

export interface Loaded {
  readonly tail: TailState
  /** Keys of what was here and is not whole, or not here any more. */
  readonly damaged: readonly Buffer[]
  /** Packs that are there and cannot be read, a line for each: what is in them is as if it was not here. */
  readonly unreadable: readonly string[]
  /** Bytes that do not hold, in the packs that were read as a whole. */
  readonly damagedBytes: number
  /**
   * The newest pack there is, where it is full and the index did not know that it is the newest: a pack is sealed when the next is
   * begun, so that one was lost or left behind, unless a crash came between the two.
   */
  readonly fullNewest: number | undefined
}

/** Contents read at the same time: a bucket is far away. Those of a pack of small pieces take 3 MB each. */
const AT_ONCE = 2

/** Reads what the index does not know, in slices. SHARE_UNUSABLE for a pack of another share; rejects as PackStorage does, and with the signal's reason. */
export async function loadPacks(loading: Loading): Promise<Loaded> {
  const { storage, catalog, signal } = loading
  const packs = (await storage.list())
    .flatMap(({ name, bytes }) => {
      const number = packNumber(name)
      return number === undefined ? [] : [{ number, bytes }]
    })
    .sort((a, b) => a.number - b.number)
  const last = packs.at(-1)
  const isKnownNewest = last !== undefined && catalog.pack(last.number)?.covered === last.bytes
  const damaged = await forgetMissing(loading, new Map(packs.map(({ number, bytes }) => [number, bytes])))
  const unknown = packs.filter((pack) => pack === last || catalog.pack(pack.number)?.covered !== pack.bytes)
  let tail: TailState | undefined
  const unreadable: string[] = []
  let damagedBytes = 0
  for (let at = 0; at < unknown.length; at += AT_ONCE) {
    const some = unknown.slice(at, at + AT_ONCE)
    const contents = await Promise.all(some.map(({ number, bytes }) => contentsOf(loading, number, bytes)))
    signal?.throwIfAborted()
    for (const [i, pack] of some.entries()) {
      const frames = contents[i]
      if (frames !== undefined) {
        await enter(loading, pack.number, frames, pack.bytes)
        if (pack === last) tail = { ...pack, isSealed: true, frames: [] }
        continue
      }
      try {
        const found = await loadByScan(loading, pack.number, pack.bytes, pack === last)
        damaged.push(...found.damaged)
        damagedBytes += found.damagedBytes
        if (pack === last) tail = found.tail
      } catch (thrown) {
        if (!isUnreadable(thrown)) throw thrown
        loading.log.warn({ pack: pack.number, err: thrown }, 'a pack of the vault cannot be read')
        unreadable.push(thrown.message)
        damaged.push(...(await forgetPack(loading, pack.number)))
        // Nothing is written under a name that something else has.
        if (pack === last) tail = { number: pack.number + 1, bytes: 0, isSealed: false, frames: [] }
      }
    }
  }
  tail ??= { number: 1, bytes: 0, isSealed: false, frames: [] }
  const gone = damaged.filter((key) => catalog.get(key) === undefined)
  const fullNewest = tail.isSealed && !isKnownNewest ? tail.number : undefined
  return { tail, unreadable, damaged: gone, damagedBytes, fullNewest }
}

async function contentsOf(
  { storage, shareId }: Loading,
  number: number,
  bytes: number,
): Promise<PackContents | undefined> {
  const identity = packIdentity(shareId, number)
  const name = packName(number)
  if (bytes < PACK_HEADER_BYTES) return undefined
  try {
    return await readContents(storage, name, identity, bytes)
  } catch (thrown) {
    // Scanning it fails the same way, and tells.
    if (isUnreadable(thrown)) return undefined
    throw thrown
  }
}

/** Rows of packs that are gone, or shorter than they were; the keys of those rows. */
export async function forgetMissing(
  loading: Loading,
  bytesOf: ReadonlyMap<number, number>,
): Promise<Buffer[]> {
  const { catalog, log } = loading
  const lost: Buffer[] = []
  for (const [number, { covered }] of [...catalog.packs()]) {
    const bytes = bytesOf.get(number)
    if (bytes !== undefined && bytes >= covered) continue
    const keys = await forgetPack(loading, number)
    if (keys.length > 0) log.warn({ pack: number, frames: keys.length }, 'a pack of the vault is not there')
    lost.push(...keys)
  }
  return lost
}

/** Removes the rows of a pack; their keys. */
async function forgetPack(loading: Loading, number: number): Promise<Buffer[]> {
  const { catalog, signal } = loading
  const live = catalog.pack(number)?.live ?? 0
  const rows = live === 0 ? [] : await catalog.inPack(number, signal)
  await removeRows(loading, rows, () => catalog.removePack(number))
  return rows.map(({ key }) => key)
}

/** Removes rows in slices; `end` is part of the last: what is interrupted is found again. */
async function removeRows(
  { catalog, signal }: Loading,
  rows: readonly KeyedPlace[],
  end: () => void,
): Promise<void> {
  for (let at = 0; ; at += ROWS_A_TURN) {
    const isLast = at + ROWS_A_TURN >= rows.length
    catalog.transaction(() => {
      for (const { key } of rows.slice(at, at + ROWS_A_TURN)) catalog.remove(key)
      if (isLast) end()
    })
    if (isLast) return
    await turn(signal)
  }
}

/** Takes frames beyond what the index knows of the pack into it. */
async function enter(
  { catalog, signal }: Loading,
  number: number,
  frames: Iterable<FrameAt>,
  end: number,
): Promise<void> {
  const from = catalog.pack(number)?.covered ?? 0
  let some: FrameAt[] = []
  const go = async (covered: number): Promise<void> => {
    catalog.transaction(() => {
      for (const { key, offset, length } of some) {
        const place = { pack: number, offset, length }
        const known = catalog.get(key)
        if (known === undefined || isLater(place, known)) catalog.put(key, place)
      }
      catalog.cover(number, covered)
    })
    some = []
    await turn(signal)
  }
  for (const frame of frames) {
    if (frame.offset < from) continue
    // Up to the next: what is interrupted goes on there.
    if (some.length === ROWS_A_TURN) await go(frame.offset)
    some.push(frame)
  }
  if (some.length > 0 || catalog.pack(number)?.covered !== end) await go(end)
}

async function loadByScan(
  loading: Loading,
  number: number,
  bytes: number,
  isLast: boolean,
): Promise<{ tail: TailState; damaged: Buffer[]; damagedBytes: number }> {
  const { storage, catalog, shareId, log, signal } = loading
  const identity = packIdentity(shareId, number)
  const name = packName(number)
  const hasHeader = await checkHeader(storage, name, identity, bytes)
  const covered = catalog.pack(number)?.covered ?? 0
  const frames: FrameAt[] = []
  const damaged: Buffer[] = []
  const gaps: { offset: number; end: number }[] = []
  let end = hasHeader ? PACK_HEADER_BYTES : 0
  const from = isLast ? PACK_HEADER_BYTES : Math.max(PACK_HEADER_BYTES, covered)
  for await (const found of scanPack(storage, name, identity, from, bytes)) {
    signal?.throwIfAborted()
    if (found.type === 'damaged') {
      gaps.push({ offset: found.offset, end: found.offset + found.bytes })
      if (found.key !== undefined) damaged.push(found.key)
      continue
    }
    end = found.offset + found.bytes
    if (found.type === 'frame')
      frames.push({ key: found.key, offset: found.offset, length: found.payload.length })
  }
  for (const gap of gaps)
    if (gap.offset < end || !isLast)
      log.warn({ pack: number, offset: gap.offset, bytes: gap.end - gap.offset }, 'a vault is damaged here')
  damaged.push(...(await forgetGaps(loading, number, gaps, covered)))
  const isTorn = isLast && end < bytes
  const length = isTorn ? end : bytes
  await enter(loading, number, frames, length)
  if (isTorn && !storage.isReadOnly) {
    log.info({ pack: number, bytes: bytes - end }, 'the torn end of a pack goes')
    if (end === 0) await storage.remove(name)
    else await storage.truncate(name, end)
  }
  const damagedBytes = gaps.reduce((sum, gap) => sum + gap.end - gap.offset, 0)
  return { tail: { number, bytes: length, isSealed: false, frames }, damaged, damagedBytes }
}

/** Whether the pack's header holds. SHARE_UNUSABLE if it is that of another share. */
async function checkHeader(
  storage: PackStorage,
  name: string,
  identity: PackIdentity,
  bytes: number,
): Promise<boolean> {
  if (bytes < PACK_HEADER_BYTES) return false
  const header = readPackHeader(await storage.read(name, 0, PACK_HEADER_BYTES))
  if (header !== undefined && !header.shareId.equals(identity.shareId))
    throw new ShoalError('SHARE_UNUSABLE', `pack ${name} belongs to the vault of another share`)
  return header !== undefined
}

/** Rows that stand where nothing holds any more; their keys. */
async function forgetGaps(
  loading: Loading,
  number: number,
  gaps: readonly { offset: number; end: number }[],
  covered: number,
): Promise<Buffer[]> {
  const { catalog, signal } = loading
  const hit = gaps.filter(({ offset }) => offset < covered)
  if (hit.length === 0) return []
  const rows = (await catalog.inPack(number, signal)).filter(({ place }) =>
    hit.some(({ offset, end }) => place.offset >= offset && place.offset < end),
  )
  // What follows the gaps is known; what is cut off is not covered any more.
  await removeRows(loading, rows, () => catalog.cover(number, Math.min(covered, hit[0]!.offset)))
  return rows.map(({ key }) => key)
}
