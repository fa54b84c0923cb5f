// Which connection carries the shares, told by made-up connections and a clock that stands until it is moved.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import type { DeviceId } from '../../src/core/ids.js'
import { SILENT_MS, type Transport } from '../../src/swarm/dedupe.js'
import type { Scope } from '../../src/swarm/endpoint.js'
import type { Link } from '../../src/swarm/link.js'
import { LinkTable } from '../../src/swarm/link-table.js'

const LOWER = '10'.repeat(32) as DeviceId
const HIGHER = '90'.repeat(32) as DeviceId

/** What the table uses of a connection. */
class FakeLink extends EventEmitter {
  readonly device = HIGHER
  readonly role = 'initiator'
  readonly remote = { host: '10.0.0.9', port: 1 }
  readonly hello = { port: 1 }
  readonly readyMs = 1
  isSelected = false
  isClosed = false
  awaits = false
  readonly what: string
  readonly transport: Transport
  readonly scope: Scope
  readonly instance: string
  readonly startedMs: number
  lastHeardMs: number
  onAlive: (() => void) | undefined

  constructor(world: World, what: string, way: { transport?: Transport; scope?: Scope; instance?: string }) {
    super()
    this.what = what
    this.transport = way.transport ?? 'tcp'
    this.scope = way.scope ?? 'public'
    this.instance = way.instance ?? 'one'
    this.startedMs = world.nowMs
    this.lastHeardMs = world.nowMs
  }

  select(): void {
    this.isSelected = true
    this.emit('selected')
  }
  awaitSelection(): void {
    this.awaits = true
  }
  probe(_withinMs: number, onAlive: () => void): void {
    this.onAlive = onAlive
  }
  close(reason: string): void {
    if (this.isClosed) return
    this.isClosed = true
    this.emit('close', reason)
  }
}

class World {
  nowMs = 1_000
  readonly told: string[] = []
  /** What carries nothing large. */
  readonly still = new Set<string>()
  readonly table: LinkTable

  constructor(own = LOWER) {
    this.table = new LinkTable({
      own,
      now: () => this.nowMs,
      isStill: (link) => this.still.has(nameOf(link)),
      onSelected: (link, old) =>
        this.told.push(`${nameOf(link)} selected${old === undefined ? '' : `, ${nameOf(old)} parting`}`),
      onLost: (link, _lastedMs, reason) => this.told.push(`lost ${nameOf(link)}: ${reason}`),
    })
  }

  add(what: string, way: { transport?: Transport; scope?: Scope; instance?: string } = {}): FakeLink {
    const link = new FakeLink(this, what, way)
    this.table.add(link as unknown as Link)
    return link
  }
}

const nameOf = (link: Link): string => (link as unknown as FakeLink).what

describe('the table of connections', () => {
  it('T1: keeps a worse way until the shares have moved, and closes it with nobody lost', () => {
    const world = new World()
    const relayed = world.add('relayed', { transport: 'relayed' })
    const udx = world.add('udx', { transport: 'udx' })
    const tcp = world.add('tcp')
    const lan = world.add('lan', { scope: 'private' })
    assert.deepEqual(
      [relayed, udx, tcp, lan].map(({ isClosed }) => isClosed),
      [false, false, false, false],
    )
    for (const old of [relayed, udx, tcp]) old.close('moved')
    assert.deepEqual(world.told, [
      'relayed selected',
      'udx selected, relayed parting',
      'tcp selected, udx parting',
      'lan selected, tcp parting',
    ])
    // No worse way takes over while it lives.
    world.add('udx again', { transport: 'udx' })
    assert.equal(world.table.selected(HIGHER), lan as unknown as Link)
  })

  it('D3: TCP that stands still is replaced by any other way, and does not come back', () => {
    const world = new World()
    const tcp = world.add('tcp', { scope: 'private' })
    world.still.add('tcp').add('tcp again')
    world.add('relayed', { transport: 'relayed' })
    world.add('udx', { transport: 'udx' })
    const again = world.add('tcp again')
    assert.equal(again.isClosed, true)
    world.still.clear()
    world.add('tcp at last')
    tcp.close('moved')
    assert.deepEqual(world.told, [
      'tcp selected',
      'relayed selected, tcp parting',
      'udx selected, relayed parting',
      'tcp at last selected, udx parting',
    ])
  })

  it('D3: TCP that stands still carries on where there is nothing else', () => {
    const world = new World()
    world.still.add('tcp').add('other tcp')
    const tcp = world.add('tcp')
    assert.equal(tcp.isSelected, true)
    world.add('other tcp')
    assert.deepEqual(world.told, ['tcp selected'])
  })

  it('T1, D4: a connection of an old process is closed before anybody hears of the new one', () => {
    const world = new World()
    const old = world.add('old', { scope: 'private' })
    old.on('close', () => world.told.push('old closed'))
    world.add('new', { transport: 'relayed', instance: 'two' })
    assert.deepEqual(world.told, ['old selected', 'old closed', 'new selected'])
    assert.deepEqual(world.table.rivalOf(HIGHER), { host: '10.0.0.9', port: 1 })
  })

  it('D2: a second connection of the same way is closed if the first was heard of since', () => {
    const world = new World()
    const first = world.add('first')
    const second = world.add('second')
    assert.equal(second.isClosed, true)
    assert.equal(first.isClosed, false)
    assert.deepEqual(world.told, ['first selected'])
  })

  it('D5: one that has said nothing since is asked; it stays if it answers', () => {
    const world = new World()
    const first = world.add('first')
    world.nowMs += 100
    const second = world.add('second')
    assert.equal(second.isClosed, false)
    first.onAlive!()
    assert.equal(second.isClosed, true)
    assert.deepEqual(world.told, ['first selected'])
  })

  it('D5, T3: if it does not answer, the best of those that wait takes over, and nobody is lost', () => {
    const world = new World()
    const first = world.add('first', { scope: 'private' })
    world.nowMs += 100
    world.add('second', { transport: 'udx' })
    world.add('third')
    first.close('no answer')
    assert.deepEqual(world.told, ['first selected', 'third selected'])
  })

  it('D5: one that has been silent for long is not asked any more', () => {
    const world = new World()
    const first = world.add('first', { scope: 'private' })
    world.nowMs += SILENT_MS + 1
    world.add('second', { transport: 'relayed' })
    assert.equal(first.isClosed, true)
    assert.deepEqual(world.told, ['first selected', 'second selected'])
  })

  it('D1: who does not choose waits, for a bounded number, and goes along', () => {
    const world = new World('f0'.repeat(32) as DeviceId)
    const links = [1, 2, 3, 4, 5].map((n) => world.add(`number ${n}`))
    assert.ok(links.every(({ awaits }) => awaits))
    assert.deepEqual(
      links.map(({ isClosed }) => isClosed),
      [true, false, false, false, false],
    )
    links[2]!.select()
    assert.deepEqual(world.told, ['number 3 selected'])
    // Until then the best of those that wait says how the device is reached.
    const waiting = new World('f0'.repeat(32) as DeviceId)
    waiting.add('relayed', { transport: 'relayed' })
    assert.equal(waiting.table.best(HIGHER)?.transport, 'relayed')
    waiting.add('tcp')
    assert.equal(waiting.table.best(HIGHER)?.transport, 'tcp')
    assert.equal(waiting.table.selected(HIGHER), undefined)
  })

  it('T2: a device is lost once, with what was parting', () => {
    const world = new World()
    const udx = world.add('udx', { transport: 'udx' })
    const tcp = world.add('tcp')
    tcp.close('reset')
    assert.equal(udx.isClosed, true)
    assert.equal(world.table.has(HIGHER), false)
    assert.deepEqual(world.told, ['udx selected', 'tcp selected, udx parting', 'lost tcp: reset'])
  })
})
