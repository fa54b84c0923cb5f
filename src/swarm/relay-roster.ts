// Whom to ask relays to connect us with, and when. Pure: instants come in (milliseconds of one monotonic clock), and so does
// randomness; no timers, no sockets. Devices are known by their tags (relay-pass.ts), other in each share.
//
//   R1  Of two devices the one with the lower tag calls.
//   R2  Nobody is called who is reached already, whatever the way, or is being called.
//   R3  Direct ways have a head start: after a device has shown up at a relay, and after a connection with it has ended.
//   R4  What fails waits, twice as long each time, from 2 s to a minute, and starts over once a connection has lasted.
import type { ShareId } from '../core/ids.js'

/** What is to be asked of a relay. */
export interface RelayCall {
  /** As it is named in the configuration. */
  readonly relay: string
  readonly share: ShareId
  /** Hex. */
  readonly tag: string
}

interface Entry {
  readonly share: ShareId
  readonly tag: string
  readonly relays: Set<string>
  failures: number
  dueAtMs: number
  isCalling: boolean
  /** Undefined: not reached. */
  reachedAtMs: number | undefined
}

/** More than a dial takes on most networks, names and both families tried. */
export const HEAD_START_MS = 3_000
const BACKOFF_MIN_MS = 2_000
const BACKOFF_MAX_MS = 60_000
/** A connection that lasted so long was a success. */
const SUCCESS_MS = 10_000
/** Devices of one share worth knowing; relays cannot make us remember more. */
const MAX_PER_SHARE = 1_024

export class RelayRoster {
  readonly #random: () => number
  readonly #headStartMs: number
  /** By share: our own tag, and the others by theirs. */
  readonly #shares = new Map<
    ShareId,
    { readonly own: string; readonly entries: Map<string, Entry>; readonly reached: Set<string> }
  >()

  /** `random` answers numbers from 0 to below 1. */
  constructor(random: () => number, headStartMs: number = HEAD_START_MS) {
    this.#random = random
    this.#headStartMs = headStartMs
  }

  addShare(share: ShareId, own: string): void {
    this.#shares.set(share, { own, entries: new Map(), reached: new Set() })
  }

  removeShare(share: ShareId): void {
    this.#shares.delete(share)
  }

  /** A relay says that a device is there. */
  here(relay: string, share: ShareId, tag: string, nowMs: number): void {
    const known = this.#shares.get(share)
    if (known === undefined || tag === known.own) return
    let entry = known.entries.get(tag)
    if (entry === undefined) {
      if (known.entries.size >= MAX_PER_SHARE) return
      const reachedAtMs = known.reached.has(tag) ? nowMs : undefined
      entry = {
        ...{ share, tag, relays: new Set<string>(), failures: 0, isCalling: false },
        ...{ dueAtMs: this.#headStart(nowMs), reachedAtMs },
      }
      known.entries.set(tag, entry)
    }
    entry.relays.add(relay)
  }

  /** A relay says that it is there no more. */
  gone(relay: string, share: ShareId, tag: string): void {
    const entries = this.#shares.get(share)?.entries
    const entry = entries?.get(tag)
    if (entry === undefined) return
    entry.relays.delete(relay)
    if (entry.relays.size === 0) entries?.delete(tag)
  }

  /** The relay cannot be reached any more, or does not serve the share: nobody is there. */
  lostRelay(relay: string, share?: ShareId): void {
    for (const [id, { entries }] of this.#shares)
      if (share === undefined || share === id)
        for (const tag of [...entries.keys()]) this.gone(relay, id, tag)
  }

  /** There is a connection with the device now, or there is none any more. */
  reached(share: ShareId, tag: string, isReached: boolean, nowMs: number): void {
    const known = this.#shares.get(share)
    if (known === undefined) return
    if (isReached) known.reached.add(tag)
    else known.reached.delete(tag)
    const entry = known.entries.get(tag)
    if (entry === undefined) return
    if (isReached) {
      entry.reachedAtMs ??= nowMs
      return
    }
    if (entry.reachedAtMs !== undefined && nowMs - entry.reachedAtMs >= SUCCESS_MS) entry.failures = 0
    entry.reachedAtMs = undefined
    entry.dueAtMs = Math.max(entry.dueAtMs, this.#headStart(nowMs))
  }

  /** The next call that is due, until settled() is called for it. */
  take(nowMs: number): RelayCall | undefined {
    for (const entry of this.#open()) {
      if (entry.dueAtMs > nowMs) continue
      entry.isCalling = true
      const relays = [...entry.relays]
      // Another relay where one has failed.
      const relay = relays[entry.failures % relays.length]!
      return { relay, share: entry.share, tag: entry.tag }
    }
    return undefined
  }

  /** When the next call is due; undefined: none until something changes. */
  dueAtMs(): number | undefined {
    let due: number | undefined
    for (const { dueAtMs } of this.#open()) if (due === undefined || dueAtMs < due) due = dueAtMs
    return due
  }

  /** A call has ended, one way or the other: what counts is whether the device is reached by then. */
  settled(share: ShareId, tag: string, nowMs: number): void {
    const entry = this.#shares.get(share)?.entries.get(tag)
    if (entry === undefined) return
    entry.isCalling = false
    const waitMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(entry.failures, 10))
    entry.failures++
    entry.dueAtMs = nowMs + waitMs * (0.5 + this.#random() / 2)
  }

  #headStart(nowMs: number): number {
    return nowMs + this.#headStartMs * (1 + this.#random() / 4)
  }

  *#open(): Generator<Entry> {
    for (const { own, entries } of this.#shares.values())
      for (const entry of entries.values())
        if (own < entry.tag && !entry.isCalling && entry.reachedAtMs === undefined) yield entry
  }
}
