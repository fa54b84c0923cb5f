// A blind node whose vault lies in a bucket: what it keeps survives the bucket's absence and the loss of its database, and
// everything can be had from it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { eventually, type TestNode, type World, withWorld } from '../support/daemons.js'
import { BUCKET, startS3Server } from '../support/s3-server.js'
import { assertEqualTrees } from '../support/trees.js'
import { keepsAll } from './blind-kit.js'

async function writerAndBlind(
  world: World,
  environment: Readonly<Record<string, string>>,
): Promise<[TestNode, TestNode]> {
  return [
    await world.node('writer', { knows: ['blind'] }),
    await world.node('blind', {
      ...{ grade: 'blind', knows: ['writer'], environment },
      share: { vault: `s3://${BUCKET}/projects` },
    }),
  ]
}

it('keeps a share in a bucket, also while that is away, and gives all of it back out of it', async () => {
  const server = await startS3Server()
  try {
    await withWorld({}, async (world) => {
      const [writer, blind] = await writerAndBlind(world, server.environment)
      for (let i = 0; i < 10; i++) writer.write(`f${i}`, `content of ${i} `.repeat(i * 10 + 1))
      writer.write('big', randomBytes(2_000_000))
      await Promise.all([writer.start(), blind.start()])
      await keepsAll(blind, writer)

      await server.stop()
      writer.write('late', 'written while the bucket was away')
      const kept = await keepsAll(blind, writer)
      await blind.stop()
      for (const part of ['index', 'cores']) fs.rmSync(path.join(blind.storage, part), { recursive: true })
      await blind.start()
      // What is only there is not damaged because it cannot be asked for now; here all is in the spool still.
      const without = await eventually('it goes on without its bucket', async () => {
        const share = await blind.share()
        return share.state === 'idle' && share.blind!.pieces === kept.blind!.pieces ? share : undefined
      })
      assert.ok(
        without.problems.some(({ code, detail }) => code === 'BUCKET_UNREACHABLE' && detail.includes(BUCKET)),
      )
      assert.equal(without.receivedBytes, 0)
      await server.start()
      await eventually('the problem goes', async () => (await blind.share()).problems.length === 0)
      await writer.stop()

      const fresh = await world.node('fresh', { knows: ['blind'] })
      await fresh.start()
      await eventually('a fresh writer has all', async () => {
        const share = await fresh.share()
        return share.files === 12 && share.needFiles === 0
      })
      assertEqualTrees([writer.dir, fresh.dir])
      const said = blind.log.join('\n')
      assert.ok(!said.includes('S3RVER'), 'no credential is in the log')
    })
  } finally {
    await server.end()
  }
})

it('does not say that it holds what somebody deleted in its bucket, and holds it again after a new start', async () => {
  const server = await startS3Server()
  try {
    await withWorld({}, async (world) => {
      const [writer, blind] = await writerAndBlind(world, server.environment)
      const mayStop = async (): Promise<boolean> => {
        const [report] = await writer.client.safeToStop({ timeoutMs: 4000 })
        return report!.safe
      }
      writer.write('kept', 'content')
      await Promise.all([writer.start(), blind.start()])
      await keepsAll(blind, writer)
      assert.equal(await mayStop(), true)

      fs.rmSync(path.dirname(server.fileOf('projects/owner')), { recursive: true })
      // A look counts for ten seconds.
      const said = await eventually('it says what is wrong', async () => {
        await writer.client.askMembers()
        await new Promise((resolve) => setTimeout(resolve, 500))
        const [problem] = (await blind.share()).problems
        return problem === undefined ? undefined : `${problem.code} ${problem.detail}`
      })
      assert.match(said, /^IO the vault is not in s3:\/\/off-site\/projects any more/)
      assert.equal(await mayStop(), false)
      const { exit } = await world.run(['status', writer.configFile, '--wait', '--timeout', '3'])
      assert.notEqual(exit, 0)

      await blind.restart()
      await keepsAll(blind, writer)
      assert.equal(await mayStop(), true)
      assert.deepEqual((await blind.share()).problems, [])
    })
  } finally {
    await server.end()
  }
})
