// No storm when a switch comes back (B7): bounded dials a second, no bursts of all at once, and everybody is back soon. The
// numbers follow from the seeds; that they are met is a matter of milliseconds of the processor, not of its speed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Storm, type StormOptions } from './storm.js'

/** What one device may begin in any second: the dialer's pace. */
const MAX_A_SECOND = 28
const SETTLED_MS = 40_000

interface Case extends StormOptions {
  readonly outageMs: number
  /** Dials a second of one device on average while the network is away. */
  readonly meanInOutage: number
}

const CASES: readonly Case[] = [
  // Some ends have noticed, and most not.
  { seed: 1, devices: 50, outageMs: 22_000, meanInOutage: 1 },
  { seed: 2, devices: 50, outageMs: 45_000, meanInOutage: 5 },
  { seed: 3, devices: 50, outageMs: 90_000, meanInOutage: 4 },
  { seed: 4, devices: 40, elsewhere: 15, outageMs: 120_000, meanInOutage: 4 },
  { seed: 5, devices: 24, outageMs: 1_800_000, meanInOutage: 0.6 },
]

describe('a switch goes away and comes back', () => {
  for (const { outageMs, meanInOutage, ...options } of CASES) {
    const { seed, devices, elsewhere = 0 } = options
    it(`${devices} devices, ${elsewhere} of them elsewhere, ${outageMs / 1000} s, seed ${seed}`, async () => {
      const storm = new Storm(options)
      const pairs = (devices * (devices - 1)) / 2
      await storm.run(SETTLED_MS)
      assert.equal(storm.meshed, 1, 'all met at the start')
      storm.down()
      await storm.run(outageMs)
      const upAtMs = storm.nowMs
      const inOutage = storm.dials.filter(({ atMs }) => atMs >= SETTLED_MS).length
      const mean = inOutage / devices / (outageMs / 1000)
      assert.ok(mean <= meanInOutage, `${mean} dials a second of each while the network is away`)
      const before = storm.meshed
      assert.ok(before < 1, 'some are lost')
      storm.up()
      await storm.run(10_000)
      assert.equal(storm.meshed, 1, 'all are back after ten seconds')
      const dials = storm.dials.filter(({ atMs }) => atMs >= upAtMs).length
      assert.ok(dials <= pairs * 1.1, `${dials} dials for ${pairs} pairs`)

      const untilMs = storm.nowMs
      // A tenth of a second: what all would do at once is fifty times that.
      assert.ok(storm.peak(100, SETTLED_MS, untilMs) <= 2 * devices, 'no burst of all at once')
      assert.ok(storm.peak(1000, upAtMs, untilMs) <= 15 * devices, 'spread over seconds')
      for (const device of storm.nodes.keys())
        assert.ok(storm.peak(1000, 0, untilMs, device) <= MAX_A_SECOND, `device ${device} keeps its pace`)
    })
  }
})
