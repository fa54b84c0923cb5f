// F4 and section 9: storage that was restored, copied, or lost in parts never makes a device contradict itself. It takes
// a new epoch or another identity, says so, and all members come to hold the same; nothing is lost, nothing invented.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { converged, eventually, type TestNode, type World, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'
import { deviceOf } from './crash-rounds.js'

async function twoNodes(world: World): Promise<[TestNode, TestNode]> {
  const nodes = await world.start(['anna', 'ben'], { share: { use_sync_trash: true } })
  for (let i = 0; i < 20; i++) nodes[0]!.write(`a/f${i}`, `anna's ${i}`)
  for (let i = 0; i < 20; i++) nodes[1]!.write(`b/f${i}`, `ben's ${i}`)
  await converged(nodes)
  return [nodes[0]!, nodes[1]!]
}

/** With times to the nanosecond, which no function of Node's copies. */
function copy(from: string, to: string): void {
  // The copy is made before what it replaces goes, lest its files get the same inodes and pass for the old ones.
  execFileSync('cp', ['-a', from, `${to}.new`])
  fs.rmSync(to, { recursive: true, force: true })
  fs.renameSync(`${to}.new`, to)
}

/** Restores a copy into the very files it was made of, as restoring an image of the disk does: no guard sees it. */
function restoreInPlace(from: string, to: string): void {
  const wanted = new Set(fs.readdirSync(from))
  for (const name of fs.readdirSync(to))
    if (!wanted.has(name)) fs.rmSync(path.join(to, name), { recursive: true })
  for (const name of wanted) {
    const [source, target] = [path.join(from, name), path.join(to, name)]
    if (fs.lstatSync(source).isDirectory()) {
      fs.mkdirSync(target, { recursive: true })
      restoreInPlace(source, target)
    } else if (name !== 'CORESTORE') fs.copyFileSync(source, target)
  }
}

async function assertSound(nodes: readonly TestNode[]): Promise<void> {
  const reports = await converged(nodes)
  assertEqualTrees(nodes.map(({ dir }) => dir))
  for (const [i, { conflicts, problems, state }] of reports.entries()) {
    assert.equal(conflicts, 0, nodes[i]!.name)
    assert.deepEqual(problems, [], nodes[i]!.name)
    assert.equal(state, 'idle')
  }
}

/** Both still hear each other after all that. */
async function assertAlive(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes) node.write(`alive/${node.name}`, node.name)
  for (const node of nodes) node.write('a/f0', `last by ${node.name}`)
  await converged(nodes)
  fs.writeFileSync(nodes[0]!.at('a/f1'), 'an edit after it')
  fs.rmSync(nodes[1]!.at('a/f2'))
  await converged(nodes)
  assert.equal(nodes[1]!.read('a/f1'), 'an edit after it')
  assert.equal(nodes[0]!.exists('a/f2'), false)
  assertEqualTrees(nodes.map(({ dir }) => dir))
}

test('F4: storage restored from an old copy takes a new epoch; what came after the copy is neither lost nor doubled', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    await anna.stop()
    copy(anna.storage, `${anna.storage}.old`)
    await anna.start()
    anna.write('a/f0', 'edited after the copy')
    anna.write('a/new', 'made after the copy')
    fs.rmSync(anna.at('a/f5'))
    ben.write('b/f0', 'edited by ben after the copy')
    await converged([anna, ben])
    await anna.stop()
    copy(`${anna.storage}.old`, anna.storage)
    anna.write('a/f7', 'edited while down')
    await anna.start()
    await anna.logged(/continuing in new feeds/)
    await assertSound([anna, ben])
    assert.equal(ben.read('a/f0'), 'edited after the copy')
    assert.equal(ben.read('a/f7'), 'edited while down')
    assert.equal(ben.exists('a/f5'), false)
    assert.equal(anna.read('b/f0'), 'edited by ben after the copy')
    await assertAlive([anna, ben])
  })
})

test('F4: storage and directory restored together fetch again what came after', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    await anna.stop()
    copy(anna.storage, `${anna.storage}.old`)
    copy(anna.dir, `${anna.dir}.old`)
    await anna.start()
    anna.write('a/f0', 'edited after the copy')
    anna.write('a/new', 'made after the copy')
    fs.rmSync(anna.at('a/f5'))
    await converged([anna, ben])
    await anna.stop()
    restoreInPlace(`${anna.storage}.old`, anna.storage)
    copy(`${anna.dir}.old`, anna.dir)
    await anna.start()
    await assertSound([anna, ben])
    assert.equal(anna.read('a/f0'), 'edited after the copy')
    assert.equal(anna.read('a/new'), 'made after the copy')
    assert.equal(anna.exists('a/f5'), false)
    await assertAlive([anna, ben])
  })
})

test('F4: a restored image that nothing gives away, edited before it meets anybody, loses neither side', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    await anna.stop()
    copy(anna.storage, `${anna.storage}.old`)
    copy(anna.dir, `${anna.dir}.old`)
    await anna.start()
    anna.write('a/f0', 'edited after the copy')
    anna.write('a/new', 'made after the copy')
    await converged([anna, ben])
    await anna.stop()
    await ben.stop()
    restoreInPlace(`${anna.storage}.old`, anna.storage)
    copy(`${anna.dir}.old`, anna.dir)
    await anna.start()
    // Signs the positions again that ben has seen already.
    anna.write('a/f9', 'edited after the restore')
    anna.write('a/newer', 'made after the restore')
    await anna.client.settle()
    await eventually('published', async () => (await anna.share()).files === 41)
    await anna.restart()
    await ben.start()
    await eventually('connected', async () => (await ben.share()).members.some(({ connected }) => connected))
    // Two feeds of one length look the same to each other until one grows.
    anna.write('a/newest', 'made after they met')
    await anna.logged(/own feed has forked/)
    await converged([anna, ben])
    assertEqualTrees([anna.dir, ben.dir])
    for (const node of [anna, ben]) {
      assert.equal(node.read('a/f0'), 'edited after the copy')
      assert.equal(node.read('a/new'), 'made after the copy')
      assert.equal(node.read('a/f9'), 'edited after the restore')
      assert.equal(node.read('a/newer'), 'made after the restore')
    }
    await assertAlive([anna, ben])
  })
})

test('F4: a copy of a running device: one of the two steps aside, and all three go on', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    await anna.stop()
    const clone = await world.node('clone', { share: { use_sync_trash: true } })
    copy(anna.storage, clone.storage)
    copy(anna.dir, clone.dir)
    assert.equal(deviceOf(anna), deviceOf(clone))
    await anna.start()
    await clone.start()
    await eventually('two devices', () => deviceOf(anna) !== deviceOf(clone))
    // The one that steps aside has no shares while it starts over.
    for (const node of [anna, clone])
      await eventually('started over', async () => (await node.status()).shares.length === 1)
    anna.write('a/from-anna', 'anna')
    clone.write('a/from-clone', 'clone')
    await assertSound([anna, ben, clone])
    assert.equal(ben.read('a/from-clone'), 'clone')
    assert.equal(clone.read('a/from-anna'), 'anna')
    await assertAlive([anna, clone, ben])
  })
})

test('section 9: a deleted index is built anew: nothing is announced again, fetched again or taken for a conflict', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    // Versions on top of each other's, so that a missing base would show.
    anna.write('b/f3', 'by anna over ben')
    await converged([anna, ben])
    ben.write('b/f3', 'by ben over anna')
    ben.write('a/f3', 'by ben over anna')
    await converged([anna, ben])
    await anna.stop()
    fs.rmSync(path.join(anna.storage, 'index'), { recursive: true })
    ben.write('b/f4', 'edited meanwhile')
    ben.write('a/f4', 'edited meanwhile, and of anna')
    fs.rmSync(ben.at('a/f6'))
    await ben.client.settle()
    await anna.start()
    await assertSound([anna, ben])
    assert.equal(anna.read('b/f4'), 'edited meanwhile')
    assert.equal(anna.exists('a/f6'), false)
    const [report] = await converged([anna])
    assert.ok(report!.receivedBytes < 1000, `${report!.receivedBytes} bytes fetched`)
    await assertAlive([anna, ben])
  })
})

test('A4: killed before its first look after the loss of its index, a device still hears the others out first', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    await ben.stop()
    for (let i = 0; i < 20; i++) anna.write(`a/f${i}`, `anna's ${i}, edited meanwhile`)
    fs.rmSync(anna.at('b/f6'))
    await anna.client.settle()
    await anna.stop()
    const before = (await ben.feedLengths()).ben!
    copy(ben.storage, `${ben.storage}.old`)
    // Nobody is there to be heard, so the first look waits a while. Should the kill come after that, it is done again.
    do {
      copy(`${ben.storage}.old`, ben.storage)
      fs.rmSync(path.join(ben.storage, 'index'), { recursive: true })
      await ben.start()
      await ben.kill()
    } while ((await ben.feedLengths()).ben! > before)
    await anna.start()
    await ben.start()
    await assertSound([anna, ben])
    assert.equal(ben.read('a/f3'), "anna's 3, edited meanwhile")
    assert.equal((await ben.feedLengths()).ben, before, 'what all knew was not announced again')
    assert.equal(ben.exists('b/f6'), false)
    await assertAlive([anna, ben])
  })
})

test('section 9: a deleted storage joins again as a new device, by content, without transfer', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    const before = deviceOf(anna)
    await anna.stop()
    fs.rmSync(anna.storage, { recursive: true })
    await anna.start()
    assert.notEqual(deviceOf(anna), before)
    await assertSound([anna, ben])
    assert.equal((await anna.share()).receivedBytes, 0)
    assert.equal((await ben.share()).receivedBytes, (await ben.share()).receivedBytes)
    await assertAlive([anna, ben])
  })
})

test('F4: feeds deleted but for index and identity: a new epoch, nothing lost', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = await twoNodes(world)
    await ben.stop()
    anna.write('a/unseen', 'nobody else has this')
    await anna.client.settle()
    await anna.stop()
    fs.rmSync(path.join(anna.storage, 'cores'), { recursive: true })
    await anna.start()
    await ben.start()
    await assertSound([anna, ben])
    assert.equal(ben.read('a/unseen'), 'nobody else has this')
    await assertAlive([anna, ben])
  })
})
