// Who is in the share and how far everybody is (section 10): each device signs what it holds, and states travel to all
// members through all members. "In sync" is said only of a device whose own signed digest equals ours.
import { cleanDeviceName } from '../../core/certificate.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import { type DeviceState, openState, sealState, stateHeader } from '../../core/state.js'
import type { Log } from '../../ports/log.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, type Table } from '../../store/tables.js'

/** One member as the index remembers it. */
interface MemberRow {
  /** The signed state as it travels. */
  readonly state: Buffer
  /** When it was last heard of, milliseconds since 1970. */
  readonly seenMs: number
}

export interface Member {
  readonly state: DeviceState
  readonly lastSeenMs: number
}

/** What is told to peers; SharePeer fits. */
export interface StatePeer {
  readonly device: DeviceId
  sendStates(list: readonly Buffer[]): void
}

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
  readonly describe: () => Pick<
    DeviceState,
    | 'feeds'
    | 'scope'
    | 'digest'
    | 'releasesDigest'
    | 'files'
    | 'bytes'
    | 'needFiles'
    | 'needBytes'
    | 'drift'
    | 'conflicts'
    | 'problems'
  >
}

/** A state is sent at most this often: at once after a pause, then collected. */
const PAUSE_MS = 150
/** A device that has nothing new to say signs its state again this often: others may meet it through members alone. */
const REFRESH_MS = 3_600_000
/** Devices that are remembered; a share of servers has a handful. */
const MAX_MEMBERS = 1000

export class Members {
  readonly #options: MembersOptions
  readonly #table: Table<MemberRow>
  /** Newest sequence of each member that was forgotten: only what is newer enrols it again. */
  readonly #forgotten: Table<number>
  readonly #members = new Map<DeviceId, { state: DeviceState; bytes: Buffer; seenMs: number }>()
  #own: Buffer | undefined
  #sequence: number
  #timer: NodeJS.Timeout | undefined
  readonly #refresh: NodeJS.Timeout
  #stopped = false
  #sentMs = Number.NEGATIVE_INFINITY
  #lastFacts = ''

  constructor(options: MembersOptions) {
    this.#options = options
    this.#table = options.database.table(`${options.prefix}members`)
    this.#forgotten = options.database.table(`${options.prefix}forgotten`)
    this.#sequence = options.nowMs()
    this.#refresh = setInterval(() => {
      this.#lastFacts = ''
      this.changed()
    }, REFRESH_MS).unref()
    for (const { value } of this.#table.range(FIRST_KEY, AFTER_LAST_KEY)) {
      const opened = openState(value.state, options.stateKey, options.shareId)
      if (opened.type === 'violation') continue
      const { device } = opened.value
      if (device === options.own.device) this.#sequence = Math.max(this.#sequence, opened.value.sequence)
      else this.#members.set(device, { state: opened.value, bytes: value.state, seenMs: value.seenMs })
    }
  }

  /** Whether a device is an enrolled member, and not this one. */
  has(device: DeviceId): boolean {
    return this.#members.has(device)
  }

  /** Every enrolled member but this device. */
  all(): Member[] {
    return [...this.#members.values()].map(({ state, seenMs }) => ({ state, lastSeenMs: seenMs }))
  }

  /** What people call a member; undefined: it is none, or this device. */
  nameOf(device: DeviceId): string | undefined {
    return this.#members.get(device)?.state.name
  }

  /** Everything a new peer should know. */
  greet(peer: StatePeer): void {
    if (this.#publish()) this.#tellOwn(peer)
    const states = [...this.#members.values()].map(({ bytes }) => bytes)
    if (this.#own !== undefined) states.push(this.#own)
    peer.sendStates(states)
  }

  /** What this device holds may have changed: tell everybody, soon. */
  changed(): void {
    if (this.#timer !== undefined || this.#stopped) return
    const waitMs = Math.max(0, this.#sentMs + PAUSE_MS - performance.now())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.publishNow()
    }, waitMs)
  }

  /** Signs what this device holds now, if that is news, and tells everybody. Its state's sequence. */
  publishNow(): number {
    if (this.#publish()) this.#tellOwn()
    return this.#sequence
  }

  /** States that a peer has sent: newer ones are kept and passed on. Returns whether one was new. */
  receive(from: StatePeer, list: readonly Buffer[]): boolean {
    const { stateKey, shareId, log, own, nowMs } = this.#options
    const news: Buffer[] = []
    for (const bytes of list) {
      const header = stateHeader(bytes, shareId)
      const opened = header.type === 'ok' ? openState(bytes, stateKey, shareId) : header
      if (opened.type === 'violation') {
        log.warn({ peer: from.device, code: opened.code, detail: opened.detail }, 'state refused')
        continue
      }
      const state = opened.value as DeviceState
      if (state.device === own.device) {
        this.#outbid(state)
        continue
      }
      const known = this.#members.get(state.device)
      if (known === undefined && this.#members.size >= MAX_MEMBERS) continue
      if (known !== undefined && known.state.sequence >= state.sequence) continue
      if (known === undefined && !this.#enrols(state)) continue
      const member = { state, bytes: Buffer.from(bytes), seenMs: nowMs() }
      this.#members.set(state.device, member)
      this.#table.put(Buffer.from(state.device, 'hex'), { state: member.bytes, seenMs: member.seenMs })
      news.push(member.bytes)
      if (known === undefined) this.#options.onEnrolled?.(state.device, from)
    }
    if (news.length === 0) return false
    for (const peer of this.#options.peers()) if (peer !== from) peer.sendStates(news)
    return true
  }

  /**
   * Another process with this device's key (a copy that has stepped aside since, or this one before its storage was put
   * back) has signed a later state than ours: others would go by that one until something changes here.
   */
  #outbid({ instance, sequence }: DeviceState): void {
    if (instance === this.#options.instance || sequence < this.#sequence) return
    this.#sequence = sequence
    this.#lastFacts = ''
    this.changed()
  }

  /**
   * Drops a member until the device itself says something new: what others still tell of it is not news. False if there
   * is no such member.
   */
  forget(device: DeviceId): boolean {
    const member = this.#members.get(device)
    if (member === undefined) return false
    const key = Buffer.from(device, 'hex')
    this.#options.database.transaction(() => {
      this.#forgotten.put(key, member.state.sequence)
      this.#table.remove(key)
    })
    this.#members.delete(device)
    return true
  }

  /** A member was connected until now, or has said something through others just now. */
  seen(device: DeviceId): void {
    const member = this.#members.get(device)
    if (member === undefined) return
    member.seenMs = this.#options.nowMs()
    this.#table.put(Buffer.from(device, 'hex'), { state: member.bytes, seenMs: member.seenMs })
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearInterval(this.#refresh)
    this.#timer = undefined
  }

  #tellOwn(except?: StatePeer): void {
    if (this.#own === undefined) return
    for (const peer of this.#options.peers()) if (peer !== except) peer.sendStates([this.#own])
  }

  /** Whether a state makes its device a member: unless it was forgotten, and this is no newer than what was known then. */
  #enrols({ device, sequence }: DeviceState): boolean {
    const key = Buffer.from(device, 'hex')
    const forgotten = this.#forgotten.get(key)
    if (forgotten === undefined) return true
    if (sequence <= forgotten) return false
    this.#forgotten.remove(key)
    this.#options.log.warn({ device: device.slice(0, 16) }, 'a member that was removed is back')
    return true
  }

  /** Signs a new state if anything is different; false if all is as it was. */
  #publish(): boolean {
    const { own, stateKey, shareId, nowMs, nonce, instance, describe, log } = this.#options
    this.#sentMs = performance.now()
    const facts = describe()
    const text = JSON.stringify(facts)
    if (text === this.#lastFacts) return false
    this.#lastFacts = text
    this.#sequence = Math.max(this.#sequence + 1, nowMs())
    const state: DeviceState = {
      device: own.device,
      name: cleanDeviceName(own.name),
      grade: own.grade,
      instance,
      sequence: this.#sequence,
      timeMs: nowMs(),
      ...facts,
    }
    this.#own = sealState(state, own.secretKey, stateKey, shareId, nonce())
    this.#table.put(Buffer.from(own.device, 'hex'), { state: this.#own, seenMs: nowMs() })
    log.trace({ sequence: this.#sequence }, 'state signed')
    return true
  }
}
