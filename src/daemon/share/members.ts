// Who is in the share and how far everybody is (section 10): each device signs what it holds, and states travel to all
// members through all members. "In sync" is said only of a device whose own signed digest equals ours.
import { cleanDeviceName } from '../../core/certificate.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import { type DeviceState, openState, sealState } from '../../core/state.js'
import type { Log } from '../../ports/log.js'
import type { Database } from '../../store/tables.js'
import { OwnState } from './own-state.js'
import { type Sighting, StateBook, type StatePeer } from './state-book.js'

export interface Member extends Sighting {
  readonly state: DeviceState
}

/** What a state says beside who made it and when. */
type Facts = Omit<DeviceState, 'device' | 'name' | 'grade' | 'instance' | 'sequence' | 'timeMs'>

export interface MembersOptions {
  readonly database: Database
  readonly prefix: string
  readonly own: {
    readonly device: DeviceId
    readonly secretKey: Buffer
    readonly name: string
    readonly grade: 'write' | 'read'
  }
  readonly instance: string
  readonly shareId: ShareId
  readonly stateKey: Buffer
  readonly nowMs: () => number
  readonly nonce: () => Buffer
  readonly log: Log
  readonly peers: () => readonly StatePeer[]
  /** A device has become a member by what a peer told. */
  readonly onEnrolled?: (device: DeviceId, by: StatePeer) => void
  /** What this device holds now. */
  readonly describe: () => Facts
}

/** A state is sent at most this often. */
const PAUSE_MS = 150
/** Devices that are remembered; a share of servers has a handful. */
const MAX_MEMBERS = 1000

export class Members {
  readonly #book: StateBook<DeviceState>
  readonly #own: OwnState<Facts>

  constructor(options: MembersOptions) {
    const { database, prefix, own, instance, shareId, stateKey, nowMs, log, peers, onEnrolled } = options
    this.#book = new StateBook({
      ...{ database, device: own.device, nowMs, log, peers, onEnrolled },
      tables: { states: `${prefix}members`, forgotten: `${prefix}forgotten` },
      maxDevices: MAX_MEMBERS,
      open: (bytes) => openState(bytes, stateKey, shareId),
      onOwn: (state) => this.#own.outbid(state),
    })
    this.#own = new OwnState({
      ...{ instance, nowMs, peers, describe: options.describe },
      lastSequence: this.#book.ownSequence,
      pauseMs: PAUSE_MS,
      sign: (facts, sequence, timeMs) => {
        const { device, grade, secretKey } = own
        const name = cleanDeviceName(own.name)
        const state: DeviceState = { device, name, grade, instance, sequence, timeMs, ...facts }
        const bytes = sealState(state, secretKey, stateKey, shareId, options.nonce())
        this.#book.putOwn(bytes)
        log.trace({ sequence }, 'state signed')
        return bytes
      },
    })
  }

  /** Whether a device is an enrolled member, and not this one. */
  has(device: DeviceId): boolean {
    return this.#book.has(device)
  }

  /** Every enrolled member but this device. */
  all(): Member[] {
    return this.#book.all()
  }

  /** What people call a member; undefined: it is none, or this device. */
  nameOf(device: DeviceId): string | undefined {
    return this.#book.get(device)?.name
  }

  /** Everything a new peer should know. */
  greet(peer: StatePeer): void {
    peer.sendStates([...this.#book.bytes(), ...this.#own.greet(peer)])
  }

  /** What this device holds may have changed: tell everybody, soon. */
  changed(): void {
    this.#own.changed()
  }

  /** Signs what this device holds now, if that is news, and tells everybody. Its state's sequence. */
  publishNow(): number {
    return this.#own.publishNow()
  }

  /** States that a peer has sent: newer ones are kept and passed on. Returns whether one was new. */
  receive(from: StatePeer, list: readonly Buffer[]): boolean {
    return this.#book.receive(from, list)
  }

  /** Drops a member until the device itself says something new. False if there is no such member. */
  forget(device: DeviceId): boolean {
    return this.#book.forget(device)
  }

  /** A member was connected until now, or has said something through others just now. */
  seen(device: DeviceId): void {
    this.#book.seen(device)
  }

  stop(): void {
    this.#own.stop()
  }
}
