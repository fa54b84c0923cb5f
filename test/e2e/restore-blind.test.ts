// Three servers and a blind node; the servers' disks are lost, and a fresh machine with the secret brings all back: from
// a copy of the vault, and from the blind node alone; as it was in the end, and as it was at an earlier moment.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { converged, type TestNode, World } from '../support/daemons.js'
import { differencesOf, snapshot, type Tree } from '../support/trees.js'
import { copyOfVault, keepsAll, loseDisks, restored } from './blind-kit.js'

const SERVERS = ['one', 'two', 'three']

describe('restore from a blind node', () => {
  let world: World
  let blind: TestNode
  let earlier: { readonly atMs: number; readonly tree: Tree }
  let last: Tree

  before(async () => {
    world = new World()
    const servers: TestNode[] = []
    for (const name of SERVERS) servers.push(await world.node(name))
    blind = await world.node('blind', { grade: 'blind' })
    await Promise.all(world.nodes.map((node) => node.start()))
    const [one, two, three] = servers as [TestNode, TestNode, TestNode]
    for (let i = 0; i < 40; i++) one.write(`from-one/${i}`, `content ${i} `.repeat(i * 20))
    two.write('from-two/big', Buffer.alloc(2 << 20, 'big'))
    three.write('from-three/run', '#!/bin/sh\n')
    fs.chmodSync(three.at('from-three/run'), 0o750)
    fs.symlinkSync('../elsewhere', three.at('from-three/link'))
    await converged(servers)
    await keepsAll(blind, one)
    earlier = { atMs: Date.now(), tree: snapshot(one.dir) }
    one.remove('from-two/big')
    two.write('from-one/3', 'written by another')
    three.write('new', 'new')
    fs.renameSync(one.at('from-three'), one.at('moved'))
    await converged(servers)
    await keepsAll(blind, one)
    last = snapshot(one.dir)
    await loseDisks(servers)
  })
  after(() => world.close())

  const run = (to: string, ...options: string[]): ReturnType<typeof restored> =>
    restored(world, to, ...options)

  it('from the node alone, the newest and an earlier moment', async () => {
    const swarm = ['--from', 'swarm', '--host', `127.0.0.1:${blind.port}`]
    const newest = await run('swarm-newest', ...swarm)
    assert.deepEqual(newest.report.writers.map(({ name }) => name).sort(), [...SERVERS].sort())
    assert.deepEqual(differencesOf(last, newest.tree), [])
    const then = await run('swarm-then', ...swarm, '--at', new Date(earlier.atMs).toISOString())
    assert.deepEqual(differencesOf(earlier.tree, then.tree), [])
  })

  it('from a copy of its vault, which nobody may write to', async () => {
    const copy = path.join(world.root, 'copy')
    copyOfVault(blind, copy)
    const newest = await run('vault-newest', '--from', copy)
    assert.deepEqual(differencesOf(last, newest.tree), [])
    const then = await run('vault-then', '--from', copy, '--at', new Date(earlier.atMs).toISOString())
    assert.deepEqual(differencesOf(earlier.tree, then.tree), [])
    const { out, exit } = await world.run([
      ...['browse', copy, 'cat', 'from-one/2', '--secret-file', path.join(world.root, 'secret')],
      ...['--at', new Date(earlier.atMs).toISOString()],
    ])
    assert.deepEqual([exit, out], [0, 'content 2 '.repeat(40)])
  })

  it('where its vault lies, while the node runs', async () => {
    const { tree } = await run('vault-live', '--from', blind.dir)
    assert.deepEqual(differencesOf(last, tree), [])
  })
})
