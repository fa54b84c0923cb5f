// Much at once: thousands of files, and one that is larger than memory budgets. Times are not judged, only that it all
// arrives, and that the daemons stay small.
import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import { test } from 'node:test'
import { converged, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

const FILES = 5000
/** More than the applier has places (MAX_ACTIVE). */
const MANY = 4200
/** Far more than a daemon may take in memory; SHOAL_BIG_MIB=1024 for a whole gibibyte. */
const BIG_MIB = Number(process.env.SHOAL_BIG_MIB ?? 512)
const BIG_BYTES = BIG_MIB * 2 ** 20
const ROOM_BYTES = 6 * BIG_BYTES

test('5,000 files made at once on a running node, while the other one makes some, too', async () => {
  await withWorld({ logLevel: 'info' }, async (world) => {
    const nodes = await world.start(['a', 'b'])
    const [a, b] = nodes as [TestNode, TestNode]
    for (let i = 0; i < FILES; i++) {
      a.write(`many/${i % 50}/${i}`, `file ${i} `.repeat(1 + (i % 100)))
      if (i % 50 === 0) b.write(`from-b/${i}`, `by b ${i}`)
    }
    await converged(nodes, { timeoutMs: 90_000 })
    assertEqualTrees([a.dir, b.dir])
    assert.equal((await b.share()).files, FILES + FILES / 50)
    // All of them go as they came, and what was empty before stays.
    a.remove('many')
    await converged(nodes, { timeoutMs: 90_000 })
    assertEqualTrees([a.dir, b.dir])
    assert.equal((await b.share()).files, FILES / 50)
  })
})

test('folders of more files than are worked on at a time get names that sort after their own, and change places', async () => {
  await withWorld({ logLevel: 'info' }, async (world) => {
    const nodes = (await world.start(['a', 'b'])) as [TestNode, TestNode]
    const [a, b] = nodes
    for (let i = 0; i < MANY; i++) a.write(`a/${i % 50}/${i}`, `old ${i}`)
    await converged(nodes, { timeoutMs: 90_000 })
    const whileAway = async (change: () => void): Promise<void> => {
      await b.stop()
      change()
      await a.client.settle()
      await b.start()
      await converged(nodes, { timeoutMs: 120_000 })
      assertEqualTrees([a.dir, b.dir])
    }
    // The old names have to go, and wait for the new ones.
    await whileAway(() => fs.renameSync(a.at('a'), a.at('y')))
    // What comes to the old names waits for the new ones to have what they hold.
    await whileAway(() => {
      fs.renameSync(a.at('y'), a.at('z'))
      for (let i = 0; i < MANY; i++) a.write(`y/${i % 50}/${i}`, `new ${i}`)
    })
    // Each is to hold what the other one has.
    await whileAway(() => {
      fs.renameSync(a.at('y'), a.at('x'))
      fs.renameSync(a.at('z'), a.at('y'))
      fs.renameSync(a.at('x'), a.at('z'))
    })
  })
})

const free = fs.statfsSync(os.tmpdir())
const freeBytes = free.bavail * free.bsize

test(`a file of ${BIG_MIB} MiB`, {
  skip: freeBytes < ROOM_BYTES && `less than ${6 * BIG_MIB} MiB are free in ${os.tmpdir()}`,
}, async () => {
  await withWorld({ logLevel: 'info' }, async (world) => {
    const [a, b] = (await world.start(['a', 'b'])) as [TestNode, TestNode]
    const block = Buffer.allocUnsafe(16 << 20)
    const fd = fs.openSync(a.at('big'), 'w')
    for (let at = 0; at < BIG_BYTES; at += block.length) {
      // Random bytes for half of it are enough to have no two pieces alike.
      randomFillSync(block, 0, block.length / 2)
      fs.writeSync(fd, block)
    }
    fs.closeSync(fd)
    await converged([a, b], { timeoutMs: 150_000 })
    assertEqualTrees([a.dir, b.dir])
    for (const node of [a, b])
      assert.ok(peakBytes(node) < 450 * 2 ** 20, `${node.name}: ${peakBytes(node)} bytes at most`)
  })
})

/** Peak resident memory of a node's process (proc(5), VmHWM). */
function peakBytes(node: TestNode): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${node.pid}/status`, 'utf8'))
  return Number(line?.[1] ?? 0) * 1024
}
