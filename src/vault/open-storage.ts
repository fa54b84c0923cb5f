// Where a vault lies, as it is written: a folder, or "s3://bucket/prefix". What speaks to buckets is loaded only for one.
import { bucketPlaceOf, isBucketPlace, showBucketPlace } from '../core/bucket-place.js'
import { FolderStorage } from './folder-storage.js'
import type { PackStorage } from './pack-storage.js'
import type { S3StorageOptions } from './s3/s3-storage.js'

export interface VaultPlaceOptions extends Omit<S3StorageOptions, 'bucket' | 'spoolDir'> {
  /** A folder, or "s3://bucket/prefix". */
  readonly place: string
  /** For a bucket: where packs wait for it, a folder that only this vault uses. Undefined: read only. */
  readonly spoolDir: string | undefined
}

/**
 * Opens the storage of a vault for writing. For a bucket `spoolDir` is needed.
 * @throws ShoalError USAGE, STORAGE_LOCKED, IO, BUCKET_UNREACHABLE, BUCKET_REFUSED
 */
export async function openVaultStorage(
  options: VaultPlaceOptions & { readonly spoolDir: string },
): Promise<PackStorage> {
  return isBucketPlace(options.place) ? openBucket(options) : FolderStorage.open(options.place)
}

/** Opens a vault's storage where it lies, changing nothing. @throws ShoalError as openVaultStorage, and NOT_FOUND */
export async function openVaultStorageReadOnly(
  options: Omit<VaultPlaceOptions, 'spoolDir'>,
): Promise<PackStorage> {
  return isBucketPlace(options.place)
    ? openBucket({ ...options, spoolDir: undefined })
    : FolderStorage.openReadOnly(options.place)
}

/** How a place is told to people: it never holds a credential. */
export function showVaultPlace(place: string): string {
  return isBucketPlace(place) ? showBucketPlace(bucketPlaceOf(place)) : place
}

async function openBucket({ place, ...options }: VaultPlaceOptions): Promise<PackStorage> {
  const where = bucketPlaceOf(place)
  const [{ AwsBucket }, { S3Storage }] = await Promise.all([
    import('./s3/aws-bucket.js'),
    import('./s3/s3-storage.js'),
  ])
  return S3Storage.open({ ...options, bucket: new AwsBucket(where) })
}
