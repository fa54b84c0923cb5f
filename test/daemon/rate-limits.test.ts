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

test('X4: the schedule holds beside what is configured, and until when is told', () => {
  // Monday, 2 January 2023, by the clock on this wall.
  let nowMs = new Date(2023, 0, 2, 7, 0).getTime()
  const work = { days: [1, 2, 3, 4, 5], fromMinute: 480, toMinute: 1080, upload: 200 }
  const limits = new RateLimits({ ...CONFIGURED, uploadLimit: 900, limits: [work] }, () => nowMs)
  const share = limits.share({ downloadLimit: 70, uploadLimit: 0, limits: [{ ...work, upload: 30 }] })
  const at = (hour: number): number => new Date(2023, 0, 2, hour, 0).getTime()
  assert.deepEqual(ratesOf(limits), [1000, 900])
  assert.deepEqual(limits.held.upload, { rate: 900, by: 'configuration', untilMs: at(8) })
  assert.deepEqual(limits.held.download, { rate: 1000, by: 'configuration', untilMs: undefined })
  nowMs = at(9)
  limits.apply()
  assert.deepEqual(ratesOf(limits), [1000, 200])
  assert.deepEqual(limits.held.upload, { rate: 200, by: 'schedule', untilMs: at(18) })
  assert.deepEqual([share.download.bytesPerSecond, share.upload.bytesPerSecond], [70, 30])
  limits.set({ upload: 5 })
  limits.set({ upload: 6 }, share)
  assert.deepEqual(limits.held.upload, { rate: 5, by: 'set', untilMs: undefined })
  assert.deepEqual([limits.upload.bytesPerSecond, share.upload.bytesPerSecond], [5, 5])
  limits.reset(share)
  limits.reset()
  assert.deepEqual([limits.upload.bytesPerSecond, share.upload.bytesPerSecond], [200, 30])
  limits.set({ upload: 5 })
  limits.configure({ ...CONFIGURED, uploadLimit: 900, limits: [{ ...work, upload: 300 }] })
  assert.deepEqual(ratesOf(limits), [1000, 300], 'a schedule that changed takes over')
  limits.close()
})

test('X4: what comes through a relay is never near, wherever the relay stands', () => {
  const limits = new RateLimits(CONFIGURED)
  assert.ok(limits.isExempt({ address: '10.0.0.1:4444', transport: 'tcp' }))
  assert.ok(!limits.isExempt({ address: '10.0.0.1:4444', transport: 'relayed' }))
})

test('X4: who is reached through a proxy is never near: a private address is one of the network there', () => {
  const limits = new RateLimits(CONFIGURED)
  assert.ok(limits.isExempt({ address: '10.0.0.1:4444', transport: 'tcp', isProxied: false }))
  assert.ok(!limits.isExempt({ address: '10.0.0.1:4444', transport: 'tcp', isProxied: true }))
})
