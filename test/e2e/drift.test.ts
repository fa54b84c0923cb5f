// What becomes of a reader's own changes, with real daemons: how soon they are noticed and what is said of them, and that
// they are undone by policy and at a pace that makes no loop, or replaced by what is newer. Never is anything lost of them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import type { DriftReport } from '../../src/control/schema-drift.js'
import { converged, eventually } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'
import { archived, driftAt, hasArchived, listed, setPace, withReader } from './drift-kit.js'

/** Generous: the limits that we mean are 2 and 5 seconds on a machine that does nothing else; what it took is printed. */
const NOTICED_MS = 20_000

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
    assert.ok(driftDetail.restored >= 8, `${driftDetail.restored} times`)
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
    // The second time it waits a second, the third time two.
    for (let round = 1; round <= 3; round++) {
      reader.write('f', `by the job, ${round}`)
      await eventually(`round ${round} is undone`, () => reader.read('f') === "share's f")
    }
    await eventually('all three are counted', async () => (await reader.share()).driftDetail.restored === 3)
    // As if it had gone on like this: nobody waits for minutes here.
    await reader.stop()
    assert.equal(await setPace(reader, 'f', 9), 3)
    await reader.start()

    reader.write('f', 'by the job, 4')
    const held = await eventually('it is held back', async () => {
      const item = await driftAt(reader, 'f')
      return item?.nextRestore === null ? undefined : item
    })
    assert.equal(held.restores, 9)
    const { driftDetail } = await reader.share()
    assert.deepEqual(
      [driftDetail.restored, driftDetail.waiting, driftDetail.nextRestore],
      [3, 1, held.nextRestore],
    )
    const { out } = await world.run(['drift', reader.configFile])
    assert.match(out, /content +\S+ +f +9 times, next at /)
    assert.match(
      (await world.run(['status', reader.configFile])).out,
      /put back +3 times; 1 path held back, the next at/,
    )

    await reader.kill()
    await reader.start()
    // Another path has a pace of its own.
    reader.write('g', 'by hand')
    await eventually('the other one is undone at once', () => reader.read('g') === "share's g")
    const after = await driftAt(reader, 'f')
    assert.deepEqual([after?.restores, typeof after?.nextRestore], [9, 'string'])
    assert.equal(reader.read('f'), 'by the job, 4')
    for (let round = 1; round <= 3; round++) assert.ok(hasArchived(reader, `by the job, ${round}`))
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
