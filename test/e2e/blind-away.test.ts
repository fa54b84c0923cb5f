// A blind node whose vault goes from under it while it runs: a disk that came loose, a folder that somebody moved or cleaned
// up. It says so, nothing more is told to be safe with it, and it goes on by itself once the vault is back.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { eventually, withWorld } from '../support/daemons.js'
import { keepsAll, keepsLive, restored } from './blind-kit.js'

it('does not say that it holds what went from under it, and goes on when it is back', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    const waits = async (): Promise<number | null> =>
      (await world.run(['status', writer.configFile, '--wait', '--timeout', '5'])).exit
    const mayStop = async (): Promise<boolean> => {
      const [report] = await writer.client.safeToStop({ timeoutMs: 10_000 })
      return report!.safe
    }
    writer.write('before', 'before')
    await Promise.all([writer.start(), blind.start()])
    await keepsAll(blind, writer)
    assert.equal(await waits(), 0)
    assert.equal(await mayStop(), true)

    const away = `${blind.dir}-away`
    fs.renameSync(blind.dir, away)
    fs.mkdirSync(blind.dir)
    assert.equal(await mayStop(), false)
    assert.notEqual(await waits(), 0)
    const [problem] = (await blind.share()).problems
    assert.match(`${problem?.code} ${problem?.detail}`, /^IO the vault is not there any more/)

    writer.write('after', 'after')
    await eventually('it cannot be stored', async () =>
      (await blind.share()).problems.some(({ detail }) =>
        /not there any more.*; it is tried again/.test(detail),
      ),
    )
    assert.notEqual((await blind.share()).state, 'idle')

    fs.rmSync(blind.dir, { recursive: true })
    fs.renameSync(away, blind.dir)
    await keepsLive(blind, writer, 30_000)
    assert.equal(await mayStop(), true)
    await eventually('it has no problem any more', async () => (await blind.share()).problems.length === 0)
  })
})

it('fetches again what was in a pack that somebody removed, once it is asked', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    writer.write('before', 'before')
    await Promise.all([writer.start(), blind.start()])
    await keepsAll(blind, writer)
    const packs = path.join(blind.dir, 'packs')
    for (const name of fs.readdirSync(packs)) fs.rmSync(path.join(packs, name))
    await keepsLive(blind, writer, 30_000)
    assert.notDeepEqual(fs.readdirSync(packs), [])
    await keepsAll(blind, writer)
    await blind.stop()
    await writer.stop()
    const reader = await world.node('reader', { grade: 'read', knows: ['blind'] })
    await Promise.all([reader.start(), blind.start()])
    await eventually('a reader has it from there', async () => (await reader.share()).files === 1)
  })
})

it('stores again what was in a pack that somebody removed, as it finds by writing more', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    writer.write('before', 'before')
    await Promise.all([writer.start(), blind.start()])
    await keepsAll(blind, writer)
    const packs = path.join(blind.dir, 'packs')
    for (const name of fs.readdirSync(packs)) fs.rmSync(path.join(packs, name))
    writer.write('after', 'after')
    await keepsAll(blind, writer)
    await blind.stop()
    const { tree } = await restored(world, 'back', '--from', blind.dir)
    assert.deepEqual([...tree.keys()].sort(), ['after', 'before'])
  })
})

it('says of damage how much was found and how much is back, and has no problem any more then', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    writer.write('large', Buffer.alloc(900_000, 'large'))
    await Promise.all([writer.start(), blind.start()])
    await keepsAll(blind, writer)
    await writer.stop()
    const packs = path.join(blind.dir, 'packs')
    const pack = path.join(packs, fs.readdirSync(packs)[0]!)
    const bytes = fs.readFileSync(pack)
    bytes[bytes.length >> 1]! ^= 1
    fs.writeFileSync(pack, bytes)

    const found = await world.run(['verify', blind.configFile])
    assert.equal(found.exit, 1)
    assert.match(found.out, /1 damaged\n.*in all: 1, put right: 0/)
    const during = await blind.share()
    assert.deepEqual([during.scrub?.damaged, during.scrub?.found, during.scrub?.repaired], [1, 1, 0])
    assert.match(during.problems.map(({ code }) => code).join(), /VAULT_DAMAGED/)

    await writer.start()
    const after = await keepsAll(blind, writer)
    assert.deepEqual([after.scrub?.damaged, after.scrub?.found, after.scrub?.repaired], [0, 1, 1])
    assert.deepEqual(after.problems, [])
    const again = await world.run(['verify', blind.configFile])
    assert.equal(again.exit, 0, again.out)
    assert.match(again.out, /in all: 1, put right: 1/)
  })
})
