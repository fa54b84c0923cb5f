import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { signRelay, TAG_BYTES } from '../../src/core/relay-pass.js'
import type { NodeMessage } from '../../src/core/relay-wire.js'
import { keysOf, type RelayKeys, writeSecretOf } from '../../src/core/secret.js'
import { type Caller, Desk, type Effect } from '../../src/relay/desk.js'
import { DEFAULT_LIMITS, type RelayLimits } from '../../src/relay/limits.js'

const photos = keysOf(writeSecretOf(Buffer.alloc(32, 1))).relay
const music = keysOf(writeSecretOf(Buffer.alloc(32, 2))).relay
const [ann, bob, cyd] = [1, 2, 3].map((name) => Buffer.alloc(TAG_BYTES, name)) as [Buffer, Buffer, Buffer]

/** A desk, and what its connections were told. */
class World {
  readonly desk: Desk
  readonly allowed: Set<string>
  readonly challenges = new Map<Caller, Buffer>()
  readonly live = new Set<Caller>()
  /** What each connection was sent, as words; tickets by role. */
  readonly told = new Map<Caller, string[]>()
  readonly tickets: { to: Caller; ticket: Buffer; role: string }[] = []
  readonly joined: [Caller, Caller][] = []
  readonly ended: string[] = []
  nowMs = 0
  #made = 0

  constructor(limits: Partial<RelayLimits> = {}, allowed: readonly RelayKeys[] = [photos, music]) {
    this.allowed = new Set(allowed.map(({ pass }) => pass.toString('hex')))
    this.desk = new Desk({
      limits: { ...DEFAULT_LIMITS, ...limits },
      isAllowed: (pass) => this.allowed.has(pass),
      random: (bytes) => {
        const value = Buffer.alloc(bytes)
        value.writeUInt32LE(++this.#made)
        return value
      },
    })
  }

  arrive(address = '192.0.2.1'): Caller | string {
    const arrival = this.desk.arrive(address, this.nowMs)
    if (arrival.type === 'turned-away') return arrival.why
    this.live.add(arrival.caller)
    this.note(arrival.effects)
    return arrival.caller
  }

  come(address?: string): Caller {
    const caller = this.arrive(address)
    assert.ok(typeof caller === 'number', String(caller))
    return caller
  }

  say(caller: Caller, message: NodeMessage): void {
    this.note(this.desk.hear(caller, message, this.nowMs))
  }

  present(caller: Caller, keys: RelayKeys, tag: Buffer, challenge = this.challenges.get(caller)!): void {
    const signature = signRelay(keys, 'present', challenge, tag)
    this.say(caller, { type: 'present', pass: keys.pass, tag, signature })
  }

  call(caller: Caller, { pass }: RelayKeys, tag: Buffer): void {
    this.say(caller, { type: 'call', pass, tag })
  }

  join(caller: Caller, keys: RelayKeys, ticket: Buffer): void {
    const signature = signRelay(keys, 'join', this.challenges.get(caller)!, ticket)
    this.say(caller, { type: 'join', ticket, pass: keys.pass, signature })
  }

  depart(caller: Caller): void {
    this.live.delete(caller)
    this.note(this.desk.depart(caller))
  }

  sweep(afterMs: number): void {
    this.nowMs += afterMs
    this.note(this.desk.sweep(this.nowMs))
  }

  note(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'close') {
        assert.ok(this.live.delete(effect.caller), 'a connection is closed once')
        this.ended.push(effect.why)
      } else if (effect.type === 'join') {
        this.joined.push([effect.a, effect.b])
      } else {
        const { to, message } = effect
        assert.ok(this.live.has(to), 'nothing is said to who is gone')
        const words = this.told.get(to) ?? []
        this.told.set(to, words)
        if (message.type === 'welcome') this.challenges.set(to, message.challenge)
        else if (message.type === 'ticket') {
          this.tickets.push({ to, ticket: message.ticket, role: message.role })
          words.push(`ticket ${message.role}`)
        } else if (message.type === 'here' || message.type === 'gone')
          words.push(`${message.type} ${message.tags.map((tag) => tag[0]).join(' ')}`)
        else if (message.type === 'refused' || message.type === 'not-called')
          words.push(`${message.type} ${message.why}`)
        else words.push(message.type)
      }
    }
  }

  /** Two who are here under one pass. */
  two(): [Caller, Caller] {
    const [a, b] = [this.come(), this.come()]
    this.present(a, photos, ann)
    this.present(b, photos, bob)
    return [a, b]
  }

  /** Two data connections, joined. */
  pair(a: Caller, tag: Buffer): [Caller, Caller] {
    const from = this.tickets.length
    this.call(a, photos, tag)
    const [x, y] = [this.come(), this.come()]
    this.join(x, photos, this.tickets[from]!.ticket)
    this.join(y, photos, this.tickets[from + 1]!.ticket)
    return [x, y]
  }
}

describe('who is here', () => {
  it('is told to all under the same pass, and to nobody else', () => {
    const world = new World()
    const [a, b] = world.two()
    const c = world.come()
    world.present(c, music, cyd)
    assert.deepEqual(world.told.get(a), ['accepted', 'here 2'])
    assert.deepEqual(world.told.get(b), ['accepted', 'here 1'])
    assert.deepEqual(world.told.get(c), ['accepted'])
    world.depart(b)
    assert.deepEqual(world.told.get(a), ['accepted', 'here 2', 'gone 2'])
    assert.deepEqual(world.told.get(c), ['accepted'])
    assert.deepEqual(world.desk.counts, { connections: 2, waiting: 0, nodes: 2, pairs: 0, passes: 2 })
  })

  it('may be here for several shares on one connection, and leave one', () => {
    const world = new World()
    const [a, b] = world.two()
    world.present(a, music, cyd)
    world.say(a, { type: 'leave', pass: photos.pass })
    assert.deepEqual(world.told.get(b)?.at(-1), 'gone 1')
    world.say(a, { type: 'ping' })
    assert.deepEqual(world.told.get(a)?.slice(-2), ['accepted', 'pong'])
  })

  it('the later of two under one tag stays (D5)', () => {
    const world = new World()
    const [a, b] = world.two()
    const again = world.come()
    world.present(again, photos, ann)
    assert.deepEqual(world.ended, ['replaced'])
    assert.deepEqual(world.told.get(a)?.at(-1), 'refused replaced')
    assert.deepEqual(world.told.get(b), ['accepted', 'here 1'], 'the others see no change')
    assert.deepEqual(world.told.get(again), ['accepted', 'here 2'])
  })
})

describe('who is refused (D1)', () => {
  const cases: readonly [string, (world: World, caller: Caller) => void, string[], string[]][] = [
    [
      'a pass that is not allowed',
      (w, c) => w.present(c, music, ann),
      ['refused not-allowed'],
      ['not-allowed'],
    ],
    [
      'the pass of another, not signed for',
      (w, c) =>
        w.say(c, {
          type: 'present',
          pass: photos.pass,
          tag: ann,
          signature: signRelay(music, 'present', w.challenges.get(c)!, ann),
        }),
      ['refused not-proven'],
      ['not-proven'],
    ],
    [
      'what was signed for another connection',
      (w, c) => w.present(c, photos, ann, Buffer.alloc(32, 9)),
      ['refused not-proven'],
      ['not-proven'],
    ],
    [
      'what was signed for another tag',
      (w, c) =>
        w.say(c, {
          type: 'present',
          pass: photos.pass,
          tag: bob,
          signature: signRelay(photos, 'present', w.challenges.get(c)!, ann),
        }),
      ['refused not-proven'],
      ['not-proven'],
    ],
    [
      'a ticket that was never made',
      (w, c) => w.join(c, photos, Buffer.alloc(16, 7)),
      [],
      ['no such ticket'],
    ],
    ['a call without a proof', (w, c) => w.call(c, photos, ann), [], ['spoke out of turn']],
    ['a ping without a proof', (w, c) => w.say(c, { type: 'ping' }), [], ['spoke out of turn']],
  ]
  for (const [name, act, told, ended] of cases)
    it(name, () => {
      const world = new World({}, [photos])
      const caller = world.come()
      act(world, caller)
      assert.deepEqual(world.told.get(caller) ?? [], told)
      assert.deepEqual(world.ended, ended)
      assert.equal(world.desk.counts.connections, 0)
    })

  it('who is allowed no more goes, with all that was joined', () => {
    const world = new World()
    const [a] = world.two()
    world.pair(a, bob)
    const other = world.come()
    world.present(other, music, cyd)
    world.allowed.delete(photos.pass.toString('hex'))
    world.note(world.desk.recheck())
    assert.deepEqual([...world.live], [other])
    assert.deepEqual(world.desk.counts, { connections: 1, waiting: 0, nodes: 1, pairs: 0, passes: 1 })
  })
})

describe('a call', () => {
  it('joins the two, told which of them called', () => {
    const world = new World()
    const [a, b] = world.two()
    const [x, y] = world.pair(a, bob)
    assert.deepEqual(world.told.get(a)?.at(-1), 'ticket caller')
    assert.deepEqual(world.told.get(b)?.at(-1), 'ticket called')
    assert.deepEqual(world.joined, [[x, y]])
    assert.deepEqual(world.told.get(x), ['joined'])
    assert.equal(world.desk.tickets, 0)
    world.depart(x)
    assert.deepEqual(world.ended, ['the other left'])
    assert.equal(world.desk.counts.pairs, 0)
  })

  it('of nobody, of oneself, or of somebody of another share is answered alike', () => {
    const world = new World()
    const [a] = world.two()
    const c = world.come()
    world.present(c, music, cyd)
    for (const tag of [cyd, ann, Buffer.alloc(16, 9)]) world.call(a, photos, tag)
    world.call(a, music, cyd)
    assert.deepEqual(world.told.get(a)?.slice(2), Array(4).fill('not-called absent'))
    assert.equal(world.desk.tickets, 0)
  })

  it('its tickets are good once (D2), for the pass they were made for, and for a while', () => {
    const world = new World()
    const [a] = world.two()
    world.call(a, photos, bob)
    const { ticket } = world.tickets[0]!
    const [x, again, stranger] = [world.come(), world.come(), world.come()]
    world.join(stranger, music, ticket)
    world.join(x, photos, ticket)
    world.join(again, photos, ticket)
    assert.deepEqual(world.ended, ['no such ticket', 'no such ticket'])
    world.sweep(DEFAULT_LIMITS.ticketMs)
    assert.deepEqual(world.ended.slice(2), ['nobody joined'])
    assert.equal(world.desk.tickets, 0)
    const late = world.come()
    world.join(late, photos, world.tickets[1]!.ticket)
    assert.equal(world.ended.at(-1), 'no such ticket')
    assert.equal(world.joined.length, 0)
  })

  it('who waits for the other and speaks is closed, and the ticket is void', () => {
    const world = new World()
    const [a] = world.two()
    world.call(a, photos, bob)
    const x = world.come()
    world.join(x, photos, world.tickets[0]!.ticket)
    world.say(x, { type: 'ping' })
    assert.deepEqual(world.ended, ['spoke out of turn'])
    assert.equal(world.desk.tickets, 0)
  })

  it('of two pairs of the same two the later stays (D5)', () => {
    const world = new World()
    const [a, b] = world.two()
    world.pair(a, bob)
    const later = world.pair(b, ann)
    assert.deepEqual(world.ended, ['replaced', 'the other left'])
    assert.equal(world.desk.counts.pairs, 1)
    assert.ok(later.every((caller) => world.live.has(caller)))
  })
})

describe('limits (D3)', () => {
  it('who has proved nothing makes way, the oldest first, and goes after a while', () => {
    const world = new World({ maxWaitingPerAddress: 2 })
    const callers = [world.come(), world.come(), world.come()]
    assert.deepEqual([...world.live], callers.slice(1))
    assert.deepEqual(world.ended, ['made way'])
    world.sweep(DEFAULT_LIMITS.proofMs)
    assert.deepEqual(world.ended.slice(1), ['proved nothing', 'proved nothing'])
  })

  it('connections, of an address and in all, are turned away beyond; who is here is not disturbed', () => {
    const world = new World({ maxConnections: 3, maxPerAddress: 2 })
    world.two()
    assert.equal(world.arrive(), 'address full')
    assert.equal(typeof world.arrive('192.0.2.2'), 'number')
    assert.equal(world.arrive('192.0.2.3'), 'full')
    assert.equal(world.live.size, 3)
  })

  it('arrivals of one address are paced, those of others are not', () => {
    const world = new World({ arrivalBurst: 2, arrivalEveryMs: 1_000 })
    world.come()
    world.come()
    assert.equal(world.arrive(), 'too often')
    world.come('192.0.2.2')
    world.nowMs += 1_000
    world.come()
  })

  it('pairs and open tickets', () => {
    const world = new World({ maxPairs: 1 })
    const [a] = world.two()
    world.call(a, photos, bob)
    world.call(a, photos, bob)
    assert.deepEqual(world.told.get(a)?.slice(-2), ['ticket caller', 'not-called busy'])
  })

  it('calls of one connection', () => {
    const world = new World({ callBurst: 1, callEveryMs: 1_000 })
    const [a] = world.two()
    world.call(a, photos, bob)
    world.call(a, photos, bob)
    assert.equal(world.told.get(a)?.at(-1), 'not-called busy')
    world.nowMs += 1_000
    world.call(a, photos, bob)
    assert.equal(world.told.get(a)?.at(-1), 'ticket caller')
  })

  it('open calls of one connection: it cannot take the places of all others', () => {
    const world = new World({ maxOpenCalls: 1 })
    const [a, b] = world.two()
    world.call(a, photos, bob)
    world.call(a, photos, bob)
    assert.equal(world.told.get(a)?.at(-1), 'not-called busy')
    world.call(b, photos, ann)
    assert.equal(world.told.get(b)?.at(-1), 'ticket caller')
    world.sweep(DEFAULT_LIMITS.ticketMs)
    world.call(a, photos, bob)
    assert.equal(world.told.get(a)?.at(-1), 'ticket caller')
  })

  it('frames of one connection', () => {
    const world = new World({ frameBurst: 3 })
    const [a] = world.two()
    for (let i = 0; i < 3; i++) world.say(a, { type: 'ping' })
    assert.deepEqual(world.ended, ['too many frames'])
  })

  it('nodes under one pass, and shares of one node', () => {
    const world = new World({ maxPerPass: 1, maxPassesPerNode: 1 })
    const [a, b] = [world.come(), world.come()]
    world.present(a, photos, ann)
    world.present(b, photos, bob)
    assert.deepEqual(world.told.get(b), ['refused busy'])
    world.present(a, music, ann)
    assert.deepEqual(world.told.get(a), ['accepted', 'refused busy'])
    assert.ok(world.live.has(a), 'what it was here for stays')
  })

  it('who is here and silent goes', () => {
    const world = new World()
    const [a] = world.two()
    world.sweep(DEFAULT_LIMITS.silentMs - 1)
    world.say(a, { type: 'ping' })
    world.sweep(1)
    assert.deepEqual([...world.live], [a])
  })
})

it('whatever comes in whatever order: limits hold, only members of one share are joined, nothing stays behind (D1-D4)', () => {
  const shares = [photos, music]
  const tags = [ann, bob, cyd]
  const limits = { maxConnections: 9, maxPerAddress: 4, maxWaiting: 3, maxWaitingPerAddress: 2, maxPairs: 2 }
  const act = fc.tuple(
    fc.constantFrom(
      ...['come', 'come', 'come', 'meet', 'meet', 'meet', 'arrive', 'present', 'call', 'join'],
      ...['depart', 'sweep', 'ban', 'leave', 'ping'],
    ),
    fc.nat(5),
    fc.nat(2),
    fc.nat(1),
  )
  let joins = 0
  fc.assert(
    fc.property(fc.array(act, { minLength: 20, maxLength: 200 }), (acts) => {
      const world = new World({ ...limits, arrivalBurst: 1_000 })
      const proved = new Map<Caller, Set<number>>()
      for (const [what, who, tag, which] of acts) {
        world.nowMs += 500
        const callers = [...world.live]
        const caller = callers[who % Math.max(1, callers.length)]
        const keys = shares[which]!
        if (what === 'arrive') world.arrive(`192.0.2.${tag}`)
        else if (what === 'come') {
          const comer = world.arrive(`192.0.2.${who}`)
          if (typeof comer === 'number') world.present(comer, keys, tags[tag]!)
        } else if (what === 'sweep') world.sweep(2_000)
        else if (what === 'ban') {
          world.allowed.delete(music.pass.toString('hex'))
          world.note(world.desk.recheck())
        } else if (caller === undefined) continue
        else if (what === 'present') world.present(caller, keys, tags[tag]!)
        else if (what === 'call') world.call(caller, keys, tags[tag]!)
        else if (what === 'leave') world.say(caller, { type: 'leave', pass: keys.pass })
        else if (what === 'ping') world.say(caller, { type: 'ping' })
        else if (what === 'depart') world.depart(caller)
        else if (what === 'meet') {
          const before = world.tickets.length
          world.call(caller, keys, tags[tag]!)
          for (const { ticket } of world.tickets.slice(before)) {
            const comer = world.arrive(`192.0.2.${10 + who}`)
            if (typeof comer === 'string') continue
            // One time in six with the other share's key.
            const signs = who === 5 ? 1 - which : which
            proved.set(comer, new Set([signs]))
            world.join(comer, shares[signs]!, ticket)
          }
        } else {
          const ticket = world.tickets.at(-1 - (tag % 2))?.ticket ?? Buffer.alloc(16)
          const signed = proved.get(caller) ?? new Set()
          proved.set(caller, signed.add(which))
          world.join(caller, keys, ticket)
        }
        const { connections, pairs } = world.desk.counts
        assert.equal(connections, world.live.size)
        assert.ok(connections <= limits.maxConnections && pairs <= limits.maxPairs)
      }
      joins += world.joined.length
      for (const [a, b] of world.joined)
        assert.ok(
          [...proved.get(a)!].some((which) => proved.get(b)!.has(which)),
          'both signed with one pass',
        )
      for (const caller of [...world.live]) world.depart(caller)
      world.sweep(60_000)
      assert.deepEqual(world.desk.counts, { connections: 0, waiting: 0, nodes: 0, pairs: 0, passes: 0 })
      assert.equal(world.desk.tickets, 0)
    }),
    { numRuns: 200, seed: 20261122 },
  )
  assert.ok(joins > 20, `some were joined: ${joins}`)
})
