import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { describe, it } from 'node:test'
import { NetworkWatch } from '../../src/swarm/network-watch.js'

class World {
  nowMs = 0
  addresses: readonly string[]
  readonly told: string[] = []
  readonly watch: NetworkWatch

  constructor(...addresses: string[]) {
    this.addresses = addresses
    this.watch = new NetworkWatch({
      onGone: (gone) => this.told.push(`gone ${[...gone].join(' ')}`),
      onNew: () => this.told.push('new'),
      interfaces: () => ({ eth0: this.addresses.map((address) => ({ address }) as NetworkInterfaceInfo) }),
      now: () => this.nowMs,
    })
    this.watch.start()
    this.watch.stop()
  }

  look(afterMs: number, ...addresses: string[]): string[] {
    this.nowMs += afterMs
    this.addresses = addresses
    this.told.length = 0
    this.watch.look()
    return [...this.told]
  }
}

describe('addresses of this machine', () => {
  it('tells what is gone, and that there is another', () => {
    const world = new World('127.0.0.1', '10.0.0.5')
    assert.deepEqual(world.look(5_000, '127.0.0.1', '10.0.0.5'), [])
    assert.deepEqual(world.look(5_000, '127.0.0.1'), ['gone 10.0.0.5'])
    assert.deepEqual(world.look(5_000, '127.0.0.1', '192.168.1.7'), ['new'])
    assert.deepEqual(world.look(5_000, '127.0.0.1', '2001:db8::7'), ['gone 192.168.1.7'])
  })

  it('tells of another at most once a minute, and then of none that was missed', () => {
    const world = new World()
    assert.deepEqual(world.look(5_000, '10.0.0.1'), ['new'])
    assert.deepEqual(world.look(5_000, '10.0.0.1', '10.0.0.2'), [])
    assert.deepEqual(world.look(30_000, '10.0.0.1', '10.0.0.2'), [])
    assert.deepEqual(world.look(30_000, '10.0.0.1', '10.0.0.2'), ['new'])
    assert.deepEqual(world.look(90_000, '10.0.0.1', '10.0.0.2'), [])
  })

  it('does not mind the link-local addresses that come with every virtual cable', () => {
    const world = new World('10.0.0.1')
    assert.deepEqual(world.look(5_000, '10.0.0.1', 'fe80::1', '169.254.1.1'), [])
    assert.deepEqual(world.look(5_000, '10.0.0.1'), ['gone fe80::1 169.254.1.1'])
  })
})
