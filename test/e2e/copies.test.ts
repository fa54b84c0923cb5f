// The promise of copies and safe-to-stop between real daemons: what counts, what does not, and that nothing is answered from
// what was known before.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { describe, it } from 'node:test'
import type { StopReport } from '../../src/control/schema-copies.js'
import { converged, type TestNode, withWorld } from '../support/daemons.js'
import { until } from '../support/until.js'
import { keepsAll } from './blind-kit.js'

const LARGE = 300_000

describe('copies', { concurrency: false }, () => {
  it('are counted, told, and asked for afresh before a device is stopped', async () => {
    await withWorld({}, async (world) => {
      const [a, b, c] = (await world.start(['a', 'b', 'c'], (name) => ({
        ...(name === 'c' ? { grade: 'read', share: { offsite: true } } : {}),
        ...(name === 'a' ? { share: { copies: { min: 2, offsite: 1 } } } : {}),
      }))) as [TestNode, TestNode, TestNode]
      a.write('large', Buffer.alloc(LARGE, 'large'))
      a.write('dir/small', 'small')
      await converged([a, b, c])

      // The reader counts, and says of itself that it is off-site.
      // It may have been counted before there were any files.
      await until(
        'the promise is counted as kept',
        async () => {
          const count = await counted(a)
          return count?.kept === true && count.total.bytes >= LARGE
        },
        60_000,
      )
      const { total } = (await counted(a))!
      assert.ok(total.bytes < LARGE + 1000, `${total.bytes} bytes`)
      assert.match(
        (await shoal(a, 'status')).out,
        /^ +copies +2 promised, 1 off-site; all 29\d KiB have them$/m,
      )
      const safe = await shoal(a, 'safe-to-stop')
      assert.equal(safe.exit, 0, safe.out)
      assert.match(
        safe.out,
        /^safe to stop\n\n\S+: safe\n {2}all .* are on 2 or more other devices, 1 of them off-site\n$/,
      )

      // Who is away does not count, whatever it held.
      await b.stop()
      const without = await reportOf(a)
      assert.deepEqual(without.reasons, ['below-min', 'not-read'])
      assert.deepEqual(without.members.map(({ name, word }) => [name, word]).sort(), [
        ['b', 'unreachable'],
        ['c', 'counted'],
      ])
      assert.equal(without.belowMin.bytes, total.bytes)

      // A reader's drift: the file is no longer on its disk, and nobody had to notice before.
      fs.rmSync(c.at('large'))
      const drifted = await reportOf(a)
      assert.deepEqual(drifted.reasons, ['only-here', 'below-min', 'below-offsite', 'not-read'])
      assert.ok(drifted.onlyHere.bytes >= LARGE && drifted.onlyHere.bytes < total.bytes)
      const told = await shoal(a, 'safe-to-stop')
      assert.equal(told.exit, 1)
      assert.match(told.out, /^NOT safe to stop\n/)
      assert.match(
        told.out,
        /^ {2}- 29\d KiB \(\d+ pieces?\) would be on no other device that can be reached$/m,
      )
      assert.match(told.out, /^ {2}not counted: b \([0-9a-f]{8}\), not connected$/m)

      // Without a promise one other device is enough, and b has all.
      await b.start()
      await until('b is back', async () => (await reportOf(b)).safe, 30_000)
      const byApi = await reportOf(b)
      assert.deepEqual([byApi.min, byApi.offsite, byApi.onlyHere.pieces], [1, 0, 0])
    })
  })

  it('are on a blind node as well, off-site or not, and it knows when it may be stopped', async () => {
    await withWorld({}, async (world) => {
      const writer = await world.node('writer', {
        knows: ['blind'],
        share: { copies: { min: 1, offsite: 1 } },
      })
      const blind = await world.node('blind', {
        grade: 'blind',
        knows: ['writer'],
        share: { offsite: true },
      })
      writer.write('large', Buffer.alloc(LARGE, 'large'))
      writer.write('dir/small', 'small')
      await writer.start()
      const alone = await reportOf(writer)
      assert.deepEqual(alone.reasons, ['only-here', 'below-offsite', 'not-read'])

      await blind.start()
      await keepsAll(blind, writer)
      await until(
        'the promise is counted as kept',
        async () => (await counted(writer))?.kept === true,
        60_000,
      )
      assert.equal((await counted(writer))!.belowOffsite.pieces, 0)
      const safe = await shoal(writer, 'safe-to-stop')
      assert.equal(safe.exit, 0, safe.out)
      const { held, complete, members } = await reportOf(writer)
      assert.ok(held.bytes >= LARGE)
      assert.deepEqual(complete, { count: 1, offsite: 1 })
      assert.deepEqual(
        members.map(({ name, word, offsite }) => [name, word, offsite]),
        [['blind', 'counted', true]],
      )

      // The blind node itself: the writer has all of it, and is not off-site.
      assert.equal((await shoal(blind, 'safe-to-stop')).exit, 0)
      const own = await reportOf(blind)
      assert.deepEqual([own.held, own.onlyHere.pieces, own.writes], [held, 0, false])
      await writer.stop()
      const last = await reportOf(blind)
      assert.deepEqual(last.reasons, ['only-here', 'not-read'])
      assert.deepEqual(last.onlyHere, held)
      assert.deepEqual(
        last.members.map(({ name, word }) => [name, word]),
        [['writer', 'unreachable']],
      )
    })
  })
})

async function counted(node: TestNode) {
  const { shares } = await node.client.status()
  return shares[0]!.copies?.counted
}

async function reportOf(node: TestNode): Promise<StopReport> {
  const [report] = await node.client.safeToStop({ timeoutMs: 20_000 })
  return report!
}

function shoal(
  node: TestNode,
  ...args: string[]
): Promise<{ exit: number | null; out: string; err: string }> {
  const [command, ...rest] = args
  return node.world.run([command!, node.configFile, ...rest])
}
