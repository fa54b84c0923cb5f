// F4 and section 10: while a device steps aside into an identity of its own it has no shares for a moment. No answer of
// the control API must come from that moment: a status without shares reads as "all in sync".
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import type { StatusReport } from '../../src/control/schema.js'
import { type Verdict, waitForSync } from '../../src/control/wait.js'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'

const DEADLINE_MS = 60_000

test('F4: no status of a device that steps aside lacks its shares; the old one can be forgotten after it', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    anna.write('file', 'content')
    await converged([anna, ben])
    await anna.stop()
    const clone = await world.node('clone')
    for (const what of ['storage', 'dir'] as const) {
      fs.rmSync(clone[what], { recursive: true, force: true })
      execFileSync('cp', ['-a', anna[what], clone[what]])
    }
    await anna.start()
    await clone.start()
    const pair = [anna, clone]
    const isApart = async (): Promise<boolean> => {
      const reports = await Promise.all(pair.map((node) => node.status()))
      for (const { shares } of reports) assert.equal(shares.length, 1)
      return reports[0]!.device !== reports[1]!.device
    }
    const endMs = performance.now() + DEADLINE_MS
    while (!(await isApart())) assert.ok(performance.now() < endMs, 'nobody stepped aside')
    const deviceOf = async (node: TestNode): Promise<string> => (await node.status()).device
    const membersOf = (shares: StatusReport['shares']): string[] =>
      shares[0]!.members.map(({ device }) => device).sort()
    const [a, b, gone] = await Promise.all([deviceOf(anna), deviceOf(ben), deviceOf(clone)])
    await eventually('anna hears of both', async () => membersOf((await anna.status()).shares).length >= 2)
    const { report, verdict } = await waitForSync(anna.client, { timeoutMs: DEADLINE_MS })
    assert.equal(verdict.type, 'in-sync', verdict.because.join())
    assert.deepEqual(membersOf(report.shares), [b, gone].sort())

    // The clone goes for good: nobody can say "in sync" any more, until it is forgotten.
    await clone.stop()
    const unreachable = async (): Promise<Verdict | undefined> => {
      const { verdict } = await waitForSync(ben.client, { timeoutMs: 0 })
      return verdict.type === 'unreachable' ? verdict : undefined
    }
    await eventually('the clone is missed', async () => (await unreachable()) !== undefined)
    assert.match((await unreachable())!.because.join(), new RegExp(`^\\w+ \\(${gone.slice(0, 8)}\\)$`))
    await assert.rejects(ben.client.forget({ device: a }), { code: 'USAGE', message: /it is connected$/ })
    await assert.rejects(ben.client.forget({ device: '0'.repeat(64) }), { code: 'NOT_FOUND' })
    await ben.client.forget({ device: gone })
    assert.equal((await waitForSync(ben.client, { timeoutMs: DEADLINE_MS })).verdict.type, 'in-sync')
    // Anna, who has not forgotten, tells of it once more when they meet.
    await ben.restart()
    const { verdict: after, report: later } = await waitForSync(ben.client, { timeoutMs: DEADLINE_MS })
    assert.equal(after.type, 'in-sync')
    assert.deepEqual(membersOf(later.shares), [a])
    await clone.start()
    await converged([anna, ben, clone])
    assert.deepEqual(membersOf((await ben.status()).shares), [a, gone].sort())
  })
})
