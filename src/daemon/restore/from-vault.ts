// A vault as what is restored from: its feeds are taken over into a feed store, each verified as its writer signed it, and
// its pieces are read as they are needed. Nothing is written to it.
import { openCertificate } from '../../core/certificate.js'
import { toShoalError } from '../../core/error.js'
import type { WriterId } from '../../core/ids.js'
import { hasBlocks, takeBest } from '../../feed/best.js'
import { HeldFeed } from '../../feed/held.js'
import { type KeptRun, KnownLeaves } from '../../feed/leaves.js'
import { spanOf } from '../../feed/merkle.js'
import { type Adoption, type PortableBlock, type PortableHead, readProof } from '../../feed/proof.js'
import type { FeedStore } from '../../feed/store.js'
import type { IndexFeed } from '../../store/feeds.js'
import { PastFeed } from './past-feed.js'
import { addWriter, type RestoreKeys } from './past-share.js'
import type { PastIndex } from './past-tree.js'
import type { ReadableVault } from './vault-pieces.js'

/** A vault as far as restoring needs it. */
export interface RestorableVault extends ReadableVault {
  /** Packs that are there and cannot be read, a line for each. */
  readonly unreadable?: readonly string[]
  /** Bytes that did not hold when it was opened. */
  readonly damagedBytes?: number
  /** The newest pack, where a newer one may be lost. */
  readonly fullNewest?: number | undefined
  certificates(): readonly Buffer[]
  heads(): readonly PortableHead[]
  /** Of whom there is any block; default: of whom there is a head. */
  writers?(): Iterable<WriterId>
  /** Ascending, from `from` (0) on. */
  blocks(writer: WriterId, from?: number): AsyncIterable<PortableBlock>
  /** What is kept beside the blocks, ascending by number. */
  leaves?(writer: WriterId): AsyncIterable<KeptRun>
}

/** Makes something that can be read of a feed that was carried; FEED_CORRUPT if it does not hold. */
export type TakeFeed = (adoption: Adoption, blockKey: Buffer) => Promise<PastFeed['feed']>

/**
 * By way of a feed store, of any size. `another`: an empty one, for feeds of which an earlier try, from elsewhere, has left
 * less there.
 */
export function takeInto(store: FeedStore, another?: () => Promise<FeedStore>): TakeFeed {
  let second: Promise<FeedStore> | undefined
  return async (adoption, blockKey) => {
    const { feedKey, head } = adoption
    const isAdopted = await store.adopt(adoption)
    const feed = await store.openRemote({ feedKey, blockKey })
    if (isAdopted || another === undefined) return feed
    if (feed.length >= head.length && (await feed.has(0, feed.length))) return feed
    second ??= another()
    const fresh = await second
    try {
      await fresh.adopt(adoption)
    } catch (thrown) {
      // What the earlier try had is more than nothing, once what is kept beside the blocks does not help, either.
      const isLast = adoption.leaves !== undefined && feed.length >= head.length
      if (isLast && toShoalError(thrown).code === 'FEED_CORRUPT') return feed
      await feed.close()
      throw thrown
    }
    return fresh.openRemote({ feedKey, blockKey })
  }
}

/** Which of the two, a vault that was opened just now does not know. */
const GONE = 'is damaged or not there'

/** What takeInMemory() throws for feeds that are too large for it. */
export class FeedsTooLarge extends Error {}

/** In memory, up to so many bytes for all of them; rejects with FeedsTooLarge beyond that. */
export function takeInMemory(maxBytes: number): TakeFeed {
  let left = maxBytes
  return async (adoption, blockKey) => {
    const held = await HeldFeed.take(adoption, blockKey, left)
    if (held === undefined) throw new FeedsTooLarge('the feeds are too large to be held in memory')
    left -= held.bytes
    return held
  }
}

/**
 * The feeds that a vault holds. One that is damaged, or that something is missing of which says whose it is or proves it, is
 * told to `onDamaged` and left out: what the other writers said is there all the same.
 */
export async function feedsOfVault(
  vault: RestorableVault,
  parts: {
    readonly index: PastIndex
    readonly take: TakeFeed
    readonly keys: RestoreKeys
    readonly onDamaged: (writer: string, detail: string) => void
  },
): Promise<PastFeed[]> {
  const { index, take, keys, onDamaged } = parts
  for (const detail of vault.unreadable ?? []) onDamaged('somebody', detail)
  const heads = new Map(vault.heads().map((head) => [head.writer, head]))
  const unknown = new Set([...heads.keys(), ...(vault.writers?.() ?? [])])
  const feeds: PastFeed[] = []
  for (const certificate of [...vault.certificates(), ...(await otherCertificates(vault, unknown, keys))]) {
    let row: IndexFeed
    try {
      row = addWriter(index, keys, certificate)
    } catch (thrown) {
      // Whoever can put a file into the folder or the bucket can put it there: the others' count all the same.
      const { code, message } = toShoalError(thrown)
      if (code !== 'FEED_CORRUPT') throw thrown
      onDamaged('somebody', message)
      continue
    }
    const { writer, key } = row
    const head = heads.get(writer)
    unknown.delete(writer)
    const kept = {
      ...{ feedKey: key, head },
      blocks: (from?: number) => vault.blocks(writer, from),
      leaves: () => leavesIn(vault, writer),
    }
    try {
      const best = await takeBest(kept, (adoption) => take(adoption, keys.feedBlockKey))
      const length = best === undefined ? 0 : Math.max(best.head.length, best.taken.length)
      const hasMore = await hasBlocks(kept, length)
      if (best === undefined) {
        // Of a writer that has not written yet nothing is missing.
        if (hasMore) onDamaged(row.deviceName, `its newest proof ${GONE}, so none of it counts`)
        continue
      }
      const beyond =
        hasMore || best.isOlder
          ? `there is more after record ${best.taken.length}, and its newest proof, or what it proves, ${GONE}`
          : undefined
      const cleared = clearedOf(best.head, key)
      feeds.push(new PastFeed(row, best.taken, { patienceMs: 0, beyond, cleared }))
    } catch (thrown) {
      if (thrown instanceof FeedsTooLarge) throw thrown
      const { code, message } = toShoalError(thrown)
      if (code !== 'FEED_CORRUPT') throw thrown
      onDamaged(row.deviceName, message)
    }
  }
  for (const writer of unknown) onDamaged(`writer ${writer}`, `its certificate ${GONE}`)
  return feeds
}

/** What is to be noted of a vault whatever its feeds say. */
export function notesOfVault({ damagedBytes = 0, fullNewest }: RestorableVault): string[] {
  const notes: string[] = []
  if (damagedBytes > 0)
    notes.push(
      `${damagedBytes} bytes of the vault do not hold: damage, or a write that was cut off; of a record there that nothing else tells of there is no trace`,
    )
  if (fullNewest !== undefined)
    notes.push(
      `the newest may be missing: pack ${fullNewest} of the vault is full and the last one here, and the next is begun when one is full; was all of the vault copied?`,
    )
  return notes
}

/** Of writers whose own frame of it is not there: it stands once more beside their blocks. */
async function otherCertificates(
  vault: RestorableVault,
  writers: Iterable<WriterId>,
  { shareId, publicKey }: RestoreKeys,
): Promise<Buffer[]> {
  const known = new Set<WriterId>()
  for (const bytes of vault.certificates()) {
    const opened = openCertificate(bytes, shareId, publicKey)
    if (opened.type === 'ok') known.add(opened.value.writer)
  }
  const others: Buffer[] = []
  for (const writer of writers) {
    if (known.has(writer)) continue
    const { certificate } = await KnownLeaves.read(writer, leavesIn(vault, writer))
    if (certificate !== undefined) others.push(certificate)
  }
  return others
}

async function* leavesIn(vault: RestorableVault, writer: WriterId): AsyncGenerator<KeptRun> {
  yield* vault.leaves?.(writer) ?? []
}

/** Up to where the nodes of a proof stand for blocks that were cleared, from the first one on. */
function clearedOf(head: PortableHead, feedKey: Buffer): number {
  let end = 0
  for (const { index } of readProof(head, feedKey).nodes) {
    const { from, count } = spanOf(index)
    if (from === end) end += count
  }
  return end
}
