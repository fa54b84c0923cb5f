// A blind node that is audited, rehearsed with, and verified: what was damaged in its packs is found and fetched again.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { it } from 'node:test'
import type { AuditReport } from '../../src/control/schema-trust.js'
import { eventually, withWorld } from '../support/daemons.js'
import { keepsAll } from './blind-kit.js'

it('proves what it holds, gives it back, and finds damage in its vault', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    for (let i = 0; i < 20; i++) writer.write(`d/f${i}`, `content of ${i} `.repeat(i * 10 + 1))
    writer.write('big', randomBytes(2_000_000))
    await Promise.all([writer.start(), blind.start()])
    await keepsAll(blind, writer)
    const audit = async (): Promise<AuditReport> => {
      const { out, err } = await world.run(['audit', writer.configFile, '--node', 'blind', '--json'])
      return out === '' ? assert.fail(err) : (JSON.parse(out) as AuditReport)
    }
    const whole = await audit()
    const told = await world.run(['verify', writer.configFile, '--status'])
    assert.match(told.out, /BLIND MEMBER +LACKS .*\n +blind +nothing +0 +now/)
    assert.deepEqual(
      [whole.grade, whole.proved, whole.sampled],
      ['blind', whole.population, whole.population],
    )
    const rehearsal = await world.run([
      'rehearse',
      writer.configFile,
      '--node',
      'blind',
      '--all',
      '--timeout',
      '10',
    ])
    assert.equal(rehearsal.exit, 0, rehearsal.out + rehearsal.err)
    assert.equal((await world.run(['verify', blind.configFile])).exit, 0)

    const packs = fs.readdirSync(blind.at('packs')).map((name) => blind.at(`packs/${name}`))
    const pack = packs.find((file) => fs.statSync(file).size > 1e6)
    assert.ok(pack !== undefined, packs.join())
    const fd = fs.openSync(pack, 'r+')
    const at = Math.floor(fs.fstatSync(fd).size * 0.7)
    fs.writeSync(fd, Buffer.alloc(8, 0xa5), 0, 8, at)
    fs.closeSync(fd)
    const found = await world.run(['verify', blind.configFile])
    assert.equal(found.exit, 1, found.out + found.err)
    await eventually('it is fetched again', async () => (await audit()).proved === whole.population)
    assert.equal((await world.run(['verify', blind.configFile])).exit, 0)
  })
})
