// The signed states of members who read (core/state.ts), kept and passed on by a node that cannot read them: who made one
// and which is the newest is all it can tell. So members who only ever meet a blind node still learn of each other.
import type { EnvelopeHeader } from '../../core/envelope.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import { stateHeader } from '../../core/state.js'
import type { Log } from '../../ports/log.js'
import type { Database } from '../../store/tables.js'
import { type Sighting, StateBook, type StatePeer } from '../share/state-book.js'

export interface PassedStatesOptions {
  readonly database: Database
  readonly prefix: string
  readonly device: DeviceId
  readonly shareId: ShareId
  readonly nowMs: () => number
  readonly log: Log
  readonly peers: () => readonly StatePeer[]
}

/** As many as Members remembers. Whoever holds the blind secret can make up devices, and no more than these. */
const MAX_MEMBERS = 1000

export class PassedStates {
  readonly #book: StateBook<EnvelopeHeader>

  constructor({ database, prefix, device, shareId, nowMs, log, peers }: PassedStatesOptions) {
    this.#book = new StateBook({
      ...{ database, device, nowMs, log, peers },
      tables: { states: `${prefix}members`, forgotten: `${prefix}forgotten` },
      maxDevices: MAX_MEMBERS,
      open: (bytes) => stateHeader(bytes, shareId),
    })
  }

  has(device: DeviceId): boolean {
    return this.#book.has(device)
  }

  all(): ({ readonly device: DeviceId } & Sighting)[] {
    return this.#book.all().map(({ state: { device }, lastSeenMs, isMet }) => ({ device, lastSeenMs, isMet }))
  }

  greet(peer: StatePeer): void {
    const states = this.#book.bytes()
    if (states.length > 0) peer.sendStates(states)
  }

  /** Returns whether one was new. */
  receive(from: StatePeer, list: readonly Buffer[]): boolean {
    return this.#book.receive(from, list)
  }

  seen(device: DeviceId): void {
    this.#book.seen(device)
  }

  forget(device: DeviceId): boolean {
    return this.#book.forget(device)
  }
}
