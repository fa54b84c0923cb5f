// Signed reports: what a reader changed on its disk stands on a writer's list within two seconds, whoever brought it there,
// with the time when it was so, and goes with its member.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { MemberDriftReport } from '../../src/control/schema-drift.js'
import type { DeviceKeys } from '../../src/core/device.js'
import { bitsOfKinds, fitDrift } from '../../src/core/drift-section.js'
import type { ShareId } from '../../src/core/ids.js'
import type { RelPath } from '../../src/core/path.js'
import { sealReport } from '../../src/core/report.js'
import { deriveSecret } from '../../src/core/secret.js'
import { EMPTY_DIGEST, sealState } from '../../src/core/state.js'
import type { SharePeer } from '../../src/swarm/share-channel.js'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'
import { Intruder } from './intruder.js'

/** What a node has been told of another one's drift. */
async function told(by: TestNode, of: TestNode): Promise<MemberDriftReport | undefined> {
  return (await by.client.driftOfAll()).find(({ name }) => name === of.name)
}

function pathsOf(report: MemberDriftReport | undefined): string {
  return (report?.items ?? []).map(({ path, kinds }) => `${path}:${kinds.join('+')}`).join(' ')
}

async function toldPaths(by: TestNode, of: TestNode, paths: string): Promise<MemberDriftReport> {
  return eventually(`${by.name} knows that ${of.name} has ${paths || 'no drift'}`, async () => {
    const report = await told(by, of)
    return report?.isListed === true && report.asOf === null && pathsOf(report) === paths ? report : undefined
  })
}

test("a reader's edit is on a writer's list at once, with node, path, kinds and since when; and off it again", async () => {
  await withWorld({}, async (world) => {
    const [writer] = (await world.start(['writer'])) as [TestNode]
    const reader = await world.node('reader', { grade: 'read' })
    await reader.start()
    for (const name of ['a', 'b', 'c', 'sub/d']) writer.write(name, `share's ${name}`)
    await converged([writer, reader])
    await toldPaths(writer, reader, '')
    const quiet = await world.run(['drift', writer.configFile, '--all'])
    assert.deepEqual(quiet, { exit: 0, out: 'no drift on any member\n', err: '' })

    const editedMs = Date.now()
    const start = performance.now()
    reader.write('a', 'fixed by hand')
    const report = await toldPaths(writer, reader, 'a:content')
    const tookMs = performance.now() - start
    console.log(`# from the edit to the writer's list: ${Math.round(tookMs)} ms`)
    assert.deepEqual([report.total, report.open], [1, 1])
    assert.ok(Math.abs(Date.parse(report.items[0]!.since) - editedMs) < 60_000)
    // The count stands in the member's state as well.
    await eventually('the count', async () => (await writer.share()).members[0]!.drift === 1)

    reader.remove('b')
    fs.chmodSync(reader.at('c'), 0o600)
    reader.write('sub/extra', 'own')
    await toldPaths(writer, reader, 'a:content b:missing c:mode sub/extra:extra')
    const shown = await world.run(['drift', writer.configFile, '--all'])
    assert.equal(shown.exit, 1)
    for (const line of [
      / {2}reader {2}a +content +\d{4}-\S+Z +-\n/,
      / {2}reader {2}b +missing /,
      / c +mode /,
    ])
      assert.match(shown.out, line)
    const json = await world.run(['drift', writer.configFile, '--all', '--json'])
    assert.equal(json.exit, 1)
    const parsed = JSON.parse(json.out) as MemberDriftReport[]
    assert.deepEqual(
      parsed.map(({ name, isHere, total, asOf }) => [name, isHere, total, asOf]),
      [
        ['writer', true, 0, null],
        ['reader', false, 4, null],
      ],
    )
    // A reader says the same of itself.
    assert.equal(pathsOf(await told(reader, reader)), 'a:content b:missing c:mode sub/extra:extra')

    writer.write('a', 'a newer one')
    reader.write('b', "share's b")
    fs.chmodSync(reader.at('c'), 0o644)
    reader.remove('sub/extra')
    await eventually('the drift has ended', async () => {
      const left = await told(writer, reader)
      return (
        left?.asOf === null &&
        pathsOf(left)
          .replaceAll(/\S+:mtime/g, '')
          .trim() === ''
      )
    })
  })
})

test('what a reader said is told on by others, with the time when it was so, over restarts, until it is forgotten', async () => {
  await withWorld({}, async (world) => {
    const [writer] = (await world.start(['writer'])) as [TestNode]
    const between = await world.node('between', { grade: 'read' })
    const reader = await world.node('reader', { grade: 'read', knows: ['between'] })
    await between.start()
    await reader.start()
    writer.write('f', 'content')
    writer.write('g', 'content')
    await converged([writer, between, reader])
    await toldPaths(writer, reader, '')
    await writer.stop()
    reader.write('f', 'edited while the writer was away')
    await toldPaths(between, reader, 'f:content')
    await reader.stop()
    const goneMs = Date.now()
    const left = await eventually('its time', async () => {
      const report = await told(between, reader)
      return report?.asOf !== null ? report : undefined
    })
    assert.ok(Math.abs(Date.parse(left.asOf!) - goneMs) < 60_000)

    // The writer never met the reader since the edit.
    await writer.start()
    const heard = await eventually('the writer hears of it', async () => {
      const report = await told(writer, reader)
      return report?.isListed === true && pathsOf(report) === 'f:content' ? report : undefined
    })
    assert.ok(heard.asOf !== null && Date.parse(heard.asOf) <= goneMs)
    const { exit, out } = await world.run(['drift', writer.configFile, '--all'])
    assert.equal(exit, 1)
    assert.match(out, / {2}reader, as of \d{4}-\S+Z +f +content /)
    await between.stop()
    await writer.restart()
    assert.equal(pathsOf(await told(writer, reader)), 'f:content')
    assert.equal((await told(writer, reader))?.asOf, heard.asOf)

    // Forgotten, it is gone for good, though another one still has it, and back when the reader is.
    await writer.client.forget({ device: heard.device })
    assert.equal(await told(writer, reader), undefined)
    await writer.restart()
    await between.start()
    await eventually('they meet', async () =>
      (await writer.share()).members.some(({ name, connected }) => name === 'between' && connected),
    )
    await toldPaths(writer, between, '')
    assert.equal(await told(writer, reader), undefined)
    await reader.start()
    await toldPaths(writer, reader, 'f:content')
  })
})

test('drift that the reader acknowledges is listed with its reason, and nobody is alarmed', async () => {
  await withWorld({}, async (world) => {
    const [writer] = (await world.start(['writer'])) as [TestNode]
    const reader = await world.node('reader', { grade: 'read' })
    await reader.start()
    writer.write('f', 'content')
    await converged([writer, reader])
    reader.write('f', 'edited')
    await toldPaths(writer, reader, 'f:content')
    await reader.client.acknowledgeDrift({ share: 0, path: 'f', reason: 'local tuning', lifeMs: 3_600_000 })
    await eventually('the writer knows why', async () => {
      const report = await told(writer, reader)
      return report?.open === 0 && report.items[0]?.acknowledgement?.reason === 'local tuning'
    })
    const { exit, out } = await world.run(['drift', writer.configFile, '--all'])
    assert.equal(exit, 0)
    assert.match(out, / {2}reader {2}f +content +\S+ +local tuning \(until /)
    // It is of that one state: another edit is drift again.
    reader.write('f', 'edited again')
    await eventually('open again', async () => (await told(writer, reader))?.open === 1)
  })
})

test('a member that forges, repeats, bloats and floods reports changes nothing but what it says of itself', async () => {
  await withWorld({}, async (world) => {
    const [writer] = (await world.start(['writer'])) as [TestNode]
    const reader = await world.node('reader', { grade: 'read' })
    await reader.start()
    writer.write('f', 'content')
    await converged([writer, reader])
    reader.write('f', 'edited')
    const before = await toldPaths(writer, reader, 'f:content')
    const intruder = new Intruder({
      directory: path.join(world.root, 'intruder'),
      secret: deriveSecret(world.secret, 'read'),
      knownHosts: [`127.0.0.1:${writer.port}`],
    })
    try {
      const peer = await new Promise<SharePeer>((resolve, reject) => {
        intruder.start(resolve).catch(reject)
      })
      const { stateKey } = intruder.keys.read!
      const { shareId } = intruder.keys
      const report = (
        who: Pick<DeviceKeys, 'device'>,
        sequence: number,
        drifted: string,
        { key = stateKey, share = shareId }: { key?: Buffer; share?: ShareId } = {},
      ): Buffer => {
        const what = {
          kinds: bitsOfKinds(['content']),
          sinceMs: 1,
          restore: undefined,
          acknowledgement: undefined,
        }
        const drift = fitDrift([{ path: drifted as RelPath, ...what }])
        const said = { device: who.device, sequence, timeMs: 1, drift, other: [] }
        return sealReport(said, intruder.device.secretKey, key, share, randomBytes(24))
      }
      const victim = { device: before.device as DeviceKeys['device'] }
      const far = Number.MAX_SAFE_INTEGER
      // It is no member yet: what it says of itself is not kept either.
      peer.sendReports([report(intruder.device, 1, 'made/up')])
      peer.sendReports([
        report(victim, far, 'forged'),
        report(intruder.device, 2, 'foreign', { key: randomBytes(32) }),
      ])
      peer.sendReports([report(intruder.device, 3, 'foreign', { share: '00'.repeat(32) as ShareId })])
      // It says that it has news of the reader, and gives what the reader did not sign.
      peer.on('report-wants', (wants) => {
        peer.sendReports(wants.map((device) => report({ device }, far, 'forged')))
      })
      peer.sendReportSequences([{ device: victim.device, sequence: far }])
      for (let i = 0; i < 500; i++) peer.sendReportWants([victim.device])
      await writer.logged(/report refused.*bad-signature|bad-signature.*report refused/)
      assert.equal((await writer.client.driftOfAll()).length, 2)
      assert.equal(pathsOf(await told(writer, reader)), 'f:content')

      // A member by its own state, and so with a report of its own.
      const { device } = intruder.device
      const counts = { files: 0, bytes: 0, needFiles: 0, needBytes: 0, drift: 0, conflicts: 0, problems: 0 }
      const state = {
        ...{ device, name: 'intruder', grade: 'read' as const, instance: 'x', sequence: 1, timeMs: 1 },
        ...{
          feeds: [],
          scope: 'all' as const,
          digest: EMPTY_DIGEST,
          releasesDigest: EMPTY_DIGEST,
          ...counts,
        },
      }
      peer.sendStates([sealState(state, intruder.device.secretKey, stateKey, shareId, randomBytes(24))])
      for (let i = 10; i < 200; i++) peer.sendReports([report(intruder.device, i, `flood/${i}`)])
      const flooded = await eventually('what it says of itself', async () => {
        const all = await writer.client.driftOfAll()
        return all.find(({ name, isListed }) => name === 'intruder' && isListed)
      })
      assert.notEqual(flooded.asOf, null)
      peer.sendReports([report(intruder.device, 5, 'older')])

      reader.write('f2', 'news go on')
      await toldPaths(writer, reader, 'f:content f2:extra')
      assert.match(
        pathsOf((await writer.client.driftOfAll()).find(({ device: id }) => id === device)),
        /^flood/,
      )
    } finally {
      await intruder.stop()
    }
  })
})
