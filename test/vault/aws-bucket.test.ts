// The bucket through the AWS SDK against a real server on loopback: the suite of every bucket, and what its errors say.
import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { bucketPlaceOf } from '../../src/core/bucket-place.js'
import { ShoalError } from '../../src/core/error.js'
import { AwsBucket, type AwsBucketOptions } from '../../src/vault/s3/aws-bucket.js'
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

describe('what is no bucket, or has a bad moment', () => {
  type Answer = (response: ServerResponse) => void
  const text =
    (status: number, body: string, headers: Record<string, string> = {}): Answer =>
    (response) => {
      response.writeHead(status, headers)
      response.end(body)
    }
  const asking = async (
    answer: Answer,
    body: (bucket: AwsBucket) => Promise<void>,
    options: AwsBucketOptions = {},
  ): Promise<void> => {
    const host = createServer((request, response) => {
      request.resume()
      answer(response)
    })
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
    const { port } = host.address() as AddressInfo
    const environment = { ...server.environment, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` }
    const bucket = new AwsBucket(bucketPlaceOf(`s3://${BUCKET}/a`), { environment, ...options })
    try {
      await body(bucket)
    } finally {
      bucket.close()
      host.closeAllConnections()
      host.close()
    }
  }
  const unreachable = { code: 'BUCKET_UNREACHABLE' }
  let server: S3Server
  before(async () => {
    server = await startS3Server()
    useServer(server)
  })
  after(async () => server.end())

  // What is taken for gone is forgotten: only a bucket may say it.
  const strangers: Readonly<Record<string, Answer>> = {
    'a proxy before a server that is away': text(404, '404 page not found'),
    'a proxy that says nothing': text(404, ''),
    'a page': text(200, '<html><body>Log in first</body></html>', { 'content-type': 'text/html' }),
    'a page of known length': text(200, '<html></html>', { 'content-length': '13' }),
  }
  for (const [name, answer] of Object.entries(strangers))
    it(`is not told from by ${name}`, async () => {
      await asking(answer, async (bucket) => {
        await assert.rejects(bucket.read('packs/a', 0, 1000), unreachable)
        await assert.rejects(bucket.list('packs/'), unreachable)
        await assert.rejects(bucket.put(uploadOf('packs/a', Buffer.alloc(100))), unreachable)
      })
    })

  it('is not waited for without end where connections are taken and nothing is said', async () => {
    const silence: Answer = () => undefined
    const late = { code: 'BUCKET_UNREACHABLE', message: /the server has not answered for \d+ s$/ }
    await asking(
      silence,
      async (bucket) => {
        await assert.rejects(bucket.list('packs/'), late)
        await assert.rejects(bucket.read('packs/a', 0, 10), late)
        await assert.rejects(bucket.get('vault.json'), late)
        await assert.rejects(bucket.remove('packs/a'), late)
      },
      { answerTimeoutMs: 100 },
    )
  })

  it('may take longer over what it says than to begin', { timeout: 20_000 }, async () => {
    const slowly: Answer = (response) => {
      response.writeHead(206, { 'content-length': '5', 'content-range': 'bytes 0-4/5' })
      response.write('abc')
      setTimeout(() => response.end('de'), 1500)
    }
    await asking(
      slowly,
      async (bucket) => assert.deepEqual(await bucket.read('packs/a', 0, 5), Buffer.from('abcde')),
      { answerTimeoutMs: 1000 },
    )
  })

  it('the server alone says that an object is not there, or ends before', async () => {
    const missing = '<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>x</Message></Error>'
    await asking(text(404, missing, { 'content-type': 'application/xml' }), async (bucket) => {
      await assert.rejects(bucket.read('packs/a', 0, 10), { code: 'NOT_FOUND' })
      assert.equal(await bucket.get('vault.json'), undefined)
      await bucket.remove('packs/a')
    })
    const part = (range: string): Answer =>
      text(206, 'abcde', { 'content-length': '5', 'content-range': range })
    await asking(part('bytes 0-4/5'), async (bucket) => {
      assert.deepEqual(await bucket.read('packs/a', 0, 5), Buffer.from('abcde'))
      await assert.rejects(bucket.read('packs/a', 0, 10), { code: 'NOT_FOUND' })
    })
    await asking(part('bytes 0-4/50'), async (bucket) => {
      await assert.rejects(bucket.read('packs/a', 0, 10), unreachable)
    })
  })

  it('does not fill the memory: what is longer than asked for is not read (F7)', async () => {
    let sent = 0
    let closed: () => void = () => {}
    const ended = new Promise<void>((resolve) => {
      closed = resolve
    })
    const endless: Answer = (response) => {
      response.writeHead(200, { 'content-length': String(2 ** 40) })
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536
      }
      response.on('drain', more)
      response.on('close', closed)
      more()
    }
    await asking(endless, async (bucket) => {
      await assert.rejects(bucket.read('packs/a', 0, 1000), unreachable)
      await ended
      assert.ok(sent < 64 << 20, `${sent} bytes were taken`)
    })
  })

  it('a listing that does not go on ends', async () => {
    const page =
      '<?xml version="1.0"?><ListBucketResult><Name>off-site</Name><IsTruncated>true</IsTruncated>' +
      '<Contents><Key>a/packs/00000001.pack</Key><Size>1</Size></Contents></ListBucketResult>'
    await asking(text(200, page, { 'content-type': 'application/xml' }), async (bucket) => {
      await assert.rejects(bucket.list('packs/'), unreachable)
    })
  })

  it('half an answer is a failure, and the process goes on', async () => {
    const half: Answer = (response) => {
      response.writeHead(206, { 'content-length': '1000', 'content-range': 'bytes 0-999/1000' })
      response.write(Buffer.alloc(500), () => response.destroy())
    }
    await asking(half, async (bucket) => {
      await assert.rejects(bucket.read('packs/a', 0, 1000), unreachable)
      await assert.rejects(bucket.get('vault.json'), unreachable)
    })
  })
})

describe('a bucket in memory', () => {
  bucketSuite(() => new MemoryBucket())
})
