// Where a vault is, as it is named on a command line, to a vault that is read where it lies and never written to.
import path from 'node:path'
import { isBucketPlace } from '../../core/bucket-place.js'
import { ShoalError } from '../../core/error.js'
import type { ShareId } from '../../core/ids.js'
import type { Log } from '../../ports/log.js'
import type { Database } from '../../store/tables.js'
import { openVaultStorageReadOnly, showVaultPlace } from '../../vault/open-storage.js'
import type { PackStorage } from '../../vault/pack-storage.js'
import { Vault } from '../../vault/vault.js'

export interface OpenVaultOptions {
  /** A vault's folder, a blind share's or a copy of it; or a bucket, "s3://bucket/prefix". */
  readonly at: string
  readonly shareId: ShareId
  /** Of the index, kept for another try; none: in memory. */
  readonly database?: Database
  readonly log: Log
}

/** NOT_FOUND, SHARE_UNUSABLE (another share's, or none), IO. */
export async function openVault({ at, shareId, database, log }: OpenVaultOptions): Promise<Vault> {
  const storage = await openStorage(at, log)
  try {
    return await Vault.open({ storage, shareId, log, ...(database === undefined ? {} : { database }) })
  } catch (thrown) {
    await storage.close()
    // Which place is meant, the vault does not know.
    if (thrown instanceof ShoalError && thrown.code === 'SHARE_UNUSABLE')
      throw new ShoalError('SHARE_UNUSABLE', `cannot read ${showVaultPlace(at)}: ${thrown.message}`, {
        cause: thrown,
      })
    throw thrown
  }
}

async function openStorage(at: string, log: Log): Promise<PackStorage> {
  const isOther = /^[a-z0-9+.-]+:\/\//i.test(at) && !isBucketPlace(at)
  if (isOther) throw new ShoalError('USAGE', 'expected a folder, or a bucket as s3://BUCKET/PREFIX')
  return openVaultStorageReadOnly({ place: isBucketPlace(at) ? at : path.resolve(at), log })
}
