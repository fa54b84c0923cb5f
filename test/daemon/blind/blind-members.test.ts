// What blind nodes say of themselves, and the states of members who read, which they pass on unread; how states are kept and
// passed on is the same for all of them, and tested with those who read (share/members.test.ts).
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, it } from 'node:test'
import { type BlindState, openBlindState } from '../../../src/core/blind-state.js'
import { type DeviceKeys, deviceKeysOf } from '../../../src/core/device.js'
import type { ShareId } from '../../../src/core/ids.js'
import { EMPTY_DIGEST, sealState } from '../../../src/core/state.js'
import { BlindMembers } from '../../../src/daemon/blind/blind-members.js'
import { PassedStates } from '../../../src/daemon/blind/passed-states.js'
import type { StatePeer } from '../../../src/daemon/share/state-book.js'
import { silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'

const SHARE = 'ab'.repeat(32) as ShareId
const KEY = randomBytes(32)
const FACTS = {
  ...{ feeds: [], pieces: 3, bytes: 30, missingPieces: 0, missingBytes: 0, pastPieces: 0, pastBytes: 0 },
  ...{ problems: 0, offsite: true },
}

class Peer implements StatePeer {
  readonly device: DeviceKeys['device'] = newDevice().device
  readonly got: Buffer[] = []

  sendStates(list: readonly Buffer[]): void {
    assert.ok(list.length > 0, 'no empty message')
    this.got.push(...list)
  }
}

const running: BlindMembers[] = []
afterEach(() => {
  for (const members of running.splice(0)) members.stop()
})

function newDevice(): DeviceKeys {
  return deviceKeysOf(randomBytes(32))
}

/** As a blind node has it, or, with `isBlind` false, any other member. */
function blindMembersOf(
  { device, secretKey }: DeviceKeys,
  isBlind: boolean,
  peers: readonly StatePeer[] = [],
  database: MemoryDatabase = new MemoryDatabase(),
): BlindMembers {
  const own = {
    secretKey,
    name: 'cellar',
    instance: '00',
    nonce: () => randomBytes(24),
    describe: () => FACTS,
  }
  const members = new BlindMembers({
    ...{ database, prefix: 'x-', device, shareId: SHARE, blindStateKey: KEY, log: silentLog },
    nowMs: () => 1000,
    peers: () => peers,
    ...(isBlind ? { own } : {}),
  })
  running.push(members)
  return members
}

function opened(bytes: Buffer): BlindState {
  const state = openBlindState(bytes, KEY, SHARE)
  assert.ok(state.type === 'ok')
  return state.value
}

it('a blind node tells what it keeps, and goes on above its last state after a restart', () => {
  const [cellar, database] = [newDevice(), new MemoryDatabase()]
  const [first, second] = [new Peer(), new Peer()]
  const before = blindMembersOf(cellar, true, [first, second], database)
  before.greet(first)
  assert.equal(first.got.length, 1, 'once, though it is news to all')
  assert.deepEqual([second.got.length, before.publishNow()], [1, opened(first.got[0]!).sequence])
  const { device, name, sequence, ...said } = opened(first.got[0]!)
  assert.deepEqual(
    [device, name, said],
    [cellar.device, 'cellar', { ...FACTS, instance: '00', timeMs: 1000 }],
  )
  before.stop()
  const third = new Peer()
  blindMembersOf(cellar, true, [], database).greet(third)
  assert.ok(opened(third.got[0]!).sequence > sequence)
})

it('who is no blind node says nothing of itself, keeps what others say, and passes it on', () => {
  const [bringer, other] = [new Peer(), new Peer()]
  blindMembersOf(newDevice(), true, [bringer]).greet(bringer)
  const database = new MemoryDatabase()
  const members = blindMembersOf(newDevice(), false, [bringer, other], database)
  members.changed()
  members.greet(other)
  assert.deepEqual([other.got, members.publishNow()], [[], 0])
  assert.ok(members.receive(bringer, bringer.got))
  assert.deepEqual(other.got, bringer.got)
  assert.ok(!members.receive(bringer, bringer.got), 'no news any more')
  const { device } = opened(bringer.got[0]!)
  assert.equal(blindMembersOf(newDevice(), false, [], database).nameOf(device), 'cellar')
  assert.ok(members.forget(device))
  assert.ok(!members.receive(bringer, bringer.got), 'forgotten until it says something new')
})

it('states that cannot be read here are kept and passed on as they came, the newest of each device', () => {
  const far = newDevice()
  const stateOf = (sequence: number): Buffer => {
    const counts = { files: 0, bytes: 0, needFiles: 0, needBytes: 0, drift: 0, conflicts: 0, problems: 0 }
    const holding = { scope: 'all', digest: Buffer.alloc(32, 1), releasesDigest: EMPTY_DIGEST } as const
    const state = { device: far.device, name: 'far', grade: 'read', instance: '01', feeds: [] } as const
    return sealState(
      { ...state, ...counts, ...holding, sequence, timeMs: sequence },
      far.secretKey,
      // Not a key that is known here.
      randomBytes(32),
      SHARE,
      randomBytes(24),
    )
  }
  const database = new MemoryDatabase()
  const [bringer, other] = [new Peer(), new Peer()]
  const own = newDevice()
  const passing = (): PassedStates =>
    new PassedStates({
      ...{ database, prefix: 'x-', device: own.device, shareId: SHARE, log: silentLog },
      nowMs: () => 1000,
      peers: () => [bringer, other],
    })
  const before = passing()
  before.greet(other)
  const [five, six] = [stateOf(5), stateOf(6)]
  assert.ok(before.receive(bringer, [five, six, stateOf(4)]))
  assert.deepEqual(other.got, [five, six])
  assert.deepEqual(before.all(), [{ device: far.device, lastSeenMs: 1000, isMet: false }])
  const after = passing()
  after.greet(bringer)
  assert.deepEqual(bringer.got, [six])
  assert.ok(after.forget(far.device) && !after.receive(bringer, [six]) && !after.has(far.device))
  assert.ok(after.receive(bringer, [stateOf(7)]))
})
