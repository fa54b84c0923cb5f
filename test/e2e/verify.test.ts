// Damage on a disk, found by `shoal verify` and put right from the other members; and a member that is audited. Real daemons
// on a tmpfs, where a file can be damaged without a trace in its stat.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import type { AuditReport, VerifyReport } from '../../src/control/schema-trust.js'
import type { RehearseReport } from '../../src/daemon/rehearse/report.js'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'
import { noRot, ROT_BASE, rot } from '../support/rot.js'
import { archived } from './drift-kit.js'

const skip = noRot() ?? false
/** Several pieces. */
const LARGE = Buffer.from(Array.from({ length: 900_000 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24))

async function verified(node: TestNode): Promise<VerifyReport> {
  return (await node.client.verified())[0]!
}

test('damage is put right from others, quarantined and told; edits are edits; an audit sees what is missing', {
  skip,
}, async () => {
  await withWorld({ base: ROT_BASE }, async (world) => {
    const writer = await world.node('writer', { share: { padding: 'padme' } })
    // Nothing else is kept in the archive of this one.
    const reader = await world.node('reader', { grade: 'read', share: { use_sync_trash: false } })
    await Promise.all([writer.start(), reader.start()])
    for (let i = 0; i < 40; i++) writer.write(`f${i}`, `content ${i}`)
    fs.writeFileSync(writer.at('large'), LARGE)
    writer.write('one', 'linked')
    fs.linkSync(writer.at('one'), writer.at('other'))
    await converged([writer, reader])
    const run = (...args: string[]): ReturnType<typeof world.run> => world.run(args)
    const shares = [writer, reader]

    const clean = await run('verify', writer.configFile)
    assert.equal(clean.exit, 0, clean.out + clean.err)
    assert.match(clean.out, /verified .*: 43 files, .* as they should be, 0 damaged/)

    // On either side, a writer's damage must not go out as an edit; what others have is put back, the rest is kept.
    for (const [node, other] of [
      [writer, reader],
      [reader, writer],
    ] as const) {
      const inode = fs.statSync(node.at('one')).ino
      rot(node.at('large'), 700_000)
      rot(node.at('f7'), 3)
      rot(node.at('one'), 0)
      const damaged = fs.readFileSync(node.at('f7'), 'utf8')
      node.write('f8', `edited on ${node.name}`)
      const found = await run('verify', node.configFile)
      assert.equal(found.exit, 1, found.out + found.err)
      await eventually('all is put right', async () => (await verified(node)).open.length === 0)
      const { last, found: total, repaired } = await verified(node)
      assert.deepEqual(
        [last?.damaged, total, repaired],
        [3, 4, 4],
        'both names of the linked file count as found',
      )
      assert.ok(fs.readFileSync(node.at('large')).equals(LARGE))
      assert.equal(node.read('f7'), 'content 7')
      assert.equal(node.read('one'), 'linked')
      assert.notEqual(fs.statSync(node.at('one')).ino, inode)
      assert.equal(fs.statSync(node.at('one')).ino, fs.statSync(node.at('other')).ino, 'still one file')
      assert.ok([...archived(node).values()].includes(damaged), 'what was there is in the archive')
      assert.equal(node.read('f8'), `edited on ${node.name}`)
      assert.equal(other.read('f7'), 'content 7')
      await eventually('the others are told', async () => {
        const [member] = (await verified(other)).members
        return member?.found === 4 && member.repaired === 4 && member.open === 0 && member.last !== null
      })
    }
    await reader.client.restoreDrift({ share: 0, paths: ['f8'] })
    await converged(shares)
    const again = await run('verify', reader.configFile, '--status')
    assert.equal(again.exit, 0, again.out)
    assert.match(again.out, /damaged files in all: 4, put right: 4/)

    // Nobody has it: it stays as it is, is said to be damaged, over a restart and a touch as well, and is no edit.
    await reader.stop()
    rot(writer.at('f9'), 0)
    assert.equal((await run('verify', writer.configFile)).exit, 1)
    fs.utimesSync(writer.at('f9'), 5, 5)
    await writer.client.scan()
    await writer.stop()
    await writer.start()
    await writer.client.scan()
    assert.deepEqual(
      (await verified(writer)).open.map(({ path }) => path),
      ['f9'],
    )
    assert.deepEqual(
      (await writer.share()).problems.map(({ path, code }) => [path, code]),
      [['f9', 'DAMAGED']],
    )
    assert.notEqual(writer.read('f9'), 'content 9')
    await reader.start()
    await eventually('it comes from whoever comes back', () => writer.read('f9') === 'content 9')
    await converged(shares)
    assert.deepEqual((await writer.share()).problems, [])

    // An audit of the reader by the writer.
    const whole = await run('audit', writer.configFile, '--node', 'reader')
    assert.equal(whole.exit, 0, whole.out + whole.err)
    assert.match(whole.out, /none is missing/)
    assert.match((await run('audit', reader.configFile, '--node', 'writer')).out, /^writer \(write, /)
    // A restore from the reader alone, of some and of all, is what is here.
    const rehearse = (...args: string[]): ReturnType<typeof world.run> =>
      run('rehearse', writer.configFile, '--node', 'reader', '--timeout', '5', ...args)
    const some = await rehearse('--sample', '7')
    assert.equal(some.exit, 0, some.out + some.err)
    assert.match(some.out, /7 of 43 files, drawn at random, of .* from reader alone/)
    fs.symlinkSync('large', writer.at('link'))
    await converged(shares)
    const scratch = `${world.root}/scratch`
    const all = await rehearse('--all', '--to', scratch)
    assert.equal(all.exit, 0, all.out + all.err)
    assert.match(all.out, /44 files, .*: the same as here/)
    assert.ok(!fs.existsSync(scratch))
    rot(reader.at('f20'), 1)
    const lacking = await rehearse('--all', '--json')
    assert.equal(lacking.exit, 1, lacking.out + lacking.err)
    const told = JSON.parse(lacking.out) as RehearseReport
    assert.deepEqual(
      told.restore.lacking.map(({ path }) => path),
      ['f20'],
    )
    assert.deepEqual(told.comparison.differences, [{ path: 'f20', what: 'missing' }])
    const bad = await run('audit', writer.configFile, '--node', 'reader', '--json')
    assert.equal(bad.exit, 1, bad.out + bad.err)
    const report = JSON.parse(bad.out) as AuditReport
    assert.deepEqual([report.missing, report.wrong, report.silent, report.paths], [1, 0, 0, ['f20']])
    assert.equal(report.proved, report.population - 1)
    assert.equal((await run('audit', writer.configFile, '--node', 'nobody')).exit, 66)
    await reader.stop()
    await eventually('it has left', async () => (await writer.client.peers()).length === 0)
    assert.equal((await run('audit', writer.configFile, '--node', 'reader')).exit, 69)
  })
})
