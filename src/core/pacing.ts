// Whose turn it is under a limit (X4): one bucket for all shares together and one for each share, and lanes that wait, a lane
// being one peer of one share. Pure: the time comes as an argument, and nothing here moves a byte.
//   T1  Of shares that wait, the one that has had the fewest bytes goes first, and of its lanes the same: over time each gets
//       as much as any other that never stopped waiting, give or take one turn. Who was idle has saved nothing up.
//   T2  Lanes with something small go before all others; but while others wait, what is small gets at most SMALL_PARTS of
//       the bytes to one of theirs, after the first SMALL_BURST_BYTES. So nobody starves.
//   T3  A share that is over its own limit holds up nobody else.
//   T4  What is charged without a turn (feeds, control messages, headers) goes first: it delays turns, never the other way.
import { TokenBucket } from './token-bucket.js'

/** Bytes of small changes to one byte of others' while both wait. */
const SMALL_PARTS = 3
/** Of small changes, before others get their part: some thousand of a few hundred bytes. */
const SMALL_BURST_BYTES = 256 * 1024

export interface Lane {
  /** Whether what it would move next is small and fresh. */
  readonly isSmall: boolean
}

/** One share's limit. */
export class ShareRate {
  readonly bucket: TokenBucket = new TokenBucket(0)
}

/** Bytes had, counted for each kind of turn alone; the two never stand in each other's way but by T2. */
interface Account {
  small: number
  other: number
}

type Kind = keyof Account

interface Group<L> {
  readonly rate: ShareRate
  readonly lanes: Map<L, Account>
  readonly waiting: Set<L>
  readonly had: Account
  /** What the last of its lanes had when its turn came: whoever has less was idle, and begins from there (T1). */
  readonly level: Account
}

export class Pacing<L extends Lane> {
  readonly bucket: TokenBucket
  readonly #groups = new Map<ShareRate, Group<L>>()
  readonly #groupOf = new Map<L, Group<L>>()
  /** What the last share had when its turn came. */
  readonly #level: Account = { small: 0, other: 0 }
  /** Bytes that small ones had while others waited, less SMALL_PARTS times what those had. */
  #smallAhead = 0

  constructor(bytesPerSecond: number) {
    this.bucket = new TokenBucket(bytesPerSecond)
  }

  /** Whether nothing holds that share up: neither limit is set. */
  isFree(rate: ShareRate): boolean {
    return this.bucket.isUnlimited && rate.bucket.isUnlimited
  }

  /** The lane has something to move and waits for its turns from now on. */
  want(lane: L, rate: ShareRate): void {
    let group = this.#groups.get(rate)
    if (group === undefined) {
      group = { rate, lanes: new Map(), waiting: new Set(), had: none(), level: none() }
      this.#groups.set(rate, group)
    }
    if (!group.lanes.has(lane)) group.lanes.set(lane, none())
    this.#groupOf.set(lane, group)
    group.waiting.add(lane)
  }

  /** It has nothing to move just now. */
  rest(lane: L): void {
    this.#groupOf.get(lane)?.waiting.delete(lane)
  }

  /** It is gone. */
  drop(lane: L): void {
    const group = this.#groupOf.get(lane)
    this.#groupOf.delete(lane)
    group?.waiting.delete(lane)
    group?.lanes.delete(lane)
    if (group?.lanes.size === 0) this.#groups.delete(group.rate)
  }

  /** Whose turn it is now; undefined: nobody's, see waitMs(). What it then moves is to be told to moved(). */
  next(nowMs: number): L | undefined {
    if (!this.bucket.isOpen(nowMs)) return undefined
    const small = this.#turn('small', nowMs)
    if (small !== undefined && this.#smallAhead < SMALL_BURST_BYTES) return small
    return this.#turn('other', nowMs) ?? small
  }

  /** A lane whose turn it was has moved so many bytes; `wasSmall` as it was when its turn came. */
  moved(lane: L, bytes: number, wasSmall: boolean, nowMs: number): void {
    const group = this.#groupOf.get(lane)
    const account = group?.lanes.get(lane)
    if (group === undefined || account === undefined) return
    const kind = wasSmall ? 'small' : 'other'
    this.#level[kind] = Math.max(this.#level[kind], group.had[kind])
    group.level[kind] = Math.max(group.level[kind], account[kind])
    group.had[kind] = this.#level[kind] + bytes
    account[kind] = group.level[kind] + bytes
    this.#weigh(bytes, wasSmall)
    this.bucket.charge(bytes, nowMs)
    group.rate.bucket.charge(bytes, nowMs)
  }

  /** Bytes that passed without a turn, for a share or for none; negative: charged ones that never will (T4). */
  charge(bytes: number, rate: ShareRate | undefined, nowMs: number): void {
    this.bucket.chargeUnasked(bytes, nowMs)
    rate?.bucket.chargeUnasked(bytes, nowMs)
  }

  /** Until it may be somebody's turn, 0: now; undefined: nobody waits. */
  waitMs(nowMs: number): number | undefined {
    let least: number | undefined
    for (const { rate, waiting } of this.#groups.values()) {
      if (waiting.size === 0) continue
      least = Math.min(least ?? Number.POSITIVE_INFINITY, rate.bucket.waitMs(nowMs))
    }
    return least === undefined ? undefined : Math.max(least, this.bucket.waitMs(nowMs))
  }

  /** The lane with the fewest bytes of the share with the fewest, of one kind. */
  #turn(kind: Kind, nowMs: number): L | undefined {
    let turn: L | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const group of this.#groups.values()) {
      const had = Math.max(group.had[kind], this.#level[kind])
      if (had >= fewest || group.waiting.size === 0 || !group.rate.bucket.isOpen(nowMs)) continue
      const lane = laneOf(group, kind)
      if (lane === undefined) continue
      turn = lane
      fewest = had
    }
    return turn
  }

  #weigh(bytes: number, wasSmall: boolean): void {
    if (!wasSmall) this.#smallAhead = Math.max(0, this.#smallAhead - SMALL_PARTS * bytes)
    else if (this.#hasOther()) this.#smallAhead += bytes
    else this.#smallAhead = 0
  }

  #hasOther(): boolean {
    for (const { waiting } of this.#groups.values())
      for (const lane of waiting) if (!lane.isSmall) return true
    return false
  }
}

function laneOf<L extends Lane>({ lanes, waiting, level }: Group<L>, kind: Kind): L | undefined {
  let best: L | undefined
  let fewest = Number.POSITIVE_INFINITY
  for (const lane of waiting) {
    if (lane.isSmall !== (kind === 'small')) continue
    const had = Math.max(lanes.get(lane)![kind], level[kind])
    if (had >= fewest) continue
    best = lane
    fewest = had
  }
  return best
}

function none(): Account {
  return { small: 0, other: 0 }
}
