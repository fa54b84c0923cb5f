// What one device does while others undo and redo the same: a deletion must not take away what it never saw (V1, V4).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, World } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

const TIME_S = 1_000_000_000

test('V1: a file deleted and put back as it was by others outlives an older deletion by one who was away', async () => {
  const world = new World()
  try {
    const nodes = await world.start(['anna', 'ben', 'carl'])
    const [anna, ben, carl] = [nodes[0]!, nodes[1]!, nodes[2]!]
    const write = (node: typeof anna): void => {
      node.write('report', 'as it was in the backup')
      fs.utimesSync(node.at('report'), TIME_S, TIME_S)
    }
    write(anna)
    anna.write('other', 'first')
    await converged(nodes)
    await carl.stop()
    anna.remove('report')
    await converged([anna, ben])
    write(ben)
    await converged([anna, ben])
    carl.remove('report')
    // Publishing this waits until carl has met the others (F4), and so does judging the deletion.
    carl.write('other', 'second')
    await carl.start()
    await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))
    assert.ok(ben.exists('report'), 'what ben put back lives')
  } finally {
    await world.close()
  }
})
