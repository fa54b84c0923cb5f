// The blind nodes of a share as every other node knows them, and what one says of itself (core/blind-state.ts). Their states
// travel beside those of members who read, to all through all; who holds what is said by the device that holds it.
import { type BlindState, openBlindState, sealBlindState } from '../../core/blind-state.js'
import { cleanDeviceName } from '../../core/certificate.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import type { Log } from '../../ports/log.js'
import type { Database } from '../../store/tables.js'
import { OwnState } from '../share/own-state.js'
import { type Sighting, StateBook, type StatePeer } from '../share/state-book.js'

export interface BlindMember extends Sighting {
  readonly state: BlindState
}

/** What a state says beside who made it and when. */
type Facts = Omit<BlindState, 'device' | 'name' | 'instance' | 'sequence' | 'timeMs'>

/** What this device says of itself, if it is one. */
export interface OwnBlind {
  readonly secretKey: Buffer
  readonly name: string
  readonly instance: string
  readonly nonce: () => Buffer
  readonly describe: () => Facts
}

export interface BlindMembersOptions {
  readonly database: Database
  readonly prefix: string
  readonly device: DeviceId
  readonly shareId: ShareId
  readonly blindStateKey: Buffer
  readonly nowMs: () => number
  readonly log: Log
  readonly peers: () => readonly StatePeer[]
  readonly own?: OwnBlind
}

/** A state is sent at most this often. */
const PAUSE_MS = 250
/** Blind nodes that are remembered; a share has a handful. */
const MAX_MEMBERS = 256

export class BlindMembers {
  readonly #book: StateBook<BlindState>
  readonly #own: OwnState<Facts> | undefined

  constructor(options: BlindMembersOptions) {
    const { database, prefix, device, shareId, blindStateKey, nowMs, log, peers, own } = options
    const book: StateBook<BlindState> = new StateBook({
      ...{ database, device, nowMs, log, peers },
      tables: { states: `${prefix}blind-members`, forgotten: `${prefix}blind-forgotten` },
      maxDevices: MAX_MEMBERS,
      open: (bytes) => openBlindState(bytes, blindStateKey, shareId),
      onOwn: (state) => this.#own?.outbid(state),
    })
    this.#book = book
    if (own === undefined) return
    const { instance, secretKey, nonce, describe } = own
    this.#own = new OwnState({
      ...{ instance, nowMs, peers, describe },
      lastSequence: book.ownSequence,
      pauseMs: PAUSE_MS,
      sign: (facts, sequence, timeMs) => {
        const state = { device, name: cleanDeviceName(own.name), instance, sequence, timeMs, ...facts }
        const bytes = sealBlindState(state, secretKey, blindStateKey, shareId, nonce())
        book.putOwn(bytes)
        return bytes
      },
    })
  }

  /** Whether a device is a blind node that is known, and not this one. */
  has(device: DeviceId): boolean {
    return this.#book.has(device)
  }

  /** Every one that is known but this device. */
  all(): BlindMember[] {
    return this.#book.all()
  }

  nameOf(device: DeviceId): string | undefined {
    return this.#book.get(device)?.name
  }

  /** Everything a new peer should know. */
  greet(peer: StatePeer): void {
    const states = [...this.#book.bytes(), ...(this.#own?.greet(peer) ?? [])]
    if (states.length > 0) peer.sendStates(states)
  }

  /** States that a peer has sent: newer ones are kept and passed on. Returns whether one was new. */
  receive(from: StatePeer, list: readonly Buffer[]): boolean {
    return this.#book.receive(from, list)
  }

  /** One was connected until now, or has said something through others just now. */
  seen(device: DeviceId): void {
    this.#book.seen(device)
  }

  /** Drops one until it says something new itself. False if it is not known. */
  forget(device: DeviceId): boolean {
    return this.#book.forget(device)
  }

  /** What this device holds may have changed: tell everybody, soon. */
  changed(): void {
    this.#own?.changed()
  }

  /** Signs what this device holds now, if that is news, and tells everybody. Its state's sequence; 0: it is none. */
  publishNow(): number {
    return this.#own?.publishNow() ?? 0
  }

  stop(): void {
    this.#own?.stop()
  }
}
