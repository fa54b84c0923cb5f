// The blind nodes of a share as every other node knows them, and what one says of itself (core/blind-state.ts). Their states
// travel beside those of members who read, to all through all; who holds what is said by the device that holds it.
import { type BlindState, openBlindState, sealBlindState } from '../../core/blind-state.js'
import { cleanDeviceName } from '../../core/certificate.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import type { Log } from '../../ports/log.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, type Table } from '../../store/tables.js'
import type { StatePeer } from '../share/members.js'

/** One as it is remembered. */
interface BlindRow {
  /** The signed state as it travels. */
  readonly state: Buffer
  /** When it was last heard of, milliseconds since 1970. */
  readonly seenMs: number
}

export interface BlindMember {
  readonly state: BlindState
  readonly lastSeenMs: number
}

/** What this device says of itself, if it is one. */
export interface OwnBlind {
  readonly secretKey: Buffer
  readonly name: string
  readonly instance: string
  readonly nonce: () => Buffer
  readonly describe: () => Omit<BlindState, 'device' | 'name' | 'instance' | 'sequence' | 'timeMs'>
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

/** A state is sent at most this often: at once after a pause, then collected. */
const PAUSE_MS = 250
/** A device that has nothing new to say signs its state again this often. */
const REFRESH_MS = 3_600_000
/** Blind nodes that are remembered; a share has a handful. */
const MAX_MEMBERS = 256

export class BlindMembers {
  readonly #o: BlindMembersOptions
  readonly #table: Table<BlindRow>
  /** Newest sequence of each that was forgotten: only what is newer brings it back. */
  readonly #forgotten: Table<number>
  readonly #members = new Map<DeviceId, { state: BlindState; bytes: Buffer; seenMs: number }>()
  #own: Buffer | undefined
  #sequence: number
  #lastFacts = ''
  #sentMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  readonly #refresh: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: BlindMembersOptions) {
    this.#o = options
    const { database, prefix, device, nowMs, own } = options
    this.#table = database.table(`${prefix}blind-members`)
    this.#forgotten = database.table(`${prefix}blind-forgotten`)
    this.#sequence = nowMs()
    for (const { value } of this.#table.range(FIRST_KEY, AFTER_LAST_KEY)) {
      const opened = this.#open(value.state)
      if (opened.type === 'violation') continue
      const state = opened.value
      if (state.device === device) this.#sequence = Math.max(this.#sequence, state.sequence)
      else this.#members.set(state.device, { state, bytes: value.state, seenMs: value.seenMs })
    }
    if (own === undefined) return
    this.#refresh = setInterval(() => {
      this.#lastFacts = ''
      this.changed()
    }, REFRESH_MS).unref()
  }

  /** Whether a device is a blind node that is known, and not this one. */
  has(device: DeviceId): boolean {
    return this.#members.has(device)
  }

  /** Every one that is known but this device. */
  all(): BlindMember[] {
    return [...this.#members.values()].map(({ state, seenMs }) => ({ state, lastSeenMs: seenMs }))
  }

  nameOf(device: DeviceId): string | undefined {
    return this.#members.get(device)?.state.name
  }

  /** Everything a new peer should know. */
  greet(peer: StatePeer): void {
    if (this.#publish()) this.#tellOwn(peer)
    const states = [...this.#members.values()].map(({ bytes }) => bytes)
    if (this.#own !== undefined) states.push(this.#own)
    if (states.length > 0) peer.sendStates(states)
  }

  /** States that a peer has sent: newer ones are kept and passed on. Returns whether one was new. */
  receive(from: StatePeer, list: readonly Buffer[]): boolean {
    const { device, log, nowMs, peers } = this.#o
    const news: Buffer[] = []
    for (const bytes of list) {
      const opened = this.#open(bytes)
      if (opened.type === 'violation') {
        log.warn({ peer: from.device, code: opened.code, detail: opened.detail }, 'state refused')
        continue
      }
      const state = opened.value
      if (state.device === device) {
        this.#outbid(state)
        continue
      }
      const known = this.#members.get(state.device)
      if (known === undefined && (this.#members.size >= MAX_MEMBERS || !this.#isWelcome(state))) continue
      if (known !== undefined && known.state.sequence >= state.sequence) continue
      const member = { state, bytes: Buffer.from(bytes), seenMs: nowMs() }
      this.#members.set(state.device, member)
      this.#put(state.device, member)
      news.push(member.bytes)
    }
    if (news.length === 0) return false
    for (const peer of peers()) if (peer !== from) peer.sendStates(news)
    return true
  }

  /** One was connected until now, or has said something through others just now. */
  seen(device: DeviceId): void {
    const member = this.#members.get(device)
    if (member === undefined) return
    member.seenMs = this.#o.nowMs()
    this.#put(device, member)
  }

  /** Drops one until it says something new itself. False if it is not known. */
  forget(device: DeviceId): boolean {
    const member = this.#members.get(device)
    if (member === undefined) return false
    const key = Buffer.from(device, 'hex')
    this.#o.database.transaction(() => {
      this.#forgotten.put(key, member.state.sequence)
      this.#table.remove(key)
    })
    this.#members.delete(device)
    return true
  }

  /** What this device holds may have changed: tell everybody, soon. */
  changed(): void {
    if (this.#o.own === undefined || this.#timer !== undefined || this.#stopped) return
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

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearInterval(this.#refresh)
    this.#timer = undefined
  }

  #open(bytes: Buffer): ReturnType<typeof openBlindState> {
    return openBlindState(bytes, this.#o.blindStateKey, this.#o.shareId)
  }

  #put(device: DeviceId, { bytes, seenMs }: { readonly bytes: Buffer; readonly seenMs: number }): void {
    this.#table.put(Buffer.from(device, 'hex'), { state: bytes, seenMs })
  }

  #isWelcome({ device, sequence }: BlindState): boolean {
    const key = Buffer.from(device, 'hex')
    const forgotten = this.#forgotten.get(key)
    if (forgotten === undefined) return true
    if (sequence <= forgotten) return false
    this.#forgotten.remove(key)
    return true
  }

  /** Another process with this device's key has signed a later state than ours (Members does the same). */
  #outbid({ instance, sequence }: BlindState): void {
    const { own } = this.#o
    if (own === undefined || instance === own.instance || sequence < this.#sequence) return
    this.#sequence = sequence
    this.#lastFacts = ''
    this.changed()
  }

  #tellOwn(except?: StatePeer): void {
    if (this.#own === undefined) return
    for (const peer of this.#o.peers()) if (peer !== except) peer.sendStates([this.#own])
  }

  #publish(): boolean {
    const { own, device, blindStateKey, shareId, nowMs } = this.#o
    if (own === undefined) return false
    this.#sentMs = performance.now()
    const facts = own.describe()
    const text = JSON.stringify(facts)
    if (text === this.#lastFacts) return false
    this.#lastFacts = text
    this.#sequence = Math.max(this.#sequence + 1, nowMs())
    const { instance, secretKey, nonce } = own
    const name = cleanDeviceName(own.name)
    const state = { device, name, instance, sequence: this.#sequence, timeMs: nowMs(), ...facts }
    this.#own = sealBlindState(state, secretKey, blindStateKey, shareId, nonce())
    this.#put(device, { bytes: this.#own, seenMs: nowMs() })
    return true
  }
}
