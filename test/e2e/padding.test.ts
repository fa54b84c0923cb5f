// `padding: "padme"`: one writer pads, one does not, a reader holds both; trees are equal, an edit or a touch says nothing
// that is not new, who follows pads too, and whoever sees the records alone learns padded lengths.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { paddedBytesOf } from '../../src/core/padme.js'
import { plainBytesOf } from '../../src/core/piece.js'
import { keysOf } from '../../src/core/secret.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { ShareIndex } from '../../src/store/share-index.js'
import { patternBytes } from '../core/piece-pattern.js'
import { converged, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

/** Which files of a stopped node's index are padded, by path; every padded piece has a padded length. */
async function paddedPaths(node: TestNode): Promise<Record<string, boolean>> {
  const database = openLmdb(path.join(node.storage, 'index'))
  try {
    const prefix = `${keysOf(node.world.secret).shareId.slice(0, 16)}:`
    const index = new ShareIndex(database, prefix, { overwriteDrift: false, isIgnored: () => false })
    const found: Record<string, boolean> = {}
    for (const [head, other] of index.allHeads()) {
      assert.equal(other, undefined, `${head!.path} is in conflict`)
      const pieces = index.piecesOf(head!) ?? []
      if (pieces.length === 0) continue
      found[head!.path] = pieces[0]!.plain !== undefined
      for (const piece of pieces) {
        assert.equal(piece.plain !== undefined, found[head!.path])
        if (piece.plain !== undefined) assert.equal(piece.length, paddedBytesOf(plainBytesOf(piece)) + 24)
      }
    }
    return found
  } finally {
    await database.close()
  }
}

test('one writer pads, one does not: equal trees through edits, touches, renames and a kill', async () => {
  await withWorld({}, async (world) => {
    const anna = await world.node('anna', { share: { padding: 'padme' } })
    const ben = await world.node('ben', { share: { padding: 'none' } })
    const reader = await world.node('reader', { grade: 'read' })
    const nodes = [anna, ben, reader]
    const large = patternBytes(900_000, 1)
    anna.write('a/large', large)
    anna.write('a/small', 'small')
    anna.write('a/empty', '')
    ben.write('b/large', patternBytes(400_000, 2))
    ben.write('b/small', 'not padded')
    await Promise.all(nodes.map((node) => node.start()))
    await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))

    // An edit by the other one: what was padded stays so; what was not is padded by who pads.
    fs.appendFileSync(ben.at('a/large'), 'more')
    ben.write('a/small', 'SMALL')
    anna.write('b/small', 'now padded')
    ben.write('b/new', 'new')
    await converged(nodes)
    // A touch, and a rename, are no new content.
    const before = await anna.feedLengths()
    await reader.kill()
    for (const name of ['a/small', 'b/large']) fs.utimesSync(anna.at(name), 1_700_000_000, 1_700_000_000)
    fs.renameSync(anna.at('a/large'), anna.at('a/renamed'))
    await converged([anna, ben])
    await reader.start()
    const reports = await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))
    assert.ok(reports[2]!.receivedBytes < 100_000, `the reader was sent ${reports[2]!.receivedBytes} bytes`)
    assert.equal((await reader.share()).drift, 0)
    assert.notDeepEqual(await anna.feedLengths(), before)
    await Promise.all(nodes.map((node) => node.stop()))
    const expected = { 'a/renamed': true, 'a/small': true, 'b/large': false, 'b/new': false, 'b/small': true }
    for (const node of nodes) assert.deepEqual(await paddedPaths(node), expected, node.name)
  })
})

test('a device that is told nothing pads as soon as another does; a reader whose folder was full before takes it over', async () => {
  await withWorld({}, async (world) => {
    const anna = await world.node('anna', { share: { padding: 'padme' } })
    const carl = await world.node('carl')
    const reader = await world.node('reader', { grade: 'read' })
    const content = patternBytes(2_000_000, 3)
    anna.write('large', content)
    anna.write('small', 'small')
    reader.write('large', content)
    reader.write('small', 'small')
    await Promise.all([anna, carl].map((node) => node.start()))
    const [, first] = await converged([anna, carl])
    assert.ok(first!.receivedBytes > content.length)
    carl.write('by-carl', 'padded as well')
    await converged([anna, carl])
    // It reads its folder before it hears of anybody who pads.
    await Promise.all([anna, carl].map((node) => node.stop()))
    await reader.start()
    await reader.client.settle()
    await Promise.all([anna, carl].map((node) => node.start()))
    const [, , report] = await converged([anna, carl, reader])
    assertEqualTrees([anna.dir, carl.dir, reader.dir])
    assert.ok(report!.receivedBytes < 100_000, `the reader was sent ${report!.receivedBytes} bytes`)
    await Promise.all([anna, carl, reader].map((node) => node.stop()))
    assert.deepEqual(await paddedPaths(carl), { 'by-carl': true, large: true, small: true })
  })
})
