// What two people did to one path at the same time: both versions live on, under the same names on every device.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'

const COPY = /\.conflict-\d{8}-\d{6}-[abc](-[0-9a-f]{8})?(\.|$)/

/** Stops all, changes each disk on its own, starts all again and waits for them to agree. */
async function apart(nodes: readonly TestNode[], ...changes: (() => void)[]): Promise<void> {
  await Promise.all(nodes.map((node) => node.stop()))
  for (const change of changes) change()
  await Promise.all(nodes.map((node) => node.start()))
  await converged(nodes)
  assertEqualTrees(nodes.map(({ dir }) => dir))
}

/** Contents of a path and of all its conflict copies, sorted. */
function versionsOf(node: TestNode, directory: string, name: string): string[] {
  const names = fs.readdirSync(node.at(directory))
  const own = names.filter((each) => each.replace(/\.conflict-\d{8}-\d{6}-[\w-]+(?=\.|$)/, '') === name)
  return own.map((each) => fs.readFileSync(node.at(`${directory}/${each}`), 'utf8')).sort()
}

test('edits, deletions and type changes of the same paths on three devices lose nothing (V4, V5, V6)', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b', 'c'])
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode]
    for (const name of ['two.txt', 'three.tar.gz', 'noext', 'same', 'mode', '.hidden', 'file-dir', 'link']) {
      a.write(`t/${name}`, 'base')
    }
    a.write('t/dir-file/inner', 'inner')
    a.write('t/dir-gone/deep/er/inner', 'inner')
    a.write('t/edit-vs-rename', 'base of edit-vs-rename')
    await converged(nodes)
    const second = 1_700_000_000
    const write = (node: TestNode, name: string, text: string, seconds: number): void => {
      node.write(`t/${name}`, text)
      fs.utimesSync(node.at(`t/${name}`), seconds, seconds)
    }
    await apart(
      nodes,
      () => {
        write(a, 'two.txt', 'two by a', second)
        write(a, 'three.tar.gz', 'three by a', second)
        write(a, 'noext', 'noext by a', second + 5)
        write(a, 'same', 'same by all', second)
        write(a, '.hidden', 'hidden by a', second)
        fs.chmodSync(a.at('t/mode'), 0o600)
        a.remove('t/file-dir')
        a.write('t/file-dir/now/inside', 'a made it a directory')
        a.remove('t/dir-file')
        a.write('t/dir-file', 'a made it a file')
        a.remove('t/dir-gone')
        a.remove('t/link')
        fs.symlinkSync('target-by-a', a.at('t/link'))
        write(a, 'edit-vs-rename', 'edited by a', second)
        write(a, 'new', 'new by a', second)
      },
      () => {
        write(b, 'two.txt', 'two by b', second + 1)
        write(b, 'three.tar.gz', 'three by b', second + 2)
        write(b, 'noext', 'noext by b', second)
        write(b, 'same', 'same by all', second)
        write(b, '.hidden', 'hidden by b', second)
        write(b, 'mode', 'content by b', second)
        write(b, 'file-dir', 'b edited the file', second)
        b.write('t/dir-file/added-by-b', 'b added to the directory')
        b.write('t/dir-gone/deep/new-by-b', 'b added below')
        write(b, 'link', 'b edited the file that a made a link', second)
        fs.renameSync(b.at('t/edit-vs-rename'), b.at('t/renamed-by-b'))
        write(b, 'new', 'new by b', second)
      },
      () => {
        write(c, 'three.tar.gz', 'three by c', second + 1)
        write(c, 'same', 'same by all', second)
        c.remove('t/two.txt')
        write(c, 'new', 'new by c', second)
      },
    )
    assert.deepEqual(versionsOf(a, 't', 'two.txt'), ['two by a', 'two by b'])
    assert.equal(a.read('t/two.txt'), 'two by b')
    assert.deepEqual(versionsOf(a, 't', 'three.tar.gz'), ['three by a', 'three by b', 'three by c'])
    assert.equal(a.read('t/three.tar.gz'), 'three by b')
    assert.deepEqual(versionsOf(a, 't', 'noext'), ['noext by a', 'noext by b'])
    assert.equal(a.read('t/noext'), 'noext by a')
    assert.deepEqual(versionsOf(a, 't', 'same'), ['same by all'])
    assert.deepEqual(versionsOf(a, 't', '.hidden'), ['hidden by a', 'hidden by b'])
    assert.ok(versionsOf(a, 't', 'mode').includes('content by b'))
    assert.equal(a.read('t/file-dir/now/inside'), 'a made it a directory')
    const beside = fs.readdirSync(a.at('t')).filter((name) => name.startsWith('file-dir.conflict-'))
    assert.equal(beside.length, 1)
    assert.equal(a.read(`t/${beside[0]}`), 'b edited the file')
    assert.equal(a.read('t/dir-file/added-by-b'), 'b added to the directory')
    assert.ok(fs.readdirSync(a.at('t')).some((name) => name.startsWith('dir-file.conflict-')))
    assert.equal(a.read('t/dir-gone/deep/new-by-b'), 'b added below')
    assert.equal(a.exists('t/dir-gone/deep/er'), false)
    const links = fs.readdirSync(a.at('t')).filter((name) => name.startsWith('link'))
    assert.equal(links.length, 2)
    assert.equal(a.read('t/edit-vs-rename'), 'edited by a')
    assert.equal(a.read('t/renamed-by-b'), 'base of edit-vs-rename')
    assert.deepEqual(versionsOf(a, 't', 'new'), ['new by a', 'new by b', 'new by c'])

    const copies = [...snapshot(a.at('t')).keys()].filter((path) => path.includes('.conflict-'))
    for (const copy of copies) assert.match(copy, COPY)
    assert.match(copies.find((copy) => copy.startsWith('two'))!, /^two\.conflict-20231114-221320-a\.txt$/)
    for (const node of nodes) {
      const listed = await node.client.conflicts()
      assert.deepEqual(listed.map(({ copy }) => copy).sort(), copies.map((copy) => `t/${copy}`).sort())
      assert.equal((await node.share()).conflicts, copies.length)
    }

    // A conflict copy is an ordinary file: settled by deleting or renaming it, on any device.
    for (const copy of copies) b.remove(`t/${copy}`)
    await converged(nodes)
    for (const { conflicts } of await converged(nodes)) assert.equal(conflicts, 0)
    assertEqualTrees(nodes.map(({ dir }) => dir))
  })
})

test('two devices that were apart several times over make no more copies than there were versions (V5)', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b', 'c'])
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode]
    a.write('f', 'base')
    await converged(nodes)
    for (const round of [1, 2]) {
      // Each alone for a while: all have published before they meet.
      await Promise.all(nodes.map((node) => node.stop()))
      for (const node of nodes) {
        await node.start()
        node.write('f', `round ${round} by ${node.name}`)
        await node.client.settle()
        await node.stop()
      }
      await Promise.all(nodes.map((node) => node.start()))
      await converged(nodes)
      assertEqualTrees([a.dir, b.dir, c.dir])
    }
    const contents = fs
      .readdirSync(a.dir)
      .filter((name) => name.startsWith('f'))
      .map((name) => a.read(name))
    // The winner of a round is what all edit in the next one; its losers stay as copies.
    assert.equal(contents.filter((text) => text.startsWith('round 1')).length, 2, contents.join())
    assert.equal(contents.filter((text) => text.startsWith('round 2')).length, 3, contents.join())
    assert.equal(contents.length, 2 + 3)
  })
})
