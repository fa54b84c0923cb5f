// A bucket in memory that keeps the same suite as the real one, writes down what was done to it, and fails when told to.
import { ShoalError } from '../../src/core/error.js'
import type { Bucket, BucketObject, Upload } from '../../src/vault/s3/bucket.js'

export class MemoryBucket implements Bucket {
  readonly place = 's3://memory/vault'
  readonly objects: Map<string, { bytes: Buffer; tag: string }>
  /** "put KEY", "remove KEY", in order. */
  readonly done: string[] = []
  isDown = false
  /** Called before each change with what is to be done; what it throws happens instead. */
  before: ((what: string) => void | Promise<void>) | undefined

  /** `objects`: those of another MemoryBucket, to see the same bucket. */
  constructor(objects: Map<string, { bytes: Buffer; tag: string }> = new Map()) {
    this.objects = objects
  }

  async list(start: string): Promise<BucketObject[]> {
    this.#answer()
    return [...this.objects]
      .filter(([key]) => key.startsWith(start))
      .map(([key, { bytes, tag }]) => ({ key, bytes: bytes.length, tag }))
  }

  async read(key: string, offset: number, length: number): Promise<Buffer> {
    this.#answer()
    const bytes = this.objects.get(key)?.bytes.subarray(offset, offset + length)
    if (bytes?.length !== length) throw new ShoalError('NOT_FOUND', `cannot read ${key} in ${this.place}`)
    return Buffer.from(bytes)
  }

  async get(key: string): Promise<Buffer | undefined> {
    this.#answer()
    return this.objects.get(key)?.bytes
  }

  async put({ key, md5, open }: Upload): Promise<BucketObject> {
    await this.#change(`put ${key}`)
    const bytes = Buffer.concat(await all(open()))
    const tag = md5.toString('hex')
    this.objects.set(key, { bytes, tag })
    return { key, bytes: bytes.length, tag }
  }

  async putSmall(key: string, bytes: Buffer): Promise<void> {
    await this.#change(`put ${key}`)
    this.objects.set(key, { bytes: Buffer.from(bytes), tag: '' })
  }

  async remove(key: string): Promise<void> {
    await this.#change(`remove ${key}`)
    this.objects.delete(key)
  }

  close(): void {}

  async #change(what: string): Promise<void> {
    this.#answer()
    await this.before?.(what)
    this.#answer()
    this.done.push(what)
  }

  #answer(): void {
    if (this.isDown)
      throw new ShoalError('BUCKET_UNREACHABLE', `cannot reach ${this.place}: nobody listens there`)
  }
}

async function all(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const found: Buffer[] = []
  for await (const chunk of chunks) found.push(chunk)
  return found
}
