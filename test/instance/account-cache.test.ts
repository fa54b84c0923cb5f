import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { localEntries } from '../../src/core/acl.js'
import { OwnerMapping } from '../../src/core/owners.js'
import { AccountCache, type AskMany } from '../../src/instance/account-cache.js'
import type { Accounts } from '../../src/instance/accounts.js'

const PASSWD =
  'root:x:0:0::/root:/bin/sh\nalice:x:1005:1005::/home/alice:/bin/sh\ntwin:x:1005:1::/:/bin/sh\nbroken\n'

/** A machine with two files, and a directory service that is asked for what they do not have. */
function machine(test: TestContext) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-accounts-'))
  test.after(() => fs.rmSync(folder, { recursive: true }))
  fs.writeFileSync(`${folder}/passwd`, PASSWD)
  fs.writeFileSync(`${folder}/group`, 'root:x:0:\nstaff:x:50:alice\n')
  const world = { nowMs: 0, calls: 0, asked: [] as string[], ldap: new Map([['lisa', 7001]]), isDown: false }
  const found = (key: string): { name: string; uid: number; gid: number; home: string } | undefined => {
    world.asked.push(key)
    if (world.isDown) throw new Error('the directory does not answer')
    const at = [...world.ldap].find(([name, uid]) => name === key || String(uid) === key)
    return at === undefined ? undefined : { name: at[0], uid: at[1], gid: at[1], home: '/' }
  }
  const many = (_: string, keys: readonly string[]): string[] => {
    world.calls++
    return keys.flatMap((key) => {
      const at = found(key)
      return at === undefined ? [] : [`${at.name}:x:${at.uid}:${at.gid}::/:`]
    })
  }
  const accounts: Accounts = { user: found, group: found, many }
  const askMany: AskMany = async (_, keys) => {
    if (world.isDown) throw new Error('the directory does not answer')
    return keys.flatMap((key) => {
      world.asked.push(`many:${key}`)
      const at = [...world.ldap].find(([name, uid]) => name === key || String(uid) === key)
      return at === undefined ? [] : [`${at[0]}:x:${at[1]}:${at[1]}::/:`]
    })
  }
  return { folder, world, cache: new AccountCache(() => world.nowMs, folder, accounts, askMany) }
}

describe('accounts from memory', () => {
  it('the files first, the first entry of a number, and nobody is asked for what they have', (test) => {
    const { cache, world } = machine(test)
    assert.equal(cache.nameOf('user', 1005), 'alice')
    assert.equal(cache.numberOf('user', 'twin'), 1005)
    assert.equal(cache.numberOf('group', 'staff'), 50)
    assert.equal(cache.nameOf('group', 50), 'staff')
    assert.deepEqual(world.asked, [])
  })

  it('a changed file is read again, in a while', (test) => {
    const { cache, world, folder } = machine(test)
    assert.equal(cache.numberOf('user', 'new'), undefined)
    fs.writeFileSync(`${folder}/passwd`, `${PASSWD}new:x:1006:1006::/:\n`)
    world.nowMs = 3000
    assert.equal(cache.numberOf('user', 'new'), 1006)
  })

  it('many that are foreseen take a call for hundreds of them, and are not asked for again', (test) => {
    const { cache, world } = machine(test)
    const strangers = Array.from({ length: 2000 }, (_, i) => `stranger${i}`)
    cache.foresee('user', ['lisa', 'alice', '7', '-x', ...strangers, 'lisa'])
    assert.equal(world.calls, 8)
    assert.deepEqual(new Set(world.asked), new Set(['lisa', ...strangers]))
    assert.equal(cache.numberOf('user', 'lisa'), 7001)
    assert.equal(cache.numberOf('user', 'alice'), 1005)
    for (const name of strangers) assert.equal(cache.numberOf('user', name), undefined)
    cache.foresee('user', ['lisa', ...strangers])
    assert.deepEqual([world.calls, world.asked.length], [8, 2001])
    world.isDown = true
    cache.foresee('group', strangers)
    assert.equal(cache.numberOf('group', 'stranger7'), undefined)
    assert.equal(world.asked.length, 2009, 'who does not answer is asked once for many')
  })

  it('an ACL of the share that names many is looked up at once', (test) => {
    const { cache, world } = machine(test)
    const entries = Array.from({ length: 500 }, (_, i) => {
      return { kind: i % 2 === 0 ? 'user' : 'group', rights: 7, id: 9000 + i, name: `stranger${i}` } as const
    })
    const local = localEntries(entries, new OwnerMapping(cache, { by: 'name', map: {} }))
    assert.equal(local.length, 500)
    assert.deepEqual([world.calls, world.asked.length], [2, 500])
  })

  it('others are asked for once, later in the background, and served as they were until then', async (test) => {
    const { cache, world } = machine(test)
    assert.equal(cache.numberOf('user', 'lisa'), 7001)
    assert.equal(cache.nameOf('user', 7001), 'lisa')
    assert.equal(cache.numberOf('user', 'nobody-here'), undefined)
    cache.numberOf('user', 'lisa')
    cache.numberOf('user', 'nobody-here')
    assert.deepEqual(world.asked.splice(0), ['lisa', '7001', 'nobody-here'])
    world.ldap.set('lisa', 7002)
    world.ldap.set('nobody-here', 9)
    world.nowMs = 700_000
    assert.equal(cache.numberOf('user', 'lisa'), 7001)
    assert.equal(cache.numberOf('user', 'nobody-here'), undefined)
    await cache.settled()
    assert.deepEqual(world.asked, ['many:lisa', 'many:nobody-here'])
    assert.equal(cache.numberOf('user', 'lisa'), 7002)
    assert.equal(cache.numberOf('user', 'nobody-here'), 9)
  })

  it('a directory that does not answer leaves what was known', async (test) => {
    const { cache, world } = machine(test)
    assert.equal(cache.numberOf('user', 'lisa'), 7001)
    world.isDown = true
    world.nowMs = 700_000
    assert.equal(cache.numberOf('user', 'lisa'), 7001)
    await cache.settled()
    assert.equal(cache.numberOf('user', 'lisa'), 7001)
    assert.equal(cache.numberOf('user', 'other'), undefined)
  })

  it('what can be no name is never asked for', (test) => {
    const { cache, world } = machine(test)
    for (const name of ['', '0', '1005', '-s', '--help', 'a:b', 'a\nb'])
      assert.equal(cache.numberOf('user', name), undefined, name)
    assert.deepEqual(world.asked, [])
  })
})
