import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import type { RelPath } from '../../src/core/path.js'
import { listArchived } from '../../src/folder/archive-list.js'
import { Share } from './commit-kit.js'

function list(share: Share, path: string, limit = 100): { at: string[]; isComplete: boolean } {
  const { versions, isComplete } = listArchived({
    ...{ root: share.root, expectRoot: undefined, path: path as RelPath, limit },
  })
  return { at: versions.map(({ at }) => at), isComplete }
}

test('the versions of one path, of all days, the newest first', () => {
  const share = new Share()
  try {
    const names = ['2024-02-01/d/a', '2024-02-03/d/a', '2024-02-03/d/a~2', '2024-02-03/d/a~5']
    for (const name of [...names, '2024-02-03/d/ab', '2024-02-03/a', 'recovered/d/a', '2024-02-04/d'])
      share.write(`.shoal/archive/${name}`, name)
    const newestFirst = ['2024-02-03/d/a~5', '2024-02-03/d/a~2', '2024-02-03/d/a', '2024-02-01/d/a']
    assert.deepEqual(list(share, 'd/a'), { at: newestFirst, isComplete: true })
    assert.deepEqual(list(share, 'd/a', 2), { at: newestFirst.slice(0, 2), isComplete: false })
    assert.deepEqual(list(share, 'a'), { at: ['2024-02-03/a'], isComplete: true })
    assert.deepEqual(list(share, 'none'), { at: [], isComplete: true })
  } finally {
    share.remove()
  }
})

test('A1, A5: no link is followed, and nothing is read where the root is another directory', () => {
  const share = new Share()
  try {
    share.write('elsewhere/a', 'x')
    fs.mkdirSync(share.at('.shoal/archive/2024-02-03'))
    fs.symlinkSync(share.at('elsewhere'), share.at('.shoal/archive/2024-02-03/d'))
    assert.deepEqual(list(share, 'd/a'), { at: [], isComplete: true })
    share.write('.shoal/archive/2024-02-03/a', 'x')
    const { versions, isComplete } = listArchived({
      ...{ root: share.root, expectRoot: { dev: 0, ino: 0 }, path: 'a' as RelPath, limit: 9 },
    })
    assert.deepEqual([versions, isComplete], [[], false])
  } finally {
    share.remove()
  }
})
