import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const skip = fs.existsSync('/proc/self/stat') ? false : 'needs /proc'

test('bench: a tiny run of the backup bench stores and restores a tree on a blind node, and with what is installed', {
  skip,
}, async () => {
  const bench = fileURLToPath(new URL('../../bench/backup.bench.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...[bench, '60', '2000', '2', 'restic off,borg lz4'],
  ])
  assert.match(stdout, /^shoal, blind node( +\d+(\.\d+)?){8}$/m)
  for (const name of ['restic off', 'borg lz4'])
    assert.match(stdout, new RegExp(`^(skipped ${name}: .*|${name}( +\\d+(\\.\\d+)?){8})$`, 'm'))
})
