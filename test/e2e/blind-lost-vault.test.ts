// A blind node that lost all that its vault held while it was down, and perhaps what else knew of it, too. With nobody there it
// does not say that nothing is missing, and where something shows that there was a vault, that is a problem until all is back.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import type { ShareReport } from '../../src/control/schema.js'
import { eventually, type TestNode, type World, withWorld } from '../support/daemons.js'
import { keepsAll } from './blind-kit.js'

const BEHIND = 2
const NOTHING_HEARD = /missing +not known: nothing of what is in the share was heard of yet/

/** As `rm -rf FOLDER/*`: names that begin with a dot stay. */
function empty(folder: string): void {
  for (const name of fs.readdirSync(folder).filter((each) => !each.startsWith('.')))
    fs.rmSync(path.join(folder, name), { recursive: true })
}

const packs = (blind: TestNode): void => empty(path.join(blind.dir, 'packs'))
const index = (blind: TestNode): void => fs.rmSync(path.join(blind.storage, 'index'), { recursive: true })
const storage = (blind: TestNode): void => fs.rmSync(blind.storage, { recursive: true })

/** What shows that there was a vault: the index, or the vault's own vault.json where the index is new. */
const LOSSES: Readonly<
  Record<
    string,
    { readonly lose: readonly ((blind: TestNode) => void)[]; readonly shows: RegExp | undefined }
  >
> = {
  'its packs': { lose: [packs], shows: /VAULT_DAMAGED.*parts of the vault were damaged or are gone/ },
  'its packs and the index': { lose: [packs, index], shows: /VAULT_DAMAGED.*was there before and is empty/ },
  'its packs and all that the daemon stored': {
    lose: [packs, storage],
    shows: /VAULT_DAMAGED.*was there before and is empty/,
  },
  // Nothing tells such a node from one that was never told of anything.
  'all of its folder and all that the daemon stored': {
    lose: [(blind) => empty(blind.dir), storage],
    shows: undefined,
  },
}

/** Started, and its vault open. */
async function opened(blind: TestNode): Promise<ShareReport> {
  await blind.start()
  return eventually('the vault is open', async () => {
    const share = await blind.share()
    return share.state === 'scanning' ? undefined : share
  })
}

async function saysThatItLacks(world: World, blind: TestNode): Promise<void> {
  const waited = await world.run(['status', blind.configFile, '--wait', '--timeout', '1'])
  assert.equal(waited.exit, BEHIND, waited.out)
}

async function ended(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes) await node.stop()
}

for (const [name, { lose, shows }] of Object.entries(LOSSES))
  it(`lost ${name}`, async () => {
    await withWorld({}, async (world) => {
      const writer = await world.node('writer', { knows: ['blind'] })
      const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
      for (let i = 0; i < 5; i++) writer.write(`f${i}`, randomBytes(10_000 + i))
      await Promise.all([writer.start(), blind.start()])
      const whole = await keepsAll(blind, writer)
      await ended([writer, blind])
      for (const each of lose) each(blind)

      // At the second start nothing of it is new any more.
      for (const start of ['first', 'second']) {
        const alone = await opened(blind)
        assert.notEqual(alone.state, 'idle', start)
        assert.equal(alone.blind!.pieces - alone.blind!.missingPieces, 0, start)
        const { out } = await world.run(['status', blind.configFile])
        assert.doesNotMatch(out, /missing +nothing/, start)
        if (lose.length > 1) assert.match(out, NOTHING_HEARD, start)
        if (shows === undefined) assert.deepEqual(alone.problems, [], start)
        else assert.match(JSON.stringify(alone.problems), shows, start)
        await saysThatItLacks(world, blind)
        await blind.stop()
      }

      await Promise.all([writer.start(), blind.start()])
      const mended = await keepsAll(blind, writer)
      assert.equal(mended.blind!.pieces, whole.blind!.pieces)
      await eventually('no problem is left', async () =>
        (await blind.share()).problems.length === 0 ? true : undefined,
      )
      await blind.stop()
      assert.deepEqual((await opened(blind)).problems, [])
    })
  })

it('was given back a copy of its vault from before anything was written, and lost all that the daemon stored', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    await Promise.all([writer.start(), blind.start()])
    await eventually('the certificate of its writer is in the vault', async () => {
      const { state, blind: kept } = await blind.share()
      return (state === 'idle' && kept!.packs === 1) || undefined
    })
    await blind.stop()
    const copy = `${blind.dir}.copy`
    fs.cpSync(blind.dir, copy, { recursive: true })
    for (let i = 0; i < 5; i++) writer.write(`f${i}`, randomBytes(10_000 + i))
    await blind.start()
    await keepsAll(blind, writer)
    await ended([writer, blind])
    storage(blind)
    fs.rmSync(blind.dir, { recursive: true })
    fs.cpSync(copy, blind.dir, { recursive: true })

    for (const start of ['first', 'second']) {
      const alone = await opened(blind)
      assert.equal(alone.state, 'syncing', start)
      assert.match(JSON.stringify(alone.problems), /VAULT_DAMAGED.*was there before and is empty/, start)
      await saysThatItLacks(world, blind)
      await blind.stop()
    }
    await Promise.all([writer.start(), blind.start()])
    await keepsAll(blind, writer)
    await eventually('no problem is left', async () =>
      (await blind.share()).problems.length === 0 ? true : undefined,
    )
  })
})

it('lost its packs and the index, and hears of what was in them from somebody who has it no more', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind', 'other'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer', 'other'] })
    const other = await world.node('other', { grade: 'blind', knows: ['writer', 'blind'] })
    for (let i = 0; i < 5; i++) writer.write(`f${i}`, randomBytes(10_000 + i))
    await Promise.all([writer.start(), blind.start(), other.start()])
    const whole = await keepsAll(blind, writer)
    await keepsAll(other, writer)
    await ended([writer, blind, other])
    for (const each of [packs, index]) each(blind)
    packs(other)

    await Promise.all([blind.start(), other.start()])
    const told = await eventually('it knows what it misses', async () => {
      const share = await blind.share()
      return share.blind!.missingPieces === whole.blind!.pieces ? share : undefined
    })
    assert.equal(told.state, 'syncing')
    assert.match(JSON.stringify(told.problems), /was there before and is empty/)
    await saysThatItLacks(world, blind)

    await writer.start()
    const mended = await keepsAll(blind, writer)
    assert.equal(mended.blind!.pieces, whole.blind!.pieces)
    await eventually('no problem is left', async () =>
      (await blind.share()).problems.length === 0 ? true : undefined,
    )
  })
})
