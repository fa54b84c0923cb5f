import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RescanTimer } from '../../../src/daemon/share/rescan-timer.js'

/** Timers and a clock that only move when told to; `asleep` lets time pass in which no timer fires. */
class FakeClock {
  nowMs = 0
  #draws = 0
  #timers: { atMs: number; call: () => void }[] = []

  readonly port = {
    nowMs: (): number => this.nowMs,
    random: (): number => (this.#draws++ % 20) / 20,
    after: (ms: number, call: () => void): (() => void) => {
      const timer = { atMs: this.nowMs + ms, call }
      this.#timers.push(timer)
      return () => {
        this.#timers = this.#timers.filter((each) => each !== timer)
      }
    },
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((each) => each !== next)
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.call()
    }
    this.nowMs = endMs
  }

  asleep(ms: number): void {
    this.nowMs += ms
  }
}

const MINUTE = 60_000

test('the disk is read every so often, and no longer once that is off', () => {
  const clock = new FakeClock()
  let scans = 0
  const timer = new RescanTimer(() => scans++, clock.port)
  timer.every(10 * MINUTE)
  clock.pass(35 * MINUTE)
  assert.equal(scans, 3)
  timer.every(0)
  clock.pass(60 * MINUTE)
  assert.equal(scans, 3)
})

test('twenty shares that slept eight hours are not read at once, and each only once', () => {
  const clock = new FakeClock()
  const scannedAtMs: number[] = []
  for (let share = 0; share < 20; share++)
    new RescanTimer(() => scannedAtMs.push(clock.nowMs), clock.port).every(10 * MINUTE)
  clock.asleep(480 * MINUTE)
  const wokeAtMs = clock.nowMs
  clock.pass(0)
  assert.ok(scannedAtMs.length <= 1)
  clock.pass(10 * MINUTE - 1)
  assert.equal(scannedAtMs.length, 20)
  const perMinute = new Map<number, number>()
  for (const atMs of scannedAtMs) {
    const minute = Math.floor((atMs - wokeAtMs) / MINUTE)
    perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1)
  }
  assert.ok(Math.max(...perMinute.values()) <= 3, 'no minute has more than its part')
})
