// The address book: which places to dial for which share, and when. Pure: instants come in (milliseconds of one
// monotonic clock), and so does randomness; no timers, no sockets.
//
//   B1  An address is dialled for one share at a time, so that the dial tells nothing of the others (X1).
//   B2  Nobody connected, banned or being dialled is dialled.
//   B3  A configured host is tried for ever; the wait doubles from 0.25 s to 30 s and starts over after a success.
//   B4  What peers or beacons told is bounded, waits longer, and is dropped when it keeps failing.
//   B6  After the machine has slept, what waits is tried soon, and spread over time: configured hosts at once or nearly, the
//       rest at most so many a second, however many were due meanwhile.
//   B5  Of two devices that learn of each other at once the one with the lower id dials first.
import type { DeviceId, ShareId } from '../core/ids.js'
import { type Endpoint, formatEndpoint } from './endpoint.js'
import type { DeviceAddress } from './messages.js'

/** Why an address is in the book; a configured host outranks the rest. */
export type Source = 'known' | 'learnt' | 'beacon'

/** What to dial next. */
export interface DialTarget {
  /** Identity of the address in the book. */
  readonly key: string
  readonly endpoint: Endpoint
  readonly share: ShareId
  /** Who is expected there; undefined: whoever proves the secret. */
  readonly device: DeviceId | undefined
}

/** What the book asks about devices. */
export interface DeviceView {
  /** By a way that none of the book is better than. */
  isConnected(device: DeviceId): boolean
  /** By any way. */
  isReached(device: DeviceId): boolean
  isBanned(device: DeviceId): boolean
}

interface Address {
  readonly key: string
  readonly endpoint: Endpoint
  readonly wants: Map<ShareId, Source>
  device: DeviceId | undefined
  /** Whether the device was met there by ourselves. */
  confirmed: boolean
  failures: number
  dueAtMs: number
  dialling: boolean
  /** Counts dials, to take the shares in turn. */
  turn: number
}

/** First wait after a failure (B3). */
const BACKOFF_MIN_MS = 250
/** Longest wait for configured hosts and for what a beacon announced just now. */
const BACKOFF_MAX_MS = 30_000
/** Longest wait for what peers told: a thousand dead addresses then cost three dials a second. */
const LEARNT_BACKOFF_MAX_MS = 300_000
/** Dials until an address that is not configured is forgotten; about an hour for learnt ones. */
const TRIES: Readonly<Record<Source, number>> = { known: Number.POSITIVE_INFINITY, learnt: 20, beacon: 6 }
/** Not configured addresses kept in all. */
const MAX_TOLD = 1000
/** Addresses of our own device id worth dialling to find a second copy of ourselves (F4). */
const MAX_OWN = 16
/** Our own address answers as ourselves; it may belong to somebody else after a while. */
const SELF_WAIT_MS = 600_000
/** Head start of the lower device id (B5): more than a dial takes on most networks. */
const HEAD_START_MS = 1_000
/** Configured hosts are tried within this time after a sleep (B6): the network is often not up at once. */
const WAKE_KNOWN_MS = 3_000
/** All others within this time, or longer if there are many: then this much for each. */
const WAKE_TOLD_MS = 20_000
const WAKE_EACH_MS = 100
/** A connection that lasted so long was a success. */
const SUCCESS_MS = 10_000

export class AddressBook {
  readonly #own: DeviceId
  readonly #random: () => number
  readonly #addresses = new Map<string, Address>()

  /** `random` answers numbers from 0 to below 1. */
  constructor(own: DeviceId, random: () => number) {
    this.#own = own
    this.#random = random
  }

  get size(): number {
    return this.#addresses.size
  }

  /** A configured host; due at once. */
  addKnown(share: ShareId, endpoint: Endpoint, nowMs: number): void {
    const address = this.#upsert(endpoint, nowMs)
    if (address.wants.get(share) !== 'known') address.dueAtMs = Math.min(address.dueAtMs, nowMs)
    address.wants.set(share, 'known')
  }

  /**
   * The hosts of a share's configuration are these from now on. One that is left out is forgotten, unless we met somebody
   * there: then it is an address like any other that was learnt.
   */
  setKnown(share: ShareId, endpoints: readonly Endpoint[], nowMs: number): void {
    const keys = new Set(endpoints.map(formatEndpoint))
    for (const address of this.#addresses.values()) {
      if (address.wants.get(share) !== 'known' || keys.has(address.key)) continue
      if (address.confirmed) address.wants.set(share, 'learnt')
      else address.wants.delete(share)
      this.#dropUnwanted(address)
    }
    for (const endpoint of endpoints) this.addKnown(share, endpoint, nowMs)
  }

  /** An address that a peer vouched for, or where we met the device. False: the book is full, or it is nothing new. */
  learn(share: ShareId, seen: DeviceAddress, nowMs: number): boolean {
    const existing = this.#addresses.get(formatEndpoint(seen))
    if (existing !== undefined) {
      // Who was met there in person outweighs what is told.
      if (!existing.confirmed) existing.device = seen.device
      if (existing.wants.has(share) || existing.device !== seen.device) return false
      existing.wants.set(share, 'learnt')
      return true
    }
    if (seen.device === this.#own && this.#count((address) => address.device === this.#own) >= MAX_OWN)
      return false
    if (!this.#makeRoom()) return false
    const address = this.#upsert(seen, nowMs + this.#headStart(seen.device))
    address.device = seen.device
    address.wants.set(share, 'learnt')
    return true
  }

  /** An address that announced itself on the local network just now. False: nothing new. */
  hear(share: ShareId, endpoint: Endpoint, nowMs: number): boolean {
    const existing = this.#addresses.get(formatEndpoint(endpoint))
    if (existing !== undefined) {
      if (!existing.wants.has(share)) existing.wants.set(share, 'beacon')
      // It is up: what failed before is worth an earlier try.
      const soon = nowMs + BACKOFF_MIN_MS
      if (existing.failures > 0 && existing.dueAtMs > soon + BACKOFF_MAX_MS) existing.dueAtMs = soon
      return false
    }
    if (!this.#makeRoom()) return false
    this.#upsert(endpoint, nowMs).wants.set(share, 'beacon')
    return true
  }

  /** Forgets that a share wants anything. */
  removeShare(share: ShareId): void {
    for (const address of this.#addresses.values()) {
      address.wants.delete(share)
      this.#dropUnwanted(address)
    }
  }

  /** The next address that is due, taken for dialling until connected(), failed() or another of these is called. */
  take(view: DeviceView, nowMs: number): DialTarget | undefined {
    let next: Address | undefined
    const busy = this.#busyDevices()
    for (const address of this.#addresses.values()) {
      if (!this.#isOpen(address, view, busy) || address.dueAtMs > nowMs) continue
      if (next === undefined || address.dueAtMs < next.dueAtMs) next = address
    }
    if (next === undefined) return undefined
    next.dialling = true
    const shares = [...next.wants.keys()]
    const share = shares[next.turn % shares.length]!
    // Whoever proves the secret at a configured host is welcome: names and leases move between machines.
    const device = rankOf(next) === 'known' ? undefined : next.device
    return { key: next.key, endpoint: next.endpoint, share, device }
  }

  /** When the next address is due; undefined: nothing to dial until something changes. */
  dueAtMs(view: DeviceView): number | undefined {
    let due: number | undefined
    const busy = this.#busyDevices()
    for (const address of this.#addresses.values()) {
      if (this.#isOpen(address, view, busy) && (due === undefined || address.dueAtMs < due))
        due = address.dueAtMs
    }
    return due
  }

  /** The dial led to a proven connection with `device`. */
  connected(key: string, device: DeviceId): void {
    const address = this.#addresses.get(key)
    if (address === undefined) return
    address.dialling = false
    address.device = device
    address.confirmed = true
  }

  /**
   * The dial failed, or whoever answered could not prove the secret; `seen` is who that was. The next try is for the
   * next share, and not while that device is connected anyway: it would then have offered what it has.
   */
  failed(key: string, nowMs: number, seen?: DeviceId): void {
    const address = this.#addresses.get(key)
    if (address === undefined) return
    address.dialling = false
    address.device ??= seen
    address.turn++
    this.#postpone(address, nowMs)
    if (address.failures >= TRIES[rankOf(address)]) this.#addresses.delete(key)
  }

  /** Another device than the one we were told of answered: the address is worth nothing. */
  mismatched(key: string): void {
    this.#addresses.delete(key)
  }

  /** We met ourselves there. */
  self(key: string, nowMs: number): void {
    const address = this.#addresses.get(key)
    if (address === undefined) return
    address.dialling = false
    address.device = undefined
    address.dueAtMs = nowMs + SELF_WAIT_MS
  }

  /** The last connection with a device ended after `lastedMs`: where it was met becomes due again. */
  lost(device: DeviceId, lastedMs: number, nowMs: number): void {
    for (const address of this.#addresses.values()) {
      if (address.device !== device || address.dialling) continue
      if (lastedMs >= SUCCESS_MS) address.failures = 0
      this.#postpone(address, nowMs + this.#headStart(device))
    }
  }

  /**
   * The machine has slept (B6). How often each has failed before says nothing of where we are now; that is kept all the same
   * for what was told, so that dead addresses are forgotten also by a machine that often sleeps.
   */
  woke(nowMs: number): void {
    const toldMs = Math.max(WAKE_TOLD_MS, this.#addresses.size * WAKE_EACH_MS)
    for (const address of this.#addresses.values()) {
      const isKnown = rankOf(address) === 'known'
      const soonMs = nowMs + this.#random() * (isKnown ? WAKE_KNOWN_MS : toldMs)
      address.dueAtMs = address.dueAtMs <= nowMs ? soonMs : Math.min(address.dueAtMs, soonMs)
      if (isKnown) address.failures = 0
    }
  }

  /** What is worth remembering for a share: told and met addresses, those met first. */
  known(share: ShareId): DeviceAddress[] {
    const list: (DeviceAddress & { readonly confirmed: boolean })[] = []
    for (const { device, endpoint, wants, confirmed } of this.#addresses.values()) {
      const source = wants.get(share)
      if (device === undefined || device === this.#own || source === undefined || source === 'known') continue
      list.push({ device, host: endpoint.host, port: endpoint.port, confirmed })
    }
    list.sort((a, b) => Number(b.confirmed) - Number(a.confirmed))
    return list.map(({ device, host, port }) => ({ device, host, port }))
  }

  #upsert(endpoint: Endpoint, dueAtMs: number): Address {
    const key = formatEndpoint(endpoint)
    const existing = this.#addresses.get(key)
    if (existing !== undefined) return existing
    const address: Address = {
      key,
      endpoint: { host: endpoint.host, port: endpoint.port },
      wants: new Map(),
      device: undefined,
      confirmed: false,
      failures: 0,
      dueAtMs,
      dialling: false,
      turn: 0,
    }
    this.#addresses.set(key, address)
    return address
  }

  #isOpen(address: Address, view: DeviceView, busy: ReadonlySet<DeviceId>): boolean {
    if (address.dialling || address.wants.size === 0) return false
    const device = address.device
    return device === undefined || !(busy.has(device) || view.isConnected(device) || view.isBanned(device))
  }

  #busyDevices(): ReadonlySet<DeviceId> {
    const busy = new Set<DeviceId>()
    for (const { dialling, device } of this.#addresses.values())
      if (dialling && device !== undefined) busy.add(device)
    return busy
  }

  #postpone(address: Address, nowMs: number): void {
    const rank = rankOf(address)
    const max = rank === 'learnt' ? LEARNT_BACKOFF_MAX_MS : BACKOFF_MAX_MS
    const wait = Math.min(max, BACKOFF_MIN_MS * 2 ** Math.min(address.failures, 20))
    address.failures++
    address.dueAtMs = nowMs + wait * (0.5 + this.#random() / 2)
  }

  #headStart(device: DeviceId): number {
    return this.#own < device ? 0 : HEAD_START_MS
  }

  /** Room for one more address that is not configured; the one that failed most makes way. */
  #makeRoom(): boolean {
    let told = 0
    let worst: Address | undefined
    for (const address of this.#addresses.values()) {
      if (rankOf(address) === 'known') continue
      told++
      if (address.dialling || address.failures === 0) continue
      if (worst === undefined || address.failures > worst.failures) worst = address
    }
    if (told < MAX_TOLD) return true
    if (worst === undefined) return false
    this.#addresses.delete(worst.key)
    return true
  }

  #count(matches: (address: Address) => boolean): number {
    let count = 0
    for (const address of this.#addresses.values()) if (matches(address)) count++
    return count
  }

  #dropUnwanted(address: Address): void {
    if (address.wants.size === 0) this.#addresses.delete(address.key)
  }
}

/** The best reason an address is in the book for. */
function rankOf(address: Address): Source {
  const sources = [...address.wants.values()]
  return sources.includes('known') ? 'known' : sources.includes('learnt') ? 'learnt' : 'beacon'
}
