// Files with holes: they keep them on every node, and a hole is fetched once at most, however big it is.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

const MIB = 2 ** 20
const SIZE = 96 * MIB
/** Where there is something in the file, and what. */
const ISLANDS: readonly (readonly [number, string])[] = [
  [0, 'begin'],
  [50 * MIB + 12_345, 'an island'],
  [SIZE - 4, 'last'],
]

function writeIslands(file: string, islands: readonly (readonly [number, string])[]): void {
  const fd = fs.openSync(file, 'a')
  fs.closeSync(fd)
  const open = fs.openSync(file, 'r+')
  fs.ftruncateSync(open, SIZE)
  for (const [at, text] of islands) fs.writeSync(open, text, at)
  fs.closeSync(open)
}

const bytesOnDisk = (node: TestNode, name: string): number => fs.statSync(node.at(name)).blocks * 512

test('files with holes keep them, there and after an edit, and little is moved', async (context) => {
  await withWorld({}, async (world) => {
    const nodes = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    const full = await world.node('full', { share: { sparse: false } })
    await full.start()
    const [anna, ben] = nodes
    writeIslands(anna.at('image'), ISLANDS)
    if (bytesOnDisk(anna, 'image') > MIB) return context.skip('this file system has no holes')
    anna.write('zeros', Buffer.alloc(64 * 1024))
    const reports = await converged([anna, ben, full])
    assertEqualTrees([anna.dir, ben.dir, full.dir])
    assert.ok(bytesOnDisk(ben, 'image') < 2 * MIB, `${bytesOnDisk(ben, 'image')} bytes`)
    assert.equal(bytesOnDisk(ben, 'zeros'), 0)
    assert.ok(bytesOnDisk(full, 'image') >= SIZE)
    for (const { receivedBytes } of reports)
      assert.ok(receivedBytes < 16 * MIB, `${receivedBytes} bytes came`)

    writeIslands(ben.at('image'), [[75 * MIB, 'another island']])
    await converged([anna, ben, full])
    assertEqualTrees([anna.dir, ben.dir, full.dir])
    assert.ok(bytesOnDisk(anna, 'image') < 2 * MIB, `${bytesOnDisk(anna, 'image')} bytes`)
  })
})
