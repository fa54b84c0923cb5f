import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

test('bench: a tiny run of the exchange bench moves every piece', async () => {
  const bench = fileURLToPath(new URL('../../bench/exchange.bench.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [
    bench,
    '--pieces',
    '300',
    '--rounds',
    '1',
    '--split',
  ])
  assert.match(stdout, /300 pieces of 14848 B/)
})
