// What shoal audit says that a sample proves.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auditExit, formatAudit, formatVerify } from '../../src/cli/trust.js'
import { claimOf, samplesNeeded } from '../../src/core/audit.js'
import { FakeBackend } from '../control/fake-backend.js'

const { auditAnswer } = new FakeBackend()

test('an audit without a miss says how sure that is of what, and how it was computed', () => {
  const population = 1_000_000
  const sampled = samplesNeeded(population, 0.001, 0.999)
  const claim = claimOf({ population, sampled, failed: 0 }, 0.999)
  const text = formatAudit({ ...auditAnswer, population, sampled, proved: sampled, ...claim })
  assert.match(text, /99.9 % confidence that less than 0.1 % is missing: at most 999 of 1000000 pieces/)
  assert.match(text, /were 1000 missing, 6\d\d\d drawn without replacement would hold none of them/)
})

test('misses give both bounds, all pieces a fact, and what was fetched meanwhile a word', () => {
  const some = formatAudit({ ...auditAnswer, proved: 5800, missing: 16, leastMissing: 20, mostMissing: 100 })
  assert.match(some, /at least 20 of them are missing \(0.1 %\), and 99.9 % that at most 100 are \(0.5 %\)/)
  const all = { ...auditAnswer, population: 10, sampled: 10, proved: 10, mostMissing: 0, fetchedBytes: 5000 }
  assert.match(formatAudit(all), /that is all of them: none is missing/)
  assert.match(formatAudit(all), /it may have answered with that/)
})

test('what was not answered is not known to be missing; where nothing was, that is another answer', () => {
  const nobody = { ...auditAnswer, population: 20, sampled: 20, proved: 0, silent: 20, mostMissing: 20 }
  const text = formatAudit(nobody)
  assert.match(text, /^ {2}NO ANSWER: nothing is proved, and nothing is known to be missing/m)
  assert.doesNotMatch(text, /are missing|confidence/)
  assert.equal(auditExit(nobody), 3)
  const some = { ...nobody, proved: 15, silent: 3, missing: 1, wrong: 1, mostMissing: 5, leastMissing: 2 }
  assert.match(formatAudit(some), /that is all of them: 2 are missing, 3 were not answered for/)
  assert.equal(auditExit(some), 1)
  const slow = { ...nobody, proved: 17, silent: 3, mostMissing: 3 }
  assert.match(formatAudit(slow), /that is all of them: none is known to be missing, 3 were not answered for/)
  assert.equal(auditExit(slow), 1)
  const part = { ...auditAnswer, proved: 5800, silent: 16, mostMissing: 100 }
  assert.match(
    formatAudit(part),
    /99.9 % confidence that at most 100 of them are missing \(0.5 %\), those counted that were not answered for/,
  )
  assert.equal(auditExit({ ...auditAnswer, sampled: 0, proved: 0 }), 0)
})

test('what blind members say of their vaults stands beside what was verified, as what they lack', () => {
  const report = {
    ...({ dir: '/srv/a', grade: 'write', everyMs: 0, due: null, pass: null, last: null } as const),
    ...{ open: [], found: 0, repaired: 0, members: [] },
    blindMembers: [
      { device: 'ab', name: 'cellar', asOf: null, missingPieces: 0, missingBytes: 0, problems: 0 },
      {
        device: 'cd',
        name: 'attic',
        asOf: '2026-11-22T03:00:00.000Z',
        missingPieces: 2,
        missingBytes: 3000,
        problems: 1,
      },
    ],
  }
  const text = formatVerify(report, true)
  assert.match(
    text,
    /BLIND MEMBER +LACKS +PROBLEMS +AS OF\n {2}cellar +nothing +0 +now\n {2}attic +2 pieces, 2\.9 KiB +1 +/,
  )
  assert.doesNotMatch(formatVerify(report, false), /cellar/)
  const { blindMembers: _, ...older } = report
  assert.equal(formatVerify(older, true), '/srv/a\n  not verified yet\n')
})
