// Owners, ACLs, all bits of modes, extended attributes and times of directories, from one full node to another, through one
// that runs as an ordinary user and one whose file system has neither ACLs nor attributes. Looked at with stat, getfacl
// and getfattr.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, type TestNode, type World, withWorld } from '../support/daemons.js'
import { looks, NEEDS_TOOLS, tool } from '../support/metadata-tools.js'
import { mounted } from '../support/mounts.js'
import { account, needsUser } from '../support/privileges.js'
import { assertEqualTrees } from '../support/trees.js'

const skip = NEEDS_TOOLS || needsUser('nobody')
const SHARE = { owners: 'name', acls: true, xattrs: ['user.*'] }
/** A number that no account has. */
const NO_ACCOUNT = 54_321

interface Cast {
  readonly world: World
  readonly anna: TestNode
  readonly ben: TestNode
  /** Runs as nobody. */
  readonly plain: TestNode
  /** On a ramfs. */
  readonly poor: TestNode
}

/** Four nodes, none of them running. */
function cast(name: string, body: (cast: Cast) => Promise<void>): void {
  test(name, { skip }, async (context) => {
    const disk = mounted('ramfs')
    if (typeof disk === 'string') return context.skip(disk)
    try {
      await withWorld({}, async (world) => {
        const anna = await world.node('anna', { share: SHARE })
        const ben = await world.node('ben', { share: SHARE })
        const plain = await world.node('plain', { share: SHARE, as: account('nobody')! })
        const poor = await world.node('poor', { share: SHARE, dir: `${disk.directory}/share` })
        await body({ world, anna, ben, plain, poor })
      })
    } finally {
      disk.remove()
    }
  })
}

/** A tree with everything in it. */
function fill(node: TestNode): void {
  for (const name of [
    'web/index.html',
    'web/app.cgi',
    'mail/cur/one',
    'mail/cur/two',
    'etc/secret',
    'etc/plain',
  ])
    node.write(name, `content of ${name}`)
  fs.symlinkSync('../web/index.html', node.at('etc/link'))
  fs.mkdirSync(node.at('empty'))
  const { dir } = node
  tool(dir, 'chown', '-R', 'www-data:www-data', 'web')
  tool(dir, 'chown', '-R', 'mail:mail', 'mail')
  tool(dir, 'chown', `${NO_ACCOUNT}:games`, 'etc/plain')
  tool(dir, 'chown', '-h', 'games:games', 'etc/link')
  tool(dir, 'setfacl', '-m', 'u:games:r,g:mail:rw', 'etc/secret')
  tool(dir, 'setfacl', '-m', 'u:mail:rwx,d:u:mail:rwx,d:g:games:rx', 'web', 'empty')
  tool(dir, 'setfattr', '-n', 'user.origin', '-v', 'https://example.org/', 'web/index.html')
  tool(dir, 'setfattr', '-n', 'user.empty', 'mail/cur')
  const modes = {
    'web/app.cgi': '6755',
    'mail/cur/one': '4640',
    'mail/cur/two': '2777',
    'etc/plain': '1604',
    mail: '3771',
  }
  for (const [name, mode] of Object.entries(modes)) tool(dir, 'chmod', mode, name)
  for (const [at, name] of ['empty', 'mail/cur', 'mail', 'web', 'etc'].entries())
    tool(dir, 'touch', '-d', `2020-02-0${at + 1}T03:04:05.678901`, name)
}

/** The nodes run until they hold the same, and are stopped again. */
async function together(...nodes: readonly TestNode[]): Promise<number[]> {
  await Promise.all(nodes.map((node) => node.start()))
  const reports = await converged(nodes)
  await Promise.all(nodes.map((node) => node.stop()))
  return reports.map(({ receivedBytes }) => receivedBytes)
}

function assertSameLooks(one: TestNode, other: TestNode): void {
  const [a, b] = [looks(one.dir), looks(other.dir)]
  assert.deepEqual(b.stat, a.stat)
  assert.deepEqual(b.acls, a.acls)
  assert.deepEqual(b.attributes, a.attributes)
  assertEqualTrees([one.dir, other.dir])
}

/** Of files with set-id bits, 0: they may become files of their own when their metadata change. */
function inodes(node: TestNode): Map<string, number> {
  const names = fs.readdirSync(node.dir, { recursive: true, encoding: 'utf8' })
  const own = names.filter((name) => !name.startsWith('.shoal')).sort()
  const inodeOf = ({ ino, mode }: fs.Stats): number => ((mode & 0o6000) === 0 ? ino : 0)
  return new Map(own.map((name) => [name, inodeOf(fs.lstatSync(node.at(name)))]))
}

function assertKept(nodes: readonly TestNode[], before: readonly Map<string, number>[]): void {
  const after = nodes.map(inodes)
  // What has such bits anywhere has them in the share.
  const isSetid = (name: string): boolean => [...before, ...after].some((of) => of.get(name) === 0)
  for (const [i, now] of after.entries()) {
    const kept = [...now].filter(([name]) => !isSetid(name))
    assert.ok(kept.length > 5)
    for (const [name, ino] of kept) assert.equal(ino, before[i]!.get(name), name)
  }
}

cast(
  'all of it travels through nodes that cannot hold it, there and back',
  async ({ anna, ben, plain, poor }) => {
    fill(anna)
    const before = looks(anna.dir)
    await together(anna, plain)
    await together(plain, poor)
    await together(poor, ben)
    assert.deepEqual(looks(anna.dir), before)
    assertSameLooks(anna, ben)
    assert.deepEqual(
      [...new Set([...inodes(plain).keys()].map((name) => fs.lstatSync(plain.at(name)).uid))],
      [account('nobody')!.uid],
    )
    assert.equal(fs.statSync(plain.at('web/app.cgi')).mode & 0o7777, 0o755)
    assert.equal(fs.statSync(poor.at('web/app.cgi')).mode & 0o7777, 0o6755)
    assert.equal(tool(poor.dir, 'getfacl', '-n', '-s', 'etc/secret'), '')

    // Now each kind alone and several together, on the other end, with the daemon not even running.
    const { dir } = ben
    tool(dir, 'chown', 'games', 'web/index.html')
    tool(dir, 'chgrp', 'mail', 'etc/plain')
    tool(dir, 'chown', '-h', 'mail:mail', 'etc/link')
    tool(dir, 'setfacl', '-m', 'u:www-data:rw', 'mail/cur/one')
    tool(dir, 'setfacl', '-b', 'etc/secret')
    tool(dir, 'setfacl', '-k', 'empty')
    tool(dir, 'setfattr', '-n', 'user.origin', '-v', 'elsewhere', 'web/index.html')
    tool(dir, 'setfattr', '-x', 'user.empty', 'mail/cur')
    tool(dir, 'chmod', '7700', 'empty')
    tool(dir, 'chmod', '4755', 'web/app.cgi')
    tool(dir, 'chown', 'mail:games', 'mail/cur/two')
    tool(dir, 'setfacl', '-m', 'u:nobody:r', 'mail/cur/two')
    tool(dir, 'setfattr', '-n', 'user.both', '-v', 'x', 'mail/cur/two')
    tool(dir, 'touch', '-d', '2019-01-02T03:04:05', 'mail/cur/two', 'web')
    const wanted = looks(dir)
    const kept = [anna, plain, poor].map(inodes)
    const received = [
      await together(ben, poor),
      await together(poor, plain),
      await together(plain, anna),
    ].flat()
    assert.deepEqual(looks(dir), wanted)
    assertSameLooks(ben, anna)
    assertKept([anna, plain, poor], kept)
    assert.deepEqual(received, [0, 0, 0, 0, 0, 0])
  },
)

cast('what a poorer node changes takes nothing from the others', async ({ anna, ben, plain, poor }) => {
  fill(anna)
  const all = [anna, ben, plain, poor]
  await Promise.all(all.map((node) => node.start()))
  await converged(all)
  const before = looks(ben.dir)
  const problems = async (node: TestNode): Promise<string[]> =>
    [...new Set((await node.share()).problems.map(({ code }) => code))].sort()
  assert.deepEqual(await problems(plain), ['OWNER_NOT_SET', 'SETID_WITHHELD'])
  assert.deepEqual(
    (await problems(poor)).filter((code) => code !== 'OWNER_UNKNOWN'),
    ['ATTRIBUTES_UNSUPPORTED'],
  )

  fs.appendFileSync(plain.at('web/index.html'), ', edited by nobody')
  fs.appendFileSync(poor.at('etc/secret'), ', edited on a ramfs')
  fs.renameSync(poor.at('mail/cur/two'), poor.at('mail/cur/three'))
  await converged(all)
  assertSameLooks(anna, ben)
  assert.equal(ben.read('web/index.html'), 'content of web/index.html, edited by nobody')
  const after = looks(ben.dir)
  const without = (lines: readonly string[]): string[] => lines.filter((line) => !/mail\/cur\/t/.test(line))
  assert.deepEqual(without(after.stat), without(before.stat))
  assert.deepEqual(without(after.acls), without(before.acls))
  assert.deepEqual(without(after.attributes), without(before.attributes))

  // A mode that is changed there is a change; the owner still is as it was.
  fs.chmodSync(plain.at('etc/plain'), 0o640)
  await converged(all)
  assertSameLooks(anna, ben)
  const { mode, uid } = fs.statSync(anna.at('etc/plain'))
  assert.deepEqual([mode & 0o7777, uid], [0o640, NO_ACCOUNT])
})

cast(
  'while all of them run, changes of metadata alone move no content and keep every inode',
  async ({ anna, ben, plain, poor }) => {
    const all = [anna, ben, plain, poor]
    await Promise.all(all.map((node) => node.start()))
    fill(anna)
    await converged(all)
    assertSameLooks(anna, ben)
    const kept = [anna, ben].map(inodes)
    const received = async (): Promise<number[]> =>
      Promise.all(all.map(async (node) => (await node.share()).receivedBytes))
    const before = await received()
    const steps: readonly (readonly [TestNode, string, ...string[]])[] = [
      [anna, 'chown', 'games:mail', 'web/index.html'],
      [ben, 'setfacl', '-m', 'u:games:rwx', 'web/app.cgi'],
      [anna, 'setfacl', '-m', 'd:u:www-data:rx', 'mail/cur'],
      [ben, 'setfattr', '-n', 'user.more', '-v', 'and more', 'etc/plain'],
      [anna, 'chmod', '7711', 'mail/cur/one'],
      [ben, 'touch', '-d', '2018-07-06T05:04:03', 'empty', 'etc', 'mail/cur/two'],
      [anna, 'chown', '-R', 'mail:mail', 'empty'],
      [ben, 'setfacl', '-R', '-b', 'web'],
    ]
    for (const [node, command, ...args] of steps) {
      tool(node.dir, command, ...args)
      await converged(all)
      assertSameLooks(anna, ben)
    }
    // And on both at once, of different kinds on one path.
    tool(anna.dir, 'chown', 'www-data', 'etc/secret')
    tool(ben.dir, 'setfattr', '-n', 'user.late', '-v', 'x', 'etc/plain')
    await converged(all)
    assertSameLooks(anna, ben)
    assertKept([anna, ben], kept)
    assert.deepEqual(await received(), before)
  },
)
