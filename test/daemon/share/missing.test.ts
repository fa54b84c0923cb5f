// What is gone: never said of a directory while something in it lives on, nor of a file before its new name is known.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scanner } from '../../../src/daemon/share/scanner.js'
import { at, newBench } from './support.js'

test('V4: a directory is not published as gone while what lay in it is left to a later look', async () => {
  const bench = newBench()
  bench.disk.directory('d')
  bench.disk.directory('d/e')
  bench.disk.file('d/e/f', [1])
  bench.disk.file('d/e/g', [2])
  const scanner = new Scanner(bench.context)
  try {
    await scanner.fullScan()
    bench.published.length = 0
    bench.disk.remove('d')
    const { guard } = bench.context
    const confirm = bench.disk.confirmMissing.bind(bench.disk)
    let asked = 0
    bench.disk.confirmMissing = (root, list) => {
      // Something that was under way there ends just now (A9).
      if (asked++ === 0) {
        guard.startCommit([at('d/e/f')])
        guard.endCommit([at('d/e/f')])
      }
      return confirm(root, list)
    }
    scanner.markDirty([at('d')])
    await scanner.settled()
    const said = bench.published.map(({ draft }) => draft.path)
    assert.deepEqual(said, ['d/e/g', 'd/e/f', 'd/e', 'd'])
    assert.ok(asked > 1)
  } finally {
    await scanner.stop()
  }
})

for (const delayMs of [0, 60_000])
  test(`P3: a name is gone only when all that happened by then was heard of and looked at, due in ${delayMs} ms or not`, async () => {
    const bench = newBench()
    bench.disk.directory('new')
    bench.disk.directory('cur')
    bench.disk.file('new/message', [1])
    const heard: string[] = []
    const scanner = new Scanner({
      ...bench.context,
      // The watch tells of the other directory late, and says when it has told all.
      hear: async () => {
        await new Promise((resolve) => setImmediate(resolve))
        heard.push('all')
        scanner.markDirty([at('cur')], delayMs)
        return true
      },
    })
    try {
      await scanner.fullScan()
      bench.published.length = 0
      bench.disk.move('new/message', 'cur/message:2,S')
      scanner.markDirty([at('new')])
      await scanner.settled()
      const said = bench.published.map(({ draft }) => draft.path)
      assert.deepEqual(said, ['cur/message:2,S', 'new/message'])
      assert.ok(heard.length > 0)
    } finally {
      await scanner.stop()
    }
  })
