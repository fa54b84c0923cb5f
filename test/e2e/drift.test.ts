// What becomes of a reader's own changes, with real daemons: how soon they are noticed and what is said of them, undone
// by policy and at a pace that makes no loop, acknowledged, moved to the archive. Never is anything of them lost.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import type { DriftReport } from '../../src/control/schema.js'
import { converged, eventually, type TestNode, type World, withWorld } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'

/** Generous: the limits are 2 and 5 seconds on a machine that does nothing else; what was measured is printed. */
const NOTICED_MS = 20_000

interface Pair {
  readonly world: World
  readonly writer: TestNode
  readonly reader: TestNode
}

/** A writer with some files and a reader that has them. */
async function withReader(
  share: Readonly<Record<string, unknown>>,
  files: readonly string[],
  body: (pair: Pair) => Promise<void>,
): Promise<void> {
  await withWorld({}, async (world) => {
    const [writer] = (await world.start(['writer'])) as [TestNode]
    for (const name of files) writer.write(name, `share's ${name}`)
    const reader = await world.node('reader', { grade: 'read', share })
    await reader.start()
    await converged([writer, reader])
    await body({ world, writer, reader })
  })
}

/** All contents in a node's archive, by path within it. */
function archived(node: TestNode): Map<string, string> {
  const archive = node.at('.shoal/archive')
  const names = fs.readdirSync(archive, { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => fs.lstatSync(`${archive}/${name}`).isFile())
  return new Map(files.map((name) => [name, fs.readFileSync(`${archive}/${name}`, 'utf8')]))
}

function hasArchived(node: TestNode, content: string): boolean {
  return [...archived(node).values()].includes(content)
}

async function driftAt(node: TestNode, path: string): Promise<DriftReport | undefined> {
  return (await node.client.drift()).find((item) => item.path === path)
}

/** Drift as "what path" lines. */
async function listed(node: TestNode): Promise<string[]> {
  return (await node.client.drift()).map(({ path, kinds }) => `${path}: ${kinds.join(', ')}`).sort()
}

test('a change on a reader is listed at once, with all that differs and since when, until it is put back', async (t) => {
  const names = ['sed', 'mode', 'both', 'touched', 'gone', 'type', 'open'].map((name) => `d/${name}`)
  await withReader({}, names, async ({ world, writer, reader }) => {
    const startMs = performance.now()
    execFileSync('sed', ['-i', 's/share/somebody/', reader.at('d/sed')])
    await eventually('sed -i is listed', () => driftAt(reader, 'd/sed'), NOTICED_MS)
    t.diagnostic(`sed -i was listed after ${Math.round(performance.now() - startMs)} ms`)

    fs.chmodSync(reader.at('d/mode'), 0o600)
    reader.write('d/both', 'edited')
    fs.chmodSync(reader.at('d/both'), 0o600)
    fs.utimesSync(reader.at('d/touched'), 5, 5)
    reader.remove('d/gone')
    reader.remove('d/type')
    fs.symlinkSync('nowhere', reader.at('d/type'))
    reader.write('new/file', 'made here')
    // Whoever writes to it may keep it open for ever.
    const open = fs.openSync(reader.at('d/open'), 'a')
    fs.writeSync(open, ', and more')
    const expected = [
      'd/both: content, mode',
      'd/gone: missing',
      'd/mode: mode',
      'd/open: content',
      'd/sed: content',
      'd/touched: mtime',
      'd/type: type',
      'new/file: extra',
      'new: extra',
    ]
    await eventually(
      'all of it is listed',
      async () => (await listed(reader)).length === expected.length,
      NOTICED_MS,
    )
    fs.closeSync(open)
    assert.deepEqual(await listed(reader), expected)
    const before = await reader.client.drift()
    for (const { policy, restores, nextRestore, acknowledgement } of before)
      assert.deepEqual([policy, restores, nextRestore, acknowledgement], ['report', 0, null, null])

    // A script asks by exit code.
    const asked = await world.run(['drift', reader.configFile])
    assert.equal(asked.exit, 1)
    assert.match(asked.out, /^ {2}content, mode +\S+Z +d\/both$/m)
    assert.equal((await world.run(['drift', writer.configFile])).exit, 0)

    // Since when is kept, also through another change of the path and a crash.
    reader.write('d/both', 'edited again')
    await reader.client.settle()
    await reader.kill()
    await reader.start()
    await reader.client.scan()
    const times = (list: readonly DriftReport[]): unknown =>
      list.map(({ path, since }) => [path, since]).sort()
    assert.deepEqual(times(await reader.client.drift()), times(before))

    // Put back by hand.
    fs.chmodSync(reader.at('d/mode'), 0o644)
    await eventually(
      'what is put back is drift no more',
      async () => (await driftAt(reader, 'd/mode')) === undefined,
    )
  })
})

test('restore: what is changed on a reader is undone, and the change is in the archive', async (t) => {
  const names = ['sed', 'mode', 'touched', 'gone', 'type', 'deep/a/b'].map((name) => `d/${name}`)
  await withReader({ drift: 'restore', use_sync_trash: false }, names, async ({ writer, reader }) => {
    const startMs = performance.now()
    execFileSync('sed', ['-i', 's/share/somebody/', reader.at('d/sed')])
    await eventually('sed -i is undone', () => reader.read('d/sed') === "share's d/sed", NOTICED_MS)
    t.diagnostic(`sed -i was undone after ${Math.round(performance.now() - startMs)} ms`)
    assert.ok(hasArchived(reader, "somebody's d/sed"), 'the edit is archived, though use_sync_trash is off')

    fs.chmodSync(reader.at('d/mode'), 0o600)
    fs.utimesSync(reader.at('d/touched'), 5, 5)
    reader.remove('d/gone')
    reader.remove('d/type')
    reader.write('d/type/in/it', 'made instead of a file')
    reader.remove('d/deep')
    reader.write('new/deep/file', 'made here')
    fs.symlinkSync('/etc', reader.at('new/link'))
    await eventually('all is as it was', async () => {
      await reader.client.settle()
      const { drift, needFiles, digest } = await reader.share()
      return drift === 0 && needFiles === 0 && digest === (await writer.share()).digest
    })
    assertEqualTrees([writer.dir, reader.dir])
    assert.ok(hasArchived(reader, 'made instead of a file') && hasArchived(reader, 'made here'))
    const { driftDetail } = await reader.share()
    assert.ok(driftDetail.restored >= 8, `${driftDetail.restored} restores`)
    assert.equal(driftDetail.waiting, 0)
    await reader.logged(/"kinds":\["content"\],"archived":"[\d-]+\/d\/sed".*"a local change was undone"/)
  })
})

test('restore: a tree that is deleted comes back, while the daemon runs and while it does not', async () => {
  // More than A5 lets go without asking where it would be announced.
  const names = Array.from({ length: 150 }, (_, i) => `d${i % 7}/e/f${i}`)
  await withReader({ overwrite_changes: true }, names, async ({ writer, reader }) => {
    const before = snapshot(writer.dir)
    const removeAll = (): void => {
      for (const name of fs.readdirSync(reader.dir))
        if (name !== '.shoal') fs.rmSync(reader.at(name), { recursive: true })
    }
    removeAll()
    await converged([writer, reader])
    assert.deepEqual(snapshot(reader.dir), before)

    await reader.stop()
    removeAll()
    await reader.start()
    await converged([writer, reader])
    assert.deepEqual(snapshot(reader.dir), before)

    // Killed half-way.
    removeAll()
    await eventually('some are back', () => reader.exists('d0/e'))
    await reader.kill()
    await reader.start()
    await converged([writer, reader])
    assert.deepEqual(snapshot(reader.dir), before)
    assert.deepEqual(snapshot(writer.dir), before)
    assert.equal((await reader.share()).drift, 0)

    // With the marker gone, that may be a disk that is not mounted: a person says that it is not (A5).
    fs.rmSync(reader.dir, { recursive: true })
    await eventually('it halts', async () => (await reader.share()).state === 'halted')
    fs.mkdirSync(reader.dir)
    await reader.client.approve()
    await converged([writer, reader])
    assert.deepEqual(snapshot(reader.dir), before)
  })
})

test('restore: a path that is changed again and again waits ever longer, also over a crash', async () => {
  await withReader({ drift: 'restore' }, ['f', 'g'], async ({ world, reader }) => {
    const isBack = (): boolean => reader.read('f') === "share's f"
    for (let round = 1; round <= 3; round++) {
      reader.write('f', `by the job, ${round}`)
      await eventually(`round ${round} is undone`, isBack)
    }
    reader.write('f', 'by the job, 4')
    const held = await eventually('it is held back', async () => {
      const item = await driftAt(reader, 'f')
      return item?.nextRestore === null ? undefined : item
    })
    assert.equal(held.restores, 3)
    const { driftDetail } = await reader.share()
    assert.deepEqual(
      [driftDetail.restored, driftDetail.waiting, driftDetail.nextRestore],
      [3, 1, held.nextRestore],
    )
    const { out } = await world.run(['drift', reader.configFile])
    assert.match(out, /content +\S+ +f +restored 3 times, next at /)
    assert.match(
      (await world.run(['status', reader.configFile])).out,
      /restored +3 times; 1 path held back, the next at/,
    )

    await reader.kill()
    await reader.start()
    await eventually('it is undone when its time has come', isBack)
    reader.write('f', 'by the job, 5')
    const again = await eventually('it is held back again', async () => {
      const item = await driftAt(reader, 'f')
      return item?.nextRestore === null ? undefined : item
    })
    assert.equal(again.restores, 4, 'the pace is that of before the crash')
    // Another path has a pace of its own.
    reader.write('g', 'by hand')
    await eventually('the other one is undone at once', () => reader.read('g') === "share's g")
    assert.equal(reader.read('f'), 'by the job, 5')
    for (let round = 1; round <= 4; round++) assert.ok(hasArchived(reader, `by the job, ${round}`))
  })
})

test('policies hold by pattern, the first that matches, and change while the daemon runs', async () => {
  const drift = [
    { match: ['etc/local.d/', '*.keep'], policy: 'report' },
    { match: 'etc/**', policy: 'restore' },
  ]
  const names = ['etc/motd', 'etc/local.d/x', 'etc/y.keep', 'www/index']
  await withReader({ drift }, names, async ({ writer, reader }) => {
    for (const name of names) reader.write(name, 'edited here')
    reader.write('etc/new', 'made here')
    reader.write('www/new', 'made here')
    await eventually(
      'etc is as it was',
      () => reader.read('etc/motd') === "share's etc/motd" && !reader.exists('etc/new'),
    )
    await reader.client.settle()
    assert.deepEqual(await listed(reader), [
      'etc/local.d/x: content',
      'etc/y.keep: content',
      'www/index: content',
      'www/new: extra',
    ])
    // A folder that holds what stays, stays as well, when the share deletes it.
    writer.remove('etc')
    await eventually('what is not drift is gone', () => !reader.exists('etc/motd'))
    const from = reader.log.length
    reader.writeConfig({ share: { drift: 'restore' } })
    await reader.logged(/shared_folders\[0\]\.drift/, from)
    await converged([writer, reader])
    assertEqualTrees([writer.dir, reader.dir])
    assert.equal(reader.exists('etc'), false)
  })
})

test('report: a newer version takes the path, and what was there is archived, logged and counted', async () => {
  await withReader({ use_sync_trash: false }, ['edited', 'gone', 'd/deleted'], async ({ writer, reader }) => {
    reader.write('edited', 'edited here')
    reader.write('d/deleted', 'edited here, too')
    reader.write('taken', 'made here')
    reader.remove('gone')
    await eventually('all are listed', async () => (await listed(reader)).length === 4)
    writer.write('edited', 'newer')
    writer.write('taken', 'made there')
    writer.write('gone', 'newer, too')
    writer.remove('d')
    await converged([writer, reader])
    assertEqualTrees([writer.dir, reader.dir])
    for (const content of ['edited here', 'edited here, too', 'made here'])
      assert.ok(hasArchived(reader, content), content)
    for (const path of ['edited', 'taken', 'd/deleted'])
      await reader.logged(
        new RegExp(`"path":"${path}".*"archived":.*"a newer version replaced a local change"`),
      )
    const { drift, driftDetail } = await reader.share()
    assert.deepEqual([drift, driftDetail.replaced, driftDetail.restored], [0, 4, 0])
    // What was not drift is not kept: the archive is off.
    assert.equal(archived(reader).size, 3)
  })
})

test('acknowledged drift is listed apart and left alone, as long as it is that very one and its time is not up', async () => {
  await withReader(
    { drift: [{ match: 'r/**', policy: 'restore' }] },
    ['f', 'g', 'r/f'],
    async ({ world, reader }) => {
      const run = (...args: string[]): ReturnType<World['run']> => world.run(['drift', ...args])
      reader.write('f', 'meant')
      reader.remove('g')
      await eventually('both are listed', async () => (await listed(reader)).length === 2)
      const reason = 'ticket 4711: waits for the new release'
      const said = await run(
        'acknowledge',
        reader.configFile,
        'f',
        'g',
        '--reason',
        reason,
        '--expires',
        '2d',
      )
      assert.equal(said.exit, 0, said.err)
      const plain = await run(reader.configFile)
      assert.equal(plain.exit, 0, plain.out)
      assert.match(plain.out, /ACKNOWLEDGED[\s\S]*ticket 4711/)
      const counts = async (): Promise<number[]> => {
        const { drift, driftDetail } = await reader.share()
        return [drift, driftDetail.acknowledged]
      }
      assert.deepEqual(await counts(), [0, 2])

      // It is kept over a crash, and is void for any other change.
      await reader.kill()
      await reader.start()
      await reader.client.scan()
      assert.deepEqual(await counts(), [0, 2])
      assert.equal((await driftAt(reader, 'f'))?.acknowledgement?.reason, reason)
      reader.write('f', 'another change')
      await eventually('another change is drift', async () => (await counts())[0] === 1)
      assert.equal((await run(reader.configFile)).exit, 1)
      const unknown = await run('acknowledge', reader.configFile, 'none', '--reason', 'r')
      assert.equal(unknown.exit, 66)
      const empty = await run('acknowledge', reader.configFile, 'f', '--reason', ' ')
      assert.equal(empty.exit, 64)

      // It ends by itself, and when it is taken back.
      await reader.client.acknowledgeDrift({ share: 0, path: 'f', reason, lifeMs: 1 })
      await eventually('its time is up', async () => (await counts())[0] === 1)
      await reader.logged(/"path":"f".*"the acknowledgement of drift has ended"/)
      assert.equal((await run('acknowledge', reader.configFile, 'g', '--withdraw')).exit, 0)
      assert.deepEqual(await counts(), [2, 0])
      assert.equal((await run('acknowledge', reader.configFile, 'g', '--withdraw')).exit, 66)

      // What would be restored is not, for as long as it is acknowledged. Changed twice, so that it waits a second.
      for (const text of ['one', 'two']) {
        reader.write('r/f', text)
        await eventually('undone', () => reader.read('r/f') === "share's r/f")
      }
      reader.write('r/f', 'three')
      await eventually('held back', async () => (await driftAt(reader, 'r/f'))?.nextRestore)
      await reader.client.acknowledgeDrift({ share: 0, path: 'r/f', reason, lifeMs: 3_600_000 })
      const restored = (await reader.share()).driftDetail.restored
      // Its time would come, and that of a path beside it does.
      reader.write('r/other', 'made here')
      await eventually(
        'the other one is undone',
        async () => (await reader.share()).driftDetail.restored > restored,
      )
      assert.equal(reader.read('r/f'), 'three')
      await reader.client.withdrawDrift({ share: 0, path: 'r/f' })
      await eventually('undone in the end', () => reader.read('r/f') === "share's r/f")
      assert.ok(hasArchived(reader, 'three'))
    },
  )
})

test('extra files go to the archive when told to, each as it was listed, and nothing else does', async () => {
  await withReader({}, ['.shoalignore', 'kept/f'], async ({ world, writer, reader }) => {
    writer.write('.shoalignore', 'ignored\n')
    await converged([writer, reader])
    const outside = `${world.root}/outside`
    fs.mkdirSync(outside)
    fs.writeFileSync(`${outside}/precious`, 'not ours')
    reader.write('new/a/1', 'one')
    reader.write('new/a/2', 'two')
    reader.write('new/b', 'three')
    reader.write('mine/x', 'four')
    reader.write('mine/ignored', 'never looked at')
    fs.symlinkSync(outside, reader.at('new/link'))
    reader.write('kept/f', 'edited, not extra')
    await eventually('all are listed', async () => (await listed(reader)).length === 8)

    const some = await world.run(['drift', reader.configFile, 'new/a', '--archive-extra'])
    assert.equal(some.exit, 0, some.out + some.err)
    assert.match(some.out, /^new\/a\/1 -> \.shoal\/archive\/[\d-]+\/new\/a\/1$/m)
    assert.match(some.out, /^new\/a: removed, it was empty$/m)
    assert.equal(reader.exists('new/a'), false)
    assert.equal(reader.exists('new/b'), true)

    // What is acknowledged is left, and so is the folder that it lies in.
    await reader.client.acknowledgeDrift({ share: 0, path: 'new/b', reason: 'meant', lifeMs: 3_600_000 })
    const rest = await world.run(['drift', reader.configFile, '--archive-extra', '--json'])
    assert.equal(rest.exit, 1)
    const { moved, left } = JSON.parse(rest.out)
    assert.deepEqual(moved.map(({ path }: { path: string }) => path).sort(), ['mine/x', 'new/link'])
    assert.deepEqual(left.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`).sort(), [
      'mine ENOTEMPTY',
      'new NOT_EMPTY',
    ])
    assert.equal(fs.readFileSync(`${outside}/precious`, 'utf8'), 'not ours')
    assert.equal(reader.read('mine/ignored'), 'never looked at')
    assert.equal(reader.read('kept/f'), 'edited, not extra')
    for (const content of ['one', 'two', 'four']) assert.ok(hasArchived(reader, content), content)
    assert.deepEqual(await listed(reader), ['kept/f: content', 'mine: extra', 'new/b: extra', 'new: extra'])
    // Named itself, it goes.
    const named = await reader.client.archiveExtra({ share: 0, paths: ['new/b'] })
    assert.deepEqual(
      named.moved.map(({ path }) => path),
      ['new/b'],
    )
  })
})

test('a crash while extra files go to the archive loses none of them, and the rest stays drift', async () => {
  await withReader({}, ['f'], async ({ reader }) => {
    const extras = Array.from({ length: 400 }, (_, i) => `new/${i % 10}/${i}`)
    for (const name of extras) reader.write(name, `content of ${name}`)
    for (let round = 0; round < 3; round++) {
      await eventually('all that is left is listed', async () => {
        const left = extras.filter((name) => reader.exists(name))
        const paths = new Set((await reader.client.drift()).map(({ path }) => path))
        return left.every((name) => paths.has(name))
      })
      const call = reader.client.archiveExtra().catch(() => undefined)
      if (round < 2) {
        await eventually('some have gone', () => archived(reader).size > round * 100)
        await reader.kill()
        await call
        const kept = new Set(archived(reader).values())
        for (const name of extras) {
          const content = `content of ${name}`
          assert.ok(kept.has(content) || (reader.exists(name) && reader.read(name) === content), name)
        }
        await reader.start()
        await reader.client.scan()
      } else {
        const report = await call
        assert.deepEqual(report?.left, [])
      }
    }
    assert.equal(reader.exists('new'), false)
    const kept = new Set(archived(reader).values())
    assert.ok(extras.every((name) => kept.has(`content of ${name}`)))
    assert.equal((await reader.share()).drift, 0)
  })
})
