// The newest signed state of each device of a share, kept in the index and passed on: a newer one goes to all peers but the
// one that brought it, an older or repeated one to nobody. The same for states of members who read (members.ts), of blind
// nodes (blind-members.ts), and for those that a node can only check and not read (passed-states.ts).
import type { EnvelopeHeader } from '../../core/envelope.js'
import type { DeviceId } from '../../core/ids.js'
import type { Decoded } from '../../core/violation.js'
import type { Log } from '../../ports/log.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, type Table } from '../../store/tables.js'

/** What is told to peers; SharePeer fits. */
export interface StatePeer {
  readonly device: DeviceId
  sendStates(list: readonly Buffer[]): void
}

/** One device's state as the index remembers it. */
interface StateRow {
  /** The signed state as it travels. */
  readonly state: Buffer
  /** When the device was last heard of, milliseconds since 1970. */
  readonly seenMs: number
  /** Whether it was ever met; undefined: written by an earlier version, which did not tell. */
  readonly isMet?: boolean
}

/** Whether and when a device was heard of. */
export interface Sighting {
  /** Milliseconds since 1970, by this device's clock: connected, answering, or told of by others. */
  readonly lastSeenMs: number
  /** Whether it was ever connected, or has answered through others: what others tell of one may be years old. */
  readonly isMet: boolean
}

export interface StateBookOptions<S extends EnvelopeHeader> {
  readonly database: Database
  /** Names of tables: of the states, and of the newest sequence of each device that was forgotten. */
  readonly tables: { readonly states: string; readonly forgotten: string }
  /** This device: what others tell of it is not kept. */
  readonly device: DeviceId
  /** Devices that are remembered; whoever has a secret of the share can make up any number of them. */
  readonly maxDevices: number
  /** Checks a state, and reads what can be read of it. */
  readonly open: (bytes: Buffer) => Decoded<S>
  readonly nowMs: () => number
  readonly log: Log
  readonly peers: () => readonly StatePeer[]
  /** A peer told a state that this device's key has signed. */
  readonly onOwn?: (state: S) => void
  /** A device is new here, by what a peer told. */
  readonly onEnrolled?: ((device: DeviceId, by: StatePeer) => void) | undefined
}

interface Kept<S> {
  readonly state: S
  readonly bytes: Buffer
  readonly seenMs: number
  readonly isMet: boolean
}

export class StateBook<S extends EnvelopeHeader> {
  /** Of the state that an earlier run of this device signed last; undefined: none is known. */
  readonly ownSequence: number | undefined
  readonly #o: StateBookOptions<S>
  readonly #table: Table<StateRow>
  /** Only what is newer brings a device back that was forgotten. */
  readonly #forgotten: Table<number>
  readonly #kept = new Map<DeviceId, Kept<S>>()

  constructor(options: StateBookOptions<S>) {
    this.#o = options
    const { database, tables, device, open } = options
    this.#table = database.table(tables.states)
    this.#forgotten = database.table(tables.forgotten)
    let ownSequence: number | undefined
    for (const { value } of this.#table.range(FIRST_KEY, AFTER_LAST_KEY)) {
      const opened = open(value.state)
      if (opened.type === 'violation') continue
      const state = opened.value
      if (state.device === device) ownSequence = state.sequence
      else {
        const { state: bytes, seenMs, isMet = true } = value
        this.#kept.set(state.device, { state, bytes, seenMs, isMet })
      }
    }
    this.ownSequence = ownSequence
  }

  /** Whether a device is known, and not this one. */
  has(device: DeviceId): boolean {
    return this.#kept.has(device)
  }

  /** The newest state of a device but this one. */
  get(device: DeviceId): S | undefined {
    return this.#kept.get(device)?.state
  }

  /** Of every device but this one. */
  all(): ({ readonly state: S } & Sighting)[] {
    return [...this.#kept.values()].map(({ state, seenMs, isMet }) => ({ state, lastSeenMs: seenMs, isMet }))
  }

  /** The same as they travel. */
  bytes(): Buffer[] {
    return [...this.#kept.values()].map(({ bytes }) => bytes)
  }

  /** States that a peer has sent: newer ones are kept and passed on. Returns whether one was new. */
  receive(from: StatePeer, list: readonly Buffer[]): boolean {
    const { device, maxDevices, open, log, nowMs, peers, onOwn, onEnrolled } = this.#o
    const news: Buffer[] = []
    for (const bytes of list) {
      const opened = open(bytes)
      if (opened.type === 'violation') {
        log.warn({ peer: from.device, code: opened.code, detail: opened.detail }, 'state refused')
        continue
      }
      const state = opened.value
      if (state.device === device) {
        onOwn?.(state)
        continue
      }
      const known = this.#kept.get(state.device)
      if (known === undefined && this.#kept.size >= maxDevices) continue
      if (known !== undefined && known.state.sequence >= state.sequence) continue
      if (known === undefined && !this.#enrols(state)) continue
      const isMet = known?.isMet === true || from.device === state.device
      const kept = { state, bytes: Buffer.from(bytes), seenMs: nowMs(), isMet }
      this.#keep(state.device, kept)
      news.push(kept.bytes)
      if (known === undefined) onEnrolled?.(state.device, from)
    }
    if (news.length === 0) return false
    for (const peer of peers()) if (peer !== from) peer.sendStates(news)
    return true
  }

  /** A device was connected until now, or has said something through others just now. */
  seen(device: DeviceId): void {
    const kept = this.#kept.get(device)
    if (kept !== undefined) this.#keep(device, { ...kept, seenMs: this.#o.nowMs(), isMet: true })
  }

  /**
   * Drops a device until it says something new itself: what others still tell of it is not news. False if it is not known.
   */
  forget(device: DeviceId): boolean {
    const kept = this.#kept.get(device)
    if (kept === undefined) return false
    const key = keyOf(device)
    this.#o.database.transaction(() => {
      this.#forgotten.put(key, kept.state.sequence)
      this.#table.remove(key)
    })
    this.#kept.delete(device)
    return true
  }

  /** What this device has signed: the next run is to go on after it. */
  putOwn(bytes: Buffer): void {
    this.#table.put(keyOf(this.#o.device), { state: bytes, seenMs: this.#o.nowMs() })
  }

  #keep(device: DeviceId, kept: Kept<S>): void {
    this.#kept.set(device, kept)
    const { bytes, seenMs, isMet } = kept
    this.#table.put(keyOf(device), { state: bytes, seenMs, isMet })
  }

  /** Whether a state makes its device known: unless it was forgotten, and this is no newer than what was known then. */
  #enrols({ device, sequence }: S): boolean {
    const key = keyOf(device)
    const forgotten = this.#forgotten.get(key)
    if (forgotten === undefined) return true
    if (sequence <= forgotten) return false
    this.#forgotten.remove(key)
    this.#o.log.warn({ device: device.slice(0, 16) }, 'a member that was removed is back')
    return true
  }
}

function keyOf(device: DeviceId): Buffer {
  return Buffer.from(device, 'hex')
}
