import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConfiguredRates, RateLimits } from '../../src/daemon/rate-limits.js'

const CONFIGURED: ConfiguredRates = {
  ...{ downloadLimit: 1000, uploadLimit: 0, rateLimitLocalPeers: false, limits: [] },
}

function ratesOf(limits: RateLimits): [number, number] {
  return [limits.download.bytesPerSecond, limits.upload.bytesPerSecond]
}

test('X4: what was set stays until the configuration says something else of it', () => {
  const limits = new RateLimits(CONFIGURED)
  assert.deepEqual(ratesOf(limits), [1000, 0])
  limits.set({ upload: 5 })
  limits.set({ download: 7 })
  assert.deepEqual(ratesOf(limits), [7, 5])
  limits.configure({ ...CONFIGURED, rateLimitLocalPeers: true })
  assert.deepEqual(ratesOf(limits), [7, 5])
  limits.configure({ ...CONFIGURED, downloadLimit: 2000 })
  assert.deepEqual(ratesOf(limits), [2000, 5])
  limits.set({ download: 0 })
  assert.deepEqual(ratesOf(limits), [0, 5])
})

test('X4: peers on the local network are exempt unless the configuration says otherwise', () => {
  const limits = new RateLimits(CONFIGURED)
  const cases: [string | undefined, boolean][] = [
    ['192.168.1.5:4444', true],
    ['127.0.0.1:4444', true],
    ['[fe80::1%eth0]:4444', true],
    ['[fd00::1]:4444', true],
    ['203.0.113.5:4444', false],
    ['[2001:db8::1]:4444', false],
    ['', false],
    [undefined, false],
  ]
  const peers = cases.map(([address]) => (address === undefined ? {} : { address }))
  assert.deepEqual(
    peers.map((peer) => limits.isExempt(peer)),
    cases.map(([, isExempt]) => isExempt),
  )
  limits.configure({ ...CONFIGURED, rateLimitLocalPeers: true })
  assert.ok(peers.every((peer) => !limits.isExempt(peer)))
})
