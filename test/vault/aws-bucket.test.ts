// The bucket through the AWS SDK against a real server on loopback: the suite of every bucket, and what its errors say.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { bucketPlaceOf } from '../../src/core/bucket-place.js'
import { ShoalError } from '../../src/core/error.js'
import { AwsBucket } from '../../src/vault/s3/aws-bucket.js'
import { MemoryBucket } from '../support/memory-bucket.js'
import { awsBucket, BUCKET, type S3Server, startS3Server, useServer } from '../support/s3-server.js'
import { bucketSuite, uploadOf } from './bucket.suite.js'

let server: S3Server
before(async () => {
  server = await startS3Server()
  useServer(server)
})
after(async () => server.end())

describe('a bucket of a server', () => {
  bucketSuite((prefix) => awsBucket(server, prefix))

  it('closes what it reads from, sent or given up', async () => {
    const bucket = awsBucket(server, 'closing')
    const whole = uploadOf('packs/a', Buffer.alloc(300_000, 'a'))
    let open = 0
    const counted = async function* (afterHalf: () => void): AsyncGenerator<Buffer> {
      open += 1
      try {
        let chunks = 0
        for await (const chunk of whole.open()) {
          if (++chunks === 150) afterHalf()
          yield chunk
        }
      } finally {
        open -= 1
      }
    }
    await bucket.put({ ...whole, open: () => counted(() => undefined) })
    assert.equal(open, 0)
    const given = new AbortController()
    const upload = { ...whole, open: () => counted(() => given.abort()), signal: given.signal }
    await assert.rejects(bucket.put(upload), { code: 'BUCKET_UNREACHABLE' })
    assert.equal(open, 0)
    bucket.close()
  })

  it('says which bucket and what to do, and never a credential', async () => {
    const key = 'AKIDCANARY0KEY'
    const secret = 'canary/secret+key'
    const messages: string[] = []
    const failing = async (bucket: AwsBucket, code: string): Promise<string> => {
      const error = await bucket.list('').then(
        () => assert.fail('it answered'),
        (thrown: unknown) => thrown,
      )
      assert.ok(error instanceof ShoalError)
      assert.equal(error.code, code)
      bucket.close()
      messages.push(error.message, String((error.cause as Error | undefined)?.message))
      return error.message
    }
    assert.match(
      await failing(new AwsBucket(bucketPlaceOf('s3://no-such-bucket/a')), 'BUCKET_REFUSED'),
      /^cannot list s3:\/\/no-such-bucket\/a: there is no such bucket; make it/,
    )
    process.env.AWS_ACCESS_KEY_ID = key
    process.env.AWS_SECRET_ACCESS_KEY = secret
    try {
      assert.match(
        await failing(new AwsBucket(bucketPlaceOf(`s3://${BUCKET}`)), 'BUCKET_REFUSED'),
        /check AWS_ACCESS_KEY_ID$/,
      )
    } finally {
      useServer(server)
    }
    const nobody = { ...server.environment, AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }
    assert.match(
      await failing(
        new AwsBucket(bucketPlaceOf(`s3://${BUCKET}`), { environment: nobody }),
        'BUCKET_UNREACHABLE',
      ),
      /nobody listens there; check AWS_ENDPOINT_URL$/,
    )
    for (const message of messages)
      assert.ok(!message.includes(key) && !message.includes(secret), `a credential is in: ${message}`)
  })

  it('takes no more of an object that is read whole than it may (F7)', async () => {
    const { environment } = server
    const bucket = new AwsBucket(bucketPlaceOf(`s3://${BUCKET}/whole`), { environment, maxSmallBytes: 100 })
    await bucket.put(uploadOf('small', Buffer.alloc(100, 1)))
    await bucket.put(uploadOf('more', Buffer.alloc(101, 1)))
    assert.equal((await bucket.get('small'))?.length, 100)
    await assert.rejects(bucket.get('more'), {
      code: 'BUCKET_REFUSED',
      message: /has 101 bytes, at most 100/,
    })
    bucket.close()
  })

  it('sends a large object as a stream, once it is asked again', async () => {
    const bucket = awsBucket(server, 'large')
    const bytes = Buffer.alloc(9_000_001, 'shoal')
    await bucket.put(uploadOf('packs/a', bytes))
    await bucket.put(uploadOf('packs/a', bytes))
    assert.deepEqual(await bucket.read('packs/a', 8_999_990, 11), bytes.subarray(8_999_990))
    bucket.close()
  })

  it('does not confirm what did not arrive as it was sent', async () => {
    const bucket = awsBucket(server, 'wrong')
    const sent = Buffer.from('what was meant')
    const wrong = { ...uploadOf('packs/a', Buffer.from('what was moved')), md5: uploadOf('', sent).md5 }
    await assert.rejects(bucket.put(wrong), {
      code: 'BUCKET_UNREACHABLE',
      message: /other bytes than were sent$/,
    })
    bucket.close()
  })
})

describe('a bucket in memory', () => {
  bucketSuite(() => new MemoryBucket())
})
