// What a step makes of a path.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FileFact } from '../../../src/core/fact.js'
import { newApplierBench } from './apply-support.js'
import { fileFact } from './support.js'

for (const { mode, kind } of [
  { mode: 0o4755, kind: 'file' },
  { mode: 0o2755, kind: 'file' },
  { mode: 0o755, kind: 'metadata' },
])
  test(`a change of mode to ${mode.toString(8)} alone is done by a ${kind} job, and moves no content`, async (t) => {
    const bench = newApplierBench(t)
    await bench.have('tool', [1])
    await bench.tell('tool', { ...(fileFact([1]) as FileFact), mode })
    await bench.run()
    const jobs = bench.pool.commits.flat().filter(({ type }) => type !== 'directory')
    assert.deepEqual(
      jobs.map(({ type }) => type),
      [kind],
    )
    assert.deepEqual(bench.exchange.asked, [])
    assert.equal(bench.disk.stat('tool').mode, mode)
    assert.deepEqual(bench.problems.list(), [])
  })
