// A vault in which a record of a feed is damaged: what can be restored from it, and what its node does about it.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { formatSecret } from '../../src/core/secret.js'
import { eventually, type TestNode, withWorld } from '../support/daemons.js'
import { differencesOf, snapshot } from '../support/trees.js'
import { type FrameIn, flip, framesIn } from '../support/vault-frames.js'
import { copyOfVault, keepsAll } from './blind-kit.js'

const FILES = 40
const [BLOCK, LEAVES] = [3, 6]

/** The block in the middle of a feed, as it stands there last. */
function middleIn(vault: string): FrameIn {
  const blocks = framesIn(vault).filter(({ type }) => type === BLOCK)
  const middle = Math.floor(Math.max(...blocks.map(({ index }) => index)) / 2)
  return blocks.findLast(({ index }) => index === middle)!
}

it('costs what that record said, which is named; its node fetches it again, and passes on the others meanwhile', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    await Promise.all([writer.start(), blind.start()])
    for (let i = 0; i < FILES; i++) {
      writer.write(`f${i}`, `content of ${i}\n`)
      await writer.client.settle()
    }
    await keepsAll(blind, writer)
    const secretFile = path.join(world.root, 'secret')
    fs.writeFileSync(secretFile, formatSecret(world.secret), { mode: 0o600 })
    const restore = (from: string, to: string): ReturnType<typeof world.run> =>
      world.run(['restore', '--secret-file', secretFile, '--from', from, '--to', path.join(world.root, to)])

    const copy = path.join(world.root, 'copy')
    copyOfVault(blind, copy)
    const { index } = middleIn(copy)
    flip(middleIn(copy), 75)
    const { exit, out, err } = await restore(copy, 'restored')
    assert.equal(exit, 1, `${out}${err}`)
    assert.match(
      `${out}${err}`,
      new RegExp(`what writer wrote: record ${index} of \\d+ is damaged or not there`),
    )
    const left = fs.readdirSync(path.join(world.root, 'restored')).filter((name) => name !== '.shoal')
    assert.equal(left.length, FILES - 1, `${left}`)

    // The node itself, with nothing but that vault.
    const lose = async (node: TestNode): Promise<void> => {
      await node.stop()
      for (const name of ['index', 'cores'])
        fs.rmSync(path.join(node.storage, name), { recursive: true, force: true })
    }
    await writer.stop()
    await lose(blind)
    flip(middleIn(blind.dir), 75)
    await blind.start()
    const problem = await eventually('it says what it lacks', async () => {
      const status = await world.run(['status', blind.configFile])
      return /FEED_CORRUPT.*/.exec(status.out)?.[0]
    })
    assert.match(problem, /some of what writer said is damaged in the vault/)
    const reader = await world.node('reader', { grade: 'read', knows: ['blind'] })
    await reader.start()
    await eventually('a reader has what came before', async () => (await reader.share()).files === index)
    const [member] = (await blind.share()).members
    assert.deepEqual([member?.name, member?.connected], ['reader', true], 'who asks for it is not sent away')
    await writer.start()
    await keepsAll(blind, writer)
    await eventually('a reader has all', async () => (await reader.share()).files === FILES)
    assert.doesNotMatch((await world.run(['status', blind.configFile])).out, /FEED_CORRUPT/)
    await blind.stop()
    const mended = await restore(blind.dir, 'mended')
    assert.equal(mended.exit, 0, `${mended.out}${mended.err}`)
    assert.deepEqual(differencesOf(snapshot(writer.dir), snapshot(path.join(world.root, 'mended'))), [])

    // Of an older vault, which holds nothing beside its blocks, it is added when its node runs.
    for (const frame of framesIn(blind.dir)) if (frame.type === LEAVES) flip(frame, 4, 6)
    fs.rmSync(path.join(blind.storage, 'index'), { recursive: true })
    await blind.start()
    await keepsAll(blind, writer)
    await blind.stop()
    flip(middleIn(blind.dir), 75)
    assert.match((await restore(blind.dir, 'older')).out, new RegExp(`record ${index} of`))
  })
})

it('is told by its node, where the newest of a feed is lost in the vault and in the storage, until it is back', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    await Promise.all([writer.start(), blind.start()])
    writer.write('early', 'early')
    await keepsAll(blind, writer)
    await blind.stop()
    const early = path.join(world.root, 'early')
    copyOfVault(blind, early)
    await blind.start()
    writer.write('late', 'late')
    await keepsAll(blind, writer)
    await writer.stop()
    await blind.stop()
    // An older copy of the vault, and no feeds: the index alone knows that there was more.
    fs.rmSync(path.join(blind.storage, 'cores'), { recursive: true })
    for (const name of fs.readdirSync(blind.dir))
      if (name !== '.shoal') fs.rmSync(blind.at(name), { recursive: true })
    fs.cpSync(early, blind.dir, { recursive: true })
    await blind.start()
    const told = (): Promise<string> => world.run(['status', blind.configFile]).then(({ out }) => out)
    await eventually('it says so', async () =>
      /FEED_CORRUPT.*of \d+ records of writer that were here, the last \d+ are lost/.test(await told()),
    )
    await writer.start()
    await keepsAll(blind, writer)
    await eventually('it is back', async () => !(await told()).includes('FEED_CORRUPT'))
  })
})
