// What happens to a blind node: it is killed at any moment, its vault is damaged, is another's or is gone. And what its disk
// tells to somebody who takes it away.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { deriveSecret, formatSecret, keysOf } from '../../src/core/secret.js'
import { eventually, pause, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'
import { keepsAll } from './blind-kit.js'

/** All files below a folder. */
function filesIn(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => fs.lstatSync(file).isFile())
}

function packsOf(node: TestNode): string[] {
  return filesIn(node.dir).filter((file) => file.endsWith('.pack'))
}

it('loses nothing it has acknowledged when it is killed, and fetches again what is damaged', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    const write = (round: number): void => {
      for (let i = 0; i < 60; i++) writer.write(`r${round}/f${i}`, randomBytes(20_000 + i))
      writer.write(`r${round}/big`, randomBytes(1_500_000))
    }
    write(0)
    await Promise.all([writer.start(), blind.start()])
    for (let round = 1; round <= 3; round++) {
      await eventually('it has begun', async () => (await blind.share()).receivedBytes > 0)
      await pause(40 * round)
      // What it said it had at the last moment, it still has.
      const { blind: before } = await blind.share()
      await blind.kill()
      write(round)
      await blind.start()
      const after = await eventually('the vault is open', async () => {
        const { state, blind: now } = await blind.share()
        return state === 'scanning' ? undefined : now!
      })
      const held = before!.pieces - before!.missingPieces
      assert.ok(after.pieces - after.missingPieces >= held, `${JSON.stringify([before, after])}`)
    }
    const whole = await keepsAll(blind, writer)

    // Bits in every pack turn; what cannot be read whole is fetched again. One of them may hit a block of a feed, which is
    // still here.
    await blind.stop()
    for (const pack of packsOf(blind)) {
      const bytes = fs.readFileSync(pack)
      for (const part of [0.3, 0.55, 0.8]) bytes[Math.floor(bytes.length * part)]! ^= 1
      fs.writeFileSync(pack, bytes)
    }
    fs.rmSync(path.join(blind.storage, 'index'), { recursive: true })
    await blind.start()
    const mended = await keepsAll(blind, writer)
    assert.equal(mended.blind!.pieces, whole.blind!.pieces)
    const damagedBytes = mended.receivedBytes
    assert.ok(damagedBytes > 0 && damagedBytes < whole.blind!.bytes / 2, `fetched ${damagedBytes} again`)
    await writer.stop()
    const fresh = await world.node('fresh', { grade: 'read', knows: ['blind'] })
    await fresh.start()
    await eventually('a reader has all from it', async () => {
      const { files, needFiles } = await fresh.share()
      return files === 4 * 61 && needFiles === 0
    })
    assertEqualTrees([writer.dir, fresh.dir])
  })
})

it('halts over a vault that is gone or another share’s, and tells nothing of itself but what it may', async () => {
  await withWorld({}, async (world) => {
    const canary = (what: string): string => `canary-${what}-7f3a9c51d2`
    const writer = await world.node('writer-canary', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer-canary'] })
    const content = `${canary('content')} ${'x'.repeat(5000)}`
    writer.write(`${canary('directory')}/${canary('name')}.txt`, content)
    writer.write('long', `${canary('long')}${randomBytes(400_000).toString('latin1')}`)
    fs.symlinkSync(canary('target'), writer.at('link'))
    await Promise.all([writer.start(), blind.start()])
    await keepsAll(blind, writer)
    writer.remove('long')
    writer.write(`${canary('later')}`, 'later')
    await keepsAll(blind, writer)
    await blind.stop()

    // All that its disk has, and all that it logged.
    const read = deriveSecret(world.secret, 'read')
    const { read: readKeys, write } = keysOf(world.secret)
    const keys = [
      world.secret.key,
      read.key,
      ...Object.values(readKeys!),
      ...Object.values(write!),
    ] as Buffer[]
    const forbidden = [
      ...['directory', 'name', 'content', 'long', 'target', 'later'].map((what) => Buffer.from(canary(what))),
      ...keys.flatMap((key) => [
        key,
        ...['hex', 'base64', 'base64url'].map((form) => Buffer.from(key.toString(form as BufferEncoding))),
      ]),
      Buffer.from(formatSecret(read)),
      Buffer.from(formatSecret(world.secret)),
    ]
    const places = [...filesIn(path.dirname(blind.configFile)), 'log']
    const bytesOf = (place: string): Buffer =>
      place === 'log' ? Buffer.from(blind.log.join('\n')) : fs.readFileSync(place)
    // The search finds what is there to be found: its writers' names stand in their certificates.
    assert.ok(places.some((place) => bytesOf(place).includes('writer-canary')))
    assert.ok(packsOf(blind).length > 0)
    for (const place of places) {
      const bytes = bytesOf(place)
      for (const text of forbidden)
        assert.equal(bytes.includes(text), false, `${place} holds ${text.toString('latin1')}`)
    }

    // The disk is not mounted: nothing is fetched as if this were a new vault.
    const away = `${blind.dir}-away`
    fs.renameSync(blind.dir, away)
    fs.mkdirSync(blind.dir)
    await blind.start()
    const halted = await eventually('it halts', async () => {
      const share = await blind.share()
      return share.state === 'halted' ? share : undefined
    })
    assert.match(halted.haltReason!, /is the disk mounted\?/)
    const told = await world.run(['status', blind.configFile])
    assert.match(told.out, /^ {2}content +not known until the vault is open$/m)
    assert.doesNotMatch(told.out, /missing/)
    assert.deepEqual(packsOf(blind), [])
    await blind.stop()
    fs.rmSync(blind.dir, { recursive: true })
    fs.renameSync(away, blind.dir)

    // Another share's vault.
    const file = path.join(blind.dir, '.shoal/marker.json')
    const marker = fs.readFileSync(file, 'utf8')
    fs.writeFileSync(file, marker.replace(/[0-9a-f]{64}/, 'ab'.repeat(32)))
    await blind.start()
    assert.match(
      (await eventually('it halts', async () => (await blind.share()).haltReason))!,
      /another share/,
    )
    await blind.stop()
    fs.writeFileSync(file, marker)
    await blind.start()
    await keepsAll(blind, writer)

    // What needs names is refused, in one way.
    await assert.rejects(blind.client.log({}), { code: 'BLIND' })
    await assert.rejects(blind.client.entries({ share: 0 }), { code: 'BLIND' })
    assert.deepEqual(await blind.client.drift(), [])
    assert.deepEqual(
      (await blind.client.secrets({ share: 0 })).secrets.map(({ grade }) => grade),
      ['blind'],
    )
    const names = (await blind.share()).members.map(({ name, grade }) => `${grade} ${name}`)
    assert.deepEqual(names, ['write writer-canary'])
    const { exit, out } = await world.run(['status', writer.configFile, '--wait', '--timeout', '20'])
    assert.equal(exit, 0, out)
    const asked = await world.run(['status', blind.configFile, '--wait', '--timeout', '1'])
    assert.equal(asked.exit, 2, `a blind node cannot confirm what others hold: ${asked.out}`)
  })
})

it('keeps no vault within a share, which would carry the vault that keeps it, for ever', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', {})
    writer.write('file', randomBytes(100))
    await writer.start()
    const within = path.join(writer.dir, 'vault')
    const blind = await world.node('blind', { grade: 'blind', dir: within, knows: ['writer'] })
    await blind.start()
    const { state, haltReason } = await blind.share()
    assert.equal(state, 'halted')
    assert.match(haltReason!, /the vault would lie in a share, .*, which would carry it/)
    await assert.rejects(blind.client.approve(), { code: 'SHARE_HALTED' })
    assert.deepEqual(fs.readdirSync(within), [])
  })
})
