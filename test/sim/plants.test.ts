// The simulator over rules that are broken on purpose: each must be caught, or the histories prove nothing.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PLANTS } from './rules.js'
import { runHistory } from './world.js'

const MAX_SEEDS = 4000

/** What the first fault that a rule causes looks like. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  'delete-wins': /LOST/,
  'newest-overwrites': /LOST/,
  'base-is-newest': /LOST/,
  'no-intents': /announced what no user did/,
  'no-recovery': /announced what no user did|the only user/,
  'no-taking-back': /still wants/,
  'no-disk-check': /LOST/,
  'move-unseen': /LOST|wrongly/,
  'move-overlooked': /LOST|wrongly/,
  'stale-plan': /LOST/,
  'no-rescue': /LOST/,
  'no-waiting': /LOST/,
  'no-order': /the only user/,
  'old-numbers': /REFUSES|refused|DROPPED/,
  'views-unseen': /DROPPED/,
}

/** Those that nothing can come of, or that are not met, unless there are checkpoints. */
const OF_CHECKPOINTS: ReadonlySet<string> = new Set(['old-numbers', 'views-unseen', 'move-overlooked'])

/** Where to begin, for what is so rare that a history is known in which it happens. */
const FIRST_SEEDS: Readonly<Record<string, number>> = { 'move-overlooked': 3987 }

describe('planted rules are caught', () => {
  it('all of them', () => assert.deepEqual(Object.keys(PLANTS).sort(), Object.keys(EXPECTED).sort()))

  for (const [name, rules] of Object.entries(PLANTS)) {
    it(name, (test) => {
      const first = FIRST_SEEDS[name] ?? 1
      for (let seed = first; seed < first + MAX_SEEDS; seed++) {
        const { faults } = runHistory({ seed, rules, checkpoints: OF_CHECKPOINTS.has(name) })
        if (faults.length === 0) continue
        test.diagnostic(`caught by seed ${seed}: ${faults[0]}`)
        assert.match(faults.join('\n'), EXPECTED[name]!)
        return
      }
      assert.fail(`not caught in ${MAX_SEEDS} histories`)
    })
  }
})
