// What a tree can hold: odd names, deep paths, links, permissions and times, and what cannot be carried. All in one world,
// since the cases do not disturb each other.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'

const LONG = 'n'.repeat(255)
const NAMES = [
  'two\nlines',
  'back\\slash',
  '__proto__',
  'constructor',
  '-rf',
  '--help',
  'trailing space ',
  ' leading space',
  'trailing dot.',
  '...',
  '..hidden',
  'caf\u00e9 (NFC)'.normalize('NFC'),
  'caf\u00e9 (NFC)'.normalize('NFD'),
  '\u{1f433}\u{1f30a}',
  'tab\tand\u0001control',
  'quote"\'`$(touch x)',
  'CON',
  'name:with?odd*characters|<>',
  '\ufeffbyte order mark',
  '\u202eright to left',
  LONG,
  '\u20ac'.repeat(85),
]

const isRoot = process.geteuid?.() === 0
const EQUAL = { withoutSetid: isRoot }

test('names, depth, links, permissions and times arrive as they are and make no new versions (A7)', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b'])
    const [a, b] = nodes as [TestNode, TestNode]
    for (const name of NAMES) {
      a.write(`files/${name}`, `content of ${name}`)
      fs.mkdirSync(a.at(`directories/${name}`), { recursive: true })
      fs.mkdirSync(a.at('links'), { recursive: true })
      fs.symlinkSync(name, a.at(`links/${name}`))
    }
    const deep = Array.from({ length: 100 }, (_, i) => `level-${i}`).join('/')
    a.write(`${deep}/bottom`, 'a hundred levels down')
    a.write(`${LONG}/${LONG}/${LONG}/${LONG}/${LONG}`, 'long all the way')
    // Targets are text and are never followed.
    for (const [name, target] of [
      ['absolute', '/etc/passwd'],
      ['upwards', '../../../../..'],
      ['loop', 'loop'],
      ['odd', 'a\nb\\c '],
      ['long', 'x/'.repeat(2000)],
    ] as const) {
      fs.symlinkSync(target, a.at(`links/${name}`))
      fs.lutimesSync(a.at(`links/${name}`), 1_234_567_890.123456, 1_234_567_890.123456)
    }
    for (const mode of [0o644, 0o600, 0o755, 0o400, 0o000, 0o777, 0o4755, 0o2755, 0o1644, 0o7777]) {
      const name = mode.toString(8)
      a.write(`modes/file-${name}`, name)
      fs.chmodSync(a.at(`modes/file-${name}`), mode)
      if ((mode & 0o700) !== 0o700) continue
      fs.mkdirSync(a.at(`modes/directory-${name}`))
      a.write(`modes/directory-${name}/inside`, name)
      fs.chmodSync(a.at(`modes/directory-${name}`), mode)
    }
    fs.mkdirSync(a.at('modes/locked'))
    a.write('modes/locked/inside', 'in a directory without permission to write')
    fs.chmodSync(a.at('modes/locked'), 0o500)
    const times = [0, 1, 1e9 + 0.000001, 1_700_000_000.999999, -1, 4_102_444_800.25, 2 ** 31 + 0.5]
    for (const [i, time] of times.entries()) {
      a.write(`times/${i}`, String(time))
      fs.utimesSync(a.at(`times/${i}`), time, time)
      fs.mkdirSync(a.at(`times/directory-${i}`))
      a.write(`times/directory-${i}/inside`, '')
      fs.utimesSync(a.at(`times/directory-${i}`), time, time)
    }
    await converged(nodes)
    assertEqualTrees([a.dir, b.dir], EQUAL)
    assert.equal(b.read(`${deep}/bottom`), 'a hundred levels down')
    assert.equal(b.read(`files/${'\u20ac'.repeat(85)}`), `content of ${'\u20ac'.repeat(85)}`)
    assert.equal(fs.readdirSync(b.at('files')).length, NAMES.length)

    // Nothing of it is a change when it is looked at again, on either side.
    const before = snapshot(a.dir, EQUAL)
    const digest = (await converged(nodes))[0]!.digest
    const lengths = async (): Promise<string> => JSON.stringify(await b.feedLengths())
    const lengthsBefore = await lengths()
    for (let round = 0; round < 3; round++) await Promise.all(nodes.map((node) => node.client.scan()))
    await Promise.all(nodes.map((node) => node.restart()))
    await Promise.all(nodes.map((node) => node.client.scan()))
    for (const report of await converged(nodes)) assert.equal(report.digest, digest)
    assert.deepEqual(snapshot(a.dir, EQUAL), before)
    assert.deepEqual(snapshot(b.dir, EQUAL), before)
    assert.equal(await lengths(), lengthsBefore)

    // And back: the other side changes and removes them all.
    for (const mode of ['644', '400', '7777']) fs.chmodSync(b.at(`modes/file-${mode}`), 0o640)
    fs.chmodSync(b.at('modes/locked'), 0o700)
    fs.lutimesSync(b.at('links/loop'), 77, 77)
    fs.utimesSync(b.at('times/directory-3'), 1_111_111_111.111111, 1_111_111_111.111111)
    for (const name of NAMES) b.remove(`directories/${name}`)
    b.remove('level-0')
    b.remove(LONG)
    await converged(nodes)
    assertEqualTrees([a.dir, b.dir], EQUAL)
    assert.deepEqual(fs.readdirSync(a.at('directories')), [])
    assert.equal(fs.statSync(a.at('modes/locked')).mode & 0o7777, 0o700)
    for (const { conflicts, problems } of await converged(nodes)) {
      assert.equal(conflicts, 0)
      assert.deepEqual(
        problems.filter(({ code }) => !(isRoot && code === 'SETID_WITHHELD')),
        [],
      )
    }
  })
})

test('under root, without owners: no file becomes set-user-id, the bit is passed on, and its lack is no change', {
  skip: isRoot ? false : 'only root withholds the bits',
}, async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b'], { share: { owners: 'ignore', acls: false } })
    const [a, b] = nodes as [TestNode, TestNode]
    const modeAt = (node: TestNode, name: string): number => fs.statSync(node.at(name)).mode & 0o7777
    for (const name of ['plain', 'both', 'edited']) a.write(`d/${name}`, name)
    fs.chmodSync(a.at('d/plain'), 0o4755)
    fs.chmodSync(a.at('d/both'), 0o6750)
    fs.chmodSync(a.at('d/edited'), 0o4755)
    await converged(nodes)
    assert.deepEqual([modeAt(b, 'd/plain'), modeAt(b, 'd/both')], [0o755, 0o750])
    assert.equal(modeAt(a, 'd/plain'), 0o4755)
    const problems = async (node: TestNode): Promise<string[]> =>
      (await node.share()).problems.map(({ path, code }) => `${code} ${path}`).sort()
    assert.deepEqual(await problems(b), [
      'SETID_WITHHELD d/both',
      'SETID_WITHHELD d/edited',
      'SETID_WITHHELD d/plain',
    ])
    assert.deepEqual(await problems(a), [])

    // Looked at again, and by another process, it is no change.
    const before = await b.feedLengths()
    fs.linkSync(b.at('d/plain'), `${world.root}/other-name`)
    await b.client.scan()
    await b.restart()
    await b.client.scan()
    await converged(nodes)
    assert.deepEqual(await b.feedLengths(), before)
    assert.equal((await problems(b)).length, 3)

    // A user's changes are changes: of time and other bits with the bit kept elsewhere, of the content without it.
    fs.utimesSync(b.at('d/plain'), 1_234_567_890, 1_234_567_890)
    fs.chmodSync(b.at('d/both'), 0o700)
    b.write('d/edited', 'edited on b')
    await converged(nodes)
    assert.equal(fs.statSync(a.at('d/plain')).mtimeMs, 1_234_567_890_000)
    assert.deepEqual(
      [modeAt(a, 'd/plain'), modeAt(a, 'd/both'), modeAt(a, 'd/edited')],
      [0o4755, 0o6700, 0o755],
    )
    fs.chmodSync(a.at('d/plain'), 0o755)
    fs.chmodSync(a.at('d/both'), 0o700)
    await converged(nodes)
    assert.deepEqual(await problems(b), [])
    assertEqualTrees([a.dir, b.dir])
  })
})

test('what cannot be carried is skipped, reported and never replaced (A7)', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b'])
    const [a, b] = nodes as [TestNode, TestNode]
    a.write('d/plain', 'plain')
    const notText = Buffer.concat([Buffer.from(`${a.dir}/d/latin1-`), Buffer.from([0xe9, 0xff])])
    fs.writeFileSync(notText, 'not UTF-8')
    execFileSync('mkfifo', [a.at('d/fifo'), b.at('in-the-way')])
    await converged(nodes)
    assert.deepEqual(fs.readdirSync(b.at('d')), ['plain'])
    await eventually('both are reported', async () => (await a.share()).problems.length === 2)
    const reported = (await a.share()).problems.map(({ path, code }) => `${code} ${path}`).sort()
    assert.equal(reported[0], 'NOT_CARRIED d/fifo')
    assert.match(reported[1]!, /^NOT_UTF8 d\/latin1-/)

    // A file of that name arrives on the device where a fifo lies: the fifo stays, the rest of the share goes on.
    a.write('in-the-way', 'a file')
    a.write('d/after', 'after')
    await eventually('the rest arrives', () => b.exists('d/after'))
    await eventually('it is reported', async () =>
      (await b.share()).problems.some(({ path }) => path === 'in-the-way'),
    )
    assert.equal(fs.lstatSync(b.at('in-the-way')).isFIFO(), true)
    // Once it is out of the way, the file comes in by itself.
    b.remove('in-the-way')
    await eventually('the file comes in', () => b.exists('in-the-way') && b.read('in-the-way') === 'a file')
    await converged(nodes)
    assert.deepEqual((await b.share()).problems, [])

    // What was reported and is mended goes on by itself.
    fs.rmSync(a.at('d/fifo'))
    fs.renameSync(notText, a.at('d/renamed'))
    await converged(nodes)
    assert.equal(b.read('d/renamed'), 'not UTF-8')
    await eventually('nothing is reported any more', async () => (await a.share()).problems.length === 0)
    // A file becomes a fifo: the file stays on the others.
    fs.rmSync(a.at('d/plain'))
    execFileSync('mkfifo', [a.at('d/plain')])
    await a.client.scan()
    await converged([a])
    assert.equal(b.read('d/plain'), 'plain')
  })
})
