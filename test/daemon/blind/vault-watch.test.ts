// What a look at a vault says: that it is away, or that nobody can tell now.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { ShoalError } from '../../../src/core/error.js'
import { VaultWatch } from '../../../src/daemon/blind/vault-watch.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'

it('a bucket that cannot be reached is not away; one that holds no vault any more is', async () => {
  const problems = new ProblemBook(() => 7)
  let fault: ShoalError | undefined
  let changes = 0
  const look = async (): Promise<void> => {
    if (fault !== undefined) throw fault
  }
  const watch = new VaultWatch({
    vault: { look, mustBeThere: async () => {} },
    problems,
    onChange: () => changes++,
  })
  const codes = (): string[] => problems.list().map(({ code }) => code)
  try {
    await watch.look()
    fault = new ShoalError('BUCKET_UNREACHABLE', 'nobody answers')
    await assert.rejects(watch.look(), { code: 'BUCKET_UNREACHABLE' })
    await watch.lookIfReachable()
    assert.deepEqual([watch.isAway, codes(), changes], [false, [], 0])

    for (const code of ['BUCKET_REFUSED', 'IO'] as const) {
      fault = new ShoalError(code, 'it is gone')
      await assert.rejects(watch.lookIfReachable(), { code })
      assert.deepEqual([watch.isAway, codes()], [true, [code]])
    }
    // Nobody has seen it since.
    fault = new ShoalError('BUCKET_UNREACHABLE', 'nobody answers')
    await assert.rejects(watch.lookIfReachable(), { code: 'BUCKET_UNREACHABLE' })
    assert.equal(watch.isAway, true)
    fault = undefined
    await watch.look()
    assert.deepEqual([watch.isAway, codes(), changes], [false, [], 2])
  } finally {
    await watch.stop()
  }
})
