// Reads every frame of a vault and proves it: what the index names and no pack holds whole is damaged.

import type { ShareId } from '../core/ids.js'
import type { Catalog } from './catalog.js'
import { samePlace } from './catalog.js'
import { PACK_HEADER_BYTES, packIdentity } from './frame.js'
import type { FrameReader } from './frame-reader.js'
import type { KeyedPlace } from './frame-rows.js'
import { type PackStorage, packName } from './pack-storage.js'
import { scanPack } from './scan.js'
import { isNotThere } from './storage-error.js'
import type { Damaged, VerifyProgress, VerifyReport } from './stored.js'

export interface Checking {
  readonly storage: PackStorage
  readonly catalog: Catalog
  readonly reader: FrameReader
  readonly shareId: ShareId
  forget(rows: readonly KeyedPlace[]): Promise<Damaged[]>
}

/** Between two reports of progress. */
const PROGRESS_BYTES = 4 * 2 ** 20

export async function checkPacks(
  checking: Checking,
  options: {
    readonly signal?: AbortSignal
    readonly onProgress?: (progress: VerifyProgress) => void | Promise<void>
  },
): Promise<VerifyReport> {
  const { catalog } = checking
  const packs = [...catalog.packs()].map(([number, { covered }]) => ({ number, bytes: covered }))
  packs.sort((a, b) => a.number - b.number)
  const ofBytes = packs.reduce((sum, { bytes }) => sum + bytes, 0)
  let [frames, read] = [0, 0]
  const damaged: Damaged[] = []
  for (const [done, { number, bytes }] of packs.entries()) {
    const report = async (at: number): Promise<void> => {
      await options.onProgress?.({ packs: done, ofPacks: packs.length, bytes: read + at, ofBytes })
    }
    const whole = await wholeIn(checking, number, bytes, report, options.signal)
    if (whole === undefined) return { packs: done, frames, bytes: read, damaged, isComplete: false }
    frames += whole.offsets.size
    damaged.push(...(await damagedIn(checking, number, bytes, whole)))
    read += bytes
  }
  await options.onProgress?.({ packs: packs.length, ofPacks: packs.length, bytes: read, ofBytes })
  return { packs: packs.length, frames, bytes: read, damaged, isComplete: true }
}

interface Whole {
  /** Where live frames stand that hold. */
  readonly offsets: ReadonlySet<number>
  /** Something did not hold, live or not. */
  readonly hasGaps: boolean
}

/** Undefined: stopped. */
async function wholeIn(
  { storage, catalog, shareId }: Checking,
  number: number,
  bytes: number,
  report: (at: number) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<Whole | undefined> {
  const offsets = new Set<number>()
  let told = 0
  let hasGaps = false
  const identity = packIdentity(shareId, number)
  try {
    for await (const found of scanPack(storage, packName(number), identity, PACK_HEADER_BYTES, bytes)) {
      if (signal?.aborted === true) return undefined
      hasGaps ||= found.type === 'damaged'
      if (found.type === 'frame') {
        const place = { pack: number, offset: found.offset, length: found.payload.length }
        if (samePlace(catalog.get(found.key), place)) offsets.add(found.offset)
      }
      if (found.offset - told < PROGRESS_BYTES) continue
      told = found.offset
      await report(told)
    }
  } catch (thrown) {
    // Compacted meanwhile, or gone: damagedIn finds out which.
    if (!isNotThere(thrown)) throw thrown
  }
  return { offsets, hasGaps }
}

/** What the index names in this part of a pack and was not found whole; looked at once more on its own. */
async function damagedIn(
  { catalog, reader, forget }: Checking,
  number: number,
  bytes: number,
  whole: Whole,
): Promise<Damaged[]> {
  // Rows of a pack are many, and all rows are read to find them: only where one is missing, or may have come or gone.
  if (!whole.hasGaps && catalog.pack(number)?.frames === whole.offsets.size) return []
  const missing = (await catalog.inPack(number)).filter(
    ({ place }) => place.offset < bytes && !whole.offsets.has(place.offset),
  )
  const payloads = await reader.read(missing)
  return forget(missing.filter((_, i) => payloads[i] === undefined))
}
