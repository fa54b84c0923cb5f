import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

test('bench: a tiny run of the noise bench has frames arrive both ways of encrypting', async () => {
  const bench = fileURLToPath(new URL('../../bench/noise.bench.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '1', '8'])
  assert.match(stdout, /not to be had here|^OpenSSL +\d+\.\d+ +\d+\.\d+$/m)
})
