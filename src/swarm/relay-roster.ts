// Whom to ask relays to connect us with, and when. Pure: instants come in (milliseconds of one monotonic clock), and so does
// randomness; no timers, no sockets. Devices are known by their tags (relay-pass.ts), other in each share.
//
//   R1  Of two devices the one with the lower tag calls.
//   R2  Nobody is called who is reached already, whatever the way, or is being called.
//   R3  Direct ways have a head start: after a device has shown up at a relay, and after a connection with it has ended.
//   R4  What fails waits, twice as long each time, from 2 s to a minute, and starts over once a connection has lasted.
//   R5  No relay stands in another's way, whatever it says: each has places of its own for devices and for calls.
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
  /** Undefined: not reached. */
  reachedAtMs: number | undefined
}

interface Share {
  /** Our own tag. */
  readonly own: string
  /** The others by theirs. */
  readonly entries: Map<string, Entry>
  readonly reached: Set<string>
  /** How many of the others are at each relay. */
  readonly counts: Map<string, number>
}

/** More than a dial takes on most networks, names and both families tried. */
export const HEAD_START_MS = 3_000
const BACKOFF_MIN_MS = 2_000
const BACKOFF_MAX_MS = 60_000
/** A connection that lasted so long was a success. */
const SUCCESS_MS = 10_000
/** Devices of one share worth knowing, at one relay; it cannot make us remember more. */
const MAX_PER_SHARE = 1_024
/** Calls at a time, by one relay. */
const MAX_CALLS = 16

export class RelayRoster {
  readonly #random: () => number
  readonly #headStartMs: number
  readonly #shares = new Map<ShareId, Share>()
  /** Calls under way, by share and tag, and by which relay: a device that goes and comes meanwhile is not called twice. */
  readonly #calls = new Map<string, string>()

  /** `random` answers numbers from 0 to below 1. */
  constructor(random: () => number, headStartMs: number = HEAD_START_MS) {
    this.#random = random
    this.#headStartMs = headStartMs
  }

  addShare(share: ShareId, own: string): void {
    this.#shares.set(share, { own, entries: new Map(), reached: new Set(), counts: new Map() })
  }

  removeShare(share: ShareId): void {
    this.#shares.delete(share)
  }

  /** A relay says that a device is there. */
  here(relay: string, share: ShareId, tag: string, nowMs: number): void {
    const known = this.#shares.get(share)
    if (known === undefined || tag === known.own) return
    let entry = known.entries.get(tag)
    const count = known.counts.get(relay) ?? 0
    if (entry?.relays.has(relay) === true || count >= MAX_PER_SHARE) return
    if (entry === undefined) {
      const reachedAtMs = known.reached.has(tag) ? nowMs : undefined
      entry = {
        ...{ share, tag, relays: new Set<string>(), failures: 0 },
        ...{ dueAtMs: this.#headStart(nowMs), reachedAtMs },
      }
      known.entries.set(tag, entry)
    }
    entry.relays.add(relay)
    known.counts.set(relay, count + 1)
  }

  /** A relay says that it is there no more. */
  gone(relay: string, share: ShareId, tag: string): void {
    const known = this.#shares.get(share)
    const entry = known?.entries.get(tag)
    if (known === undefined || entry?.relays.delete(relay) !== true) return
    known.counts.set(relay, known.counts.get(relay)! - 1)
    if (entry.relays.size === 0) known.entries.delete(tag)
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
    const next = this.#next()
    if (next === undefined || next.dueAtMs > nowMs) return undefined
    const { share, tag } = next
    const relay = this.#relayFor(next)!
    this.#calls.set(keyOf(share, tag), relay)
    return { relay, share, tag }
  }

  /** When the next call is due; undefined: none until something changes. */
  dueAtMs(): number | undefined {
    return this.#next()?.dueAtMs
  }

  /** A call has ended, one way or the other: what counts is whether the device is reached by then. */
  settled(share: ShareId, tag: string, nowMs: number): void {
    this.#calls.delete(keyOf(share, tag))
    const entry = this.#shares.get(share)?.entries.get(tag)
    if (entry === undefined) return
    const waitMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(entry.failures, 10))
    entry.failures++
    entry.dueAtMs = nowMs + waitMs * (0.5 + this.#random() / 2)
  }

  #headStart(nowMs: number): number {
    return nowMs + this.#headStartMs * (1 + this.#random() / 4)
  }

  /** Who has waited longest of those that may be called. */
  #next(): Entry | undefined {
    let next: Entry | undefined
    const busy = this.#busy()
    for (const { own, entries } of this.#shares.values())
      for (const entry of entries.values()) {
        if (own >= entry.tag || entry.reachedAtMs !== undefined) continue
        if (next !== undefined && entry.dueAtMs >= next.dueAtMs) continue
        if (this.#calls.has(keyOf(entry.share, entry.tag))) continue
        if ([...entry.relays].some((relay) => !busy.has(relay))) next = entry
      }
    return next
  }

  /** Another relay where one has failed, and one that has a place. */
  #relayFor({ relays, failures }: Entry): string | undefined {
    const list = [...relays]
    const busy = this.#busy()
    const inTurn = list.map((_, at) => list[(failures + at) % list.length]!)
    return inTurn.find((relay) => !busy.has(relay))
  }

  /** Relays that have as many calls as they may. */
  #busy(): Set<string> {
    const counts = new Map<string, number>()
    for (const relay of this.#calls.values()) counts.set(relay, (counts.get(relay) ?? 0) + 1)
    return new Set([...counts].flatMap(([relay, count]) => (count >= MAX_CALLS ? [relay] : [])))
  }
}

function keyOf(share: ShareId, tag: string): string {
  return `${share} ${tag}`
}
