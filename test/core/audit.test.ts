// The bounds against exact arithmetic over whole numbers: every small population, and large ones term by term.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  atMost,
  auditHasher,
  leastMissing,
  mostMissing,
  Reservoir,
  samplesNeeded,
} from '../../src/core/audit.js'
import type { DeviceId, ShareId } from '../../src/core/ids.js'

/** Exact: how many of the C(N, n) samples find at most so many missing pieces, and C(N, n). */
function exact(failed: number, population: number, missing: number, sampled: number): [bigint, bigint] {
  let ways = 0n
  for (let found = 0; found <= failed; found++)
    ways += choose(missing, found) * choose(population - missing, sampled - found)
  return [ways, choose(population, sampled)]
}

const chosen = new Map<string, bigint>()
function choose(n: number, k: number): bigint {
  if (k < 0 || k > n) return 0n
  const key = `${n},${k}`
  let value = chosen.get(key)
  if (value === undefined) {
    value = 1n
    for (let i = 1; i <= k; i++) value = (value * BigInt(n - k + i)) / BigInt(i)
    chosen.set(key, value)
  }
  return value
}

/** Whether the probability is above numerator / denominator, exactly. */
function isAbove([ways, all]: [bigint, bigint], numerator: bigint, denominator: bigint): boolean {
  return ways * denominator > all * numerator
}

describe('what a sample proves', () => {
  it('is the exact hypergeometric bound, for every small population, sample and number of misses', () => {
    // 1 - confidence as an odd fraction, so that no probability equals it.
    for (const [numerator, denominator] of [
      [1n, 1009n],
      [51n, 1009n],
      [499n, 1009n],
    ] as const) {
      const confidence = 1 - Number(numerator) / Number(denominator)
      for (let population = 1; population <= 14; population++)
        for (let sampled = 0; sampled <= population; sampled++)
          for (let failed = 0; failed <= sampled; failed++) {
            const possible: number[] = []
            for (let missing = failed; missing <= population - sampled + failed; missing++)
              if (isAbove(exact(failed, population, missing, sampled), numerator, denominator))
                possible.push(missing)
            const sample = { population, sampled, failed }
            const what = JSON.stringify({ ...sample, confidence })
            assert.equal(mostMissing(sample, confidence), possible.at(-1) ?? failed, `most of ${what}`)
            let least = failed
            for (; least < population - sampled + failed; least++) {
              const [below, all] = exact(failed - 1, population, least, sampled)
              if (isAbove([all - below, all], numerator, denominator)) break
            }
            assert.equal(leastMissing(sample, confidence), failed === 0 ? 0 : least, `least of ${what}`)
          }
    }
  })

  it('has probabilities right to eight digits in populations of a million pieces', () => {
    for (const [failed, missing, sampled] of [
      [0, 1000, 6900],
      [3, 1000, 6900],
      [40, 10_000, 5000],
    ] as const) {
      const population = 1_000_000
      // Sequential products of exact ratios, no logarithms.
      let term = 1
      for (let i = 0; i < sampled; i++) term *= (population - missing - i) / (population - i)
      let sum = term
      for (let x = 1; x <= failed; x++) {
        term *= ((missing - x + 1) / x) * ((sampled - x + 1) / (population - missing - sampled + x))
        sum += term
      }
      const told = atMost(failed, population, missing, sampled)
      assert.ok(Math.abs(told / sum - 1) < 1e-8, `${told} against ${sum}`)
    }
  })

  it('asks for just as many pieces as the claim needs', () => {
    for (const [population, part, confidence] of [
      [100, 0.001, 0.999],
      [5000, 0.001, 0.999],
      [1_000_000, 0.001, 0.999],
      [1_000_000, 0.01, 0.95],
      [37, 0.5, 0.9],
    ] as const) {
      const sampled = samplesNeeded(population, part, confidence)
      assert.ok(mostMissing({ population, sampled, failed: 0 }, confidence) < part * population)
      if (sampled > 0)
        assert.ok(
          mostMissing({ population, sampled: sampled - 1, failed: 0 }, confidence) >= part * population,
          `${sampled} of ${population} is one too many`,
        )
    }
    assert.equal(samplesNeeded(100, 0.001, 0.999), 100, 'less than one piece in a hundred: all of them')
    // Without end this is the binomial ln(0.001) / ln(0.999) = 6904.3.
    const endless = samplesNeeded(1e8, 0.001, 0.999)
    assert.ok(Math.abs(endless - 6905) <= 1, `${endless}`)
  })

  it('catches who has dropped one in a hundred as often as it says', () => {
    const random = numbers(7)
    const [population, dropped] = [20_000, 200]
    const sampled = samplesNeeded(population, 0.01, 0.95)
    let caught = 0
    const rounds = 400
    for (let round = 0; round < rounds; round++) {
      const drawn = new Reservoir<number>(sampled, (limit) => random() % limit)
      for (let piece = 0; piece < population; piece++) drawn.offer(() => piece)
      if (drawn.kept.some((piece) => piece < dropped)) caught++
    }
    // 0.95 of 400 is 380, with a deviation of 4.4; five of them are never seen.
    assert.ok(caught > 358, `${caught} of ${rounds}`)
  })
})

describe('a reservoir', () => {
  it('draws every item alike, and all if there are no more', () => {
    const random = numbers(3)
    const counts = new Array<number>(20).fill(0)
    for (let round = 0; round < 4000; round++) {
      const drawn = new Reservoir<number>(5, (limit) => random() % limit)
      for (let item = 0; item < 20; item++) drawn.offer(() => item)
      assert.equal(new Set(drawn.kept).size, 5)
      for (const item of drawn.kept) counts[item]!++
    }
    for (const count of counts) assert.ok(Math.abs(count - 1000) < 150, `${counts}`)
    const few = new Reservoir<number>(5, () => 0)
    for (const item of [1, 2, 3]) few.offer(() => item)
    assert.deepEqual([few.seen, few.kept], [3, [1, 2, 3]])
  })
})

describe('an answer to a challenge', () => {
  const id = (byte: number): string => Buffer.alloc(32, byte).toString('hex')
  const base = {
    nonce: Buffer.alloc(32, 1),
    shareId: id(2) as ShareId,
    verifier: id(3) as DeviceId,
    prover: id(4) as DeviceId,
  }

  it('is another one for each nonce, share, verifier, prover and piece', () => {
    const piece = Buffer.from('a sealed piece')
    const answers = [
      auditHasher(base)(piece),
      auditHasher({ ...base, nonce: Buffer.alloc(32, 9) })(piece),
      auditHasher({ ...base, shareId: id(9) as ShareId })(piece),
      auditHasher({ ...base, verifier: base.prover, prover: base.verifier })(piece),
      auditHasher({ ...base, prover: id(9) as DeviceId })(piece),
      auditHasher(base)(Buffer.from('a sealed piecE')),
    ].map((answer) => answer.toString('hex'))
    assert.equal(new Set(answers).size, answers.length)
    assert.equal(auditHasher(base)(piece).toString('hex'), answers[0])
  })
})

/** The same numbers for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
}
