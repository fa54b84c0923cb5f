// Section 10 over a chain: a and c never meet, and all that they know of each other comes through b. Then what the log says
// of who wrote what, and what can be proved of it without a daemon. One world for all.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { LogEntry } from '../../src/control/schema-log.js'
import type { MembersReport } from '../../src/control/schema-members.js'
import { waitForSync } from '../../src/control/wait.js'
import { keysOf } from '../../src/core/secret.js'
import { tablePrefix } from '../../src/daemon/share/share-options.js'
import type { VerifyReport } from '../../src/daemon/verify/report.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { AFTER_LAST_KEY, FIRST_KEY, type Table } from '../../src/store/tables.js'
import { converged, eventually, type TestNode, World, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

const PATIENT = ['--timeout', '60']

describe('a chain of members', () => {
  let world: World
  let a: TestNode
  let b: TestNode
  let c: TestNode
  const dirs = (): string[] => [a, b, c].map(({ dir }) => dir)

  before(async () => {
    world = new World()
    // What b tells of them is the address that they dial from, where neither of them listens.
    a = await world.node('a', { knows: ['b'], config: { listen_host: '127.0.0.3' } })
    b = await world.node('b', { knows: [] })
    c = await world.node('c', { knows: ['b'], config: { listen_host: '127.0.0.2' } })
    await Promise.all([a, b, c].map((node) => node.start()))
  })
  after(() => world.close())

  const wait = async (node: TestNode, ...more: string[]): Promise<{ exit: number | null; out: string }> =>
    world.run(['status', node.configFile, '--wait', ...more])
  const membersOf = async (node: TestNode): Promise<MembersReport> => {
    const { out } = await world.run(['members', node.configFile, '--json'])
    return (JSON.parse(out) as MembersReport[])[0]!
  }

  it('all are asked and answer through those between, and the trees are equal', async () => {
    a.write('from-a/one', 'one')
    b.write('from-b', 'two')
    assert.equal((await wait(a, '--members', '2', ...PATIENT)).exit, 0)
    assertEqualTrees(dirs(), { withoutTimes: true })
    assert.deepEqual(
      (await a.client.peers()).map(({ name }) => name),
      ['b'],
    )
    // What c has done a moment ago nobody else can know.
    c.write('from-c', 'three')
    const { verdict } = await waitForSync(a.client, { timeoutMs: 60_000, pollMs: 5 })
    assert.equal(verdict.type, 'in-sync')
    assert.equal(a.read('from-c'), 'three')
    const { members } = await membersOf(a)
    assert.deepEqual(
      members
        .map(({ name, connected, confirmed, unreachableSince }) => [
          name,
          connected,
          confirmed,
          unreachableSince,
        ])
        .sort(),
      [
        ['b', true, true, null],
        ['c', false, true, null],
      ],
    )
    const { out } = await world.run(['members', a.configFile])
    assert.match(out, / c +[0-9a-f]{8} {2}write {2}in sync +\d+ records +now/)
  })

  it('a head names what all have to hold; others ask for so many members', async () => {
    a.write('later', 'x')
    await a.client.settle()
    const { head } = await a.share()
    assert.equal((await wait(c, '--at', head, ...PATIENT)).exit, 0)
    assert.equal(c.read('later'), 'x')
    assert.equal((await wait(c, '--at', 'nonsense')).exit, 64)
    assert.equal((await wait(c, '--at', head.replace(/^\w{8}/, '00000000'), '--timeout', '0')).exit, 2)
    assert.equal((await world.run(['status', c.configFile, '--at', head])).exit, 64)
    const { exit, out } = await wait(a, '--members', '3', '--timeout', '0')
    assert.deepEqual([exit, /unreachable: 2 of 3 members/.test(out)], [3, true])
  })

  it('of one that cannot be reached it is said since when, and never that it is in sync', async () => {
    const { lastSeen } = (await membersOf(a)).members.find(({ name }) => name === 'c')!
    await c.stop()
    const gone = await wait(a, '--timeout', '1.5', '--json')
    assert.equal(gone.exit, 3)
    assert.match(JSON.parse(gone.out).because.join(), /^c \([0-9a-f]{8}\)$/)
    const said = (await membersOf(a)).members.find(({ name }) => name === 'c')!
    assert.ok(said.unreachableSince !== null && said.unreachableSince >= lastSeen!)
    assert.equal(said.confirmed, false)
    const { out } = await world.run(['members', a.configFile])
    assert.match(out, / c +[0-9a-f]{8} {2}write {2}unreachable since \d{4}-\S+Z /)
    assert.equal((await wait(a, '--members', '1', ...PATIENT)).exit, 0)
  })

  it('one that is removed is not waited for, and a member again when it comes back', async () => {
    assert.equal((await world.run(['members', 'remove', a.configFile, 'b'])).exit, 64)
    assert.equal((await world.run(['members', 'remove', a.configFile, 'nobody'])).exit, 66)
    const { exit, out } = await world.run(['members', 'remove', a.configFile, 'c'])
    assert.equal(exit, 0, out)
    assert.match(out, /^removed c \([0-9a-f]{16}\)\n.* records? here, which stay\n/s)
    assert.match(out, /It still has its secret/)
    assert.equal((await wait(a, ...PATIENT)).exit, 0)
    assert.equal((await wait(b, '--timeout', '0.5')).exit, 3)
    await c.start()
    await a.logged(/a member that was removed is back/)
    assert.equal((await wait(a, '--members', '2', ...PATIENT)).exit, 0)
  })

  it('the log says who wrote what, newest first', async () => {
    b.remove('from-b')
    assert.equal((await wait(b, ...PATIENT)).exit, 0)
    const logOf = async (...args: string[]): Promise<LogEntry[]> => {
      const { exit, out, err } = await world.run(['log', a.configFile, ...args, '--json'])
      assert.equal(exit, 0, err)
      return JSON.parse(out) as LogEntry[]
    }
    const all = await logOf()
    const what = all.map(({ name, type, path }) => `${name} ${type} ${path}`)
    assert.deepEqual(what.sort(), [
      'a directory from-a',
      'a file from-a/one',
      'a file later',
      'b deleted from-b',
      'b file from-b',
      'c file from-c',
    ])
    const ofB = await logOf('from-b')
    assert.deepEqual(
      ofB.map(({ type, size }) => [type, size]),
      [
        ['deleted', null],
        ['file', 3],
      ],
    )
    assert.deepEqual(
      await logOf(path.join(a.dir, 'from-b')),
      ofB.map((each) => ({ ...each, dir: a.dir })),
    )
    assert.equal((await logOf('from-a')).length, 2)
    assert.deepEqual(
      (await logOf('--limit', '1')).map(({ path }) => path),
      ['from-b'],
    )
    assert.deepEqual(await logOf('--since', '2100-01-01'), [])
    // In parts, as in one.
    const parts: string[] = []
    for (let after: string | undefined; ; ) {
      const { entries, next } = await a.client.log({ limit: 1, after })
      parts.push(...entries.map(({ path, type }) => `${type} ${path}`))
      if (next === null) break
      after = next
    }
    assert.deepEqual(
      parts,
      all.map(({ path, type }) => `${type} ${path}`),
    )
    await assert.rejects(a.client.log({ after: 'x' }), { code: 'USAGE' })
  })

  it('what a storage holds is verified without a daemon, and damage is found', async () => {
    const verify = (): ReturnType<World['run']> => world.run(['log', c.configFile, '--verify', '--json'])
    assert.equal((await verify()).exit, 75)
    await Promise.all([a, b, c].map((node) => node.stop()))
    const sound = await verify()
    assert.equal(sound.exit, 0, sound.out + sound.err)
    const { shares } = JSON.parse(sound.out) as VerifyReport
    assert.deepEqual(shares[0]!.feeds.map(({ name }) => name).sort(), ['a', 'b', 'c'])
    assert.ok(shares[0]!.feeds.every(({ length, records }) => length > 0 && records === length))
    assert.equal(shares[0]!.headsNotHere, 0)
    assert.equal(shares[0]!.heads, 5)
    assert.match((await world.run(['log', c.configFile, '--verify'])).out, /: all holds\n/)

    // Another content of one version, in the index alone; then a version of a writer that no feed is of.
    const prefix = tablePrefix(keysOf(world.secret).shareId)
    const inIndex = async (
      change: (heads: Table<unknown[][]>, feeds: Table<unknown>) => void,
    ): Promise<void> => {
      const database = openLmdb(path.join(c.storage, 'index'))
      database.transaction(() => change(database.table(`${prefix}heads`), database.table(`${prefix}feeds`)))
      await database.close()
    }
    const whole = (value: unknown[][]): boolean =>
      value[0]!.some((part) => Buffer.isBuffer(part) && part.length === 32)
    await inIndex((heads) => {
      const row = heads.range(FIRST_KEY, AFTER_LAST_KEY).find(({ value }) => whole(value))!
      const content = row.value[0]!.find((part) => Buffer.isBuffer(part) && part.length === 32) as Buffer
      content[0]! ^= 1
      heads.put(row.key, row.value)
    })
    const forged = await verify()
    assert.equal(forged.exit, 1, forged.out)
    assert.match(forged.out, /that this feed does not say/)
    await inIndex((_, feeds) => {
      for (const { key } of feeds.range(FIRST_KEY, AFTER_LAST_KEY)) feeds.remove(key)
    })
    const unknown = await verify()
    assert.equal(unknown.exit, 1, unknown.out)
    assert.match(unknown.out, /by a writer of whom nothing is known/)

    // One bit in everything that RocksDB has written.
    const database = path.join(c.storage, 'cores', 'cores', 'db')
    for (const name of fs.readdirSync(database).filter((each) => /\.(sst|log|blob)$/.test(each))) {
      const bytes = fs.readFileSync(path.join(database, name))
      if (bytes.length < 200) continue
      const at = bytes.indexOf('SR', 100)
      bytes[at < 0 ? 150 : at + 40]! ^= 1
      fs.writeFileSync(path.join(database, name), bytes)
    }
    const damaged = await verify()
    assert.notEqual(damaged.exit, 0, damaged.out)
  })
})

it('of a member that was never met, but told of, it is not said that it was seen', async () => {
  await withWorld({}, async (world) => {
    const b = await world.node('b')
    const c = await world.node('c')
    b.write('file', 'content')
    await Promise.all([b.start(), c.start()])
    await converged([b, c])
    await c.stop()
    const a = await world.node('a', { knows: ['b'] })
    await a.start()
    await eventually('a has heard of c', async () => (await a.share()).members.length === 2)
    const lastSeen = async (node: TestNode): Promise<string | null> =>
      (await node.share()).members.find(({ name }) => name === 'c')!.lastSeen
    assert.equal(await lastSeen(a), null)
    assert.notEqual(await lastSeen(b), null)
    const { out } = await world.run(['members', a.configFile])
    assert.match(out, / c +[0-9a-f]{8} {2}write {2}only heard of, last \S+ +\d+ records? +never\n/)
    assert.match((await world.run(['status', a.configFile])).out, /c .*never/)
    const removed = await world.run(['members', 'remove', a.configFile, 'c'])
    assert.match(removed.out, /: never seen, but others told that /)
  })
})
