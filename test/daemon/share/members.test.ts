import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, mock, test } from 'node:test'
import { type DeviceKeys, deviceKeysOf } from '../../../src/core/device.js'
import type { ShareId } from '../../../src/core/ids.js'
import { type DeviceState, EMPTY_DIGEST, openState, sealState } from '../../../src/core/state.js'
import { Members } from '../../../src/daemon/share/members.js'
import type { StatePeer } from '../../../src/daemon/share/state-book.js'
import { silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'

const SHARE = 'ab'.repeat(32) as ShareId
const KEY = randomBytes(32)

class Peer implements StatePeer {
  readonly device: DeviceKeys['device']
  readonly got: Buffer[][] = []

  constructor(device: DeviceKeys['device']) {
    this.device = device
  }

  sendStates(list: readonly Buffer[]): void {
    this.got.push([...list])
  }
}

const running: Members[] = []
afterEach(() => {
  for (const members of running.splice(0)) members.stop()
})

function membersOf(
  own: DeviceKeys,
  peers: readonly StatePeer[],
  database: MemoryDatabase = new MemoryDatabase(),
  files = (): number => 1,
): Members {
  const { device, secretKey } = own
  const members = new Members({
    database,
    prefix: 'x-',
    own: { device, secretKey, name: 'here', grade: 'write' },
    instance: '00',
    shareId: SHARE,
    stateKey: KEY,
    nowMs: () => 1000,
    nonce: () => randomBytes(24),
    log: silentLog,
    peers: () => peers,
    describe: () => ({
      feeds: [],
      scope: 'all',
      digest: Buffer.alloc(32, files()),
      releasesDigest: EMPTY_DIGEST,
      files: files(),
      bytes: 0,
      needFiles: 0,
      needBytes: 0,
      drift: 0,
      conflicts: 0,
      problems: 0,
    }),
  })
  running.push(members)
  return members
}

function device(): DeviceKeys {
  return deviceKeysOf(randomBytes(32))
}

function stateOf(
  who: DeviceKeys,
  sequence: number,
  change: { key?: Buffer; share?: ShareId; signer?: DeviceKeys } = {},
): Buffer {
  const state: DeviceState = {
    device: who.device,
    name: 'there',
    grade: 'read',
    instance: '01',
    sequence,
    timeMs: sequence,
    feeds: [],
    scope: 'all',
    digest: Buffer.alloc(32, sequence),
    releasesDigest: EMPTY_DIGEST,
    files: sequence,
    bytes: 0,
    needFiles: 0,
    needBytes: 0,
    drift: 0,
    conflicts: 0,
    problems: 0,
  }
  const { key = KEY, share = SHARE, signer = who } = change
  return sealState(state, signer.secretKey, key, share, randomBytes(24))
}

test('section 10: a newer state is kept and told to all but its bringer, an older or repeated one to nobody', () => {
  const [own, far] = [device(), device()]
  const [bringer, other] = [new Peer(device().device), new Peer(device().device)]
  const members = membersOf(own, [bringer, other])
  assert.equal(members.receive(bringer, [stateOf(far, 5)]), true)
  assert.equal(members.receive(bringer, [stateOf(far, 5)]), false)
  assert.equal(members.receive(other, [stateOf(far, 4)]), false)
  assert.equal(members.all().length, 1)
  assert.equal(members.all()[0]!.state.sequence, 5)
  assert.equal(bringer.got.length, 0)
  assert.equal(other.got.length, 1)
  assert.equal(members.receive(other, [stateOf(far, 6)]), true)
  assert.equal(bringer.got.length, 1)
  assert.equal(members.all()[0]!.state.sequence, 6)
})

test('section 10: a member that others alone have told of was never met, until it is there or says something through them', () => {
  const [own, far, near] = [device(), device(), device()]
  const [other, itself] = [new Peer(device().device), new Peer(near.device)]
  const database = new MemoryDatabase()
  const before = membersOf(own, [other, itself], database)
  const met = (members: Members): Record<string, boolean> =>
    Object.fromEntries(
      members.all().map(({ state, isMet }) => [state.device === far.device ? 'far' : 'near', isMet]),
    )
  before.receive(other, [stateOf(far, 5)])
  before.receive(itself, [stateOf(near, 5), stateOf(far, 6)])
  assert.deepEqual(met(before), { far: false, near: true })
  before.receive(other, [stateOf(near, 6)])
  const after = membersOf(own, [other], database)
  assert.deepEqual(met(after), { far: false, near: true })
  after.seen(far.device)
  assert.deepEqual(met(after), { far: true, near: true })
})

test('section 10: forged, foreign and damaged states are refused, and do not keep good ones out', () => {
  const [own, far, evil] = [device(), device(), device()]
  const bringer = new Peer(evil.device)
  const other = new Peer(device().device)
  const members = membersOf(own, [bringer, other])
  const damaged = stateOf(far, 9)
  damaged[damaged.length - 70]! ^= 1
  const bad = [
    stateOf(far, 9, { signer: evil }),
    stateOf(far, 9, { share: 'cd'.repeat(32) as ShareId }),
    stateOf(far, 9, { key: randomBytes(32) }),
    damaged,
    Buffer.alloc(0),
    randomBytes(200),
  ]
  assert.equal(members.receive(bringer, bad), false)
  assert.equal(members.all().length, 0)
  assert.equal(members.receive(bringer, [...bad, stateOf(far, 1)]), true)
  assert.equal(members.all()[0]!.state.sequence, 1)
  assert.equal(other.got.flat().length, 1)
})

test('section 10: nobody tells us what we are ourselves', () => {
  const own = device()
  const members = membersOf(own, [])
  assert.equal(members.receive(new Peer(device().device), [stateOf(own, 10_000)]), false)
  assert.deepEqual(members.all(), [])
})

test('section 10: members and the own sequence survive a restart; the next state is above all before', () => {
  const [own, far] = [device(), device()]
  const database = new MemoryDatabase()
  const first = new Peer(far.device)
  const before = membersOf(own, [], database)
  before.receive(first, [stateOf(far, 7)])
  before.greet(first)
  before.stop()
  const after = membersOf(own, [], database, () => 2)
  assert.equal(after.all()[0]!.state.sequence, 7)
  const second = new Peer(far.device)
  after.greet(second)
  const sequenceOf = (peer: Peer): number => {
    const opened = peer.got.flat().map((bytes) => openState(bytes, KEY, SHARE))
    const mine = opened.find((state) => state.type === 'ok' && state.value.device === own.device)
    assert.ok(mine?.type === 'ok')
    return mine.value.sequence
  }
  assert.ok(sequenceOf(second) > sequenceOf(first))
})

test('section 10: with nobody to tell nothing is signed, and who comes hears what is so by then', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let described = 0
    const peers: Peer[] = []
    const members = membersOf(device(), peers, new MemoryDatabase(), () => ++described)
    members.changed()
    mock.timers.tick(1000)
    assert.equal(described, 0)
    const peer = new Peer(device().device)
    peers.push(peer)
    members.greet(peer)
    assert.equal(peer.got.flat().length, 1)
    members.changed()
    mock.timers.tick(1000)
    assert.equal(peer.got.flat().length, 2)
  } finally {
    mock.timers.reset()
  }
})

test('section 10: after stop nothing is signed any more', async () => {
  let described = 0
  const peers = [new Peer(device().device)]
  const members = membersOf(device(), peers, new MemoryDatabase(), () => ++described)
  members.stop()
  members.changed()
  await new Promise((resolve) => setImmediate(() => setTimeout(resolve, 5)))
  assert.equal(described, 0)
})

test('section 10: a forgotten member stays forgotten, whoever tells of its old states, until it says something new', () => {
  const [own, far] = [device(), device()]
  const database = new MemoryDatabase()
  const [bringer, other] = [new Peer(device().device), new Peer(device().device)]
  const before = membersOf(own, [bringer, other], database)
  assert.equal(before.forget(far.device), false)
  before.receive(bringer, [stateOf(far, 4), stateOf(far, 5)])
  assert.equal(before.forget(far.device), true)
  assert.deepEqual(before.all(), [])
  const told = other.got.length
  assert.equal(before.receive(bringer, [stateOf(far, 4), stateOf(far, 5)]), false)
  assert.equal(other.got.length, told)
  before.stop()
  const after = membersOf(own, [bringer, other], database)
  assert.deepEqual(after.all(), [])
  assert.equal(after.receive(bringer, [stateOf(far, 5)]), false)
  const greeted = new Peer(device().device)
  after.greet(greeted)
  assert.equal(greeted.got.flat().length, 1)
  assert.equal(after.receive(bringer, [stateOf(far, 6)]), true)
  assert.equal(after.all()[0]!.state.sequence, 6)
  after.stop()
  assert.equal(membersOf(own, [], database).all()[0]!.state.sequence, 6)
})

test('F4: what a copy of this device has signed is outbid, and reaches the original under the same device id', async () => {
  const own = device()
  const [copy, original] = [new Peer(own.device), new Peer(own.device)]
  // A third device passes it on to whoever did not bring it, though both are one device.
  const third = membersOf(device(), [copy, original])
  assert.equal(third.receive(copy, [stateOf(own, 7000)]), true)
  assert.equal(original.got.length, 1)
  // The original has said the same all along, and must say it anew.
  const told = new Promise<Buffer>((resolve) => {
    const peer = Object.assign(new Peer(device().device), {
      sendStates: (list: readonly Buffer[]) => resolve(list.at(-1)!),
    })
    const members = membersOf(own, [peer])
    assert.equal(members.receive(peer, original.got[0]!), false)
  })
  const opened = openState(await told, KEY, SHARE)
  assert.ok(opened.type === 'ok')
  assert.equal(opened.value.instance, '00')
  assert.ok(opened.value.sequence > 7000)
})
