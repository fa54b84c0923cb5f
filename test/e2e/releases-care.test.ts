// Releases where something is in the way: a `current` that is somebody's own, trees that were changed by hand, nodes that come
// late or stop half-way, folders that never come to rest. No node ever shows anything but the whole of a release.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { converged, eventually, pause, withWorld } from '../support/daemons.js'
import { follower, problemAt, release, releasesOf, shownBy, shows } from '../support/release-nodes.js'

test('what is not ours at "current" stays; what lies beside the releases is left alone', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer')
    const node = await follower(world, 'node')
    writer.write('page', 'one')
    node.write('own/file', "this node's")
    node.write('current/precious', 'not to be lost')
    await Promise.all([writer, node].map((each) => each.start()))
    await release(world, 'create', writer.configFile, '--name', 'v1')
    assert.match(await problemAt(node, 'CURRENT_TAKEN'), /"current" is a folder; move it away/)
    assert.equal(node.read('current/precious'), 'not to be lost')
    assert.match(await release(world, 'list', node.configFile), /^this node: cannot show release v1/m)
    // A user's own link is no less his.
    fs.renameSync(node.at('current'), node.at('kept'))
    fs.symlinkSync('kept', node.at('current'))
    await node.client.scan()
    await eventually('the problem names the link', async () =>
      (await node.share()).problems.some(({ detail }) =>
        detail.includes('a link to something that is no release'),
      ),
    )
    assert.equal(shownBy(node), 'kept')
    fs.unlinkSync(node.at('current'))
    await node.client.scan()
    await shows(node, 'v1')
    assert.equal(node.read('current/page'), 'one')
    assert.equal(node.read('kept/precious'), 'not to be lost')
    assert.equal(node.read('own/file'), "this node's")
    assert.deepEqual(await node.client.drift(), [])
    assert.equal((await node.share()).problems.length, 0)
  })
})

test('a release that was changed after it was made is shown by nobody who does not show it yet', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer')
    const node = await follower(world, 'node')
    const late = await follower(world, 'late')
    const reader = await world.node('reader', { grade: 'read' })
    writer.write('d/page', 'one')
    writer.write('d/other', 'two')
    await Promise.all([writer, node, reader].map((each) => each.start()))
    await release(world, 'create', writer.configFile, '--name', 'v1')
    await shows(node, 'v1')
    writer.write('releases/v1/d/page', 'changed by hand')
    writer.remove('releases/v1/d/other')
    await converged([writer, reader])
    assert.match(await problemAt(node, 'RELEASE_CHANGED'), /changed in \d paths after it was made/)
    assert.equal(node.read('current/d/page'), 'one')
    assert.equal(node.read('current/d/other'), 'two')
    await late.start()
    assert.match(await problemAt(late, 'RELEASE_CHANGED'), /not what its manifest says/)
    assert.equal(shownBy(late), undefined)
    const refused = await world.run(['release', 'switch', writer.configFile, 'v1'])
    assert.equal(refused.exit, 75)
    assert.match(refused.err, /changed after it was made/)

    // The next one is sound, and what was held back is done once it is shown.
    await release(world, 'create', writer.configFile, '--name', 'v2')
    for (const each of [node, late]) {
      await shows(each, 'v2')
      await eventually('v1 is as the share says', () => each.read('releases/v1/d/page') === 'changed by hand')
      await eventually('all is told', async () => (await each.share()).problems.length === 0)
      assert.equal(each.exists('releases/v1/d/other'), false)
    }
    const { exit, out } = await world.run(['status', node.configFile, '--wait', '--timeout', '30'])
    assert.equal(exit, 0, out)
    await release(world, 'remove', writer.configFile, 'v1')
    await eventually('v1 is gone', () => !late.exists('releases/v1'))
    const shown = await world.run(['release', 'remove', writer.configFile, 'v2'])
    assert.equal(shown.exit, 75)
  })
})

test('a node that stops half-way shows what it showed, and comes round', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer')
    const node = await follower(world, 'node')
    for (let i = 0; i < 40; i++) writer.write(`f${i}`, `first ${i}`)
    await Promise.all([writer, node].map((each) => each.start()))
    await release(world, 'create', writer.configFile, '--name', 'v1')
    await shows(node, 'v1')
    for (let i = 0; i < 40; i++) writer.write(`f${i}`, Buffer.alloc(200_000, `second ${i}`))
    const made = release(world, 'create', writer.configFile, '--name', 'v2', '--when', 'all')
    await eventually('some of it is there', () => node.exists('releases/v2'))
    await node.kill()
    assert.equal(shownBy(node), 'releases/v1')
    assert.equal(node.read('current/f3'), 'first 3')
    await made
    await writer.stop()
    await node.start()
    // Nobody has the rest.
    await node.client.settle()
    if (!node.exists('releases/v2.json')) assert.equal(shownBy(node), 'releases/v1')
    await writer.start()
    await shows(node, 'v2')
    assert.equal(node.read('current/f3'), Buffer.alloc(200_000, 'second 3').toString())
  })
})

test('all or so many: a release waits for those who are to hold it', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer')
    const [one, two] = [await follower(world, 'one'), await follower(world, 'two')]
    writer.write('page', 'one')
    await Promise.all([writer, one, two].map((each) => each.start()))
    await release(world, 'create', writer.configFile, '--name', 'v1')
    for (const node of [one, two]) await shows(node, 'v1')
    await two.stop()
    writer.write('page', 'two')
    await release(world, 'create', writer.configFile, '--name', 'v2', '--when', '2')
    await eventually('one holds it', async () => {
      const { releases } = await releasesOf(writer)
      return releases.find(({ name }) => name === 'v2')?.heldBy.length === 2
    })
    assert.match(await release(world, 'list', one.configFile), /^this node: 1 of 2 nodes hold release v2$/m)
    assert.equal(shownBy(one), 'releases/v1')
    await two.start()
    for (const node of [one, two]) await shows(node, 'v2')
    // Nobody waits for a member that only reads the whole share, or for none.
    writer.write('page', 'three')
    await release(world, 'create', writer.configFile, '--name', 'v3', '--when', 'all')
    for (const node of [one, two]) await shows(node, 'v3')
  })
})

test('a folder that never rests is no release; ignored paths are in none', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer')
    const node = await follower(world, 'node')
    writer.write('.shoalignore', '*.tmp\n/build/\n')
    writer.write('kept', 'kept')
    writer.write('x.tmp', 'ignored')
    writer.write('build/out', 'ignored')
    await Promise.all([writer, node].map((each) => each.start()))
    await writer.client.settle()
    await release(world, 'create', writer.configFile, '--name', 'v1')
    await shows(node, 'v1')
    assert.deepEqual(fs.readdirSync(node.at('current/')).sort(), ['.shoalignore', 'kept'])
    let isRestless = true
    const restless = (async () => {
      for (let i = 0; isRestless; i++) {
        fs.writeFileSync(writer.at('kept'), `${i}`)
        await pause(15)
      }
    })()
    try {
      await assert.rejects(
        writer.client.release({ share: 0, name: 'v2', when: 'now' }),
        (error) =>
          error instanceof ShoalError &&
          error.code === 'RELEASE_UNFIT' &&
          /does not come to rest|changes faster/.test(error.message),
      )
    } finally {
      isRestless = false
      await restless
    }
    assert.deepEqual(fs.readdirSync(writer.at('releases')).sort(), ['.switch.json', 'v1', 'v1.json'])
    assert.deepEqual(
      fs.readdirSync(writer.at('.shoal/staging')).filter((name) => name.startsWith('tree-')),
      [],
    )
    await release(world, 'create', writer.configFile, '--name', 'v2')
    await shows(node, 'v2')
    assert.equal(node.read('current/kept'), writer.read('kept'))
  })
})
