// A vault as what is restored from: its feeds are taken over into a feed store, each verified as its writer signed it, and
// its pieces are read as they are needed. Nothing is written to it.
import { toShoalError } from '../../core/error.js'
import type { WriterId } from '../../core/ids.js'
import type { PortableBlock, PortableHead } from '../../feed/portable.js'
import type { FeedStore } from '../../feed/store.js'
import type { IndexFeed } from '../../store/feeds.js'
import { PastFeed } from './past-feed.js'
import { addWriter, type RestoreKeys } from './past-share.js'
import type { PastIndex } from './past-tree.js'
import type { ReadableVault } from './vault-pieces.js'

/** A vault as far as restoring needs it. */
export interface RestorableVault extends ReadableVault {
  certificates(): readonly Buffer[]
  heads(): readonly PortableHead[]
  blocks(writer: WriterId): AsyncIterable<PortableBlock>
}

/**
 * The feeds that a vault holds. One that is damaged is told to `onDamaged` and left out: what the other writers said is there
 * all the same.
 */
export async function feedsOfVault(
  vault: RestorableVault,
  parts: {
    readonly index: PastIndex
    readonly store: FeedStore
    readonly keys: RestoreKeys
    readonly onDamaged: (writer: string, detail: string) => void
  },
): Promise<PastFeed[]> {
  const { index, store, keys, onDamaged } = parts
  const heads = new Map(vault.heads().map((head) => [head.writer, head]))
  const feeds: PastFeed[] = []
  for (const certificate of vault.certificates()) {
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
    const head = heads.get(row.writer)
    if (head === undefined) continue
    try {
      await store.adopt({ feedKey: row.key, head, blocks: vault.blocks(row.writer) })
    } catch (thrown) {
      const { code, message } = toShoalError(thrown)
      if (code !== 'FEED_CORRUPT') throw thrown
      onDamaged(row.deviceName, message)
      continue
    }
    const feed = await store.openRemote({ feedKey: row.key, blockKey: keys.feedBlockKey })
    feeds.push(new PastFeed(row, feed, 0))
  }
  return feeds
}
