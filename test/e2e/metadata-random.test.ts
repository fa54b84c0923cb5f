// Seeded bursts of changes to owners, modes, ACLs, attributes, times, names and contents on two full nodes at once, and of
// contents and names on two that cannot hold all of it: afterwards the full ones look the same, to the last bit.
// SHOAL_SEED and SHOAL_BURSTS in the environment replay one and run more.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, type TestNode, withWorld } from '../support/daemons.js'
import { looks, NEEDS_TOOLS } from '../support/metadata-tools.js'
import { mounted } from '../support/mounts.js'
import { account, needsUser } from '../support/privileges.js'
import { assertEqualTrees } from '../support/trees.js'

const SEED = Number(process.env.SHOAL_SEED ?? 7)
const BURSTS = Number(process.env.SHOAL_BURSTS ?? 4)
const SHARE = { owners: 'name', acls: true, xattrs: ['user.*'] }
const NAMES = ['www-data', 'mail', 'games', '54321', 'root']

/** mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

type Random = ReturnType<typeof randomOf>

/** Some change to something in a node's tree; a tool that fails has found nothing to change. */
function change(node: TestNode, random: Random, isFull: boolean): string {
  const all = fs.readdirSync(node.dir, { recursive: true, encoding: 'utf8' })
  const paths = all.filter((name) => !name.startsWith('.shoal')).sort()
  const path = paths[random(paths.length)]!
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!
  const permissions = (): string => pick(['r', 'rw', 'rwx', 'rx', '-'])
  const isDirectory = fs.lstatSync(node.at(path)).isDirectory()
  const content: (readonly [string, ...string[]])[] = [
    ['sh', '-c', `[ -d "$0" ] || echo ${random(1e6)} >> "$0"`, path],
    ['mv', '-n', path, `${path}-${random(10)}`],
    ['sh', '-c', 'mkdir -p "$0" && echo new > "$0"/f', `new${random(6)}`],
  ]
  const metadata: (readonly [string, ...string[]])[] = [
    ['chown', '-h', pick(NAMES), path],
    ['chgrp', '-h', pick(NAMES), path],
    ['chmod', (random(0o10000) | (isDirectory ? 0o700 : 0o400)).toString(8), path],
    ['setfacl', '-P', '-m', `u:${pick(NAMES)}:${permissions()}`, path],
    ['setfacl', '-P', '-m', `g:${pick(NAMES)}:${permissions()}`, path],
    ['setfacl', '-P', '-m', `d:u:${pick(NAMES)}:${permissions()}`, path],
    ['setfacl', '-P', '-b', path],
    ['setfattr', '-h', '-n', `user.${pick(['a', 'b', 'c'])}`, '-v', String(random(100)), path],
    ['setfattr', '-h', '-x', `user.${pick(['a', 'b', 'c'])}`, path],
    ['touch', '-h', '-d', `@${random(1_600_000_000)}`, path],
  ]
  const [command, ...args] = isFull && random(4) > 0 ? pick(metadata) : pick(content)
  const { uid, gid } = fs.statSync(node.dir)
  const { status } = spawnSync(command, args, { cwd: node.dir, stdio: 'ignore', uid, gid })
  return `${node.name}: ${[command, ...args].join(' ')} (${status})`
}

test(`random changes of metadata and content, seed ${SEED}`, {
  skip: NEEDS_TOOLS || needsUser('nobody'),
}, async (context) => {
  const disk = mounted('ramfs')
  if (typeof disk === 'string') return context.skip(disk)
  const random = randomOf(SEED)
  const done: string[] = []
  try {
    await withWorld({}, async (world) => {
      const anna = await world.node('anna', { share: SHARE })
      const ben = await world.node('ben', { share: SHARE })
      const plain = await world.node('plain', { share: SHARE, as: account('nobody')! })
      const poor = await world.node('poor', { share: SHARE, dir: `${disk.directory}/share` })
      const all = [anna, ben, plain, poor]
      for (let i = 0; i < 12; i++) anna.write(`d${i % 3}/e${i % 2}/f${i}`, `content ${i}`)
      fs.symlinkSync('nowhere', anna.at('d0/link'))
      await Promise.all(all.map((node) => node.start()))
      await converged(all)
      for (let burst = 0; burst < BURSTS; burst++) {
        for (let i = 0; i < 12; i++) {
          const node = all[random(10) < 8 ? random(2) : 2 + random(2)]!
          done.push(change(node, random, node === anna || node === ben))
        }
        await converged(all)
        assert.deepEqual(looks(ben.dir), looks(anna.dir), `burst ${burst}`)
        assertEqualTrees([anna.dir, ben.dir])
      }
    })
  } catch (thrown) {
    console.error(`seed ${SEED}:\n${done.join('\n')}`)
    throw thrown
  } finally {
    disk.remove()
  }
})
