// The signed states of members who read (core/state.ts), kept and passed on by a node that cannot read them: who made one
// and which is the newest is all it can tell. So members who only ever meet a blind node still learn of each other.
import type { DeviceId, ShareId } from '../../core/ids.js'
import { stateHeader } from '../../core/state.js'
import type { Log } from '../../ports/log.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, type Table } from '../../store/tables.js'
import type { StatePeer } from '../share/members.js'

interface PassedRow {
  readonly state: Buffer
  readonly seenMs: number
}

interface Passed extends PassedRow {
  readonly sequence: number
}

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
  readonly #o: PassedStatesOptions
  readonly #table: Table<PassedRow>
  readonly #forgotten: Table<number>
  readonly #passed = new Map<DeviceId, Passed>()

  constructor(options: PassedStatesOptions) {
    this.#o = options
    this.#table = options.database.table(`${options.prefix}members`)
    this.#forgotten = options.database.table(`${options.prefix}forgotten`)
    for (const { value } of this.#table.range(FIRST_KEY, AFTER_LAST_KEY)) {
      const header = stateHeader(value.state, options.shareId)
      if (header.type === 'ok')
        this.#passed.set(header.value.device, { ...value, sequence: header.value.sequence })
    }
  }

  has(device: DeviceId): boolean {
    return this.#passed.has(device)
  }

  all(): { readonly device: DeviceId; readonly lastSeenMs: number }[] {
    return [...this.#passed].map(([device, { seenMs }]) => ({ device, lastSeenMs: seenMs }))
  }

  greet(peer: StatePeer): void {
    if (this.#passed.size > 0) peer.sendStates([...this.#passed.values()].map(({ state }) => state))
  }

  /** Returns whether one was new. */
  receive(from: StatePeer, list: readonly Buffer[]): boolean {
    const { shareId, log, device: own, nowMs, peers } = this.#o
    const news: Buffer[] = []
    for (const bytes of list) {
      const header = stateHeader(bytes, shareId)
      if (header.type === 'violation') {
        log.warn({ peer: from.device, code: header.code, detail: header.detail }, 'state refused')
        continue
      }
      const { device, sequence } = header.value
      const known = this.#passed.get(device)
      if (device === own || (known === undefined && this.#passed.size >= MAX_MEMBERS)) continue
      if (known !== undefined && known.sequence >= sequence) continue
      const key = Buffer.from(device, 'hex')
      if (known === undefined && (this.#forgotten.get(key) ?? -1) >= sequence) continue
      const passed = { state: Buffer.from(bytes), seenMs: nowMs(), sequence }
      this.#passed.set(device, passed)
      this.#table.put(key, { state: passed.state, seenMs: passed.seenMs })
      news.push(passed.state)
    }
    if (news.length === 0) return false
    for (const peer of peers()) if (peer !== from) peer.sendStates(news)
    return true
  }

  seen(device: DeviceId): void {
    const known = this.#passed.get(device)
    if (known === undefined) return
    const seenMs = this.#o.nowMs()
    this.#passed.set(device, { ...known, seenMs })
    this.#table.put(Buffer.from(device, 'hex'), { state: known.state, seenMs })
  }

  forget(device: DeviceId): boolean {
    const known = this.#passed.get(device)
    if (known === undefined) return false
    const key = Buffer.from(device, 'hex')
    this.#o.database.transaction(() => {
      this.#forgotten.put(key, known.sequence)
      this.#table.remove(key)
    })
    this.#passed.delete(device)
    return true
  }
}
