// Looking for damage in a vault that cannot be read for a while: no fault of the daemon's.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { ShoalError } from '../../../src/core/error.js'
import { VaultScrub } from '../../../src/daemon/scrub/vault-scrub.js'
import { type Log, silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'

interface Bed {
  readonly scrub: VaultScrub
  readonly failures: unknown[]
  /** Resolves with the first warning. */
  readonly warned: Promise<string>
  readonly passes: () => number
}

function bed(thrown: unknown): Bed {
  const failures: unknown[] = []
  let warn: (text: string) => void = () => {}
  const warned = new Promise<string>((resolve) => {
    warn = resolve
  })
  let passes = 0
  const verify = async (): Promise<never> => {
    passes++
    throw thrown
  }
  const log: Log = { ...silentLog, warn: (_facts, text) => warn(text) }
  const scrub = new VaultScrub({
    vault: () => ({ verify }),
    ...{ database: new MemoryDatabase(), prefix: 'x:', log, nowMs: Date.now, everyMs: 1, tickMs: 2 },
    note: () => assert.fail('it ended'),
    fail: (failure) => {
      failures.push(failure)
      warn('failed')
    },
  })
  return { scrub, failures, warned, passes: () => passes }
}

describe('looking for damage in a vault', () => {
  // The timers tried here keep no process alive.
  const alive = setInterval(() => {}, 1000)
  after(() => clearInterval(alive))

  for (const code of ['BUCKET_UNREACHABLE', 'BUCKET_REFUSED', 'IO'] as const)
    it(`tries again later where the vault cannot be read (${code})`, async () => {
      const { scrub, failures, warned, passes } = bed(new ShoalError(code, 'cannot read it'))
      scrub.start()
      assert.match(await warned, /tried again in an hour/)
      // Ticks go on meanwhile; whoever asks is told.
      await assert.rejects(scrub.verify(), { code })
      await scrub.stop()
      assert.deepEqual([failures, passes()], [[], 2])
    })

  it('a bug is one', async () => {
    const { scrub, failures, warned } = bed(new RangeError('broken'))
    scrub.start()
    assert.equal(await warned, 'failed')
    await scrub.stop()
    assert.match(String(failures[0]), /broken/)
  })

  it('stops while a pass is under way that fails', async () => {
    let fail: () => void = () => {}
    const verify = (): Promise<never> =>
      new Promise((_, reject) => {
        fail = () => reject(new ShoalError('IO', 'cannot read it'))
      })
    const scrub = new VaultScrub({
      vault: () => ({ verify }),
      ...{ database: new MemoryDatabase(), prefix: 'x:', log: silentLog, nowMs: Date.now, everyMs: 0 },
      ...{ note: () => undefined, fail: (thrown) => assert.fail(String(thrown)) },
    })
    const asked = scrub.verify()
    const stopped = scrub.stop()
    fail()
    await assert.rejects(asked, { code: 'IO' })
    await stopped
  })
})
