import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  heldAt,
  heldUntil,
  type LimitRule,
  type LocalTime,
  parseDays,
  parseTime,
} from '../../src/core/limit-schedule.js'

const BASE = { download: 0, upload: 1000 }
const WORK: LimitRule = { days: [1, 2, 3, 4, 5], fromMinute: 480, toMinute: 1080, upload: 200 }
const NIGHT: LimitRule = { days: [5], fromMinute: 1320, toMinute: 360, upload: 0, download: 50 }
const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** 1970 began on a Thursday; clocks of a place without summer time. */
function utc(ms: number): LocalTime {
  const minutes = Math.floor(ms / MINUTE)
  return { day: (4 + Math.floor(minutes / 1440)) % 7, minute: minutes % 1440 }
}

function at(day: number, time: string): LocalTime {
  return { day, minute: parseTime(time)! }
}

test('days and times as they are written', () => {
  const days: [string, readonly number[] | undefined][] = [
    ['mon-fri', [1, 2, 3, 4, 5]],
    ['Sat, SUN', [0, 6]],
    ['fri-mon', [0, 1, 5, 6]],
    ['wed', [3]],
    ['sun-sat', [0, 1, 2, 3, 4, 5, 6]],
    ['', undefined],
    ['mon-', undefined],
    ['mon-tue-wed', undefined],
    ['monday', undefined],
    ['mon,,tue', undefined],
  ]
  for (const [text, expected] of days) assert.deepEqual(parseDays(text), expected, text)
  const times: [string, number | undefined][] = [
    ['00:00', 0],
    ['8:05', 485],
    ['24:00', 1440],
    ['24:01', undefined],
    ['12:60', undefined],
    ['12', undefined],
    ['-1:00', undefined],
  ]
  for (const [text, expected] of times) assert.equal(parseTime(text), expected, text)
})

test('the first rule that holds and speaks of a direction decides', () => {
  const rules = [NIGHT, WORK]
  const cases: [LocalTime, number, boolean][] = [
    [at(1, '07:59'), 1000, false],
    [at(1, '08:00'), 200, true],
    [at(1, '17:59'), 200, true],
    [at(1, '18:00'), 1000, false],
    [at(6, '12:00'), 1000, false],
    [at(5, '21:59'), 1000, false],
    [at(5, '22:00'), 0, true],
    [at(6, '05:59'), 0, true],
    [at(6, '06:00'), 1000, false],
    // Friday before its night began, though early enough to look like the end of one.
    [at(5, '05:00'), 1000, false],
  ]
  for (const [time, rate, isScheduled] of cases)
    assert.deepEqual(heldAt(rules, BASE, 'upload', time), { rate, isScheduled }, JSON.stringify(time))
  assert.equal(heldAt(rules, BASE, 'download', at(1, '09:00')).rate, 0, 'the rule says nothing of it')
  assert.equal(heldAt(rules, BASE, 'download', at(5, '23:00')).rate, 50)
})

test('until when: the minute something else holds, and never where nothing will', () => {
  // Thursday, 1 January 1970.
  assert.equal(heldUntil([WORK], BASE, 'upload', 7 * HOUR + 1, utc), 8 * HOUR)
  assert.equal(heldUntil([WORK], BASE, 'upload', 8 * HOUR, utc), 18 * HOUR)
  assert.equal(heldUntil([WORK], BASE, 'upload', (24 + 18) * HOUR, utc), (4 * 24 + 8) * HOUR)
  assert.equal(heldUntil([WORK], BASE, 'download', 0, utc), undefined)
  assert.equal(heldUntil([], BASE, 'upload', 0, utc), undefined)
  const always: LimitRule = { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: 1440, upload: 7 }
  assert.equal(heldUntil([always, WORK], BASE, 'upload', 5 * HOUR, utc), undefined)
})

test('until when, where clocks are put forward or back meanwhile', () => {
  const work = [{ ...WORK, days: [0, 1, 2, 3, 4, 5, 6] }]
  // At 02:00 of the first day clocks jump to 03:00, and back again.
  const forward = (ms: number): LocalTime => utc(ms >= 2 * HOUR ? ms + HOUR : ms)
  const back = (ms: number): LocalTime => utc(ms >= 3 * HOUR ? ms - HOUR : ms)
  assert.equal(heldUntil(work, BASE, 'upload', 0, forward), 7 * HOUR)
  assert.equal(heldUntil(work, BASE, 'upload', 0, back), 9 * HOUR)
})

test('what holds now holds until then, and something else from then on', () => {
  const rule = fc.record({
    days: fc.uniqueArray(fc.nat(6), { minLength: 1 }),
    fromMinute: fc.nat(1439),
    toMinute: fc.nat(1440),
    upload: fc.nat(3),
  })
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 4 }), fc.nat(7 * 1440), (rules, startMinute) => {
      const nowMs = startMinute * MINUTE + 17
      const rateAt = (ms: number): number => heldAt(rules, BASE, 'upload', utc(ms)).rate
      const end = heldUntil(rules, BASE, 'upload', nowMs, utc)
      const last = end ?? nowMs + 8 * 24 * HOUR
      for (let ms = nowMs; ms < last; ms += 7 * MINUTE) assert.equal(rateAt(ms), rateAt(nowMs))
      if (end !== undefined) {
        assert.notEqual(rateAt(end), rateAt(nowMs))
        assert.equal(rateAt(end - 1), rateAt(nowMs))
      }
    }),
    { numRuns: 60 },
  )
})
