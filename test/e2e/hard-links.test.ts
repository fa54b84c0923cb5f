// Names of one file inside a share are names of one file on every node that can: made, removed, renamed, edited and
// dressed through any of them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, type TestNode, type World, withWorld } from '../support/daemons.js'
import { inodeGroups } from '../support/inodes.js'
import { assertEqualTrees } from '../support/trees.js'

/** Waits until all nodes hold the same, and demands that the same names are one file on each. */
async function alike(nodes: readonly TestNode[], groups: readonly (readonly string[])[]): Promise<void> {
  const reports = await converged(nodes)
  for (const { problems, conflicts } of reports)
    assert.deepEqual({ problems, conflicts }, { problems: [], conflicts: 0 })
  assertEqualTrees(nodes.map(({ dir }) => dir))
  const expected = groups.map((group) => [...group].sort()).sort(([a], [b]) => (a! < b! ? -1 : 1))
  for (const node of nodes) assert.deepEqual(inodeGroups(node.dir), expected, node.name)
}

async function three(world: World): Promise<[TestNode, TestNode, TestNode]> {
  return (await world.start(['a', 'b', 'c'])) as [TestNode, TestNode, TestNode]
}

function link(node: TestNode, from: string, to: string): void {
  fs.linkSync(node.at(from), node.at(to))
}

test('links that are there before the first sync, and links made after it', async () => {
  await withWorld({}, async (world) => {
    const first = await world.node('a')
    first.write('one/file', 'x'.repeat(300_000))
    first.write('two/other', 'y')
    link(first, 'one/file', 'two/file')
    link(first, 'one/file', 'file')
    const [a, b, c] = (await (async () => {
      const others = [await world.node('b'), await world.node('c')]
      await Promise.all([first, ...others].map((node) => node.start()))
      return [first, ...others]
    })()) as [TestNode, TestNode, TestNode]
    const nodes = [a, b, c]
    await alike(nodes, [['file', 'one/file', 'two/file']])
    // A new link on another node, to a file that had one name, in another directory; and one more to the old ones.
    link(b, 'two/other', 'one/other')
    link(c, 'two/file', 'one/again')
    await alike(nodes, [
      ['file', 'one/file', 'two/file', 'one/again'],
      ['two/other', 'one/other'],
    ])
    // Removed, renamed.
    a.remove('file')
    fs.renameSync(b.at('two/file'), b.at('one/renamed'))
    await alike(nodes, [
      ['one/file', 'one/renamed', 'one/again'],
      ['two/other', 'one/other'],
    ])
    // Written to in place through one name: all names hold it, on all nodes.
    fs.appendFileSync(c.at('one/renamed'), 'more')
    await alike(nodes, [
      ['one/file', 'one/renamed', 'one/again'],
      ['two/other', 'one/other'],
    ])
    assert.ok(a.read('one/file').endsWith('xmore'))
    // Saved by renaming a new file over one name: that one is on its own.
    b.write('one/new', 'edited')
    fs.renameSync(b.at('one/new'), b.at('one/file'))
    await alike(nodes, [
      ['one/renamed', 'one/again'],
      ['two/other', 'one/other'],
    ])
    assert.equal(c.read('one/file'), 'edited')
    // Permissions are the file's, not the name's.
    fs.chmodSync(a.at('two/other'), 0o640)
    await alike(nodes, [
      ['one/renamed', 'one/again'],
      ['two/other', 'one/other'],
    ])
    assert.equal(fs.statSync(b.at('one/other')).mode & 0o777, 0o640)
    // A copy in the place of a link, with all its metadata.
    execFileSync('cp', ['-p', '--remove-destination', c.at('one/again'), c.at('one/renamed')])
    await alike(nodes, [['two/other', 'one/other']])
    // And linked again.
    fs.rmSync(a.at('one/renamed'))
    link(a, 'one/again', 'one/renamed')
    await alike(nodes, [
      ['one/renamed', 'one/again'],
      ['two/other', 'one/other'],
    ])
  })
})

test('hundreds of names of one file over several directories', async () => {
  await withWorld({}, async (world) => {
    const nodes = await three(world)
    const [a, b, c] = nodes
    const names: string[] = []
    a.write('d0/n0', 'content of five hundred names')
    names.push('d0/n0')
    for (let i = 1; i < 500; i++) {
      const name = `d${i % 7}/n${i}`
      fs.mkdirSync(a.at(`d${i % 7}`), { recursive: true })
      link(a, 'd0/n0', name)
      names.push(name)
    }
    await alike(nodes, [names])
    fs.appendFileSync(b.at('d3/n3'), ', edited')
    await alike(nodes, [names])
    assert.equal(c.read('d6/n6'), 'content of five hundred names, edited')
    fs.chmodSync(c.at('d5/n5'), 0o600)
    await alike(nodes, [names])
    assert.equal(fs.statSync(a.at('d0/n0')).mode & 0o777, 0o600)
    a.remove('d1')
    fs.renameSync(b.at('d2'), b.at('moved'))
    const left = names
      .filter((name) => !name.startsWith('d1/'))
      .map((name) => name.replace(/^d2\//, 'moved/'))
    await alike(nodes, [left])
  })
})
