// The address book: which places to dial for which share, and when. Pure: instants come in (milliseconds of one
// monotonic clock), and so does randomness; no timers, no sockets.
//
//   B1  An address is dialled for one share at a time, so that the dial tells nothing of the others (X1).
//   B2  Nobody connected or banned is dialled. Several addresses of one device are dialled side by side, the nearest first and
//       each a quarter of a second after the one before (RFC 8305): a dead address holds up no live one.
//   B3  A configured host is tried for ever; the wait doubles from 0.25 s to 30 s and starts over after a success.
//   B4  What peers or beacons told is bounded, waits longer, and is dropped when it keeps failing.
//   B5  Of two devices that learn of each other at once the one with the lower id dials first.
//   B6  After the machine has slept, what waits is tried soon, and spread over time: configured hosts at once or nearly, the
//       rest at most so many a second, however many were due meanwhile.
//   B7  Devices that are lost together are looked for spread over time, and so they are once one of them is back: then
//       the network is, and no wait that grew meanwhile holds the others up.
//   B8  At one public host, addresses that were only told are dialled 16 at once and then one in two seconds (host-pace.ts).
import type { DeviceId, ShareId } from '../core/ids.js'
import { type Address, meritOf, newAddress, nextOf, toldSiteOf } from './address.js'
import { backoffMs, isHopeless, spreadMs } from './backoff.js'
import { type Endpoint, formatEndpoint } from './endpoint.js'
import { HostPace } from './host-pace.js'
import type { DeviceAddress } from './messages.js'

/** What to dial next. */
export interface DialTarget {
  /** Identity of the address in the book. */
  readonly key: string
  readonly endpoint: Endpoint
  readonly share: ShareId
  /** Who is expected there; undefined: whoever proves the secret. */
  readonly device: DeviceId | undefined
  /** Who was there before; a connection with that device makes the dial needless. */
  readonly likely: DeviceId | undefined
  /** How often it failed since it last answered. */
  readonly failures: number
}

/** What the book asks about devices. */
export interface DeviceView {
  /** By a way that is no worse than TCP to that address would be. */
  isConnected(device: DeviceId, endpoint: Endpoint): boolean
  /** Whether it is to be dialled with small segments (small-segments.ts). */
  wantsSmall(device: DeviceId): boolean
  /** By any way. */
  isReached(device: DeviceId): boolean
  isBanned(device: DeviceId): boolean
}

/** The dials to one device that are under way. */
interface Dials {
  count: number
  lastMs: number
}

/** RFC 8305, "Connection Attempt Delay". */
const STAGGER_MS = 250
/** Dials to one device at a time. */
const MAX_PER_DEVICE = 4
/** Not configured addresses kept in all. */
const MAX_TOLD = 1000
/**
 * The same of one device: a laptop has been in many places. Also of our own, which are dialled to find a second copy of
 * ourselves (F4).
 */
const MAX_TOLD_OF_ONE = 16
/** Our own address answers as ourselves; it may belong to somebody else after a while. */
const SELF_WAIT_MS = 600_000
/** Head start of the lower device id (B5): more than a dial takes on most networks. */
const HEAD_START_MS = 1_000
/** A beacon heard from an address that failed: it is tried again after so long. */
const HEARD_WAIT_MS = 250
/** Not if it is due about then anyway. */
const HEARD_SOON_MS = 30_000
/** Configured hosts are tried within this time after a sleep (B6): the network is often not up at once. */
const WAKE_KNOWN_MS = 3_000
/** All others within this time, or longer if there are many: then this much for each. */
const WAKE_TOLD_MS = 20_000
const WAKE_EACH_MS = 100
/** A connection that lasted so long was a success. */
const SUCCESS_MS = 10_000
/** Lost within so long of each other is lost together (B7): as long as a dead peer may take to be noticed. */
const TOGETHER_MS = 30_000

export class AddressBook {
  readonly #own: DeviceId
  readonly #random: () => number
  readonly #addresses = new Map<string, Address>()
  readonly #hosts = new HostPace()

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
    if (!this.#makeRoom(MAX_TOLD_OF_ONE, (address) => address.device === seen.device)) return false
    if (!this.#makeRoom(MAX_TOLD)) return false
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
      const soonMs = nowMs + HEARD_WAIT_MS
      if (existing.failures > 0 && existing.dueAtMs > soonMs + HEARD_SOON_MS) existing.dueAtMs = soonMs
      return false
    }
    if (!this.#makeRoom(MAX_TOLD)) return false
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
    const dials = this.#dials()
    const due: Address[] = []
    for (const address of this.#addresses.values())
      if (this.#openAtMs(address, view, dials) <= nowMs) due.push(address)
    const next = nextOf(due)
    if (next === undefined) return undefined
    next.diallingMs = nowMs
    const site = toldSiteOf(next)
    if (site !== undefined) this.#hosts.dial(site, nowMs)
    next.isCalm = next.device !== undefined && view.isReached(next.device)
    const shares = [...next.wants.keys()]
    const share = shares[next.turn % shares.length]!
    // Whoever proves the secret at a configured host is welcome: names and leases move between machines.
    const expected = meritOf(next) === 'known' ? undefined : next.device
    const { key, endpoint, failures } = next
    return { key, endpoint, share, device: expected, likely: next.device, failures }
  }

  /** When the next address is due; undefined: nothing to dial until something changes. */
  dueAtMs(view: DeviceView): number | undefined {
    let due = Number.POSITIVE_INFINITY
    const dials = this.#dials()
    for (const address of this.#addresses.values()) due = Math.min(due, this.#openAtMs(address, view, dials))
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  /** The dial led to a proven connection with `device`. */
  connected(key: string, device: DeviceId): void {
    const address = this.#addresses.get(key)
    if (address === undefined) return
    address.diallingMs = undefined
    address.device = device
    address.confirmed = true
    if (address.site !== undefined) this.#hosts.met(address.site)
  }

  /** The connection that the dial led to was not wanted, as another one is no worse: it is tried again when that may have changed. */
  needless(key: string, nowMs: number): void {
    const address = this.#addresses.get(key)
    if (address !== undefined && address.dueAtMs <= nowMs) this.#postpone(address, nowMs)
  }

  /**
   * The dial failed, or whoever answered could not prove the secret; `seen` is who that was. The next try is for the
   * next share, and not while that device is connected anyway: it would then have offered what it has.
   */
  failed(key: string, nowMs: number, seen?: DeviceId): void {
    const address = this.#addresses.get(key)
    if (address === undefined) return
    address.diallingMs = undefined
    address.device ??= seen
    address.turn++
    // A network that is away shows first in what fails.
    if (address.failures === 0) address.lostAtMs ??= nowMs
    const together = address.lostAtMs === undefined ? 0 : this.#lostAbout(address.lostAtMs).size
    this.#postpone(address, nowMs + spreadMs(together, this.#random()))
    if (isHopeless(meritOf(address), address.failures)) this.#addresses.delete(key)
  }

  /** The dial was given up for no fault of the address. */
  released(key: string): void {
    const address = this.#addresses.get(key)
    if (address !== undefined) address.diallingMs = undefined
  }

  /** Another device than the one we were told of answered: the address is worth nothing. */
  mismatched(key: string): void {
    this.#addresses.delete(key)
  }

  /** We met ourselves there. */
  self(key: string, nowMs: number): void {
    const address = this.#addresses.get(key)
    if (address === undefined) return
    address.diallingMs = undefined
    address.device = undefined
    address.dueAtMs = nowMs + SELF_WAIT_MS
  }

  /** The last connection with a device ended after `lastedMs`: where it was met becomes due again (B7). */
  lost(device: DeviceId, lastedMs: number, nowMs: number): void {
    const together = this.#lostAbout(nowMs).size
    for (const address of this.#addresses.values()) {
      if (address.device !== device || address.diallingMs !== undefined) continue
      if (lastedMs >= SUCCESS_MS) address.failures = 0
      address.lostAtMs = nowMs
      address.isCalm = false
      this.#postpone(address, nowMs + this.#headStart(device) + spreadMs(together, this.#random()))
    }
  }

  /** There is a connection with a device again: those that were lost with it are looked for soon (B7). */
  back(device: DeviceId, nowMs: number): void {
    let lostAtMs: number | undefined
    for (const address of this.#addresses.values()) {
      if (address.device !== device || address.lostAtMs === undefined) continue
      lostAtMs = address.lostAtMs
      address.lostAtMs = undefined
    }
    if (lostAtMs === undefined) return
    const others = this.#lostAbout(lostAtMs)
    for (const address of this.#addresses.values()) {
      if (address.device === undefined || !others.has(address.device)) continue
      if (address.diallingMs !== undefined) continue
      // Once: who is not back yet may be gone for another reason.
      address.lostAtMs = undefined
      const soonMs = nowMs + this.#headStart(address.device) + spreadMs(others.size, this.#random())
      address.dueAtMs = Math.min(address.dueAtMs, soonMs)
    }
  }

  /**
   * The machine has slept (B6). How often each has failed before says nothing of where we are now; that is kept all the same
   * for what was told, so that dead addresses are forgotten also by a machine that often sleeps.
   */
  woke(nowMs: number): void {
    const toldMs = Math.max(WAKE_TOLD_MS, this.#addresses.size * WAKE_EACH_MS)
    for (const address of this.#addresses.values()) {
      const isKnown = meritOf(address) === 'known'
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
    const address = newAddress(endpoint, dueAtMs)
    this.#addresses.set(key, address)
    return address
  }

  /** When an address may be dialled; infinity: not before something changes. */
  #openAtMs(address: Address, view: DeviceView, dials: ReadonlyMap<DeviceId, Dials>): number {
    const { device, endpoint } = address
    const site = toldSiteOf(address)
    const dueAtMs =
      site === undefined ? address.dueAtMs : Math.max(address.dueAtMs, this.#hosts.openAtMs(site))
    if (address.diallingMs !== undefined || address.wants.size === 0) return Number.POSITIVE_INFINITY
    if (device === undefined) return dueAtMs
    if (view.isConnected(device, endpoint) || view.isBanned(device)) return Number.POSITIVE_INFINITY
    const under = dials.get(device)
    if (under === undefined) return dueAtMs
    return under.count < MAX_PER_DEVICE
      ? Math.max(dueAtMs, under.lastMs + STAGGER_MS)
      : Number.POSITIVE_INFINITY
  }

  #dials(): Map<DeviceId, Dials> {
    const dials = new Map<DeviceId, Dials>()
    for (const { diallingMs, device } of this.#addresses.values()) {
      if (diallingMs === undefined || device === undefined) continue
      const { count, lastMs } = dials.get(device) ?? { count: 0, lastMs: 0 }
      dials.set(device, { count: count + 1, lastMs: Math.max(lastMs, diallingMs) })
    }
    return dials
  }

  /** Devices that were lost about an instant and are not back. */
  #lostAbout(atMs: number): Set<DeviceId> {
    const devices = new Set<DeviceId>()
    for (const { device, lostAtMs } of this.#addresses.values())
      if (device !== undefined && lostAtMs !== undefined && Math.abs(lostAtMs - atMs) <= TOGETHER_MS)
        devices.add(device)
    return devices
  }

  #postpone(address: Address, nowMs: number): void {
    const { failures, isCalm } = address
    address.failures++
    address.dueAtMs = nowMs + backoffMs(meritOf(address), failures, isCalm, this.#random())
  }

  #headStart(device: DeviceId): number {
    return this.#own < device ? 0 : HEAD_START_MS
  }

  /** Room for one more address that is not configured, among those that match; the one that failed most makes way. */
  #makeRoom(max: number, matches: (address: Address) => boolean = () => true): boolean {
    let told = 0
    let worst: Address | undefined
    for (const address of this.#addresses.values()) {
      if (meritOf(address) === 'known' || !matches(address)) continue
      told++
      if (address.diallingMs !== undefined || address.failures === 0) continue
      if (worst === undefined || address.failures > worst.failures) worst = address
    }
    if (told < max) return true
    if (worst === undefined) return false
    this.#addresses.delete(worst.key)
    return true
  }

  #dropUnwanted(address: Address): void {
    if (address.wants.size === 0) this.#addresses.delete(address.key)
  }
}
