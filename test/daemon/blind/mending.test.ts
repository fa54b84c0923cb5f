// What was lost from a vault is a problem until it is back, over as many starts as that takes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Mending } from '../../../src/daemon/blind/mending.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import type { Damaged } from '../../../src/vault/stored.js'

const IDS = [1, 2].map((n) => Buffer.alloc(32, n))
const LOST = IDS.map((id): Damaged => ({ type: 'piece', id }))

/** What a node knows beside what Mending does; `meta` outlives a start. */
class Bench {
  readonly meta = { hasLosses: false }
  readonly missing = new Set<Damaged>()
  knowsRecords = true
  counted: readonly [found: number, repaired: number] = [0, 0]

  start(): { readonly mending: Mending; readonly told: () => string[] } {
    const problems = new ProblemBook(() => 7)
    const mending = new Mending({
      ...{ problems, meta: this.meta },
      isAwaited: (damaged) => this.missing.has(damaged),
      count: (found, repaired) => {
        this.counted = [this.counted[0] + found, this.counted[1] + repaired]
      },
      knowsRecords: () => this.knowsRecords,
      isWhole: () => this.knowsRecords && this.missing.size === 0,
    })
    mending.resume()
    return { mending, told: () => problems.list().map(({ code, detail }) => `${code}: ${detail}`) }
  }

  lose(): void {
    for (const damaged of LOST) this.missing.add(damaged)
  }

  back(mending: Mending, at: number): void {
    this.missing.delete(LOST[at]!)
    mending.stored([IDS[at]!])
  }
}

test('until all of it is back, and no longer', () => {
  const bench = new Bench()
  const { mending, told } = bench.start()
  bench.lose()
  mending.found(LOST)
  bench.back(mending, 0)
  assert.deepEqual([told().length, mending.open, bench.meta.hasLosses], [1, 1, true])
  bench.back(mending, 1)
  assert.deepEqual([told(), mending.open, bench.meta.hasLosses], [[], 0, false])
  assert.deepEqual(bench.counted, [2, 2])
  assert.deepEqual(bench.start().told(), [])
})

test('what nothing needs any more is no problem, now or at the next start', () => {
  const bench = new Bench()
  const { mending, told } = bench.start()
  mending.found(LOST)
  assert.deepEqual([told(), bench.meta.hasLosses, bench.counted], [[], false, [2, 0]])
  bench.lose()
  mending.found(LOST)
  bench.missing.clear()
  mending.look()
  assert.deepEqual([told(), bench.meta.hasLosses], [[], false])
})

test('what an earlier run did not get back is one until nothing is missing', () => {
  const bench = new Bench()
  bench.lose()
  bench.start().mending.found(LOST)
  const { mending, told } = bench.start()
  assert.match(
    told().join(),
    /^VAULT_DAMAGED: parts of the vault were damaged or are gone; they are fetched again$/,
  )
  bench.back(mending, 0)
  assert.equal(told().length, 1)
  bench.back(mending, 1)
  assert.deepEqual([told(), bench.meta.hasLosses], [[], false])
  // What was found by the earlier run was counted by that.
  assert.deepEqual(bench.counted, [2, 0])
})

test('what is found while that is open is waited for, too', () => {
  const bench = new Bench()
  bench.meta.hasLosses = true
  bench.missing.add(LOST[0]!)
  const { mending, told } = bench.start()
  bench.missing.add(LOST[1]!)
  mending.found([LOST[1]!])
  bench.back(mending, 1)
  assert.equal(told().length, 1)
  bench.back(mending, 0)
  assert.deepEqual([told(), bench.meta.hasLosses], [[], false])
})

test('all that a vault held: until something of the share is known, and nothing of that is missing', () => {
  const bench = new Bench()
  bench.knowsRecords = false
  bench.start().mending.lostAll()
  const { mending, told } = bench.start()
  assert.match(told().join(), /^VAULT_DAMAGED: the vault was there before and is empty/)
  mending.look()
  assert.equal(told().length, 1, 'nothing is known to be missing, and nothing is known')
  bench.lose()
  bench.knowsRecords = true
  mending.look()
  bench.back(mending, 0)
  assert.equal(told().length, 1)
  bench.back(mending, 1)
  assert.deepEqual([told(), bench.meta.hasLosses], [[], false])
})

test('what is back by the next start is no problem there', () => {
  const bench = new Bench()
  bench.meta.hasLosses = true
  assert.deepEqual([bench.start().told(), bench.meta.hasLosses], [[], false])
})
