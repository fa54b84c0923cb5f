// What every bucket keeps (src/vault/s3/bucket.ts), the real one and the one in memory.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { it } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import type { Bucket, Upload } from '../../src/vault/s3/bucket.js'

export function bucketSuite(make: (prefix: string) => Bucket): void {
  it('gives back whole objects and ranges, and says what is not there', async () => {
    const bucket = make('ranges')
    const bytes = Buffer.from('0123456789'.repeat(1000))
    const { tag } = await bucket.put(uploadOf('packs/a', bytes))
    assert.equal(tag, createHash('md5').update(bytes).digest('hex'))
    assert.deepEqual(await bucket.get('packs/a'), bytes)
    assert.deepEqual(await bucket.read('packs/a', 9990, 10), bytes.subarray(9990))
    assert.deepEqual(await bucket.read('packs/a', 3, 4), Buffer.from('3456'))
    assert.equal(await bucket.get('packs/b'), undefined)
    for (const [key, offset, length] of [
      ['packs/b', 0, 1],
      ['packs/a', 9995, 10],
      ['packs/a', 20_000, 10],
    ] as const)
      await assert.rejects(bucket.read(key, offset, length), { code: 'NOT_FOUND' })
    bucket.close()
  })

  it('lists all of a folder, over pages, and nothing beside it', async () => {
    const bucket = make('pages')
    const names = Array.from({ length: 10 }, (_, index) => `packs/${index}`)
    for (const name of [...names, 'other']) await bucket.putSmall(name, Buffer.from(name))
    const found = await bucket.list('packs/')
    assert.deepEqual(
      found.map(({ key, bytes }) => [key, bytes]).sort(),
      names.map((name) => [name, 7]),
    )
    bucket.close()
  })

  it('replaces and removes, and removing what is not there is nothing', async () => {
    const bucket = make('removal')
    await bucket.putSmall('a', Buffer.from('one'))
    await bucket.putSmall('a', Buffer.from('two'))
    assert.deepEqual(await bucket.get('a'), Buffer.from('two'))
    await bucket.remove('a')
    await bucket.remove('a')
    assert.equal(await bucket.get('a'), undefined)
    assert.deepEqual(await bucket.list(''), [])
    bucket.close()
  })

  it('a source that fails at once or half way fails the call with its own error, and the bucket goes on', async () => {
    const bucket = make('sources')
    const whole = uploadOf('packs/a', Buffer.alloc(300_000, 'a'))
    for (const yielded of [0, 1, 100]) {
      const open = async function* (): AsyncGenerator<Buffer> {
        let left = yielded
        for await (const chunk of whole.open()) {
          if (left-- === 0) throw new ShoalError('NOT_FOUND', 'cannot read it: it is gone')
          yield chunk
        }
      }
      await assert.rejects(bucket.put({ ...whole, open }), { message: 'cannot read it: it is gone' })
    }
    await bucket.put(whole)
    assert.equal((await bucket.get('packs/a'))?.length, whole.bytes)
    bucket.close()
  })
}

export function uploadOf(key: string, bytes: Buffer): Upload {
  const open = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
  }
  const md5 = createHash('md5').update(bytes).digest()
  return { key, bytes: bytes.length, md5, open, signal: new AbortController().signal }
}
