// Where a vault on an object store lies: "s3://bucket/prefix". Only the place; which server that is and who asks comes
// from the environment, as for every other program that speaks S3, and is never part of a configuration.
import { ShoalError } from './error.js'

export interface BucketPlace {
  readonly bucket: string
  /** Without slashes at its ends; empty: the packs lie at the top of the bucket. */
  readonly prefix: string
}

const SCHEME = 's3://'
/** What S3 allows of a bucket's name, and MinIO, Ceph and others with it: 3 to 63 of these, letters or digits at the ends. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
/** A part of a prefix. What needs quoting in some client is refused: a backup must be found again by hand. */
const PART = /^[A-Za-z0-9!_.*'()-]{1,255}$/
/** Keys have 1024 bytes; a pack's name and what is beside it need some. */
const MAX_PREFIX = 900

/** Whether a text means a bucket and not a folder. */
export function isBucketPlace(text: string): boolean {
  return text.toLowerCase().startsWith(SCHEME)
}

/** What is wrong with it as a sentence's end, or the place. Never quotes what stands before an "@": it may be a key. */
export function parseBucketPlace(text: string): BucketPlace | { readonly fault: string } {
  if (!text.startsWith(SCHEME)) return { fault: 'expected "s3://BUCKET/PREFIX"' }
  const [bucket, ...parts] = text.slice(SCHEME.length).replace(/\/$/, '').split('/')
  if (bucket === undefined || bucket.includes('@'))
    return { fault: 'holds an "@"; credentials come from AWS_* variables, never from here' }
  if (!BUCKET.test(bucket) || bucket.includes('..'))
    return { fault: 'names no bucket: 3 to 63 small letters, digits, "-" and "."' }
  if (parts.some((part) => !PART.test(part) || part === '.' || part === '..'))
    return { fault: "has a prefix with parts that are empty or hold more than letters, digits and !_.*'()-" }
  const prefix = parts.join('/')
  return prefix.length > MAX_PREFIX
    ? { fault: `has a prefix of more than ${MAX_PREFIX} characters` }
    : { bucket, prefix }
}

/** As parseBucketPlace. @throws ShoalError USAGE */
export function bucketPlaceOf(text: string): BucketPlace {
  const place = parseBucketPlace(text)
  if ('fault' in place) throw new ShoalError('USAGE', `this place of a vault ${place.fault}`)
  return place
}

/** As it is written. */
export function showBucketPlace({ bucket, prefix }: BucketPlace): string {
  return `${SCHEME}${bucket}${prefix === '' ? '' : `/${prefix}`}`
}
