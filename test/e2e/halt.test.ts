// A5: a share whose marker or root is gone, or whose tree is mostly gone at start, halts with a reason and announces
// nothing until a person says so; what is deleted while the daemon watches is the user's, and the archive keeps it.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { converged, eventually, type TestNode, type World, withWorld } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'

/** Above the least number that a mass deletion is made of. */
const FILES = 160

async function twoNodes(world: World): Promise<[TestNode, TestNode]> {
  const nodes = await world.start(['anna', 'ben'], { share: { use_sync_trash: true } })
  for (let i = 0; i < FILES; i++) nodes[0]!.write(`d${i % 8}/f${i}`, `content ${i}`)
  await converged(nodes)
  return [nodes[0]!, nodes[1]!]
}

function haltReason(node: TestNode): Promise<string> {
  return eventually('halted', async () => {
    const { state, haltReason } = await node.share()
    return state === 'halted' ? haltReason : undefined
  })
}

async function approve(node: TestNode): Promise<void> {
  const { exit, err } = await node.world.run(['approve', node.configFile])
  assert.equal(exit, 0, err)
}

/** What the other side holds is what it held, after anything announced would have come through. */
async function assertUntouched(node: TestNode, before: ReadonlyMap<string, string>): Promise<void> {
  // A change of its own goes out and comes back, so that what was sent before it has come as well.
  await node.client.settle()
  assert.deepEqual([...snapshot(node.dir)], [...before])
}

test('A5: a marker that is gone halts the share at once, announces nothing, and approve lifts it', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    const before = snapshot(ben.dir)
    fs.rmSync(anna.at('.shoal/marker.json'))
    for (let i = 0; i < FILES; i++) fs.rmSync(anna.at(`d${i % 8}/f${i}`))
    assert.match(await haltReason(anna), /marker/)
    await assertUntouched(ben, before)
    // Nor does a halted share write.
    ben.write('new', 'while anna is halted')
    await ben.client.settle()
    assert.equal(anna.exists('new'), false)
    await anna.restart()
    assert.match(await haltReason(anna), /marker/)
    for (const [i] of Array.from({ length: FILES }).entries()) anna.write(`d${i % 8}/f${i}`, `content ${i}`)
    await approve(anna)
    await converged([anna, ben])
    assertEqualTrees([anna.dir, ben.dir])
    assert.equal(ben.read('new'), 'while anna is halted')
    assert.equal(ben.read('d1/f1'), 'content 1')
    assert.equal((await ben.share()).conflicts, 0)
  })
})

test('A5: a root that is moved away, or replaced by an empty directory, halts; moved back it goes on', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    const before = snapshot(ben.dir)
    const away = `${anna.dir}.away`
    fs.renameSync(anna.dir, away)
    await haltReason(anna)
    await assertUntouched(ben, before)
    fs.mkdirSync(anna.dir)
    await anna.restart()
    assert.match(await haltReason(anna), /marker/)
    await assertUntouched(ben, before)
    assert.deepEqual(fs.readdirSync(anna.dir), [])
    await anna.stop()
    fs.rmdirSync(anna.dir)
    fs.renameSync(away, anna.dir)
    anna.write('d0/f0', 'changed while away')
    await anna.start()
    await converged([anna, ben])
    assert.equal(ben.read('d0/f0'), 'changed while away')
    assertEqualTrees([anna.dir, ben.dir])
  })
})

test('A5: most of the tree gone at start halts; restored it goes on, approved it is deleted and archived', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    await anna.stop()
    const saved = path.join(world.root, 'saved')
    fs.cpSync(anna.dir, saved, { recursive: true, preserveTimestamps: true })
    // The directories stay, with new times: even those are not announced.
    for (let i = 0; i < FILES; i++) fs.rmSync(anna.at(`d${i % 8}/f${i}`))
    anna.write('new', 'made while most was gone')
    const before = snapshot(ben.dir)
    await anna.start()
    assert.match(await haltReason(anna), /160 of 160 files are gone/)
    await assertUntouched(ben, before)
    await anna.stop()
    fs.rmSync(anna.at('new'))
    fs.cpSync(saved, anna.dir, { recursive: true, preserveTimestamps: true })
    await anna.start()
    await converged([anna, ben])
    assert.equal((await ben.share()).files, FILES)

    await anna.stop()
    // Fewer than half: the user's, and announced.
    for (let i = 0; i < 8; i += 4) fs.rmSync(anna.at(`d${i}`), { recursive: true })
    await anna.start()
    await converged([anna, ben])
    assert.equal((await ben.share()).files, FILES - 40)

    await anna.stop()
    for (const name of fs.readdirSync(anna.dir))
      if (name !== '.shoal') fs.rmSync(anna.at(name), { recursive: true })
    await anna.start()
    await haltReason(anna)
    await approve(anna)
    await converged([anna, ben])
    assert.equal((await ben.share()).files, 0)
    assert.equal(archivedFiles(ben), FILES)
  })
})

test('A5: a mass deletion while the daemon watches goes through, and the archive has all of it', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    for (const name of fs.readdirSync(anna.dir))
      if (name !== '.shoal') fs.rmSync(anna.at(name), { recursive: true })
    await converged([anna, ben])
    assert.deepEqual([...snapshot(ben.dir)], [])
    assert.equal(archivedFiles(ben), FILES)
  })
})

function archivedFiles(node: TestNode): number {
  const names = fs.readdirSync(node.at('.shoal/archive'), { recursive: true, withFileTypes: true })
  return names.filter((entry) => entry.isFile()).length
}

test('A5: a copy of the directory that takes its place while the daemon runs halts the share', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    anna.write('file', 'old')
    await converged([anna, ben])
    const copy = `${anna.dir}.copy`
    fs.cpSync(anna.dir, copy, { recursive: true, preserveTimestamps: true })
    anna.write('file', 'new')
    await converged([anna, ben])
    // Between the two there is no directory, which is another reason to halt: the daemon must not look then.
    process.kill(anna.pid, 'SIGSTOP')
    fs.renameSync(anna.dir, `${anna.dir}.before`)
    fs.renameSync(copy, anna.dir)
    process.kill(anna.pid, 'SIGCONT')
    ben.write('more', 'from ben')
    const halted = await eventually('anna halts', async () => {
      const report = await anna.share()
      return report.state === 'halted' ? report : undefined
    })
    assert.match(halted.haltReason ?? '', /another directory/)
    assert.equal(anna.exists('more'), false, 'nothing is written into the copy')
    fs.renameSync(anna.dir, copy)
    fs.renameSync(`${anna.dir}.before`, anna.dir)
    await anna.client.approve()
    await converged([anna, ben])
    assert.equal(anna.read('file'), 'new')
    assert.equal(anna.read('more'), 'from ben')
  })
})
