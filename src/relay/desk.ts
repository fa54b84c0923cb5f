// The relay's desk: who may come in, who is here, and who is joined with whom. Pure: connections are numbers, time and
// random bytes come as arguments, and what is to be done is the answer.
//
//   D1  Two connections are joined only if each has signed its own challenge with the same pass, which is allowed at that
//       moment, and each holds one of two tickets made together for two nodes that were here under that pass.
//   D2  A ticket admits one connection, once, within its time.
//   D3  No limit (limits.ts) is ever exceeded; who waits for its proof makes way to who comes, the oldest first.
//   D4  A connection that is gone leaves nothing behind, and neither does a ticket whose time is up.
//   D5  Of two connections that are here under one pass and tag the later one stays, and so does the later of two pairs
//       of the same two nodes: the earlier ones are what a broken line has left.
import { Allowance } from '../core/allowance.js'
import { invariant } from '../core/error.js'
import { CHALLENGE_BYTES, isRelaySigned, TICKET_BYTES } from '../core/relay-pass.js'
import type { NodeMessage, Refusal, RelayMessage } from '../core/relay-wire.js'
import type { RelayLimits } from './limits.js'
import { Roll } from './roll.js'

/** A connection. */
export type Caller = number

/** What the shell is to do, in this order. */
export type Effect =
  | { readonly type: 'send'; readonly to: Caller; readonly message: RelayMessage }
  /** The connection is gone from the desk already. `why` is a word for logs and metrics. */
  | { readonly type: 'close'; readonly caller: Caller; readonly why: string }
  /** From now on what the one sends is forwarded to the other; first both are told so. */
  | { readonly type: 'join'; readonly a: Caller; readonly b: Caller; readonly pass: string }

export type Arrival =
  | { readonly type: 'admitted'; readonly caller: Caller; readonly effects: readonly Effect[] }
  | { readonly type: 'turned-away'; readonly why: string }

export interface DeskOptions {
  readonly limits: RelayLimits
  /** Whether a pass, in hex, may be used. */
  readonly isAllowed: (pass: string) => boolean
  /** So many bytes that nobody can guess. */
  readonly random: (bytes: number) => Buffer
}

export interface DeskCounts {
  readonly connections: number
  readonly waiting: number
  readonly nodes: number
  readonly pairs: number
  readonly passes: number
}

type Stage = 'waiting' | 'here' | 'joining' | 'joined'

interface Connection {
  readonly address: string
  readonly challenge: Buffer
  readonly arrivedMs: number
  readonly calls: Allowance
  readonly frames: Allowance
  /** Calls that have not become pairs yet, nor come to nothing. */
  openCalls: number
  heardMs: number
  stage: Stage
  /** Joining: its ticket. Joined: the other one. */
  ticket: Ticket | undefined
  other: Caller | undefined
  pass: string | undefined
}

/** One of two that are made together. */
interface Ticket {
  readonly id: string
  readonly pass: string
  /** The two nodes, the same text for both. */
  readonly nodes: string
  readonly endsMs: number
  /** On the caller's. */
  readonly by: Connection | undefined
  twin: Ticket | undefined
  /** Who has shown it. */
  holder: Caller | undefined
}

/** Addresses whose arrivals are remembered; one that was quiet long enough is as new. */
const MAX_ADDRESSES = 4_096

export class Desk {
  readonly #o: DeskOptions
  readonly #connections = new Map<Caller, Connection>()
  readonly #roll = new Roll()
  readonly #tickets = new Map<string, Ticket>()
  readonly #arrivals = new Map<string, Allowance>()
  /** Pairs by pass and nodes. */
  readonly #pairs = new Map<string, Caller>()
  #last: Caller = 0

  constructor(options: DeskOptions) {
    this.#o = options
  }

  get counts(): DeskCounts {
    const stages = { waiting: 0, here: 0, joining: 0, joined: 0 }
    for (const { stage } of this.#connections.values()) stages[stage]++
    return {
      connections: this.#connections.size,
      waiting: stages.waiting + stages.joining,
      nodes: stages.here,
      pairs: this.#pairs.size,
      passes: this.#roll.passes,
    }
  }

  /** Open tickets; for tests of D4. */
  get tickets(): number {
    return this.#tickets.size
  }

  /** Somebody has connected from an address (hostGroup). */
  arrive(address: string, nowMs: number): Arrival {
    const { maxConnections, maxPerAddress, maxWaiting, maxWaitingPerAddress } = this.#o.limits
    if (!this.#arrivalsOf(address).take(nowMs)) return { type: 'turned-away', why: 'too often' }
    const effects: Effect[] = []
    const waiting = this.#where(({ stage }) => stage === 'waiting')
    const beside = this.#where((connection) => connection.address === address)
    const waitingBeside = beside.filter((caller) => waiting.includes(caller))
    const makesWay =
      waitingBeside.length >= maxWaitingPerAddress
        ? waitingBeside[0]
        : waiting.length >= maxWaiting
          ? waiting[0]
          : undefined
    if (makesWay !== undefined) effects.push(...this.#close(makesWay, 'made way'))
    const gone = makesWay !== undefined && beside.includes(makesWay) ? 1 : 0
    if (beside.length - gone >= maxPerAddress) return { type: 'turned-away', why: 'address full' }
    if (this.#connections.size >= maxConnections) return { type: 'turned-away', why: 'full' }
    const caller = ++this.#last
    const challenge = this.#o.random(CHALLENGE_BYTES)
    this.#connections.set(caller, {
      address,
      challenge,
      arrivedMs: nowMs,
      calls: new Allowance(this.#o.limits.callBurst, this.#o.limits.callEveryMs),
      frames: new Allowance(this.#o.limits.frameBurst, this.#o.limits.frameEveryMs),
      heardMs: nowMs,
      stage: 'waiting',
      ticket: undefined,
      openCalls: 0,
      other: undefined,
      pass: undefined,
    })
    effects.push({ type: 'send', to: caller, message: { type: 'welcome', version: 1, challenge } })
    return { type: 'admitted', caller, effects }
  }

  /** A frame of a connection that is not joined has arrived. */
  hear(caller: Caller, message: NodeMessage, nowMs: number): Effect[] {
    const connection = this.#connections.get(caller)
    if (connection === undefined || connection.stage === 'joined') return []
    if (!connection.frames.take(nowMs)) return this.#close(caller, 'too many frames')
    connection.heardMs = nowMs
    const isNew = connection.stage === 'waiting'
    if (connection.stage === 'joining') return this.#close(caller, 'spoke out of turn')
    switch (message.type) {
      case 'present':
        return this.#present(caller, connection, message)
      case 'join':
        return isNew
          ? this.#join(caller, connection, message, nowMs)
          : this.#close(caller, 'spoke out of turn')
      case 'ping':
        return isNew ? this.#close(caller, 'spoke out of turn') : [send(caller, { type: 'pong' })]
      case 'leave':
        return isNew ? this.#close(caller, 'spoke out of turn') : this.#leave(caller, message.pass)
      case 'call':
        return isNew
          ? this.#close(caller, 'spoke out of turn')
          : this.#call(caller, connection, message, nowMs)
    }
  }

  /** A connection ended; what it was joined with is to be closed. */
  depart(caller: Caller): Effect[] {
    return this.#forget(caller)
  }

  /** Ends what has taken too long. To be called every second or so. */
  sweep(nowMs: number): Effect[] {
    const { proofMs, silentMs } = this.#o.limits
    const effects: Effect[] = []
    for (const ticket of [...this.#tickets.values()])
      if (ticket.endsMs <= nowMs) effects.push(...this.#void(ticket, 'nobody joined'))
    for (const [caller, { stage, arrivedMs, heardMs }] of [...this.#connections]) {
      if (stage === 'waiting' && nowMs - arrivedMs >= proofMs)
        effects.push(...this.#close(caller, 'proved nothing'))
      else if (stage === 'here' && nowMs - heardMs >= silentMs) effects.push(...this.#close(caller, 'silent'))
    }
    return effects
  }

  /** Other passes are allowed now than before: who is here, or joined, by one that is not has to go. */
  recheck(): Effect[] {
    const effects: Effect[] = []
    for (const pass of this.#roll.all())
      if (!this.#o.isAllowed(pass))
        for (const caller of this.#roll.callersOf(pass))
          effects.push(...this.#refuse(caller, Buffer.from(pass, 'hex'), 'not-allowed'))
    for (const [caller, { pass }] of [...this.#connections])
      if (pass !== undefined && !this.#o.isAllowed(pass))
        effects.push(...this.#close(caller, 'not allowed any more'))
    return effects
  }

  #present(
    caller: Caller,
    connection: Connection,
    { pass, tag, signature }: NodeMessage & { type: 'present' },
  ): Effect[] {
    const { maxPerPass, maxPassesPerNode } = this.#o.limits
    // Before anything is said of the pass: who cannot sign learns nothing, not even whether it is served here.
    if (!isRelaySigned(pass, 'present', connection.challenge, tag, signature))
      return this.#refuse(caller, pass, 'not-proven')
    const key = pass.toString('hex')
    if (!this.#o.isAllowed(key)) return this.#refuse(caller, pass, 'not-allowed')
    const name = tag.toString('hex')
    const before = this.#roll.find(key, name)
    if (before === undefined && this.#roll.sizeOf(key) >= maxPerPass)
      return this.#refuse(caller, pass, 'busy')
    const mine = this.#roll.tagOf(caller, key)
    if (mine !== undefined && mine !== name) return this.#close(caller, 'two tags for one pass')
    if (mine === undefined && this.#roll.passesOf(caller).length >= maxPassesPerNode)
      return this.#refuse(caller, pass, 'busy')
    connection.stage = 'here'
    const others = this.#roll.tagsOf(key).filter((other) => other !== name)
    const news = before === undefined ? this.#tell(key, 'here', tag) : []
    this.#roll.enter(key, name, caller)
    const displaced = before === undefined || before === caller ? [] : this.#displaced(before, pass)
    const here = others.map((other) => Buffer.from(other, 'hex'))
    return [
      ...news,
      ...displaced,
      send(caller, { type: 'accepted', pass }),
      ...(here.length === 0 ? [] : [send(caller, { type: 'here', pass, tags: here })]),
    ]
  }

  #displaced(before: Caller, pass: Buffer): Effect[] {
    const told = send(before, { type: 'refused', why: 'replaced', pass })
    return this.#roll.passesOf(before).length > 0 ? [told] : [told, ...this.#close(before, 'replaced')]
  }

  /** Says no. A connection that is here for nothing is of no use. */
  #refuse(caller: Caller, pass: Buffer, why: Refusal): Effect[] {
    const told = send(caller, { type: 'refused', why, pass })
    const left = this.#leave(caller, pass)
    return this.#roll.passesOf(caller).length > 0
      ? [told, ...left]
      : [told, ...left, ...this.#close(caller, why)]
  }

  #leave(caller: Caller, pass: Buffer): Effect[] {
    const key = pass.toString('hex')
    const tag = this.#roll.leave(caller, key)
    return tag === undefined ? [] : this.#tell(key, 'gone', Buffer.from(tag, 'hex'))
  }

  #call(
    caller: Caller,
    connection: Connection,
    { pass, tag }: NodeMessage & { type: 'call' },
    nowMs: number,
  ): Effect[] {
    const key = pass.toString('hex')
    const from = this.#roll.tagOf(caller, key)
    const name = tag.toString('hex')
    const called = this.#roll.find(key, name)
    const no = (why: Refusal): Effect[] => [send(caller, { type: 'not-called', why, pass, tag })]
    if (from === undefined || called === undefined || called === caller) return no('absent')
    const { maxPairs, maxOpenCalls, ticketMs } = this.#o.limits
    if (!connection.calls.take(nowMs) || connection.openCalls >= maxOpenCalls) return no('busy')
    if (this.#pairs.size + this.#tickets.size / 2 >= maxPairs) return no('busy')
    const nodes = [from, name].sort().join(' ')
    const make = (by: Connection | undefined): Ticket => ({
      id: this.#o.random(TICKET_BYTES).toString('hex'),
      ...{ pass: key, nodes, endsMs: nowMs + ticketMs, by, twin: undefined, holder: undefined },
    })
    const [mine, theirs] = [make(connection), make(undefined)]
    connection.openCalls++
    mine.twin = theirs
    theirs.twin = mine
    for (const ticket of [mine, theirs]) this.#tickets.set(ticket.id, ticket)
    const tell = (to: Caller, role: 'caller' | 'called', other: string, { id }: Ticket): Effect =>
      send(to, {
        type: 'ticket',
        role,
        pass,
        tag: Buffer.from(other, 'hex'),
        ticket: Buffer.from(id, 'hex'),
      })
    return [tell(caller, 'caller', name, mine), tell(called, 'called', from, theirs)]
  }

  #join(
    caller: Caller,
    connection: Connection,
    { ticket: shown, pass, signature }: NodeMessage & { type: 'join' },
    nowMs: number,
  ): Effect[] {
    const ticket = this.#tickets.get(shown.toString('hex'))
    const key = pass.toString('hex')
    if (!isRelaySigned(pass, 'join', connection.challenge, shown, signature))
      return this.#close(caller, 'not-proven')
    if (ticket === undefined || ticket.pass !== key || ticket.holder !== undefined || ticket.endsMs <= nowMs)
      return this.#close(caller, 'no such ticket')
    if (!this.#o.isAllowed(key)) return this.#close(caller, 'not-allowed')
    connection.pass = key
    connection.ticket = ticket
    connection.stage = 'joining'
    ticket.holder = caller
    const other = ticket.twin?.holder
    return other === undefined ? [] : this.#pair(other, caller, ticket)
  }

  #pair(a: Caller, b: Caller, ticket: Ticket): Effect[] {
    const [first, second] = [this.#connections.get(a), this.#connections.get(b)]
    invariant(first !== undefined && second !== undefined, 'who holds a ticket is connected')
    this.#drop(ticket)
    const key = pairKey(ticket)
    const before = this.#pairs.get(key)
    const ended = before === undefined ? [] : this.#close(before, 'replaced')
    for (const [connection, other] of [[first, b] as const, [second, a] as const]) {
      connection.stage = 'joined'
      connection.other = other
    }
    this.#pairs.set(key, a)
    return [
      ...ended,
      send(a, { type: 'joined' }),
      send(b, { type: 'joined' }),
      { type: 'join', a, b, pass: ticket.pass },
    ]
  }

  #tell(key: string, type: 'here' | 'gone', tag: Buffer): Effect[] {
    const pass = Buffer.from(key, 'hex')
    return this.#roll.callersOf(key).map((to) => send(to, { type, pass, tags: [tag] }))
  }

  #close(caller: Caller, why: string): Effect[] {
    if (!this.#connections.has(caller)) return []
    return [{ type: 'close', caller, why }, ...this.#forget(caller)]
  }

  #forget(caller: Caller): Effect[] {
    const connection = this.#connections.get(caller)
    if (connection === undefined) return []
    this.#connections.delete(caller)
    const effects: Effect[] = []
    for (const pass of this.#roll.passesOf(caller))
      effects.push(...this.#leave(caller, Buffer.from(pass, 'hex')))
    const { ticket, other, stage } = connection
    if (stage === 'joining' && ticket !== undefined) effects.push(...this.#void(ticket, 'the other left'))
    if (other === undefined) return effects
    const key = pairKey(ticket!)
    const holder = this.#pairs.get(key)
    if (holder === caller || holder === other) this.#pairs.delete(key)
    return [...effects, ...this.#close(other, 'the other left')]
  }

  /** A ticket and its twin are worth nothing any more; who waits with one is closed. */
  #void(ticket: Ticket, why: string): Effect[] {
    this.#drop(ticket)
    const waiting = [ticket.holder, ticket.twin?.holder]
    return waiting.flatMap((caller) => (caller === undefined ? [] : this.#close(caller, why)))
  }

  #drop(ticket: Ticket): void {
    for (const each of [ticket, ticket.twin])
      if (each !== undefined && this.#tickets.delete(each.id) && each.by !== undefined) each.by.openCalls--
  }

  #where(matches: (connection: Connection) => boolean): Caller[] {
    const found: Caller[] = []
    for (const [caller, connection] of this.#connections) if (matches(connection)) found.push(caller)
    return found
  }

  #arrivalsOf(address: string): Allowance {
    const { arrivalBurst, arrivalEveryMs } = this.#o.limits
    const known = this.#arrivals.get(address) ?? new Allowance(arrivalBurst, arrivalEveryMs)
    // The one that was quiet longest is forgotten first.
    this.#arrivals.delete(address)
    this.#arrivals.set(address, known)
    if (this.#arrivals.size > MAX_ADDRESSES) this.#arrivals.delete(this.#arrivals.keys().next().value!)
    return known
  }
}

function send(to: Caller, message: RelayMessage): Effect {
  return { type: 'send', to, message }
}

function pairKey({ pass, nodes }: Ticket): string {
  return `${pass} ${nodes}`
}
