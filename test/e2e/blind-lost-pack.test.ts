// A blind node whose newest pack was lost while it was down, all of it or its end, with its index or without: it says to hold
// what is there and nothing else, and all of it again once somebody gives it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'
import { snapshot } from '../support/trees.js'
import { framesIn } from '../support/vault-frames.js'
import { keepsAll, restored } from './blind-kit.js'

const FILES = 40
const PIECE = 1

/** The newest pack that a vault in a folder has. */
function newestPack(vault: string): string {
  const packs = path.join(vault, 'packs')
  return path.join(packs, fs.readdirSync(packs).sort().at(-1)!)
}

const LOSSES = {
  'is gone': (pack: string) => fs.rmSync(pack),
  'is empty': (pack: string) => fs.truncateSync(pack, 0),
  'lacks its end': (pack: string) => fs.truncateSync(pack, Math.floor(fs.statSync(pack).size * 0.6)),
  'lacks its last byte': (pack: string) => fs.truncateSync(pack, fs.statSync(pack).size - 1),
} as const

/** How many frames a vault in a folder has whole, and how many of them are pieces. */
function countsIn(vault: string): { readonly frames: number; readonly pieces: number } {
  const whole = framesIn(vault).filter(({ pack, offset, bytes }) => offset + bytes <= fs.statSync(pack).size)
  return { frames: whole.length, pieces: whole.filter(({ type }) => type === PIECE).length }
}

/** Once its vault is open. */
async function opened(blind: TestNode) {
  await blind.start()
  return eventually('the vault is open', async () => {
    const share = await blind.share()
    return share.state === 'scanning' ? undefined : share
  })
}

for (const hasIndex of [true, false])
  it(`whose newest pack was lost, ${hasIndex ? 'its index kept' : 'its index lost, too'}`, async () => {
    await withWorld({}, async (world) => {
      const writer = await world.node('writer', { knows: ['blind'] })
      const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
      const reader = await world.node('reader', { grade: 'read', knows: ['blind', 'writer'] })
      for (let i = 0; i < FILES; i++) writer.write(`d${i % 3}/f${i}`, randomBytes(10_000 + i))
      writer.write('long', randomBytes(900_000))
      await Promise.all([writer.start(), blind.start(), reader.start()])
      for (const [name, lose] of Object.entries(LOSSES)) {
        if (!hasIndex && name.startsWith('lacks its last')) continue
        writer.write(`last/${name}`, randomBytes(10_000))
        const whole = await keepsAll(blind, writer)
        await converged([writer, reader])
        await writer.stop()
        await blind.stop()
        const all = countsIn(blind.dir)
        lose(newestPack(blind.dir))
        const left = countsIn(blind.dir)
        assert.ok(left.frames < all.frames, `${name}: something is lost`)
        if (!hasIndex) fs.rmSync(path.join(blind.storage, 'index'), { recursive: true })

        // The writer is not there, and the reader not connected yet: what it says to hold is what is there.
        const { blind: alone, problems } = await opened(blind)
        assert.equal(alone!.pieces - alone!.missingPieces, left.pieces, name)
        if (hasIndex) {
          assert.equal(alone!.pieces, whole.blind!.pieces, name)
          assert.match(JSON.stringify(problems), /VAULT_DAMAGED.*fetched again/, name)
        }
        // The reader has all of the pieces, and gives the node what it lacks: by then all may be there.
        if (await isConfirmed(reader, blind)) {
          const { blind: now } = await blind.share()
          assert.equal(now!.missingPieces, 0, `${name}: a reader is not told that all is there before it is`)
        }

        await writer.start()
        const mended = await keepsAll(blind, writer)
        assert.equal(mended.blind!.pieces, whole.blind!.pieces, name)
        assert.deepEqual(mended.problems, [], name)
      }
      // All of it, from its own disk and to members.
      await eventually('it is confirmed', () => isConfirmed(reader, blind))
      await writer.stop()
      await blind.stop()
      const { tree } = await restored(world, 'restored', '--from', blind.dir)
      assert.deepEqual(tree, snapshot(writer.dir))
    })
  })

/** Whether a node that asks is told that a blind node holds all that the share needs, once that has answered. */
async function isConfirmed(node: TestNode, blind: TestNode): Promise<boolean> {
  const { inquiry } = await node.client.askMembers()
  return eventually(`${blind.name} has answered`, async () => {
    const [report] = await node.client.members({ inquiry })
    const member = report!.members.find(({ name, connected }) => name === blind.name && connected)
    return (member?.answered ?? null) === null ? undefined : { value: member!.confirmed }
  }).then(({ value }) => value)
}
