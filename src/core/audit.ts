// What a sample proves about a node that says to hold a share's pieces (docs/decisions/0045-verify-and-audit.md), and the
// answer that only who has a piece can give. Pure: randomness comes as an argument.
//
// The population is the pieces of the files that the verifier holds, each counting alike, once for each place it has in a
// file. A sample is drawn without replacement, so the number of pieces in it that the node lacks is hypergeometric:
//   P(x of n | N, M) = C(M, x) C(N - M, n - x) / C(N, n)
// for N pieces of which M are missing. A bound on M is the exact one-sided one: the largest M for which so few misses, or
// fewer, would still come about more often than 1 - confidence.

import { keyedBlake3 } from './hash.js'
import type { DeviceId, ShareId } from './ids.js'
import { labelBytes } from './seal.js'

/** Bytes of a challenge's nonce, which nobody knew before. */
export const AUDIT_NONCE_BYTES = 32

const LABEL = labelBytes('shoal 2026-11 v1 audit')

/** Who asks whom, of which share, and with which nonce. */
export interface Challenge {
  /** AUDIT_NONCE_BYTES, random. */
  readonly nonce: Buffer
  readonly shareId: ShareId
  readonly verifier: DeviceId
  readonly prover: DeviceId
}

/** Hashes sealed pieces for one challenge. The key is of both devices, so that nobody can have another node answer for it. */
export function auditHasher({ nonce, shareId, verifier, prover }: Challenge): (sealed: Uint8Array) => Buffer {
  const ids = [shareId, verifier, prover].map((hex) => Buffer.from(hex, 'hex'))
  const key = keyedBlake3(nonce, [LABEL, ...ids])
  return (sealed) => keyedBlake3(key, [sealed])
}

/** What was asked and found. */
export interface Sample {
  /** Pieces that were drawn from. */
  readonly population: number
  /** Pieces that were asked for and could be checked, at most `population`. */
  readonly sampled: number
  /** Those of them that the node does not hold, as far as it is known. */
  readonly failed: number
  /** Those that it did not answer for: it may hold them or not. Default: none. */
  readonly silent?: number
}

export interface Claim {
  /** 0 to 1, exclusive. */
  readonly confidence: number
  /** With this confidence at most so many pieces of the population are missing. */
  readonly mostMissing: number
  /** With this confidence at least so many are. */
  readonly leastMissing: number
}

/** What a sample proves; each bound holds with the confidence by itself. */
export function claimOf(sample: Sample, confidence: number): Claim {
  return {
    confidence,
    mostMissing: mostMissing({ ...sample, failed: sample.failed + (sample.silent ?? 0) }, confidence),
    leastMissing: leastMissing(sample, confidence),
  }
}

/** The largest number of missing pieces that a sample leaves possible at a confidence. */
export function mostMissing({ population, sampled, failed }: Sample, confidence: number): number {
  const highest = population - sampled + failed
  const isPossible = (missing: number): boolean =>
    atMost(failed, population, missing, sampled) > 1 - confidence
  // It is less likely the more are missing; what was seen is possible in any case.
  return lastWhere(failed, highest, isPossible)
}

/** The smallest number that it leaves possible. */
export function leastMissing({ population, sampled, failed }: Sample, confidence: number): number {
  if (failed === 0) return 0
  const isTooFew = (missing: number): boolean =>
    1 - atMost(failed - 1, population, missing, sampled) <= 1 - confidence
  return isTooFew(failed) ? lastWhere(failed, population - sampled + failed, isTooFew) + 1 : failed
}

/**
 * How many pieces to ask for, so that a node that proves all of them lacks less than this part of the population, at this
 * confidence. At most the population.
 */
export function samplesNeeded(population: number, part: number, confidence: number): number {
  if (population === 0) return 0
  const missing = Math.max(1, Math.ceil(part * population - ROUNDING))
  const isTooFew = (sampled: number): boolean => atMost(0, population, missing, sampled) > 1 - confidence
  const last = lastWhere(0, population, isTooFew)
  return Math.min(population, last + 1)
}

/** The probability that a sample finds at most so many missing pieces; to six digits up to 100 million pieces. */
export function atMost(failed: number, population: number, missing: number, sampled: number): number {
  const least = Math.max(0, sampled - (population - missing))
  const most = Math.min(failed, missing, sampled)
  if (failed >= Math.min(missing, sampled)) return 1
  const all = logChoose(population, sampled)
  let sum = 0
  for (let found = least; found <= most; found++)
    sum += Math.exp(logChoose(missing, found) + logChoose(population - missing, sampled - found) - all)
  return Math.min(1, sum)
}

/** Draws without replacement from a stream of unknown length: every item of it is kept with the same probability. */
export class Reservoir<T> {
  readonly #size: number
  readonly #below: (limit: number) => number
  readonly #kept: T[] = []
  #seen = 0

  /** `below`: a random whole number from 0 up to the limit, exclusive. */
  constructor(size: number, below: (limit: number) => number) {
    this.#size = size
    this.#below = below
  }

  /** How many were offered. */
  get seen(): number {
    return this.#seen
  }

  /** Those drawn so far, in no order that says anything. */
  get kept(): readonly T[] {
    return this.#kept
  }

  /** Offers one; `make` is called only if it is kept for now. */
  offer(make: () => T): void {
    this.#seen++
    if (this.#kept.length < this.#size) this.#kept.push(make())
    else {
      const at = this.#below(this.#seen)
      if (at < this.#size) this.#kept[at] = make()
    }
  }
}

/** A part of a whole that is a whole number but for what floating point adds. */
const ROUNDING = 1e-9

/** The last whole number of a range of which something holds, if it holds up to some number and not after; else `first`. */
function lastWhere(first: number, last: number, holds: (value: number) => boolean): number {
  let low = first
  let high = last
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (holds(middle)) low = middle
    else high = middle - 1
  }
  return low
}

function logChoose(n: number, k: number): number {
  if (k < 0 || k > n) return Number.NEGATIVE_INFINITY
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k)
}

/** Of the first ones exactly, of others by Stirling's series, whose error is below 1e-13 from there on. */
const LOG_FACTORIALS: readonly number[] = firstLogFactorials(256)

function firstLogFactorials(count: number): number[] {
  const list = [0]
  for (let n = 1; n < count; n++) list.push(list[n - 1]! + Math.log(n))
  return list
}

function logFactorial(n: number): number {
  if (n < LOG_FACTORIALS.length) return LOG_FACTORIALS[n]!
  const square = n * n
  const series = (1 - (1 / 30 - 1 / (105 * square)) / square) / (12 * n)
  return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + series
}
