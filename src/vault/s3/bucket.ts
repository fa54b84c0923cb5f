// A bucket as the vault needs it: whole objects put and removed, ranges read, all listed. The one real implementation is
// aws-bucket.ts; the storage above and its tests know only this. Keys are relative to the vault's prefix.
// Every failure is a ShoalError that names the bucket, and never a credential:
//   BUCKET_UNREACHABLE  nobody answers, or the server is busy or broken: may pass by itself
//   BUCKET_REFUSED      no such bucket, no or wrong credentials, not allowed: somebody must do something
//   NOT_FOUND           no such object, or it is shorter than what was asked for

export interface BucketObject {
  readonly key: string
  readonly bytes: number
  /** The entity tag without its quotes; often, but not always, the MD5 of the content in hex. */
  readonly tag: string
}

export interface Upload {
  readonly key: string
  readonly bytes: number
  /** Of exactly these bytes. */
  readonly md5: Buffer
  /** Yields the bytes from the start, each time it is called. */
  readonly open: () => AsyncIterable<Buffer>
  readonly signal: AbortSignal
}

export interface Bucket {
  /** "s3://bucket/prefix", for messages. */
  readonly place: string
  /** Objects whose key begins so, in no order. */
  list(start: string): Promise<BucketObject[]>
  /** Rejects with NOT_FOUND if the object is not there or ends before. */
  read(key: string, offset: number, length: number): Promise<Buffer>
  /** A whole small object, or undefined if it is not there. */
  get(key: string): Promise<Buffer | undefined>
  /** Resolves once the server has confirmed the object with its length and, as far as it tells one, its checksum. */
  put(upload: Upload): Promise<BucketObject>
  /** As put, of bytes in memory. */
  putSmall(key: string, bytes: Buffer): Promise<void>
  /** What is not there is no error. */
  remove(key: string): Promise<void>
  close(): void
}
