// A real S3-compatible server on loopback for tests, over a temporary folder; can be stopped and started again on the
// same port, as a bucket that cannot be reached for a while.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import S3rver from 's3rver'
import { bucketPlaceOf } from '../../src/core/bucket-place.js'
import { AwsBucket } from '../../src/vault/s3/aws-bucket.js'

export interface S3Server {
  readonly port: number
  /** Of the variables that every S3 program reads. */
  readonly environment: Readonly<Record<string, string>>
  /** The file that an object of the bucket lies in. */
  fileOf(key: string): string
  stop(): Promise<void>
  start(): Promise<void>
  /** Stops it and removes what it held. */
  end(): Promise<void>
}

export const BUCKET = 'off-site'

export async function startS3Server(): Promise<S3Server> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-s3-'))
  let server: S3rver | undefined
  let port = 0
  const start = async (): Promise<void> => {
    server = new S3rver({
      address: '127.0.0.1',
      port,
      silent: true,
      directory,
      configureBuckets: [{ name: BUCKET }],
    })
    storeWholly(server, directory)
    port = (await server.run()).port
  }
  const stop = async (): Promise<void> => {
    await server?.close()
    server = undefined
  }
  await start()
  return {
    port,
    environment: environmentOf(port),
    fileOf: (key) => path.join(directory, BUCKET, `${key}._S3rver_object`),
    start,
    stop,
    end: async () => {
      await stop()
      fs.rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** s3rver answers a PUT when it has read the body; its file is written a moment later. No S3 server does that. */
function storeWholly({ store }: S3rver, directory: string): void {
  const putObject = store.putObject.bind(store)
  store.putObject = async (object) => {
    const stored = await putObject(object)
    const file = path.join(directory, object.bucket, `${object.key}._S3rver_object`)
    while (fs.statSync(file, { throwIfNoEntry: false })?.size !== stored.size)
      await new Promise((resolve) => setImmediate(resolve))
    return stored
  }
}

/** Sets the variables of the server for this process, in which the SDK reads them. */
export function useServer(server: S3Server): void {
  Object.assign(process.env, server.environment)
}

/** "PREFIX" of the server's bucket. Few objects a page, so that listing has to turn pages. */
export function awsBucket(server: S3Server, prefix: string): AwsBucket {
  return awsBucketAt(server.port, prefix)
}

/** The same in another process than the server's. */
export function awsBucketAt(port: number, prefix: string): AwsBucket {
  const environment = environmentOf(port)
  Object.assign(process.env, environment)
  return new AwsBucket(bucketPlaceOf(`s3://${BUCKET}/${prefix}`), { environment, pageSize: 3 })
}

function environmentOf(port: number): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
    // Nothing is asked of a cloud's own address for credentials.
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}
