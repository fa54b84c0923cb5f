// When TCP counts as the worst way to a device, told as data: what happened at which second, and what is so then.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DeviceId } from '../../src/core/ids.js'
import { wayRank } from '../../src/swarm/dedupe.js'
import { decodeStandstill, encodeStandstill, Standstills } from '../../src/swarm/standstills.js'

const DEVICE = '10'.repeat(32) as DeviceId
const OTHER = '20'.repeat(32) as DeviceId

/** Seconds; 'stood': here, 2: the other end says twice in a row. */
type Happened = readonly [atS: number, what: 'stood' | number]

interface Case {
  readonly what: string
  readonly happened: readonly Happened[]
  /** Seconds at which TCP is the worst way. */
  readonly worst: readonly number[]
  readonly fine: readonly number[]
}

const CASES: readonly Case[] = [
  { what: 'once is nothing', happened: [[10, 'stood']], worst: [], fine: [10, 100, 1_000] },
  {
    what: 'W3: twice in a row',
    ...{
      happened: [
        [10, 'stood'],
        [36, 'stood'],
      ],
      worst: [36, 635],
      fine: [637],
    },
  },
  {
    what: 'two that have nothing to do with each other',
    ...{
      happened: [
        [10, 'stood'],
        [131, 'stood'],
      ],
      worst: [],
      fine: [131, 200],
    },
  },
  {
    what: 'W3: for as long as it goes on',
    ...{
      happened: [
        [10, 'stood'],
        [36, 'stood'],
        [62, 'stood'],
        [500, 'stood'],
      ],
      worst: [500, 1_099],
      fine: [1_101],
    },
  },
  {
    what: 'W3: tried again and no better, twice as long, with the first standstill',
    ...{
      happened: [
        [10, 'stood'],
        [36, 'stood'],
        [650, 'stood'],
      ],
      worst: [650, 1_849],
      fine: [645, 1_851],
    },
  },
  {
    what: 'W3: long after, it begins anew',
    ...{
      happened: [
        [10, 'stood'],
        [36, 'stood'],
        [1_300, 'stood'],
      ],
      worst: [],
      fine: [1_300, 1_400],
    },
  },
  { what: 'W4: the other end has seen both', happened: [[10, 2]], worst: [10, 609], fine: [611] },
  {
    what: 'W4: the other end has seen the first, we see the second',
    ...{
      happened: [
        [10, 1],
        [36, 'stood'],
      ],
      worst: [36],
      fine: [],
    },
  },
  {
    what: 'W4: both speak of the same one',
    ...{
      happened: [
        [10, 'stood'],
        [11, 1],
        [12, 1],
      ],
      worst: [],
      fine: [12],
    },
  },
]

describe('TCP that stands still', () => {
  for (const { what, happened, worst, fine } of CASES)
    it(what, () => {
      const at = (untilS: number): Standstills => {
        const standstills = new Standstills()
        for (const [atS, each] of happened) {
          if (atS > untilS) continue
          if (each === 'stood') standstills.stood(DEVICE, 'public', atS * 1000)
          else standstills.told(DEVICE, { scope: 'public', times: each }, atS * 1000)
        }
        return standstills
      }
      for (const atS of worst)
        assert.equal(at(atS).isWorst(DEVICE, 'public', atS * 1000), true, `at ${atS} s`)
      for (const atS of fine)
        assert.equal(at(atS).isWorst(DEVICE, 'public', atS * 1000), false, `at ${atS} s`)
      assert.equal(at(9_999).isWorst(DEVICE, 'private', 36_000), false, 'another scope')
      assert.equal(at(9_999).isWorst(OTHER, 'public', 36_000), false, 'another device')
    })

  it('W3: waits are doubled up to eighty minutes, and their ends are known', () => {
    const standstills = new Standstills()
    let nowMs = 0
    standstills.stood(DEVICE, 'public', nowMs)
    const waits: number[] = []
    for (let i = 0; i < 6; i++) {
      standstills.stood(DEVICE, 'public', nowMs)
      const endsAtMs = standstills.endsAtMs(nowMs)!
      waits.push((endsAtMs - nowMs) / 60_000)
      assert.equal(standstills.countWorst(nowMs), 1)
      nowMs = endsAtMs + 1000
    }
    assert.deepEqual(waits, [10, 20, 40, 80, 80, 80])
    assert.equal(standstills.endsAtMs(nowMs), undefined)
    assert.equal(standstills.countWorst(nowMs), 0)
  })

  it('W2: small segments are wanted from the first standstill on, for ten minutes', () => {
    const standstills = new Standstills()
    assert.equal(standstills.wantsSmall(DEVICE, 0), false)
    standstills.told(DEVICE, { scope: 'public', times: 1 }, 5_000)
    assert.equal(standstills.wantsSmall(DEVICE, 5_000), true)
    assert.equal(standstills.wantsSmall(DEVICE, 605_001), false)
    assert.equal(standstills.wantsSmall(OTHER, 5_000), false)
  })

  it('W4: the other end of a new connection is told what counts still', () => {
    const standstills = new Standstills()
    assert.deepEqual(standstills.toTell(DEVICE, 0), [])
    assert.deepEqual(standstills.stood(DEVICE, 'public', 0), { scope: 'public', times: 1 })
    standstills.stood(DEVICE, 'private', 100_000)
    standstills.stood(DEVICE, 'private', 110_000)
    assert.deepEqual(standstills.toTell(DEVICE, 115_000), [
      { scope: 'public', times: 1 },
      { scope: 'private', times: 2 },
    ])
    assert.deepEqual(standstills.toTell(DEVICE, 600_000), [{ scope: 'private', times: 2 }])
    assert.deepEqual(standstills.toTell(OTHER, 115_000), [])
  })

  it('is worse than any other way, on one network less so than elsewhere', () => {
    const order = [
      wayRank({ transport: 'tcp', scope: 'private' }),
      wayRank({ transport: 'tcp', scope: 'public' }),
      wayRank({ transport: 'udx', scope: 'public' }),
      wayRank({ transport: 'relayed', scope: 'public' }),
      wayRank({ transport: 'tcp', scope: 'private', isStill: true }),
      wayRank({ transport: 'tcp', scope: 'public', isStill: true }),
    ]
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    )
    assert.equal(new Set(order).size, order.length)
  })

  it('is told in two bytes', () => {
    for (const scope of ['loopback', 'link', 'private', 'public'] as const)
      for (const times of [1, 255]) {
        const bytes = encodeStandstill({ scope, times })
        assert.equal(bytes.length, 2)
        const read = decodeStandstill(bytes)
        assert.deepEqual(read.type === 'violation' ? read : read.value, { scope, times })
      }
  })
})
