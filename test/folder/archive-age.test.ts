import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type ArchiveLedger,
  advanceLedger,
  archiveDayEndMs,
  isDayExpired,
  isVersionExpired,
  NEW_LEDGER,
  noteArchiveDays,
  noteArchiveUse,
  unusedMs,
} from '../../src/folder/archive-age.js'

const DAY = 86_400_000
const wild = fc.oneof(
  fc.integer({ min: -4e12, max: 4e12 }),
  fc.double(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0),
)
const someDay = fc
  .integer({ min: -20_000, max: 40_000 })
  .map((day) => new Date(day * DAY).toISOString().slice(0, 10))

test('a day folder is a real date and nothing else', () => {
  assert.equal(archiveDayEndMs('1970-01-01'), DAY)
  assert.equal(archiveDayEndMs('2024-02-29'), Date.UTC(2024, 2, 1))
  for (const name of ['2023-02-29', '2024-13-01', '2024-1-1', '2024-02-03~2', 'recovered', '', '.', '..'])
    assert.equal(archiveDayEndMs(name), undefined, name)
  for (const name of ['+010000-01-01', '-000001-01', '2024-02-03/', ' 2024-02-03', '2024-02-03\n'])
    assert.equal(archiveDayEndMs(name), undefined, name)
})

test('whatever the numbers are, nothing goes unless day, ctime and ledger all say the ttl (G1, G2, G3)', () => {
  const name = fc.oneof(someDay, fc.string(), fc.constantFrom('recovered', '2024-02-30'))
  fc.assert(
    fc.property(name, wild, wild, wild, wild, (day, ctimeMs, nowMs, unused, ttlMs) => {
      if (!isVersionExpired(day, ctimeMs, { nowMs, unusedMs: unused, ttlMs })) return
      const endMs = archiveDayEndMs(day)
      assert.ok(endMs !== undefined)
      assert.ok(ttlMs >= DAY)
      assert.ok(nowMs - endMs >= ttlMs)
      assert.ok(nowMs - ctimeMs >= ttlMs)
      assert.ok(unused >= ttlMs + DAY)
    }),
    { numRuns: 2000 },
  )
})

test('each of the three witnesses alone can keep a version', () => {
  const ttlMs = 30 * DAY
  const nowMs = Date.UTC(2025, 5, 1)
  const day = '2025-03-01'
  const old = { nowMs, unusedMs: 40 * DAY, ttlMs }
  const ctimeMs = Date.UTC(2025, 2, 1, 12)
  assert.equal(isVersionExpired(day, ctimeMs, old), true)
  assert.equal(isVersionExpired('2025-05-31', ctimeMs, old), false)
  assert.equal(isVersionExpired('2099-01-01', ctimeMs, old), false)
  assert.equal(isVersionExpired(day, nowMs - ttlMs + 1, old), false)
  assert.equal(isVersionExpired(day, nowMs + DAY, old), false)
  assert.equal(isVersionExpired(day, ctimeMs, { ...old, unusedMs: 30 * DAY }), false)
  assert.equal(isVersionExpired(day, ctimeMs, { ...old, nowMs: 0 }), false)
  assert.equal(isVersionExpired(day, ctimeMs, { ...old, ttlMs: 0 }), false)
  assert.equal(isDayExpired(day, { ...old, unusedMs: 0 }), false)
})

test('the boundary is exact: the ttl after the end of the day, not a millisecond before', () => {
  const endMs = Date.UTC(2025, 0, 2)
  const time = { nowMs: endMs + DAY, unusedMs: 2 * DAY, ttlMs: DAY }
  assert.equal(isDayExpired('2025-01-01', time), true)
  assert.equal(isDayExpired('2025-01-01', { ...time, nowMs: time.nowMs - 1 }), false)
  assert.equal(isDayExpired('2025-01-01', { ...time, unusedMs: time.unusedMs - 1 }), false)
})

test('the ledger counts within one boot only, and never backwards', () => {
  const boot = { bootId: 'a', uptimeMs: 1000 }
  const begun = advanceLedger(NEW_LEDGER, boot)
  assert.equal(begun.totalMs, 0)
  const later = advanceLedger(begun, { bootId: 'a', uptimeMs: 5000 })
  assert.equal(later.totalMs, 4000)
  assert.equal(advanceLedger(later, { bootId: 'a', uptimeMs: 10 }).totalMs, 4000)
  assert.equal(advanceLedger(later, { bootId: 'b', uptimeMs: 9e9 }).totalMs, 4000)
  const unknown = advanceLedger(later, { bootId: '', uptimeMs: 1 })
  assert.equal(advanceLedger(unknown, { bootId: '', uptimeMs: 9e9 }).totalMs, 4000)
})

test('a day is unused since it was last put into, and one that was never seen since now', () => {
  let ledger: ArchiveLedger = { ...NEW_LEDGER, totalMs: 500 }
  assert.equal(unusedMs(ledger, '2024-01-01'), 0)
  ledger = noteArchiveDays(ledger, ['2024-01-01', '2024-01-02'])
  ledger = { ...ledger, totalMs: 800 }
  assert.equal(unusedMs(ledger, '2024-01-01'), 300)
  ledger = noteArchiveUse(ledger, '2024-01-01')
  assert.equal(unusedMs(ledger, '2024-01-01'), 0)
  assert.equal(unusedMs(ledger, '2024-01-02'), 300)
  assert.deepEqual(noteArchiveDays(ledger, ['2024-01-02']).days, { '2024-01-02': 500 })
})
