// Shutting out who tries wrong credentials, with a clock of its own.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { GLOBAL_LIMIT, LIMIT, Tries } from '../../../src/control/web/tries.js'

const A = '192.0.2.1'

function wrongUntilShut(tries: Tries, from: string, nowMs: number): number {
  let count = 1
  while (!tries.wrong(from, nowMs)) count++
  return count
}

it('shuts an address out after some wrong tries, ever longer, and no other', () => {
  const tries = new Tries()
  let now = 1_000_000
  for (const seconds of [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]) {
    assert.equal(wrongUntilShut(tries, A, now), LIMIT)
    assert.equal(tries.shutForMs(A, now), seconds * 1000)
    assert.equal(tries.shutForMs('192.0.2.2', now), 0)
    assert.equal(tries.shutForMs(A, now + seconds * 1000 - 1), 1)
    now += seconds * 1000
    assert.equal(tries.shutForMs(A, now), 0)
  }
})

it('right credentials do not wipe out the wrong ones of others on the same address', () => {
  const tries = new Tries()
  for (let i = 1; i < LIMIT; i++) assert.equal(tries.wrong(A, 0), false)
  tries.right(A)
  assert.equal(tries.wrong(A, 0), true)
})

it('forgives after two hours without a wrong try', () => {
  const tries = new Tries()
  wrongUntilShut(tries, A, 0)
  const later = 2 * 60 * 60_000 + 1
  assert.equal(wrongUntilShut(tries, A, later), LIMIT)
  assert.equal(tries.shutForMs(A, later), 30_000)
})

it('an IPv6 network is one address', () => {
  const tries = new Tries()
  for (let i = 0; i < LIMIT; i++) tries.wrong(`2001:db8:0:1::${i}`, 0)
  assert.ok(tries.shutForMs('2001:db8:0:1:ffff:1:2:3', 0) > 0)
  assert.equal(tries.shutForMs('2001:db8:0:2::1', 0), 0)
  assert.equal(tries.shutForMs('2001:db8::1', 0), 0)
})

it('many addresses together get few tries a minute; who was right before still gets in', () => {
  const tries = new Tries()
  tries.right(A)
  for (let i = 0; i < GLOBAL_LIMIT; i++) tries.wrong(`198.51.100.${i}`, 0)
  assert.equal(tries.shutForMs(A, 0), 0)
  assert.equal(tries.shutForMs('192.0.2.2', 1000), 59_000)
  assert.equal(tries.shutForMs('192.0.2.2', 60_000), 0)
})

it('remembers a bounded number of addresses, those that were wrong last', () => {
  const tries = new Tries()
  wrongUntilShut(tries, A, 0)
  for (let i = 0; i < 4095; i++) tries.wrong(`10.1.${i >> 8}.${i & 255}`, 100_000 * i)
  wrongUntilShut(tries, A, 500_000_000)
  tries.wrong('10.2.0.1', 500_000_000)
  assert.ok(tries.shutForMs(A, 500_000_000) > 0)
})
