import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const skip = fs.existsSync('/proc/self/smaps_rollup') ? false : 'needs /proc/PID/smaps_rollup'

test('bench: a tiny run of the idle bench measures a daemon, its supervisor and a bare node', {
  skip,
}, async () => {
  const bench = fileURLToPath(new URL('../../bench/idle.bench.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '1', '2', '0'])
  for (const name of ['a daemon \\(median\\)', 'shoal up', 'node -e'])
    assert.match(stdout, new RegExp(`^${name} +\\d+\\.\\d `, 'm'))
})
