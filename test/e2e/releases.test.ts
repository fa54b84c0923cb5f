// Releases, from end to end: a writer makes them, nodes that follow show them, all at once and never half of one.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { eventually, type TestNode, withWorld } from '../support/daemons.js'
import { follower, release, releasesOf, shows } from '../support/release-nodes.js'
import { differencesOf, snapshot } from '../support/trees.js'

function inodeOf(node: TestNode, path: string): number {
  return fs.statSync(node.at(path)).ino
}

/** The live tree of a writer, without what belongs to releases. */
function live(node: TestNode): ReturnType<typeof snapshot> {
  return snapshot(node.dir, { except: (path) => path === 'releases' || path === 'current' })
}

function fill(node: TestNode, version: number, files: number): void {
  for (let i = 0; i < files; i++) {
    // Most of a release is as it was in the one before.
    const made = i % 5 === 0 ? version : 0
    if (made === 0 && node.exists(`d${i % 7}/f${i}`)) continue
    node.write(`d${i % 7}/f${i}`, `file ${i} of ${made}\n`)
  }
  node.write('VERSION', `${version}`)
}

test('a release is shown at once, rolled back without a transfer, and the oldest go', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer')
    const nodes = [await follower(world, 'one'), await follower(world, 'two')]
    await writer.start()
    await Promise.all(nodes.map((node) => node.start()))
    fill(writer, 1, 60)
    fs.chmodSync(writer.at('d1/f1'), 0o640)
    fs.symlinkSync('../VERSION', writer.at('d1/link'))
    fs.mkdirSync(writer.at('empty'))
    writer.write('big', Buffer.alloc(3 << 20, 'x'))
    assert.match(await release(world, 'create', writer.configFile, '--name', 'v1'), /^v1: 62 files, /)
    for (const node of nodes) {
      await shows(node, 'v1')
      assert.deepEqual(differencesOf(live(writer), snapshot(node.at('current/'))), [])
      assert.deepEqual(fs.readdirSync(node.dir).sort(), ['.shoal', 'current', 'releases'])
    }
    // The live tree goes on by itself.
    fill(writer, 2, 60)
    await writer.client.settle()
    for (const node of nodes) assert.equal(node.read('current/VERSION'), '1')
    const { exit, out, err } = await world.run(['status', nodes[0]!.configFile, '--wait', '--timeout', '30'])
    assert.equal(exit, 0, `${out}${err}`)
    const before = (await nodes[0]!.share()).receivedBytes

    await release(world, 'create', writer.configFile, '--name', 'v2')
    for (const node of nodes) {
      await shows(node, 'v2')
      assert.equal(node.read('current/VERSION'), '2')
      assert.deepEqual(differencesOf(live(writer), snapshot(node.at('current/'))), [])
    }
    // An unchanged file is one file in both, on every node.
    for (const node of [writer, ...nodes])
      for (const name of ['big', 'd1/f1', 'd2/f2'])
        assert.equal(
          inodeOf(node, `releases/v1/${name}`),
          inodeOf(node, `releases/v2/${name}`),
          `${node.name} ${name}`,
        )
    assert.notEqual(inodeOf(writer, 'big'), inodeOf(writer, 'releases/v1/big'))
    const after = (await nodes[0]!.share()).receivedBytes
    assert.ok(after - before < 100_000, `what is unchanged was not sent again: ${after - before}`)

    // Back, and forth, with nothing sent but the order.
    assert.match(
      await release(world, 'rollback', writer.configFile),
      /^to be shown: v1, each node once it holds it$/m,
    )
    for (const node of nodes) {
      await shows(node, 'v1')
      assert.equal(node.read('current/VERSION'), '1')
    }
    await release(world, 'switch', writer.configFile, 'v2', '--when', 'all')
    for (const node of nodes) await shows(node, 'v2')

    // The oldest go: not what is shown, nor what was before.
    fill(writer, 3, 60)
    await release(world, 'create', writer.configFile, '--name', 'v3', '--keep', '1')
    for (const node of nodes) await shows(node, 'v3')
    for (const node of nodes) await eventually('v1 is gone', () => !node.exists('releases/v1'))
    assert.ok(nodes[0]!.exists('releases/v2'))
    assert.equal(writer.exists('releases/v1'), false)
    for (const node of [writer, ...nodes])
      assert.equal(inodeOf(node, 'releases/v2/big'), inodeOf(node, 'releases/v3/big'), node.name)
    // Links that come and go are nobody's change.
    await Promise.all([writer, ...nodes].map((node) => node.client.scan()))
    for (const node of nodes) assert.deepEqual(await node.client.drift(), [])
    const report = await eventually('all is told', async () => {
      const now = await releasesOf(writer)
      const v3 = now.releases.find(({ name }) => name === 'v3')
      return v3?.shownBy.length === 2 && v3.heldBy.length === 3 ? now : undefined
    })
    assert.deepEqual(
      report.releases.map(({ name, files, by, hold }) => [name, files, by, hold]),
      [
        ['v2', 62, 'writer', 'complete'],
        ['v3', 62, 'writer', 'complete'],
      ],
    )
    assert.match(await release(world, 'list', nodes[1]!.configFile), /^v3 +\S+ +writer +62 /m)
    const refused = await world.run(['release', 'create', nodes[0]!.configFile])
    assert.equal(refused.exit, 65)
    assert.match(refused.err, /only a device with the write secret/)
    const again = await world.run(['release', 'create', writer.configFile, '--name', 'v1'])
    assert.equal(again.exit, 73)
    const wrong = await world.run(['release', 'create', writer.configFile, '--name', '../v'])
    assert.equal(wrong.exit, 64)
  })
})

test('a hook on current runs once for each release that comes to be shown', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer')
    const log = `${writer.dir}-shown`
    const run = ['/bin/sh', '-c', `tr '\\0' ' ' >> "$0"; readlink current >> "$0"`, log]
    const node = await follower(world, 'one', { on_change: [{ match: 'current', run, settle: '100ms' }] })
    await writer.start()
    await node.start()
    fill(writer, 1, 10)
    const told: string[] = []
    for (const name of ['v1', 'v2']) {
      await release(world, 'create', writer.configFile, '--name', name)
      told.push(`current releases/${name}\n`)
      await eventually(
        `the hook has heard of ${name}`,
        () => fs.existsSync(log) && fs.readFileSync(log, 'utf8') === told.join(''),
      )
    }
    // What was told before a restart, and noted, is not told again.
    await eventually(
      'the hook rests',
      async () =>
        (await node.share()).hooks[0]?.pending === 0 && (await node.share()).hooks[0]?.state === 'idle',
    )
    await node.kill()
    await node.start()
    await release(world, 'rollback', writer.configFile)
    told.push('current releases/v1\n')
    await eventually('the hook has heard of v1 again', () => fs.readFileSync(log, 'utf8') === told.join(''))
  })
})
