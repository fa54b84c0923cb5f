// Names of one file inside a share are names of one file on every node that can: made, removed, renamed, edited and
// dressed through any of them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, pause, type TestNode, type World, withWorld } from '../support/daemons.js'
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

test('a node that makes no links holds the same, and takes no link from the others', async () => {
  await withWorld({}, async (world) => {
    // All that a and c hear of each other has been with b.
    const nodes = [
      await world.node('a', { knows: ['b'] }),
      await world.node('b', { share: { hard_links: false } }),
      await world.node('c', { knows: ['b'] }),
    ] as const
    const [a, b, c] = nodes
    await Promise.all(nodes.map((node) => node.start()))
    a.write('x', 'content')
    a.write('dir/other', 'other content')
    link(a, 'x', 'dir/x')
    link(a, 'x', 'dir/xx')
    const groups = async (expected: readonly (readonly string[])[]): Promise<void> => {
      await converged(nodes)
      assertEqualTrees(nodes.map(({ dir }) => dir))
      for (const node of [a, c]) assert.deepEqual(inodeGroups(node.dir), expected, node.name)
      assert.deepEqual(inodeGroups(b.dir), [])
    }
    await groups([['dir/x', 'dir/xx', 'x']])
    await b.restart()
    fs.appendFileSync(c.at('dir/xx'), ' more')
    await groups([['dir/x', 'dir/xx', 'x']])
    // Another file under the same names, all of them: b does not know that they are one, and says nothing of it.
    b.write('dir/other', 'edited on b')
    fs.chmodSync(c.at('x'), 0o600)
    await groups([['dir/x', 'dir/xx', 'x']])
    assert.equal(fs.statSync(b.at('dir/x')).mode & 0o777, 0o600)
    // An edit there is of one name only.
    b.write('x', 'one of them')
    await groups([['dir/x', 'dir/xx']])
    assert.equal(a.read('dir/x'), 'content more')
  })
})

test('two writers who link the same names apart come to one mind, and to rest', async () => {
  await withWorld({}, async (world) => {
    const nodes = await three(world)
    const [a, b] = nodes
    a.write('x', 'the same')
    for (const name of ['y', 'z', 'dir/w']) {
      fs.mkdirSync(a.at('dir'), { recursive: true })
      execFileSync('cp', ['-p', a.at('x'), a.at(name)])
    }
    await alike(nodes, [])
    await Promise.all([a.stop(), b.stop()])
    execFileSync('ln', ['-f', a.at('x'), a.at('y')])
    execFileSync('ln', ['-f', b.at('y'), b.at('z')])
    execFileSync('ln', ['-f', b.at('y'), b.at('dir/w')])
    await Promise.all([a.start(), b.start()])
    await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))
    const groups = inodeGroups(a.dir)
    assert.ok(groups.length > 0)
    for (const node of nodes) assert.deepEqual(inodeGroups(node.dir), groups, node.name)
    // Nobody goes on saying it.
    const digests = (await converged(nodes)).map(({ digest }) => digest)
    assert.deepEqual(
      (await converged(nodes)).map(({ digest }) => digest),
      digests,
    )
  })
})

test('kill -9 while links are made: the same names are one file in the end (A4)', async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a')
    const b = await world.node('b')
    const c = await world.node('c', { grade: 'read' })
    const nodes = [a, b, c]
    await Promise.all(nodes.map((node) => node.start()))
    const names: string[][] = [[], []]
    for (let i = 0; i < 60; i++) {
      for (const [n, list] of names.entries()) {
        const name = `d${i % 4}/f${n}-${i}`
        fs.mkdirSync(a.at(`d${i % 4}`), { recursive: true })
        if (i === 0) a.write(name, `content ${n}`.repeat(1000 ** n))
        else link(a, list[0]!, name)
        list.push(name)
      }
    }
    for (let round = 0; round < 6; round++) {
      const victim = round % 2 === 0 ? b : c
      await pause(40 + 90 * round)
      await victim.kill()
      fs.appendFileSync(a.at(names[round % 2]![round]!), `, round ${round}`)
      if (round === 3) fs.chmodSync(a.at(names[0]![7]!), 0o640)
      await victim.start()
    }
    await alike(nodes, names)
    const left = names.map((list) => list.filter((name) => !name.startsWith('d1/')))
    a.remove('d1')
    await pause(60)
    await b.kill()
    await b.start()
    await alike(nodes, left)
    assert.deepEqual(await reasonsOfDrift(c), [])
  })
})

async function reasonsOfDrift(node: TestNode): Promise<unknown> {
  return (await node.share()).drift === 0 ? [] : node.status()
}
