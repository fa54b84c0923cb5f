// Directories that are not what they seem: one that two daemons were given, one with another disk mounted inside it, one
// that is reached through a link. None of them may cost a file (A5, A7) or leave a change unnoticed (A10).
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

/** Why no file system can be mounted here, or false. */
function cannotMount(): string | false {
  const place = fs.mkdtempSync(path.join(process.env.TMPDIR ?? '/tmp', 'shoal-mount-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'shoal-test', place])
  if (status === 0) spawnSync('umount', [place])
  fs.rmdirSync(place)
  return status === 0 ? false : 'nothing can be mounted here'
}

test('A5: a disk mounted inside the share is left alone: unmounting it deletes nothing anywhere', {
  skip: cannotMount(),
}, async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    anna.write('disk/hidden below.txt', 'was here before anything was mounted')
    anna.write('plain.txt', 'plain')
    await converged([anna, ben])
    const place = anna.at('disk')
    const mount = (): void => {
      assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'shoal-test', place]).status, 0)
    }
    mount()
    try {
      anna.write('disk/on the disk.txt', 'content of the other disk')
      await anna.client.scan()
      await converged([anna, ben])
      assert.equal(ben.read('disk/hidden below.txt'), 'was here before anything was mounted')
      const problems = (await anna.share()).problems.map(({ path, code }) => `${path} ${code}`)
      assert.match(problems.join(), /^disk (NOT_CARRIED|OTHER_FILE_SYSTEM)/)
      await anna.restart()
      await converged([anna, ben])
      assert.equal(ben.read('disk/hidden below.txt'), 'was here before anything was mounted')
    } finally {
      assert.equal(spawnSync('umount', ['-l', place]).status, 0)
    }
    await anna.client.scan()
    await converged([anna, ben])
    assertEqualTrees([anna.dir, ben.dir])
    assert.equal(ben.read('disk/hidden below.txt'), 'was here before anything was mounted')
    assert.deepEqual((await anna.share()).problems, [])
  })
})

test('A10: a share whose directory is reached through a link is watched like any other', async () => {
  await withWorld({}, async (world) => {
    const anna = await world.node('anna')
    const ben = await world.node('ben')
    const real = path.join(world.root, 'real')
    fs.renameSync(anna.dir, real)
    fs.symlinkSync(real, anna.dir)
    await Promise.all([anna.start(), ben.start()])
    anna.write('first.txt', 'one')
    await eventually('the first file arrives', () => ben.exists('first.txt'), 10_000)
    anna.write('second.txt', 'two')
    anna.write('inside/third.txt', 'three')
    await eventually(
      'the others arrive',
      () => ben.exists('second.txt') && ben.exists('inside/third.txt'),
      10_000,
    )
    await converged([anna, ben])
  })
})

test('a second daemon that is given the same directory is refused', async () => {
  await withWorld({}, async (world) => {
    const [anna] = (await world.start(['anna'])) as [TestNode]
    anna.write('file.txt', 'content')
    await converged([anna])
    const twin = await world.node('twin', { share: { dir: anna.dir } })
    await assert.rejects(twin.start(), /SHARE_UNUSABLE|in use/)
    assert.equal(anna.read('file.txt'), 'content')
    await anna.stop()
    await twin.start()
    const [report] = await converged([twin])
    assert.equal(report!.files, 1)
  })
})
