import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ShareReport } from '../../../src/control/schema.js'
import { Durations, Instruments, MAX_ORIGINS } from '../../../src/daemon/instruments.js'
import { FAMILIES } from '../../../src/daemon/metrics/families.js'
import {
  MAX_CODES,
  MAX_LISTED_MEMBERS,
  OTHERS,
  type Readings,
  type Sample,
  samplesOf,
} from '../../../src/daemon/metrics/samples.js'
import { live, member, peerLive, share, shareLive, status } from '../../control/fake-backend.js'
import { DIR, fullReadings, processFacts } from './readings.js'

/** Values of a family by its labels: "share=/data/photos,code=EACCES". */
function valuesOf(samples: readonly Sample[], family: string): Record<string, number> {
  return Object.fromEntries(
    samples
      .filter((sample) => sample.family === family)
      .map(({ labels, value }) => [
        Object.entries(labels)
          .filter(([name]) => name !== 'share')
          .map(([name, text]) => `${name}=${text}`)
          .join(','),
        value instanceof Durations ? value.count : value,
      ]),
  )
}

function of(changes: Partial<Readings>): Sample[] {
  return samplesOf({ ...fullReadings(), ...changes })
}

test('every family has a value, and every value the labels of its family', () => {
  const samples = samplesOf(fullReadings())
  assert.deepEqual([...new Set(samples.map(({ family }) => family))].sort(), Object.keys(FAMILIES).sort())
  for (const { family, labels, value } of samples) {
    assert.deepEqual(Object.keys(labels), FAMILIES[family]!.labels, family)
    assert.equal(value instanceof Durations, FAMILIES[family]!.type === 'histogram', family)
  }
})

test('no series twice', () => {
  const names = samplesOf(fullReadings()).map(({ family, labels }) => family + JSON.stringify(labels))
  assert.deepEqual(names.length, new Set(names).size)
})

test('the state of a share is 1 of all there are', () => {
  const samples = of({ status: status(share({ state: 'halted' })) })
  const states = valuesOf(samples, 'shoal_share_state')
  assert.equal(states['state=halted'], 1)
  assert.equal(
    Object.values(states).reduce((sum, value) => sum + value, 0),
    1,
  )
  assert.equal(states['state=idle'], 0)
})

test('in sync is said of connected members alone', () => {
  const members = [
    member('near'),
    // Holds just what we hold, and neither has all of it.
    member('behind'),
    member('away', { connected: false, lastSeen: null }),
  ]
  const peers = [peerLive('near'), peerLive('behind', { inSync: false })]
  const samples = of({ status: status(share({ members })), live: live(shareLive({ peers })) })
  assert.deepEqual(valuesOf(samples, 'shoal_members'), { '': 3 })
  assert.deepEqual(valuesOf(samples, 'shoal_members_in_sync'), { '': 1 })
  const label = (name: string): string => `peer=${member(name).device.slice(0, 16)}`
  assert.deepEqual(valuesOf(samples, 'shoal_member_in_sync'), {
    [label('near')]: 1,
    [label('behind')]: 0,
    [label('away')]: 0,
  })
  assert.deepEqual(
    Object.keys(valuesOf(samples, 'shoal_member_last_seen_timestamp_seconds')).sort(),
    [label('behind'), label('near')].sort(),
    'one that was never seen has no time',
  )
})

test('of a member that this device cannot look into it is not said that it is behind, nor that it has no drift', () => {
  const members = [
    member('reader', { unreadable: true }),
    member('blind', { grade: 'blind' }),
    member('other', { acknowledged: 3 }),
  ]
  const peers = [peerLive('reader', { inSync: false }), peerLive('blind'), peerLive('other')]
  const samples = of({ status: status(share({ members })), live: live(shareLive({ peers })) })
  const label = (name: string): string => `peer=${member(name).device.slice(0, 16)}`
  assert.deepEqual(valuesOf(samples, 'shoal_members'), { '': 3 })
  assert.deepEqual(valuesOf(samples, 'shoal_members_in_sync'), {})
  assert.deepEqual(valuesOf(samples, 'shoal_member_in_sync'), { [label('blind')]: 1, [label('other')]: 1 })
  assert.deepEqual(valuesOf(samples, 'shoal_member_drift'), { [label('blind')]: 0, [label('other')]: 0 })
  assert.deepEqual(valuesOf(samples, 'shoal_member_drift_acknowledged'), { [label('other')]: 3 })
})

test('a blind node tells nothing of paths, which it knows none of, and of what it holds only while its vault is open', () => {
  const blind = fullReadings().status.shares[0]!.blind!
  const families = (isOpen: boolean): string[] => {
    const report = share({ grade: 'blind', bytes: 800, needFiles: 1, blind: { ...blind, isOpen } })
    const told = of({ status: status(report), live: live() }).filter(({ labels }) => labels.share === DIR)
    return [...new Set(told.map(({ family }) => family))].filter((family) =>
      /^shoal_(share|vault|drift)_/.test(family),
    )
  }
  const always = ['shoal_share_info', 'shoal_share_state', 'shoal_share_problems']
  assert.deepEqual(families(false).sort(), always.sort())
  assert.deepEqual(
    families(true).sort(),
    [
      ...always,
      ...['shoal_share_bytes', 'shoal_share_missing_files', 'shoal_share_missing_bytes'],
      ...['pieces', 'piece_bytes', 'bytes', 'dead_bytes', 'packs'].map((name) => `shoal_vault_${name}`),
    ].sort(),
  )
})

test('peers by transport, with 0 for the others', () => {
  const peers = [peerLive('a'), peerLive('b', { transport: 'udx' }), peerLive('c', { transport: 'udx' })]
  const samples = of({ live: live(shareLive({ peers })) })
  assert.deepEqual(valuesOf(samples, 'shoal_peers'), {
    'transport=tcp': 1,
    'transport=udx': 2,
    'transport=relayed': 0,
  })
})

test('what is not measured is not told: round trips, clocks, descriptors, the first delay', () => {
  const samples = of({
    live: live(shareLive({ peers: [peerLive('a', { rttMs: null })] })),
    status: status(share({ members: [member('a')] })),
    process: processFacts({
      openFds: undefined,
      maxFds: undefined,
      eventLoop: { busyS: 1, delay: undefined },
    }),
  })
  for (const family of [
    'shoal_peer_round_trip_seconds',
    'shoal_member_clock_ahead_seconds',
    'process_open_fds',
    'process_max_fds',
    'shoal_event_loop_delay_max_seconds',
  ])
    assert.deepEqual(valuesOf(samples, family), {}, family)
})

test('times are in seconds', () => {
  const samples = of({})
  assert.deepEqual(Object.values(valuesOf(samples, 'shoal_peer_round_trip_seconds')), [0.0015, 0.0015])
  assert.deepEqual(Object.values(valuesOf(samples, 'shoal_member_clock_ahead_seconds')), [-0.25])
})

test('a share of many members has series for so many, those who are connected first', () => {
  const members = Array.from({ length: MAX_LISTED_MEMBERS + 50 }, (_, i) =>
    member(`m${i}`, { connected: i >= MAX_LISTED_MEMBERS }),
  )
  const peers = members.map(({ name }) => peerLive(name))
  const samples = of({ status: status(share({ members })), live: live(shareLive({ peers })) })
  const listed = valuesOf(samples, 'shoal_member_connected')
  assert.equal(Object.keys(listed).length, MAX_LISTED_MEMBERS)
  assert.equal(Object.values(listed).filter((value) => value === 1).length, 50)
  assert.deepEqual(valuesOf(samples, 'shoal_members'), { '': MAX_LISTED_MEMBERS + 50 })
  assert.equal(Object.keys(valuesOf(samples, 'shoal_peer_sent_bytes_total')).length, MAX_LISTED_MEMBERS)
})

test('problems are counted by code, those of rare codes together', () => {
  const problems = Array.from({ length: MAX_CODES + 5 }, (_, i) => [i, 99] as const)
    .flat()
    .map((i) => ({ path: `${i}`, code: `E${i}`, detail: '', sinceMs: 0 }))
  const counts = valuesOf(of({ status: status(share({ problems })) }), 'shoal_share_problems')
  assert.equal(counts['code=E99'], MAX_CODES + 5)
  assert.equal(counts[`code=${OTHERS}`], 6)
  assert.equal(Object.keys(counts).length, MAX_CODES + 1)
  assert.deepEqual(valuesOf(of({ status: status(share()) }), 'shoal_share_problems'), {
    [`code=${OTHERS}`]: 0,
  })
})

test('changes of more devices than are told apart are told together', () => {
  const instruments = new Instruments()
  for (let i = 0; i < MAX_ORIGINS + 3; i++) instruments.changeApplied(`d${i}`, 10)
  const meters = new Map([[DIR, { instruments, receivedPieces: 0, sentPieces: 0 }]])
  const counts = valuesOf(of({ meters }), 'shoal_change_latency_seconds')
  assert.equal(Object.keys(counts).length, MAX_ORIGINS + 1)
  assert.equal(counts[`origin=${OTHERS}`], 3)
})

test('shares are told apart by their folder, and one that has just gone does no harm', () => {
  const gone = share({ dir: '/gone' })
  const samples = of({ status: status(share(), gone), live: live(shareLive()) })
  const dirs = samples
    .filter(({ family }) => family === 'shoal_share_files')
    .map(({ labels }) => labels.share)
  assert.deepEqual(dirs, [DIR, '/gone'])
  assert.deepEqual(
    samples.filter(({ family, labels }) => family === 'shoal_peers' && labels.share === '/gone'),
    [],
  )
})

test('copies: what is short, by what it is short of; nothing where nothing is promised, and no counts before the first', () => {
  const samples = samplesOf(fullReadings())
  assert.deepEqual(valuesOf(samples, 'shoal_copies_promised'), { 'kind=all': 3, 'kind=offsite': 1 })
  assert.deepEqual(valuesOf(samples, 'shoal_copies_short_pieces'), {
    ...{ 'kind=all': 3, 'kind=offsite': 2, 'kind=none': 1 },
  })
  const families = (copies: ShareReport['copies']): string[] => {
    const found = of({ status: status(share({ copies })) }).map(({ family }) => family)
    return [...new Set(found.filter((family) => family.startsWith('shoal_copies')))]
  }
  assert.deepEqual(families(null), [])
  assert.deepEqual(families({ min: 2, offsite: 0, counted: null }), ['shoal_copies_promised'])
})

test('a device may be called what others are put together as: no series is there twice', () => {
  const instruments = new Instruments()
  const names = ['(others)', 'device (others)', 'device', 'device device (others)']
  for (const name of [...names, ...Array.from({ length: MAX_ORIGINS }, (_, i) => `box${i}`)])
    instruments.changeApplied(name, 1000)
  const samples = of({ meters: new Map([[DIR, { instruments, receivedPieces: 0, sentPieces: 0 }]]) })
  const origins = samples.flatMap(({ family, labels }) =>
    family === 'shoal_change_latency_seconds' ? [labels.origin] : [],
  )
  assert.equal(new Set(origins).size, origins.length)
  assert.deepEqual(origins.slice(0, 4), [
    'device (others)',
    'device device (others)',
    'device',
    'device device device (others)',
  ])
  assert.ok(origins.includes(OTHERS))
})

test('a vault that is not open says nothing of what it holds', () => {
  const whole = fullReadings()
  const [first] = whole.status.shares
  const closed = { ...first!, blind: { ...first!.blind!, isOpen: false } }
  const samples = samplesOf({ ...whole, status: { ...whole.status, shares: [closed] } })
  assert.deepEqual(valuesOf(samples, 'shoal_vault_pieces'), {})
  assert.notDeepEqual(valuesOf(samplesOf(whole), 'shoal_vault_pieces'), {})
})
