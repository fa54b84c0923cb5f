import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sleptMs } from '../../src/core/sleep.js'

test('a sleep shows in whichever clock goes on, and a busy minute does not', () => {
  const before = { wallMs: 1_000_000, monotonicMs: 5000 }
  const after = (wallMs: number, monotonicMs: number): number =>
    sleptMs(before, { wallMs: before.wallMs + wallMs, monotonicMs: before.monotonicMs + monotonicMs }, 20_000)
  const cases: readonly (readonly [string, number, number, number])[] = [
    ['awake', 20_000, 20_000, 0],
    ['busy', 70_000, 70_000, 0],
    ['Linux, eight hours', 28_800_000 + 20_000, 20_000, 28_800_000],
    ['macOS, or stopped', 28_820_000, 28_820_000, 28_800_000],
    ['a clock set back while asleep', -5_000_000, 28_820_000, 28_800_000],
    ['a clock set back', -5_000_000, 20_000, 0],
    ['a clock set forward a little', 50_000, 20_000, 0],
  ]
  for (const [name, wallMs, monotonicMs, expected] of cases)
    assert.equal(after(wallMs, monotonicMs), expected, name)
})
