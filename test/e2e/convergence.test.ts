// Three writers keep one tree the same while all of them change it, connected and apart.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

test('three writers: files made on each arrive on all', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b', 'c'])
    for (const node of nodes) {
      node.write(`from-${node.name}/deep/file.txt`, `made on ${node.name}`)
      node.write('shared-directory/'.concat(node.name), node.name.repeat(100_000))
      fs.symlinkSync('nowhere', node.at(`link-${node.name}`))
      fs.mkdirSync(node.at(`empty-${node.name}`))
    }
    await converged(nodes)
    assert.equal(nodes[0]!.read('from-c/deep/file.txt'), 'made on c')
    assertEqualTrees(nodes.map(({ dir }) => dir))
  })
})
