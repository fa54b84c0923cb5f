// Mail: a flag is a rename, and whoever lists a folder on any node while mail comes and goes sees every message exactly
// once. `npm run soak:maildir` does the same with ten thousand messages.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, withWorld } from '../support/daemons.js'
import { mailRounds } from './mail-rounds.js'

test('A2: messages are delivered, flagged and moved on three nodes; no listing shows one twice or not at all', async (t) => {
  await withWorld({}, async (world) => {
    const { listings, faults, unsound, copied, archived, renames } = await mailRounds(world, {
      seed: 1,
      messages: 250,
    })
    if (unsound.length > 0)
      return t.skip(`on this file system, plain renames are not listed once either: ${unsound[0]}`)
    t.diagnostic(`${renames} renames, ${listings} listings, ${copied} copied, ${archived.length} archived`)
    assert.deepEqual(faults, [])
    assert.ok(listings > 500)
    assert.equal(copied, 0, 'renamed messages with another inode')
    assert.deepEqual(archived, [])
  })
})

test('a message that two nodes flag differently has both names everywhere; one that is deleted and flagged stays', async () => {
  await withWorld({}, async (world) => {
    const [a, b] = await world.start(['a', 'b'])
    for (const name of ['both', 'deleted', 'alike']) a!.write(`cur/${name}:2,`, `message ${name}`)
    await converged([a!, b!])
    await b!.stop()
    const rename = (node: typeof a, from: string, to: string): void =>
      fs.renameSync(node!.at(`cur/${from}`), node!.at(`cur/${to}`))
    rename(a, 'both:2,', 'both:2,S')
    rename(a, 'deleted:2,', 'deleted:2,S')
    rename(a, 'alike:2,', 'alike:2,S')
    rename(b, 'both:2,', 'both:2,R')
    b!.remove('cur/deleted:2,')
    rename(b, 'alike:2,', 'alike:2,S')
    await b!.start()
    await converged([a!, b!])
    for (const node of [a!, b!]) {
      const names = ['alike:2,S', 'both:2,R', 'both:2,S', 'deleted:2,S']
      assert.deepEqual(fs.readdirSync(node.at('cur')).sort(), names, node.name)
      for (const name of names) assert.equal(node.read(`cur/${name}`), `message ${name.split(':')[0]}`)
    }
  })
})

test('a folder with another name keeps the inode of every file in it, everywhere', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b'])
    const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
    for (let i = 0; i < 300; i++) a.write(`old/d${i % 7}/${i}`, `content ${i}`)
    await converged(nodes)
    const inodes = (of: string): number[] =>
      Array.from({ length: 300 }, (_, i) => fs.statSync(b.at(`${of}/d${i % 7}/${i}`)).ino)
    const before = inodes('old')
    const { receivedBytes } = await b.share()
    fs.renameSync(a.at('old'), a.at('new'))
    await converged(nodes)
    assert.equal(b.exists('old'), false)
    assert.deepEqual(inodes('new'), before)
    assert.equal((await b.share()).receivedBytes, receivedBytes)
    assert.equal(
      fs.existsSync(b.at('.shoal/archive')) && fs.readdirSync(b.at('.shoal/archive')).length > 0,
      false,
    )
  })
})
