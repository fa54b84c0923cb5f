// What stands in the way of opening a vault: what may pass is tried again, what needs somebody halts the share, and neither
// ends the daemon.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ErrorCode, ShoalError } from '../../../src/core/error.js'
import { VaultOpening } from '../../../src/daemon/blind/vault-opening.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { silentLog } from '../../../src/ports/log.js'

async function opened(thrown: unknown): Promise<string[]> {
  const said: string[] = []
  const problems = new ProblemBook(() => 7)
  const opening = new VaultOpening({
    openStorage: async () => {
      throw thrown
    },
    open: () => assert.fail('there is nothing to open'),
    early: { add: () => {}, delete: () => {}, take: () => [] } as never,
    ...{ meta: { hasVault: true }, problems, log: silentLog },
    isHalted: () => false,
    halt: (reason) => said.push(`halted: ${reason}`),
    onOpen: () => said.push('open'),
    onFatal: () => said.push('fatal'),
  })
  opening.soon()
  await opening.settled()
  opening.stop()
  return [...said, ...problems.list().map(({ code, detail }) => `${code}: ${detail}`)]
}

describe('opening a vault', () => {
  for (const code of ['BUCKET_UNREACHABLE', 'BUCKET_REFUSED', 'NOT_FOUND'] as const)
    it(`is tried again after ${code}`, async () => {
      assert.deepEqual(await opened(new ShoalError(code, 'cannot use it')), [
        `${code}: cannot use it; it is tried again`,
      ])
    })

  for (const code of ['STORAGE_LOCKED', 'SHARE_UNUSABLE', 'IO'] satisfies ErrorCode[])
    it(`halts after ${code}`, async () => {
      assert.deepEqual(await opened(new ShoalError(code, 'cannot use it')), ['halted: cannot use it'])
    })

  it('a bug is one', async () => {
    assert.deepEqual(await opened(new RangeError('broken')), ['fatal'])
  })
})
