// A bucket of an S3-compatible server through the AWS SDK. The only file that imports it, and itself imported when the
// first vault on a bucket opens: a daemon without one pays nothing for it.
//
// Endpoint, region and credentials come from where every AWS program has them: AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3),
// AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE and its files, or the machine's role.
// With a custom endpoint the bucket is named in the path, as few of those servers have a host name for each bucket.
// Objects are listed by the first version of the call, which is paged by key and which every server understands.
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { type BucketPlace, showBucketPlace } from '../../core/bucket-place.js'
import { ShoalError } from '../../core/error.js'
import type { Bucket, BucketObject, Upload } from './bucket.js'
import { bucketError } from './bucket-error.js'

const CONNECT_TIMEOUT_MS = 10_000
/** Of an object that is read whole: the catalogue, about 1 MB for a terabyte, and smaller ones. */
const MAX_SMALL_BYTES: number = 64 << 20
/** Without a byte either way. */
const SOCKET_TIMEOUT_MS = 60_000
/**
 * Until a server begins to answer what sends no content, with all the SDK's tries: a server that takes connections and says
 * nothing would otherwise be waited for three times as long as a socket. What it then answers may take as long as it likes.
 */
const ANSWER_TIMEOUT_MS = 45_000

export interface AwsBucketOptions {
  /** Default: process.env. Credentials in it are read by the SDK itself. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Bytes of an object that is read whole, at most. */
  readonly maxSmallBytes?: number
  /** Milliseconds until a server begins to answer; default 45 s. */
  readonly answerTimeoutMs?: number
  /** Objects a page; default the server's most. */
  readonly pageSize?: number
}

export class AwsBucket implements Bucket {
  readonly place: string
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string
  readonly #pageSize: number | undefined
  readonly #maxSmallBytes: number
  readonly #answerTimeoutMs: number
  /** Set once a server has been seen whose tags are no checksums: it is then trusted to have checked Content-MD5. */
  #hasOddTags = false

  constructor(place: BucketPlace, options: AwsBucketOptions = {}) {
    this.place = showBucketPlace(place)
    this.#bucket = place.bucket
    this.#prefix = place.prefix === '' ? '' : `${place.prefix}/`
    this.#pageSize = options.pageSize
    this.#maxSmallBytes = options.maxSmallBytes ?? MAX_SMALL_BYTES
    this.#answerTimeoutMs = options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS
    const environment = options.environment ?? process.env
    const endpoint = environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL
    const region =
      environment.AWS_REGION ||
      environment.AWS_DEFAULT_REGION ||
      (endpoint === undefined ? undefined : 'us-east-1')
    this.#client = quietly(
      () =>
        new S3Client({
          ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
          ...(region === undefined ? {} : { region }),
          // The newer checksums are sent in a framing that older servers store as content.
          requestChecksumCalculation: 'WHEN_REQUIRED',
          responseChecksumValidation: 'WHEN_REQUIRED',
          // It would warn on the console; every failure reaches us as an error.
          logger: { debug() {}, info() {}, warn() {}, error() {} },
          requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SOCKET_TIMEOUT_MS },
        }),
    )
  }

  async list(start: string): Promise<BucketObject[]> {
    const found: BucketObject[] = []
    for (let marker: string | undefined, more = true; more; ) {
      const page = await this.#ask('list', () =>
        this.#answer('list', (abortSignal) =>
          this.#client.send(
            new ListObjectsCommand({
              Bucket: this.#bucket,
              Prefix: this.#prefix + start,
              ...(marker === undefined ? {} : { Marker: marker }),
              ...(this.#pageSize === undefined ? {} : { MaxKeys: this.#pageSize }),
            }),
            { abortSignal },
          ),
        ),
      )
      // Both stand in every listing of a bucket. What has neither came from somebody else on the way, and no pack is gone.
      if (page.Name === undefined && page.Contents === undefined) throw this.#strange('list')
      const objects = page.Contents ?? []
      for (const { Key, Size, ETag } of objects)
        if (Key?.startsWith(this.#prefix))
          found.push({ key: Key.slice(this.#prefix.length), bytes: Size ?? 0, tag: bare(ETag) })
      const next = page.NextMarker ?? objects.at(-1)?.Key
      more = page.IsTruncated === true && next !== undefined
      if (more && next === marker) throw this.#strange('list')
      marker = next
    }
    return found
  }

  async read(key: string, offset: number, length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0)
    const bytes = await this.#ask(`read ${key} in`, async () => {
      const Range = `bytes=${offset}-${offset + length - 1}`
      const { Body, ContentLength, ContentRange } = await this.#answer(`read ${key} in`, (abortSignal) =>
        this.#client.send(new GetObjectCommand({ ...this.#at(key), Range }), { abortSignal }),
      )
      const ofBytes = Number(/\/([0-9]+)$/.exec(ContentRange ?? '')?.[1] ?? Number.NaN)
      const isShort = ofBytes < offset + length
      if (ContentLength !== length) {
        // Not read: it may be all of a pack, or somebody else's page.
        if (Body instanceof Readable) Body.destroy()
        throw isShort
          ? new ShoalError('NOT_FOUND', `cannot read ${key} in ${this.place}: it is shorter than expected`)
          : this.#strange(`read ${key} in`)
      }
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    })
    if (bytes.length !== length) throw this.#strange(`read ${key} in`)
    return bytes
  }

  async get(key: string): Promise<Buffer | undefined> {
    try {
      return await this.#ask(`read ${key} in`, async () => {
        const { Body, ContentLength } = await this.#answer(`read ${key} in`, (abortSignal) =>
          this.#client.send(new GetObjectCommand(this.#at(key)), { abortSignal }),
        )
        // It is read as a whole: whoever has the bucket must not fill the memory with it (F7).
        if (ContentLength === undefined || ContentLength > this.#maxSmallBytes) {
          if (Body instanceof Readable) Body.destroy()
          throw new ShoalError(
            'BUCKET_REFUSED',
            `cannot read ${key} in ${this.place}: it has ${ContentLength ?? 'an unknown number of'} bytes, at most ${this.#maxSmallBytes} are taken`,
          )
        }
        return Buffer.from((await Body?.transformToByteArray()) ?? [])
      })
    } catch (thrown) {
      if (thrown instanceof ShoalError && thrown.code === 'NOT_FOUND') return undefined
      throw thrown
    }
  }

  async put(upload: Upload): Promise<BucketObject> {
    const { key, bytes, md5, signal } = upload
    return this.#ask(`store ${key} in`, async () => {
      await this.#send(upload)
      const head = await this.#answer(`store ${key} in`, (late) =>
        this.#client.send(new HeadObjectCommand(this.#at(key)), {
          abortSignal: AbortSignal.any([signal, late]),
        }),
      )
      const object = { key, bytes: head.ContentLength ?? -1, tag: bare(head.ETag) }
      if (object.bytes !== bytes)
        throw new ShoalError(
          'BUCKET_UNREACHABLE',
          `cannot store ${key} in ${this.place}: the server holds ${object.bytes} of ${bytes} bytes`,
        )
      const isChecked = object.tag === md5.toString('hex') || this.#hasOddTags
      if (!isChecked) await this.#readBack(upload)
      return object
    })
  }

  async putSmall(key: string, bytes: Buffer): Promise<void> {
    const md5 = createHash('md5').update(bytes).digest()
    const open = async function* (): AsyncGenerator<Buffer> {
      yield bytes
    }
    await this.put({ key, bytes: bytes.length, md5, open, signal: new AbortController().signal })
  }

  async remove(key: string): Promise<void> {
    try {
      const what = `remove ${key} from`
      await this.#ask(what, () =>
        this.#answer(what, (abortSignal) =>
          this.#client.send(new DeleteObjectCommand(this.#at(key)), { abortSignal }),
        ),
      )
    } catch (thrown) {
      // Some servers say so of what is not there, most do not.
      if (!(thrown instanceof ShoalError) || thrown.code !== 'NOT_FOUND') throw thrown
    }
  }

  close(): void {
    this.#client.destroy()
  }

  /** What reads the bytes may fail at any time, and rejects this with its own error: nobody else listens to the stream. */
  async #send({ key, bytes, md5, open, signal }: Upload): Promise<void> {
    const body = Readable.from(open(), { objectMode: false })
    const reading = new AbortController()
    let failure: Error | undefined
    body.on('error', (error: Error) => {
      failure = error
      // A pipe passes no error on: the server would be left waiting for the rest.
      reading.abort()
    })
    const put = new PutObjectCommand({
      ...this.#at(key),
      Body: body,
      ContentLength: bytes,
      ContentMD5: md5.toString('base64'),
      ContentType: 'application/octet-stream',
    })
    try {
      await this.#client.send(put, { abortSignal: AbortSignal.any([signal, reading.signal]) })
    } catch (thrown) {
      throw failure ?? thrown
    } finally {
      body.destroy()
    }
  }

  /** The tag is not the MD5: either the server counts otherwise (encryption, parts), or what it holds differs. */
  async #readBack({ key, md5, signal }: Upload): Promise<void> {
    const { Body } = await this.#answer(`store ${key} in`, (late) =>
      this.#client.send(new GetObjectCommand(this.#at(key)), {
        abortSignal: AbortSignal.any([signal, late]),
      }),
    )
    const hash = createHash('md5')
    for await (const chunk of Body as Readable) hash.update(chunk as Buffer)
    if (!hash.digest().equals(md5))
      throw new ShoalError(
        'BUCKET_UNREACHABLE',
        `cannot store ${key} in ${this.place}: the server holds other bytes than were sent`,
      )
    this.#hasOddTags = true
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key }
  }

  #strange(what: string): ShoalError {
    const why = 'what answers there does not answer as a bucket does; check AWS_ENDPOINT_URL'
    return new ShoalError('BUCKET_UNREACHABLE', `cannot ${what} ${this.place}: ${why}`)
  }

  /** What a call gives once the server has begun to answer; its signal ends it if that takes too long. */
  async #answer<T>(what: string, call: (late: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), this.#answerTimeoutMs)
    try {
      return await call(controller.signal)
    } catch (thrown) {
      if (!controller.signal.aborted) throw thrown
      const why = `the server has not answered for ${Math.round(this.#answerTimeoutMs / 1000)} s`
      throw new ShoalError('BUCKET_UNREACHABLE', `cannot ${what} ${this.place}: ${why}`, { cause: thrown })
    } finally {
      clearTimeout(timer)
    }
  }

  async #ask<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (thrown) {
      if (thrown instanceof Error && /^Region is missing/.test(thrown.message))
        throw new ShoalError(
          'BUCKET_REFUSED',
          `cannot ${what} ${this.place}: no region is given; set AWS_REGION`,
        )
      throw bucketError(thrown, this.place, what)
    }
  }
}

/** The SDK warns on standard error that it will ask for a newer Node; which Node is ours to say (docs/decisions/0041). */
function quietly<T>(make: () => T): T {
  const name = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'
  const before = process.env[name]
  process.env[name] = 'true'
  try {
    return make()
  } finally {
    if (before === undefined) delete process.env[name]
    else process.env[name] = before
  }
}

function bare(tag: string | undefined): string {
  return (tag ?? '').replaceAll('"', '')
}
