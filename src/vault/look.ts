// Whether the packs of a vault are still where they were: a disk comes loose, somebody cleans up or moves a folder. What the
// index says of packs that went, or are shorter than they were, counts no longer; the rest does.
import { ShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import type { Catalog } from './catalog.js'
import { damagedOf } from './frame.js'
import { isOfAnother, VAULT_FILE } from './identity.js'
import { forgetMissing } from './loading.js'
import { type PackStorage, packNumber } from './pack-storage.js'
import type { Damaged } from './stored.js'
import type { Tail } from './tail.js'

/** IO if the vault of this id is not where it was: a disk that was taken away has damaged nothing. */
export async function checkIsThere(storage: PackStorage, id: string): Promise<void> {
  if (storage.isReadOnly) return
  const bytes = await storage.getMeta(VAULT_FILE)
  if (bytes === undefined)
    throw new ShoalError('IO', 'the vault is not there any more: its folder is empty or not mounted')
  if (isOfAnother(bytes, id))
    throw new ShoalError('IO', 'the vault is not there any more: another one is in its place')
}

/** What went. Nothing else writes meanwhile. Rejects as PackStorage.list. */
export async function forgetGone(parts: {
  readonly storage: PackStorage
  readonly catalog: Catalog
  readonly tail: Tail
  readonly shareId: ShareId
  readonly log: Log
}): Promise<Damaged[]> {
  const { storage, catalog, tail } = parts
  const packs = (await storage.list()).map(({ name, bytes }): [number, number] => [
    packNumber(name) ?? 0,
    bytes,
  ])
  const bytesOf = new Map(packs)
  const keys = await forgetMissing(parts, bytesOf)
  if ((bytesOf.get(tail.number) ?? 0) < tail.bytes) tail.abandon()
  return keys.filter((key) => catalog.get(key) === undefined).map(damagedOf)
}
