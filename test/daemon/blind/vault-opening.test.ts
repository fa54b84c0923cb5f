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
    isNew: false,
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

  // Of a new node, the share and its vault begin together; where the vault is older, an index was lost.
  for (const { name, isNew, found, knows, isLost } of [
    { name: 'a new vault of a new node', isNew: true, found: [false], knows: false, isLost: false },
    {
      name: 'one that the first try has made',
      isNew: true,
      found: [false, true],
      knows: false,
      isLost: false,
    },
    { name: 'an empty vault that the index knows', isNew: false, found: [true], knows: false, isLost: false },
    { name: 'a vault that tells of the share', isNew: true, found: [true], knows: true, isLost: false },
    {
      name: 'an empty vault that is older than the index',
      isNew: true,
      found: [true],
      knows: false,
      isLost: true,
    },
    {
      name: 'that, at the second try',
      ...{ isNew: true, found: [true, true], knows: false, isLost: true },
    },
  ])
    it(`${name} ${isLost ? 'has' : 'has not'} lost what it held`, async () => {
      let lost = 0
      const tries = [...found]
      const meta = { hasVault: !isNew }
      const opening = new VaultOpening({
        openStorage: async () =>
          ({
            getMeta: async () => (tries[0] ? Buffer.from('{}') : undefined),
            close: async () => undefined,
          }) as never,
        open: async () => {
          tries.shift()
          if (tries.length > 0) throw new ShoalError('NOT_FOUND', 'a pack went')
          assert.equal(meta.hasVault, !isNew, 'what is lost is noted before the vault is known to be there')
          return { knowsRecords: knows, mending: { lostAll: () => lost++ }, feeds: {} } as never
        },
        early: { add: () => {}, delete: () => {}, take: () => [] } as never,
        ...{ meta, isNew, problems: new ProblemBook(() => 7), log: silentLog },
        isHalted: () => false,
        halt: (reason) => assert.fail(reason),
        onOpen: () => undefined,
        onFatal: (thrown) => assert.fail(String(thrown)),
      })
      for (const _ of found) {
        opening.soon()
        await opening.settled()
      }
      opening.stop()
      assert.deepEqual([lost, meta.hasVault], [isLost ? 1 : 0, true])
    })

  it('a bug is one', async () => {
    assert.deepEqual(await opened(new RangeError('broken')), ['fatal'])
  })
})
