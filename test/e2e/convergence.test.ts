// Three writers keep one tree the same while all of them change it: connected, apart, and while a daemon is down.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

async function allEqual(nodes: readonly TestNode[]): Promise<void> {
  await converged(nodes)
  assertEqualTrees(nodes.map(({ dir }) => dir))
}

test('three writers, connected: additions, edits, deletions, renames and type changes arrive everywhere', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b', 'c'])
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode]
    for (const node of nodes) {
      node.write(`from-${node.name}/deep/file.txt`, `made on ${node.name}`)
      node.write(`shared-directory/${node.name}`, node.name.repeat(100_000))
      fs.symlinkSync('nowhere', node.at(`link-${node.name}`))
      fs.mkdirSync(node.at(`empty-${node.name}`))
      node.write(`swap-${node.name}`, 'to become something else')
    }
    await allEqual(nodes)
    assert.equal(a.read('from-c/deep/file.txt'), 'made on c')

    a.write('from-b/deep/file.txt', 'edited on a')
    b.remove('from-c')
    fs.renameSync(c.at('from-a'), c.at('moved-from-a'))
    fs.renameSync(a.at('shared-directory/b'), a.at('shared-directory/b2'))
    fs.rmdirSync(b.at('empty-a'))
    c.remove('link-a')
    a.remove('swap-a')
    a.write('swap-a/now/a-directory', 'x')
    b.remove('swap-b')
    fs.symlinkSync('swap-a', b.at('swap-b'))
    c.remove('swap-c')
    fs.mkdirSync(c.at('swap-c'))
    await allEqual(nodes)
    assert.equal(c.read('from-b/deep/file.txt'), 'edited on a')
    assert.equal(a.exists('from-c'), false)
    assert.equal(b.read('moved-from-a/deep/file.txt'), 'made on a')
    assert.equal(b.exists('from-a'), false)
    assert.equal(c.exists('shared-directory/b'), false)
    assert.equal(a.exists('empty-a') || a.exists('link-a'), false)
    assert.equal(c.read('swap-a/now/a-directory'), 'x')
    assert.equal(fs.readlinkSync(a.at('swap-b')), 'swap-a')

    // And back again: directory to file, link to file, directory to link.
    b.remove('swap-a')
    b.write('swap-a', 'a file again')
    c.remove('swap-b')
    c.write('swap-b', 'a file again')
    a.remove('swap-c')
    fs.symlinkSync('..', a.at('swap-c'))
    await allEqual(nodes)
    assert.equal(c.read('swap-a'), 'a file again')
    assert.equal(a.read('swap-b'), 'a file again')
    assert.equal(fs.readlinkSync(b.at('swap-c')), '..')
    for (const { conflicts, problems } of await converged(nodes)) {
      assert.equal(conflicts, 0)
      assert.deepEqual(problems, [])
    }
  })
})

test('three writers, partitioned: what both sides did lives on after they meet (V4)', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b', 'c'])
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode]
    for (const name of ['edit', 'delete', 'rename', 'edit-or-delete', 'type', 'both-delete', 'c-edit']) {
      a.write(`tree/${name}`, `first ${name}`)
    }
    a.write('dir/old/file', 'old file')
    a.write('move/one/two/file', 'moved as a whole')
    a.write('c-renames/x/file', 'by c')
    await allEqual(nodes)

    // c's daemon is down while its disk is changed; a and b go on together.
    assert.equal(await c.stop(), 0)
    a.write('tree/edit', 'edited on a')
    b.remove('tree/delete')
    fs.renameSync(a.at('tree/rename'), a.at('tree/renamed'))
    b.remove('tree/edit-or-delete')
    b.remove('dir')
    a.remove('tree/both-delete')
    fs.renameSync(b.at('move'), b.at('moved'))
    a.write('tree/type/../type-dir/inner', 'x')
    await allEqual([a, b])
    c.write('tree/edit-or-delete', 'edited on c while it was deleted')
    c.write('dir/old/new-on-c', 'new in a directory that was deleted')
    c.remove('tree/both-delete')
    c.write('tree/c-edit', 'edited on c')
    fs.renameSync(c.at('c-renames'), c.at('c-renamed'))
    c.write('only-c', 'new on c')
    c.remove('tree/type')
    c.write('tree/type/is/a-directory', 'x')
    await c.start()
    await allEqual(nodes)
    assert.equal(b.read('tree/edit'), 'edited on a')
    assert.equal(c.exists('tree/delete'), false)
    assert.equal(c.read('tree/renamed'), 'first rename')
    assert.equal(a.read('tree/edit-or-delete'), 'edited on c while it was deleted')
    assert.equal(a.read('dir/old/new-on-c'), 'new in a directory that was deleted')
    assert.equal(a.exists('dir/old/file'), false)
    assert.equal(c.exists('tree/both-delete'), false)
    assert.equal(b.read('tree/c-edit'), 'edited on c')
    assert.equal(c.read('moved/one/two/file'), 'moved as a whole')
    assert.equal(c.exists('move'), false)
    assert.equal(a.read('c-renamed/x/file'), 'by c')
    assert.equal(a.exists('c-renames'), false)
    assert.equal(a.read('only-c'), 'new on c')
    assert.equal(b.read('tree/type/is/a-directory'), 'x')

    // Now c runs alone and announces to nobody, then a and b change the same tree without c.
    await Promise.all([a.stop(), b.stop()])
    c.write('tree/edit', 'edited on c, alone')
    c.remove('moved')
    await c.client.settle()
    await c.stop()
    await Promise.all([a.start(), b.start()])
    a.write('moved/one/two/another', 'added to what c deleted')
    b.write('tree/renamed', 'edited on b')
    await allEqual([a, b])
    await c.start()
    await allEqual(nodes)
    assert.equal(a.read('tree/edit'), 'edited on c, alone')
    assert.equal(c.read('moved/one/two/another'), 'added to what c deleted')
    assert.equal(a.exists('moved/one/two/file'), false)
    assert.equal(c.read('tree/renamed'), 'edited on b')
    for (const { conflicts } of await converged(nodes)) assert.equal(conflicts, 0)
  })
})
