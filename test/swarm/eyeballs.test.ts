// Dialling the addresses of a name side by side, on a clock of the test: nothing is resolved or connected here.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import fc from 'fast-check'
import { Eyeballs, inTurn, type NameAddress } from '../../src/swarm/eyeballs.js'

const v6 = (address: string): NameAddress => ({ address, family: 6 })
const v4 = (address: string): NameAddress => ({ address, family: 4 })

/** Addresses by what they do: after how many milliseconds they connect, fail, or (undefined) neither. */
type Net = Readonly<Record<string, { readonly up?: number; readonly down?: number }>>

interface Names {
  readonly list?: readonly NameAddress[]
  readonly afterMs?: number
  readonly fails?: boolean
}

class World {
  nowMs = 0
  readonly log: string[] = []
  readonly eyeballs: Eyeballs<string>
  names: Names = {}
  net: Net

  constructor(net: Net) {
    this.net = net
    this.eyeballs = new Eyeballs({
      lookup: () => this.#lookup(),
      connect: ({ host }, signal) => this.#connect(host, signal),
      discard: (address) => this.log.push(`${this.nowMs} discarded ${address}`),
    })
  }

  /** Runs the clock until the dial settles. */
  async dial(timeoutMs = 10_000, signal = new AbortController().signal): Promise<string> {
    let result: string | undefined
    this.eyeballs.dial({ host: 'name', port: 1 }, timeoutMs, signal).then(
      (address) => {
        result = `${this.nowMs} ${address}`
      },
      (error: Error) => {
        result = `${this.nowMs} ${error.message}`
      },
    )
    for (let i = 0; result === undefined && i < 2_000; i++) await this.tick()
    return result ?? 'never'
  }

  async tick(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    mock.timers.tick(10)
    this.nowMs += 10
    await new Promise((resolve) => setImmediate(resolve))
  }

  #lookup(): Promise<readonly NameAddress[]> {
    const { list = [], afterMs = 0, fails = false } = this.names
    return new Promise((resolve, reject) => {
      setTimeout(() => (fails ? reject(new Error('ENOTFOUND')) : resolve(list)), afterMs)
    })
  }

  #connect(address: string, signal: AbortSignal): Promise<string> {
    this.log.push(`${this.nowMs} dial ${address}`)
    const { up, down } = this.net[address] ?? {}
    return new Promise((resolve, reject) => {
      if (up !== undefined) setTimeout(() => resolve(address), up)
      if (down !== undefined) setTimeout(() => reject(new Error(`refused ${address}`)), down)
      signal.addEventListener('abort', () => {
        this.log.push(`${this.nowMs} gave up ${address}`)
        // A connection that is made at the very moment is handed over all the same.
        if (up === undefined) reject(new Error('stopped'))
      })
    })
  }
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

/** The instant in whole quarters of a second, as each tick is 10 ms. */
const quarter = (told: string): number => Math.floor((Number.parseInt(told, 10) - 20) / 250)

describe('happy eyeballs', () => {
  it('E1: a dead IPv6 address costs a quarter of a second, and is given up', async () => {
    const world = new World({ '::1': {}, '10.0.0.1': { up: 20 } })
    world.names = { list: [v6('::1'), v4('10.0.0.1')] }
    const told = await world.dial()
    assert.match(told, / 10\.0\.0\.1$/)
    assert.equal(quarter(told), 1)
    assert.ok(world.log.some((line) => line.endsWith('gave up ::1')))
  })

  it('E1: one that refuses costs nothing, and a slow one that began first may still win', async () => {
    const world = new World({ '::1': { down: 10 }, '10.0.0.1': { up: 300 }, '::2': { up: 400 } })
    world.names = { list: [v6('::1'), v4('10.0.0.1'), v6('::2')] }
    const told = await world.dial()
    assert.match(told, / 10\.0\.0\.1$/)
    assert.ok(Number.parseInt(told, 10) < 400, told)
  })

  it('E1: with all but the last of five dead it takes a second, not five time-outs', async () => {
    const dead = [v6('::1'), v6('::2'), v4('10.0.0.1'), v4('10.0.0.2')]
    const world = new World({ '10.0.0.3': { up: 10 } })
    world.names = { list: [...dead, v4('10.0.0.3')] }
    const told = await world.dial()
    assert.match(told, / 10\.0\.0\.3$/)
    assert.equal(quarter(told), 4)
  })

  it('E2: the name is asked for each time; while no server answers, the addresses of last time are dialled', async () => {
    const world = new World({ '10.0.0.1': { up: 10 }, '10.0.0.2': { up: 10 } })
    world.names = { list: [v4('10.0.0.1')] }
    assert.match(await world.dial(), / 10\.0\.0\.1$/)
    world.names = { list: [v4('10.0.0.2')] }
    assert.match(await world.dial(), / 10\.0\.0\.2$/)
    world.names = { list: [v4('10.0.0.9')], afterMs: 9_000 }
    const startMs = world.nowMs
    const told = await world.dial()
    assert.match(told, / 10\.0\.0\.2$/)
    assert.ok(Number.parseInt(told, 10) - startMs < 1_200, told)
    world.names = { fails: true }
    assert.match(await world.dial(), / 10\.0\.0\.2$/)
  })

  it('says why there is no connection: the first error, none found, or the time', async () => {
    const refused = new World({ '::1': { down: 10 }, '10.0.0.1': { down: 50 } })
    refused.names = { list: [v6('::1'), v4('10.0.0.1')] }
    assert.match(await refused.dial(), /refused ::1$/)
    refused.names = { list: [] }
    const empty = new World({})
    assert.match(await empty.dial(), /no address for name$/)
    empty.names = { fails: true }
    assert.match(await empty.dial(), /ENOTFOUND$/)
    const silent = new World({})
    silent.names = { list: [v4('10.0.0.1')] }
    assert.match(await silent.dial(2_000), /timed out$/)
    assert.match(await silent.dial(2_000, AbortSignal.abort()), /stopped$/)
  })

  it('E3: a connection that comes after another has won is closed', async () => {
    const world = new World({ '::1': { up: 260 }, '10.0.0.1': { up: 10 } })
    world.names = { list: [v6('::1'), v4('10.0.0.1')] }
    await world.dial()
    for (let i = 0; i < 50; i++) await world.tick()
    assert.equal(world.log.filter((line) => line.includes('discarded')).length, 1, world.log.join('\n'))
  })

  it('families take turns, nothing is lost, nothing is twice', () => {
    const name = fc.record({
      address: fc.nat(30).map(String),
      family: fc.constantFrom(4, 6),
    })
    fc.assert(
      fc.property(fc.array(name), (list) => {
        const turned = inTurn(list)
        assert.deepEqual([...turned].sort(), [...new Set(list.map(({ address }) => address))].sort())
      }),
    )
    assert.deepEqual(inTurn([v6('a'), v6('b'), v6('c'), v4('1'), v4('2')]), ['a', '1', 'b', '2', 'c'])
    assert.deepEqual(inTurn([v4('1'), v6('a')]), ['1', 'a'])
  })
})
