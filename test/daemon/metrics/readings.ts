// What a scrape reads, with a value for every metric there is.
import { Instruments } from '../../../src/daemon/instruments.js'
import type { ProcessFacts } from '../../../src/daemon/metrics/process-facts.js'
import type { Readings } from '../../../src/daemon/metrics/samples.js'
import { live, member, share, shareLive, status } from '../../control/fake-backend.js'

export const DIR = '/data/photos'

export function processFacts(changes: Partial<ProcessFacts> = {}): ProcessFacts {
  return {
    nodeVersion: 'v20.20.2',
    startTimeS: 1_795_000_000,
    cpuS: 1.5,
    residentBytes: 100_000_000,
    openFds: 52,
    maxFds: 20_000,
    eventLoop: { busyS: 1.25, delay: { meanS: 0.001, p99S: 0.004, maxS: 0.02 } },
    ...changes,
  }
}

export function fullReadings(): Readings {
  const instruments = new Instruments()
  instruments.applyLatency.add(30)
  instruments.fullScans.add(200)
  instruments.changeApplied('phone', 700)
  const hook = {
    ...{ number: 2, match: ['*'], run: ['true'], ownChanges: false, state: 'failed' as const, pending: 3 },
    ...{ waitsFor: null, dueInMs: null, last: null },
  }
  const scrub = { last: '2026-11-20T18:00:00.000Z', damaged: 1, found: 3, repaired: 2 }
  return {
    status: {
      ...status(
        share({
          copies: {
            ...{ min: 3, offsite: 1 },
            counted: {
              ...{ at: '2026-11-20T18:02:03.000Z', kept: false, fewest: 1, paths: ['a'] },
              ...{ total: { pieces: 9, bytes: 900 }, short: { pieces: 4, bytes: 400 } },
              ...{ belowMin: { pieces: 3, bytes: 300 }, belowOffsite: { pieces: 2, bytes: 200 } },
              none: { pieces: 1, bytes: 100 },
            },
          },
          hooks: [hook],
          scrub,
          blind: {
            isOpen: true,
            ...{ pieces: 9, bytes: 900, missingPieces: 1, missingBytes: 100, pastPieces: 2, pastBytes: 200 },
            ...{ missingPastPieces: 0, missingPastBytes: 0, packs: 1, vaultBytes: 1200, deadBytes: 100 },
          },
          problems: [{ path: 'a', code: 'EACCES', detail: 'no', sinceMs: 1 }],
          members: [
            member('nas', { grade: 'read', clockAheadMs: -250, scrub, acknowledged: 2 }),
            member('phone'),
          ],
        }),
      ),
      relays: [{ address: 'relay.example.org:25100', connected: true, problem: null }],
    },
    live: live(shareLive()),
    meters: new Map([[DIR, { instruments, receivedPieces: 7, sentPieces: 8 }]]),
    process: processFacts(),
  }
}
