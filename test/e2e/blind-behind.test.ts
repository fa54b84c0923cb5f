// What was written and replaced while a blind node was off: nobody can send it any more, and nobody needs it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { it } from 'node:test'
import { converged, eventually, withWorld } from '../support/daemons.js'
import { keepsAll } from './blind-kit.js'

it('who waits is told of a blind node that it holds all, though content is gone that it never got', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind', 'other'] })
    const other = await world.node('other', { knows: ['blind', 'writer'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer', 'other'] })
    writer.write('kept', randomBytes(100_000))
    writer.write('edited', randomBytes(100_000))
    await Promise.all([writer.start(), other.start(), blind.start()])
    await converged([writer, other])
    await keepsAll(blind, writer)
    await blind.stop()
    for (let edit = 0; edit < 2; edit++) {
      const before = (await writer.share()).head
      writer.write('edited', randomBytes(100_000))
      await eventually('the edit is told', async () => (await writer.share()).head !== before)
      await converged([writer, other])
    }
    await blind.start()
    await eventually('it is told of all', async () => {
      const [told, known] = [await blind.share(), await writer.share()]
      return told.head === known.head && told.blind!.missingPieces > 0
    })
    for (const node of [writer, other])
      for (const at of [[], ['--at', (await writer.share()).head]]) {
        const { exit, out } = await world.run([
          ...['status', node.configFile, '--wait', '--timeout', '20'],
          ...at,
        ])
        assert.equal(exit, 0, out)
      }
    assert.ok((await blind.share()).blind!.missingPieces > 0, 'the first edit is nowhere')
    const { exit, out } = await world.run(['members', writer.configFile])
    assert.equal(exit, 0, out)
    assert.match(out, /blind.*in sync/)
  })
})
