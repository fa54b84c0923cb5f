import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clockProblems, isExpired } from '../../src/daemon/member-limits.js'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 0, 31)

test('a member expires so many days after it was last seen, and never with 0', () => {
  assert.equal(isExpired(NOW - 7 * DAY, NOW, 7), true)
  assert.equal(isExpired(NOW - 7 * DAY + 1, NOW, 7), false)
  assert.equal(isExpired(NOW + DAY, NOW, 7), false)
  assert.equal(isExpired(0, NOW, 0), false)
  assert.equal(isExpired(Number.NaN, NOW, 7), false)
})

test('a clock that is off by more than allowed is told of, with who and how much', () => {
  const peer = { device: 'a1b2c3d4e5', name: 'nas', connectedAtMs: 5, clockAheadMs: 725_000 }
  const [problem, ...more] = clockProblems(
    [peer, { ...peer, clockAheadMs: undefined }, { ...peer, clockAheadMs: -600_000 }],
    600_000,
  )
  assert.deepEqual(more, [])
  assert.deepEqual(problem, {
    path: '',
    code: 'CLOCK_DIFFERS',
    detail:
      "the clock of nas (a1b2c3d4) is 12 min 5 s ahead of this device's; sync_max_time_diff is 10 min. Files sync all the same",
    sinceMs: 5,
  })
  const [behind] = clockProblems([{ ...peer, clockAheadMs: -(2 * DAY + 3_600_000) }], 1000)
  assert.match(behind!.detail, /is 2 d 1 h behind this device's; sync_max_time_diff is 1 s\./)
  assert.deepEqual(clockProblems([peer], 0), [])
})
