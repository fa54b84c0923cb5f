import assert from 'node:assert/strict'
import { test } from 'node:test'
import { letGo } from '../../src/ports/let-go.js'

test('memory that was let go is gone at once', () => {
  const buffer = Buffer.from(new ArrayBuffer(65_536))
  letGo(buffer)
  assert.equal(buffer.length, 0)
  assert.equal(buffer.buffer.byteLength, 0)
  // Once more is no harm.
  letGo(buffer)
})

test('memory that others have a part of is not let go', () => {
  const memory = new ArrayBuffer(100)
  const [one, other] = [Buffer.from(memory, 0, 50), Buffer.from(memory, 50)]
  letGo(one)
  other.fill(1)
  assert.deepEqual([one.length, other[0]], [50, 1])
  const shared = Buffer.from(new SharedArrayBuffer(10) as never)
  letGo(shared)
  assert.equal(shared.length, 10)
})

test('a process that has let memory go ends', async () => {
  const { execFile } = await import('node:child_process')
  const { promisify } = await import('node:util')
  const url = new URL('../../src/ports/let-go.js', import.meta.url).href
  const program = `const { letGo } = await import(${JSON.stringify(url)}); letGo(Buffer.from(new ArrayBuffer(9)))`
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  assert.equal(stderr, '')
})
