// A blind node whose storage was put back from an older copy, while its vault is as new as it was: what the vault has more
// is taken over from there, with nobody to fetch it from.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { it } from 'node:test'
import { converged, eventually, withWorld } from '../support/daemons.js'
import { snapshot } from '../support/trees.js'
import { keepsAll } from './blind-kit.js'

it('serves all of its vault after its storage was put back from an older copy', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    writer.write('first', Buffer.alloc(300_000, 'first'))
    await Promise.all([writer.start(), blind.start()])
    await keepsAll(blind, writer)
    await blind.stop()
    const older = `${blind.storage}-older`
    fs.cpSync(blind.storage, older, { recursive: true })

    await blind.start()
    writer.write('second', Buffer.alloc(300_000, 'second'))
    const late = await world.node('late', { knows: ['writer'] })
    late.write('of a late writer', 'late')
    await late.start()
    await converged([writer, late])
    await late.stop()
    const { head } = await keepsAll(blind, writer)
    const expected = snapshot(writer.dir)
    await blind.stop()
    await writer.stop()
    fs.rmSync(blind.storage, { recursive: true })
    fs.renameSync(older, blind.storage)

    await blind.start()
    await eventually('it stands where it stood', async () => (await blind.share()).head === head)
    assert.deepEqual((await blind.share()).problems, [])
    const reader = await world.node('reader', { grade: 'read', knows: ['blind'] })
    await reader.start()
    await eventually('a reader has all of it', async () => (await reader.share()).files === 3)
    await reader.client.settle()
    assert.deepEqual(snapshot(reader.dir), expected)

    // And it goes on with its writer from there.
    await writer.start()
    writer.write('third', 'third')
    await keepsAll(blind, writer)
  })
})
