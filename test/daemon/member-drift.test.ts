import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { signAcknowledgement } from '../../src/core/acknowledgement.js'
import { deviceKeysOf } from '../../src/core/device.js'
import { type DriftItem, type DriftSection, fitDrift } from '../../src/core/drift-section.js'
import type { ShareId } from '../../src/core/ids.js'
import type { RelPath } from '../../src/core/path.js'
import { type DriftingShare, memberDrift } from '../../src/daemon/member-drift.js'

const NOW = 1_760_000_000_000
const SHARE = 'ab'.repeat(32) as ShareId
const own = { device: deviceKeysOf(randomBytes(32)).device, name: 'here' }
const keys = deviceKeysOf(randomBytes(32))
const other = deviceKeysOf(randomBytes(32))

interface Held {
  readonly drift?: DriftSection
  readonly isCurrent?: boolean
}

/** A share with one member: what its state counts, and what it has reported. */
function share(held: Held | undefined, { isConnected = true, instance = 'i' } = {}): DriftingShare {
  const { device } = keys
  const state = { device, name: 'web', drift: 7, instance: 'i', timeMs: NOW - 5000 }
  return {
    dir: '/srv',
    shareId: SHARE,
    drift: { *items() {} },
    members: { all: () => [{ state, lastSeenMs: NOW - 3000 }] },
    peers: isConnected ? [{ device, instance }] : [],
    reports: {
      of: () =>
        held && {
          ...{ device, name: 'web', isCurrent: held.isCurrent ?? true, asOfMs: NOW - 1000 },
          report: { device, sequence: 1, timeMs: 0, drift: held.drift, other: [] },
        },
    },
  } as unknown as DriftingShare
}

function item(path: string, acknowledgement?: Buffer): DriftItem {
  return { path: path as RelPath, kinds: 3, sinceMs: NOW - 60_000, restore: undefined, acknowledgement }
}

function word(path: string, signer = keys, untilMs = NOW + 1000): Buffer {
  const said = {
    device: signer.device,
    path: path as RelPath,
    state: Buffer.alloc(32),
    reason: 'known',
    madeMs: NOW - 2000,
    untilMs,
  }
  return signAcknowledgement(said, signer.secretKey, SHARE)
}

function ofMember(of: DriftingShare): ReturnType<typeof memberDrift>[number] {
  const [here, member, ...rest] = memberDrift(of, own, NOW)
  assert.deepEqual([here!.name, here!.isHere, here!.total, rest.length], ['here', true, 0, 0])
  return member!
}

test('a report of a member that is connected is told as it is, else with the time when it was so', () => {
  const drift = fitDrift([item('a')])
  const told = ofMember(share({ drift }))
  assert.deepEqual([told.name, told.asOf, told.isListed, told.total, told.open], ['web', null, true, 1, 1])
  assert.deepEqual(told.items, [
    {
      path: 'a',
      kinds: ['content', 'mode'],
      since: new Date(NOW - 60_000).toISOString(),
      policy: 'report',
      restores: 0,
      nextRestore: null,
      acknowledgement: null,
    },
  ])
  const old = ofMember(share({ drift, isCurrent: false }))
  assert.equal(old.asOf, new Date(NOW - 1000).toISOString())
})

test('of a member without a report its state counts, and is not old only if this very run of it is connected', () => {
  for (const held of [undefined, {}]) {
    const told = ofMember(share(held))
    assert.deepEqual([told.isListed, told.total, told.open, told.asOf], [false, 7, 7, null])
    for (const where of [{ isConnected: false }, { instance: 'another run' }])
      assert.equal(ofMember(share(held, where)).asOf, new Date(NOW - 5000).toISOString())
  }
})

test('a word counts if the device itself has signed it for that path, until it ends', () => {
  const cases: [string, Buffer, boolean][] = [
    ['its own', word('a'), true],
    ['of another path', word('b'), false],
    ['of another device', word('a', other), false],
    ['ended', word('a', keys, NOW), false],
    ['damaged', word('a').fill(9, 40, 41), false],
    ['of a later version', Buffer.from('later'), false],
  ]
  for (const [name, bytes, counts] of cases) {
    const told = ofMember(share({ drift: fitDrift([item('a', bytes), item('open')]) }))
    assert.equal(told.items[0]!.acknowledgement?.reason, counts ? 'known' : undefined, name)
    assert.deepEqual([told.total, told.open], [2, counts ? 1 : 2], name)
  }
})
