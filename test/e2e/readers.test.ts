// Readers: what they change never leaves them; it is listed, and put back where the configuration says so. Also the rules
// that a share carries itself: .shoalignore and the archive.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'

/** All contents in a node's archive, wherever it keeps them. */
function archived(node: TestNode): string[] {
  const archive = node.at('.shoal/archive')
  if (!fs.existsSync(archive)) return []
  return fs
    .readdirSync(archive, { recursive: true, encoding: 'utf8' })
    .map((name) => `${archive}/${name}`)
    .filter((file) => fs.lstatSync(file).isFile())
    .map((file) => fs.readFileSync(file, 'utf8'))
}

test("a reader's changes are drift: listed, never announced, kept until the share changes the path", async () => {
  await withWorld({}, async (world) => {
    const [a, b] = (await world.start(['a', 'b'])) as [TestNode, TestNode]
    const reader = await world.node('reader', { grade: 'read' })
    await reader.start()
    for (const name of ['edited', 'deleted', 'mode', 'replaced', 'later'])
      a.write(`d/${name}`, `share's ${name}`)
    await converged([a, b, reader])
    assertEqualTrees([a.dir, b.dir, reader.dir])
    const before = snapshot(a.dir)
    reader.write('d/edited', 'edited by the reader')
    reader.remove('d/deleted')
    fs.chmodSync(reader.at('d/mode'), 0o600)
    reader.remove('d/replaced')
    fs.mkdirSync(reader.at('d/replaced'))
    reader.write('extra/new', 'made by the reader')
    reader.write('d/later', 'edited by the reader, too')
    await reader.client.settle()
    const drift = (await reader.client.drift()).map(({ path, kind }) => `${kind} ${path}`).sort()
    assert.deepEqual(drift, [
      'added extra',
      'added extra/new',
      'changed d/edited',
      'changed d/later',
      'changed d/mode',
      'changed d/replaced',
      'deleted d/deleted',
    ])
    assert.equal((await reader.share()).drift, drift.length)
    assert.equal((await reader.share()).grade, 'read')

    // It stays as it is through scans and a restart, and nothing of it reaches the writers.
    await reader.client.scan()
    await reader.restart()
    await reader.client.scan()
    assert.equal((await reader.client.drift()).length, drift.length)
    assert.equal(reader.read('d/edited'), 'edited by the reader')
    assert.equal(reader.exists('d/deleted'), false)
    await converged([a, b])
    assert.deepEqual(snapshot(a.dir), before)
    assert.deepEqual(snapshot(b.dir), before)

    // A new version of the share takes the path, and the reader's version is in its archive.
    a.write('d/later', 'a newer version')
    await eventually('the new version arrives', () => reader.read('d/later') === 'a newer version')
    assert.ok(archived(reader).includes('edited by the reader, too'))
    a.write('d/other', 'the rest goes on')
    await eventually('the rest arrives', () => reader.exists('d/other'))

    // What is put back by hand is no drift any more.
    reader.remove('extra')
    reader.write('d/edited', "share's edited")
    fs.chmodSync(reader.at('d/mode'), 0o644)
    await reader.client.settle()
    const left = (await reader.client.drift()).map(({ path }) => path)
    assert.equal(
      left.includes('extra') || left.includes('extra/new') || left.includes('d/mode'),
      false,
      left.join(),
    )
  })
})

test("a reader's own file keeps a folder that the share deleted, as drift, until it goes", async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    const reader = await world.node('reader', { grade: 'read' })
    await reader.start()
    for (const name of ['gone/f', 'gone/deep/f', 'file/f', 'kept/f']) a.write(name, `share's ${name}`)
    await converged([a, reader])
    reader.write('gone/deep/own', 'made by the reader')
    reader.write('file/own', 'also made by the reader')
    await reader.client.settle()
    a.remove('gone')
    a.remove('file')
    a.write('file', 'a file now')
    a.write('last', 'said after it')
    await eventually('the reader has nothing left to do', async () => {
      const { state, needFiles } = await reader.share()
      // What the writer deleted at once it may tell in several records.
      const isGone = !reader.exists('gone/deep/f') && !reader.exists('gone/f')
      return reader.exists('last') && isGone && needFiles === 0 && state === 'idle'
    })
    const paths = async (): Promise<string[]> => (await reader.client.drift()).map(({ path }) => path).sort()
    assert.deepEqual(await paths(), ['file/own', 'gone/deep/own'])
    assert.equal(reader.read('gone/deep/own'), 'made by the reader')
    assert.equal(reader.exists('gone/f'), false)
    const { exit, out } = await world.run(['status', reader.configFile, '--wait', '--timeout', '1'])
    assert.equal(exit, 2)
    assert.match(out, /2 changes of its own/)

    // It stays so over a restart, and ends with what caused it.
    await reader.restart()
    await reader.client.scan()
    assert.equal((await reader.share()).state, 'idle')
    assert.deepEqual(await paths(), ['file/own', 'gone/deep/own'])
    reader.remove('gone/deep/own')
    reader.remove('file/own')
    await converged([a, reader])
    assertEqualTrees([a.dir, reader.dir])
    assert.equal((await reader.share()).drift, 0)
  })
})

test("overwrite_changes puts the share's state back and archives the reader's version", async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    const reader = await world.node('reader', { grade: 'read', share: { overwrite_changes: true } })
    for (const name of ['edited', 'deleted', 'mode', 'type']) a.write(`d/${name}`, `share's ${name}`)
    a.write('gone/with/all', 'in it')
    await reader.start()
    await converged([a, reader])
    reader.write('d/edited', 'edited by the reader')
    reader.remove('d/deleted')
    fs.chmodSync(reader.at('d/mode'), 0o600)
    reader.remove('d/type')
    reader.write('d/type/inside', 'made by the reader')
    reader.remove('gone')
    reader.write('extra/new', 'also made by the reader')
    await eventually('all is as it was', async () => {
      await reader.client.settle()
      const report = await reader.share()
      return report.drift === 0 && report.needFiles === 0 && report.digest === (await a.share()).digest
    })
    assertEqualTrees([a.dir, reader.dir])
    const kept = archived(reader)
    for (const text of ['edited by the reader', 'made by the reader', 'also made by the reader']) {
      assert.ok(kept.includes(text), `${text} is archived`)
    }
  })
})

test('.shoalignore is synced and holds on all nodes; the archive keeps what others replaced, unless told not to', async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a')
    const b = await world.node('b')
    const bare = await world.node('bare', { share: { use_sync_trash: false } })
    const nodes = [a, b, bare]
    await Promise.all(nodes.map((node) => node.start()))
    a.write('.shoalignore', '*.tmp\n/build/\n!keep.tmp\n# a comment\n')
    await converged(nodes)
    a.write('x.tmp', 'ignored')
    a.write('keep.tmp', 'not ignored')
    b.write('build/output', 'ignored')
    b.write('sub/build/output', 'not ignored: elsewhere')
    bare.write('sub/y.tmp', 'ignored')
    await converged(nodes)
    for (const node of nodes) {
      assert.equal(node.exists('keep.tmp') && node.exists('sub/build/output'), true)
      assert.equal(node.exists('x.tmp'), node === a)
      assert.equal(node.exists('build'), node === b)
      assert.equal(node.exists('sub/y.tmp'), node === bare)
    }
    // Rules that change later: what they let in comes in; what they now leave out stays where it is.
    bare.write('.shoalignore', '/build/\nlater-ignored\n')
    a.write('later-ignored', 'first version')
    await converged(nodes)
    await eventually('what was ignored is announced', async () => {
      await Promise.all(nodes.map((node) => node.client.scan()))
      return nodes.every((node) => node.exists('x.tmp') && node.exists('sub/y.tmp'))
    })
    for (const node of nodes) assert.equal(node.exists('build'), node === b)

    // The archive.
    a.write('doc', 'version 1')
    a.write('dir/inner', 'inner 1')
    await converged(nodes)
    a.write('doc', 'version 2')
    a.remove('dir')
    await converged(nodes)
    a.remove('doc')
    await converged(nodes)
    for (const text of ['version 1', 'version 2', 'inner 1']) assert.ok(archived(b).includes(text), text)
    assert.deepEqual(
      archived(a).filter((text) => /version|inner/.test(text)),
      [],
    )
    assert.deepEqual(archived(bare), [])
    for (const node of nodes) assert.equal(node.exists('doc') || node.exists('dir'), false)
  })
})

test('a reader that knows of no writer is not in sync, however it is started; the first one to write is', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', {})
    const reader = await world.node('reader', { grade: 'read', knows: ['writer'] })
    const wait = async (node: TestNode): Promise<number | null> =>
      (await world.run(['status', node.configFile, '--wait', '--timeout', '2'])).exit
    for (const start of ['first', 'second']) {
      await reader.start()
      assert.equal(await wait(reader), 2, start)
      const { out } = await world.run(['status', reader.configFile])
      assert.match(out, /state +syncing/, start)
      assert.match(out, /missing +not known: nothing of what is in the share was heard of yet/, start)
      await reader.stop()
    }

    await writer.start()
    assert.equal(await wait(writer), 0)
    // Nothing was written yet.
    await reader.start()
    await eventually('they have met', async () => (await reader.share()).members.length > 0 || undefined)
    assert.equal(await wait(reader), 0)
    writer.write('a', 'a')
    await eventually('it is there', async () => reader.exists('a') || undefined)
    await writer.stop()
    await reader.stop()

    // It has met somebody before.
    await reader.start()
    assert.equal(await wait(reader), 3)
  })
})
