// When hooks may take a batch for whole: not before the disk was looked through and peers were met, nor while more is known
// to be published than was read.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeviceId, WriterId } from '../../../src/core/ids.js'
import { HookGate, type HookGateOptions } from '../../../src/daemon/share/share-hooks.js'

const PEER = 'peer' as DeviceId
const WRITER = 'writer' as WriterId

interface Scene {
  hasScanned: boolean
  halted: string | undefined
  now: number
  isBehind: boolean
  /** How much of the writer's feed is taken over, and what the peer says there is. */
  taken: number
  told: number
  /** The run of the peer that is connected, and that of its state. */
  peer: string | undefined
  state: string
  members: number
}

function gateOf(changes: Partial<Scene> = {}): { gate: HookGate; scene: Scene } {
  const scene: Scene = {
    ...{ hasScanned: true, halted: undefined, now: 0, isBehind: false, taken: 5, told: 5 },
    ...{ peer: 'run', state: 'run', members: 1 },
    ...changes,
  }
  const member = (): object => ({
    state: { device: PEER, instance: scene.state, feeds: [[WRITER, scene.told]] },
    lastSeenMs: 0,
  })
  const options = {
    index: { feeds: { view: () => [[WRITER, scene.taken]] } },
    members: { all: () => Array.from({ length: scene.members }, member) },
    peers: () => (scene.peer === undefined ? [] : [{ device: PEER, instance: scene.peer }]),
    feeds: () => ({
      isBehind: scene.isBehind,
      hasTakenOver: (lengths: readonly (readonly [WriterId, number])[]) =>
        lengths.every(([, length]) => length <= scene.taken),
    }),
    hasScanned: () => scene.hasScanned,
    haltReason: () => scene.halted,
    clockMs: () => scene.now,
  }
  return { gate: new HookGate(options as unknown as HookGateOptions), scene }
}

const cases: {
  readonly name: string
  readonly scene: Partial<Scene>
  readonly ready: boolean
  readonly behind: boolean
}[] = [
  { name: 'all is read and a peer was met', scene: {}, ready: true, behind: false },
  { name: 'the disk was not looked at yet', scene: { hasScanned: false }, ready: false, behind: false },
  { name: 'no member was met', scene: { peer: undefined }, ready: false, behind: false },
  {
    name: 'a peer has said nothing in this run',
    scene: { state: 'run before' },
    ready: false,
    behind: false,
  },
  { name: 'there are no members', scene: { peer: undefined, members: 0 }, ready: true, behind: false },
  { name: 'a feed is longer than what was read', scene: { isBehind: true }, ready: true, behind: true },
  { name: 'a peer knows more', scene: { told: 6 }, ready: true, behind: true },
]
for (const { name, scene, ready, behind } of cases)
  test(name, () => {
    const { gate } = gateOf(scene)
    assert.deepEqual(gate.around(), { halted: undefined, isReady: ready, isBehind: behind })
  })

test('a peer that was met and has gone is no reason to wait', () => {
  const { gate, scene } = gateOf()
  gate.around()
  scene.peer = undefined
  assert.equal(gate.around().isReady, true)
})

test('members that do not come are not waited for', () => {
  const { gate, scene } = gateOf({ peer: undefined })
  scene.now = 10_000
  assert.equal(gate.around().isReady, true)
})

test('what a peer knows and nobody tells is not waited for once nothing has come for half a minute', () => {
  const { gate, scene } = gateOf({ told: 9 })
  assert.equal(gate.around().isBehind, true)
  scene.now = 29_000
  scene.taken = 6
  assert.equal(gate.around().isBehind, true)
  scene.now = 58_000
  assert.equal(gate.around().isBehind, true)
  scene.now = 60_000
  assert.equal(gate.around().isBehind, false)
})

test('a halt is told', () => {
  assert.equal(gateOf({ halted: 'gone' }).gate.around().halted, 'gone')
})
