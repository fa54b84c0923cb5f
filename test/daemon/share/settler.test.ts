// When a writer says of a content of its own that it is gone: only after nobody has had it for a while, and never while it
// may still come from a peer, from the staging area or from a look at the disk.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { ABSENT } from '../../../src/core/fact.js'
import type { Publication } from '../../../src/daemon/share/publisher.js'
import { Settler } from '../../../src/daemon/share/settler.js'
import { contentOf } from '../../sim/contents.js'
import { F, fileBy, indexOf, OWN, say } from '../../store/gone-kit.js'

const MINUTE_MS = 60_000
const STEP_MS = 2500

/** A settler over an index that waits for a content of its own; what it publishes, and how to let time pass. */
function settlerOf(
  test: TestContext,
  now: { isAvailable: boolean; isStaged: boolean; isDiskKnown: boolean },
) {
  let nowMs = 0
  test.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  test.mock.method(performance, 'now', () => nowMs)
  const index = indexOf(0)
  const content = contentOf([1, 2])
  say(index, fileBy(OWN, [[OWN, 1]], content), content)
  const published: Publication[] = []
  const settler = new Settler({
    index,
    labelOf: () => 'box',
    publish: async (list) => void published.push(...list),
    isAvailable: () => now.isAvailable,
    isStaged: () => now.isStaged,
    ownWriter: () => OWN,
    isDiskKnown: () => now.isDiskKnown,
    mayPublish: () => true,
    fail: (thrown) => assert.fail(String(thrown)),
  })
  test.after(() => settler.stop())
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= STEP_MS) {
      nowMs += STEP_MS
      test.mock.timers.tick(STEP_MS)
    }
  }
  return { published, pass }
}

describe('contents of our own that are gone', () => {
  it('are taken back once nobody has had them for ten seconds', (test) => {
    const { published, pass } = settlerOf(test, { isAvailable: false, isStaged: false, isDiskKnown: true })
    pass(10_000)
    assert.equal(published.length, 0)
    pass(STEP_MS)
    assert.deepEqual(
      published.map(({ draft, disk }) => ({ path: draft.path, fact: draft.fact, disk })),
      [{ path: F, fact: ABSENT, disk: undefined }],
    )
  })

  for (const [reason, exception] of [
    ['while a peer has them', { isAvailable: true }],
    ['while they are staged (P3)', { isStaged: true }],
    ['before the disk was looked through', { isDiskKnown: false }],
  ] as const) {
    it(`are not ${reason}, nor at once after that`, (test) => {
      const now = { isAvailable: false, isStaged: false, isDiskKnown: true, ...exception }
      const { published, pass } = settlerOf(test, now)
      pass(MINUTE_MS)
      Object.assign(now, { isAvailable: false, isStaged: false, isDiskKnown: true })
      pass(10_000)
      assert.equal(published.length, 0)
      pass(STEP_MS)
      assert.equal(published.length, 1)
    })
  }
})
