// `shoal preview` against a real daemon: exact counts, nothing changed on either side, and how complete the picture is.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { PreviewPath, PreviewReport } from '../../../src/daemon/preview/report.js'
import { converged, eventually, type TestNode, type World, withWorld } from '../../support/daemons.js'
import { privateDht } from '../../support/dht.js'
import { snapshot } from '../../support/trees.js'

type ListedReport = PreviewReport & { readonly paths?: readonly PreviewPath[] }

async function preview(
  world: World,
  node: TestNode,
  ...options: string[]
): Promise<{ exit: number | null; report: ListedReport; err: string }> {
  node.writeConfig()
  const { exit, out, err } = await world.run(['preview', node.configFile, '--json', ...options])
  return { exit, report: out === '' ? { config: '', shares: [] } : (JSON.parse(out) as ListedReport), err }
}

/** All that a look may not change: every name, content, mode and time, those of the directory itself too, `.shoal` or none. */
function everything(dir: string): unknown {
  const stat = fs.lstatSync(dir)
  return [[...snapshot(dir)], stat.mtimeMs, stat.ctimeMs, fs.readdirSync(dir).sort()]
}

/** A share with a tree, and a folder with the same, other, fewer and more paths. */
async function scene(world: World, grade: 'write' | 'read' = 'write'): Promise<[TestNode, TestNode]> {
  const [a] = (await world.start(['a'])) as [TestNode]
  for (let i = 0; i < 20; i++) a.write(`same/${i}`, `content ${i}`)
  a.write('other', 'as a has it')
  a.write('longer', 'x'.repeat(1000))
  a.write('mode', 'm')
  a.write('only-there', 'four')
  a.write('gone/deep/file', 'to be deleted')
  a.write('was-a-file', 'file')
  fs.mkdirSync(a.at('empty'))
  fs.symlinkSync('other', a.at('link'))
  fs.symlinkSync('other', a.at('link-elsewhere'))
  a.write('big', Buffer.alloc(3 << 20, 'big'))
  await converged([a])
  a.remove('gone')
  await converged([a])
  const b = await world.node('b', { grade })
  for (let i = 0; i < 20; i++) b.write(`same/${i}`, `content ${i}`)
  b.write('other', 'as b has it')
  b.write('longer', 'short')
  b.write('mode', 'm')
  fs.chmodSync(b.at('mode'), 0o600)
  fs.chmodSync(a.at('mode'), 0o644)
  b.write('only-here', 'twelve bytes')
  b.write('gone/deep/file', 'to be deleted')
  fs.mkdirSync(b.at('was-a-file'))
  fs.mkdirSync(b.at('empty'))
  fs.symlinkSync('other', b.at('link'))
  fs.symlinkSync('mode', b.at('link-elsewhere'))
  b.write('big', Buffer.alloc(3 << 20, 'big'))
  await converged([a])
  return [a, b]
}

test('a preview counts exactly, and changes nothing on either side', async () => {
  await withWorld({}, async (world) => {
    const [a, b] = await scene(world)
    const before = everything(b.dir)
    const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-here-'))
    b.writeConfig()
    const { exit, out, err } = await world.run(['preview', b.configFile, '--json', '--list'])
    assert.equal(err, '')
    assert.equal(exit, 0)
    const { shares, paths } = JSON.parse(out) as ListedReport
    const [{ members, ...share }] = shares as [PreviewReport['shares'][number]]
    const same = { files: 21, folders: 2, links: 1, bytes: 20 * 9 + 10 + (3 << 20) }
    assert.deepEqual(share, {
      dir: b.dir,
      grade: 'write',
      complete: true,
      comparison: {
        same,
        // "gone/deep/file" and the folders above it were deleted there.
        onlyHere: { files: 2, folders: 2, links: 0, bytes: 12 + 13, deletedThere: 3 },
        onlyThere: { files: 1, folders: 0, links: 0, bytes: 4 },
        different: { files: 3, folders: 1, links: 1, bytes: 11 + 5 + 1, bytesThere: 11 + 1000 + 1 + 4 },
        problems: [],
      },
      notes: [],
    })
    assert.deepEqual(
      members.map(({ name, grade, reached, digestEqual }) => ({ name, grade, reached, digestEqual })),
      [{ name: 'a', grade: 'write', reached: true, digestEqual: true }],
    )
    assert.deepEqual(
      paths
        ?.map(({ what, why, path: at }) => [what, why, at].filter((part) => part !== undefined).join(' '))
        .sort(),
      [
        'different content link-elsewhere',
        'different content longer',
        'different content other',
        'different permissions mode',
        'different type was-a-file',
        'only-here gone',
        'only-here gone/deep',
        'only-here gone/deep/file',
        'only-here only-here',
        'only-there only-there',
      ],
    )
    assert.deepEqual(everything(b.dir), before)
    // Its own storage was not made, and what it read is gone.
    assert.equal(fs.existsSync(b.storage), false)
    fs.rmdirSync(temporary)
    assert.deepEqual(
      fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith('shoal-preview-')),
      [],
    )
    // Nobody has become a member, nothing was published, and no address is kept of whoever asked.
    const after = await a.share()
    assert.deepEqual(after.members, [])
    assert.equal(after.conflicts, 0)
    await a.stop()
    assert.deepEqual(Object.keys(await a.feedLengths()), ['a'])
  })
})

test('what a preview says of a reader comes true', async () => {
  await withWorld({}, async (world) => {
    const [a, b] = await scene(world, 'read')
    b.remove('gone')
    const { report } = await preview(world, b)
    assert.equal(report.shares[0]?.grade, 'read')
    const { onlyHere, different } = report.shares[0].comparison!
    await b.start()
    await b.logged(/"peer connected"/)
    const { receivedBytes } = await eventually('b is in sync', async () => {
      const share = await b.share()
      return share.members.length > 0 && share.state === 'idle' && share.needFiles === 0 ? share : undefined
    })
    // What is only here is drift, what differs is replaced, what is the same does not travel.
    assert.equal((await b.share()).drift, onlyHere.files + onlyHere.folders)
    assert.equal(different.files, 3)
    assert.equal(b.read('other'), a.read('other'))
    assert.ok(receivedBytes < 10_000, `${receivedBytes} bytes travelled`)
  })
})

test('a preview of a daemon that runs is refused; of a device that joined before, it says so', async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    const b = await world.node('b')
    await b.start()
    await converged([a, b])
    const running = await preview(world, b)
    assert.equal(running.exit, 75)
    assert.match(running.err, /its daemon is running and has joined already/)
    await b.stop()
    const stopped = await preview(world, b)
    assert.equal(stopped.exit, 0)
    assert.match(stopped.report.shares[0]!.notes.join('\n'), /this device has joined before/)
    // It is told of itself as it was: a member like others, that cannot be reached.
    assert.deepEqual(stopped.report.shares[0]!.members.map(({ name, reached }) => [name, reached]).sort(), [
      ['a', true],
      ['b', false],
    ])
  })
})

test('nobody reached: exit code 3, in the time that was given', async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a')
    const b = await world.node('b')
    b.write('file', 'content')
    const before = everything(b.dir)
    const { exit, report } = await preview(world, b, '--timeout', '0.5')
    assert.equal(exit, 3)
    assert.equal(report.shares[0]?.comparison, null)
    assert.equal(report.shares[0].complete, false)
    assert.deepEqual(everything(b.dir), before)
    assert.equal(a.isRunning, false)
  })
})

test('a member that has not looked through its folder may have more to tell: that is waited for, and said', async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    a.write('told', 'content')
    await converged([a])
    await a.stop()
    // It halts instead of looking.
    fs.renameSync(a.at('.shoal'), path.join(world.root, 'marker'))
    await a.start()
    await eventually('a halts', async () => (await a.share()).state === 'halted')
    const b = await world.node('b')
    const { exit, report } = await preview(world, b, '--timeout', '3')
    const [{ complete, comparison, notes }] = report.shares as [PreviewReport['shares'][number]]
    assert.deepEqual([exit, complete, comparison?.onlyThere.files], [0, false, 1])
    assert.deepEqual(notes, [
      'a has not looked through its folder since it started: there may be more in the share than it says',
    ])

    fs.renameSync(path.join(world.root, 'marker'), a.at('.shoal'))
    a.write('more', 'content')
    const looking = preview(world, b)
    await a.client.approve()
    const { report: whole } = await looking
    assert.deepEqual(
      [whole.shares[0]?.complete, whole.shares[0]?.comparison?.onlyThere.files, whole.shares[0]?.notes],
      [true, 2, []],
    )
  })
})

test('a folder that is not there counts as empty, and is not made; ignored paths count nowhere', async () => {
  await withWorld({}, async (world) => {
    const [a] = (await world.start(['a'])) as [TestNode]
    a.write('.shoalignore', '*.tmp\n')
    a.write('file', 'content')
    await converged([a])
    a.write('x.tmp', 'left out')
    await converged([a])
    const b = await world.node('b')
    fs.rmdirSync(b.dir)
    const empty = await preview(world, b)
    assert.equal(empty.exit, 0)
    assert.deepEqual(empty.report.shares[0]?.comparison?.onlyThere, {
      files: 2,
      folders: 0,
      links: 0,
      bytes: 13,
    })
    assert.match(empty.report.shares[0].notes.join('\n'), /has ignore rules/)
    assert.equal(fs.existsSync(b.dir), false)
    fs.mkdirSync(b.dir)
    b.write('.shoalignore', '*.tmp\n')
    b.write('y.tmp', 'left out')
    const full = await preview(world, b)
    assert.equal(full.report.shares[0]?.comparison?.same.files, 1)
    assert.equal(full.report.shares[0].comparison.onlyHere.files, 0)
    assert.deepEqual(full.report.shares[0].notes, [])
  })
})

test('Ctrl-C ends a preview with 130 and leaves nothing', async () => {
  await withWorld({}, async (world) => {
    await world.node('a')
    const b = await world.node('b')
    b.writeConfig()
    const own = path.join(world.root, 'tmp')
    fs.mkdirSync(own)
    const child = world.spawn(['preview', b.configFile, '--timeout', '60'], { TMPDIR: own })
    await new Promise<void>((resolve) => {
      const watcher = fs.watch(own, () => {
        watcher.close()
        resolve()
      })
    })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGINT')
    assert.equal(await ended, 130)
    assert.deepEqual(fs.readdirSync(own), [])
  })
})

test('members are found in a private DHT, and on the local network (loopback alone)', async () => {
  await withWorld({}, async (world) => {
    const bootstrap = await privateDht(world, 3)
    const ways = [
      { knows: [], config: { bootstrap }, share: { use_dht: true } },
      { knows: [], share: { search_lan: true } },
    ]
    for (const [i, options] of ways.entries()) {
      const a = await world.node(`a${i}`, options)
      a.write('file', 'content')
      await a.start()
      await converged([a])
      const b = await world.node(`b${i}`, options)
      const { exit, report, err } = await preview(world, b)
      assert.equal(exit, 0, err)
      assert.equal(report.shares[0]?.comparison?.onlyThere.files, 1)
      assert.deepEqual((await a.share()).members, [])
      await a.stop()
    }
  })
})
