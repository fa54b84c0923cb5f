// Content that need not travel: a node that joins with the files in place, renames, copies; and files that are written
// slowly. What travelled is read from the daemons' own counts.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, eventually, pause, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

const MIB = 1 << 20

async function received(node: TestNode): Promise<number> {
  return (await node.share()).receivedBytes
}

/** All that lies in a node's directory and is the user's. */
function theirs(node: TestNode): string[] {
  return fs
    .readdirSync(node.dir)
    .filter((name) => name !== '.shoal')
    .map((name) => node.at(name))
}

test('a node that joins with the same files adopts them; of others, both versions live on (A4)', async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    for (let i = 0; i < 100; i++) a.write(`d${i % 7}/file-${i}`, randomBytes(5000))
    a.write('big', randomBytes(3 * MIB))
    a.write('differs', 'as a has it')
    a.write('only-a', randomBytes(20_000))
    fs.symlinkSync('big', a.at('link'))
    fs.mkdirSync(a.at('empty'))
    await converged([a])
    const copied = await world.node('copied')
    const touched = await world.node('touched')
    const partly = await world.node('partly')
    execFileSync('cp', ['-a', ...theirs(a), copied.dir])
    execFileSync('cp', ['-r', ...theirs(a), touched.dir])
    execFileSync('cp', ['-a', ...theirs(a), partly.dir])
    fs.rmSync(partly.at('only-a'))
    partly.write('differs', 'as partly has it')
    partly.write('only-partly', 'new to the share')

    // The very same files, with their times.
    await copied.start()
    await converged([a, copied])
    assert.equal(await received(copied), 0)
    assert.equal(await received(a), 0)
    assertEqualTrees([a.dir, copied.dir])
    assert.equal((await a.share()).conflicts, 0)

    // The same contents with other times: no content travels, no conflict comes of it.
    await touched.start()
    await converged([a, copied, touched])
    assert.equal(await received(touched), 0)
    assertEqualTrees([a.dir, copied.dir, touched.dir])
    assert.equal((await a.share()).conflicts, 0)

    // Partly others: only what was missing travels.
    await partly.start()
    const nodes = [a, copied, touched, partly]
    await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))
    // The last pieces are asked of all peers at once, so they may come more than once.
    assert.ok((await received(partly)) < 100_000, `${await received(partly)} bytes came`)
    assert.equal(a.read('only-partly'), 'new to the share')
    const versions = fs.readdirSync(a.dir).filter((name) => name.startsWith('differs'))
    assert.deepEqual(versions.map((name) => a.read(name)).sort(), ['as a has it', 'as partly has it'])
  })
})

test('renames and copies of big content move no content (P3); a small edit of a big file moves little', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b'])
    const [a, b] = nodes as [TestNode, TestNode]
    const big = randomBytes(24 * MIB)
    a.write('big', big)
    a.write('dir/one', randomBytes(MIB))
    a.write('dir/deep/two', randomBytes(MIB))
    a.write('swap-1', randomBytes(MIB))
    a.write('swap-2', randomBytes(MIB))
    await converged(nodes)
    const before = await received(b)
    assert.ok(before > 28 * MIB)
    fs.renameSync(a.at('big'), a.at('big-renamed'))
    await converged(nodes)
    fs.renameSync(b.at('dir'), b.at('dir-renamed'))
    await converged(nodes)
    fs.copyFileSync(a.at('big-renamed'), a.at('big-copied'))
    await converged(nodes)
    fs.renameSync(a.at('swap-1'), a.at('swap-3'))
    fs.renameSync(a.at('swap-2'), a.at('swap-1'))
    fs.renameSync(a.at('swap-3'), a.at('swap-2'))
    await converged(nodes)
    // From the archive: what was deleted and comes back.
    const kept = fs.readFileSync(a.at('dir-renamed/one'))
    a.remove('dir-renamed')
    await converged(nodes)
    a.write('again', kept)
    await converged(nodes)
    assertEqualTrees([a.dir, b.dir])
    assert.equal(await received(b), before)
    assert.equal(await received(a), 0)
    // Renamed and edited in the middle: only the pieces around the edit travel.
    const edited = Buffer.concat([
      big.subarray(0, 10 * MIB),
      Buffer.from('an insertion'),
      big.subarray(10 * MIB),
    ])
    fs.writeFileSync(a.at('big-renamed'), edited)
    await converged(nodes)
    assertEqualTrees([a.dir, b.dir])
    const moved = (await received(b)) - before
    assert.ok(moved > 0 && moved < 4 * MIB, `${moved} bytes moved`)
  })
})

test('a file that is being written is never seen half on the other node (A8)', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b'])
    const [a, b] = nodes as [TestNode, TestNode]
    await converged(nodes)
    const chunk = Buffer.alloc(100_000, 'x')
    const seen = new Set<number>()
    const look = setInterval(() => {
      const stat = fs.statSync(b.at('slow'), { throwIfNoEntry: false })
      if (stat !== undefined) seen.add(stat.size)
    }, 10)
    try {
      const fd = fs.openSync(a.at('slow'), 'w')
      for (let i = 0; i < 20; i++) {
        fs.writeSync(fd, chunk)
        // The pace of a program that downloads or encodes: what is tested is time itself.
        await pause(100)
      }
      fs.closeSync(fd)
      await eventually('it arrives', () => seen.size > 0)
      await converged(nodes)
    } finally {
      clearInterval(look)
    }
    assert.deepEqual([...seen], [20 * chunk.length])
    assertEqualTrees([a.dir, b.dir])
    // A log that is never closed arrives all the same once it rests: checked in the scanner's own tests.
  })
})
