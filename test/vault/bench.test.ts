import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

test('bench: a tiny run of the vault bench writes, reads and rebuilds, and every piece is right', async () => {
  const bench = fileURLToPath(new URL('../../bench/vault.bench.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '500', '300'])
  assert.match(stdout, /500 pieces of 300 bytes/)
  assert.match(stdout, /rebuild\s+most memory/)
})
