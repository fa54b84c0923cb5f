// One limit at work, in one direction, for all exchanges of a daemon (X4): lanes that wait get their turns as core/pacing.ts
// says, and what moves without a turn (feeds, control messages, frames, headers) is found on the transports themselves and
// charged, so that what the limit is kept by is what is on the wire.
// Promises: lanes are not called from within want(); nothing keeps a process alive.
import { type Lane, Pacing, ShareRate } from '../core/pacing.js'

export { ShareRate } from '../core/pacing.js'

/** A turn moves what the rate makes in so long: short enough that small things need not wait for it to end. */
const TURN_MS = 20
const MIN_TURN_BYTES = 1024
const MAX_TURN_BYTES: number = 256 * 1024
/** Timers end no sooner: each turn has its price, and a bucket saves more than this up. */
const MIN_PAUSE_MS = 5
/** Headers of IP and TCP take 3 to 4 % of what a network carries, and nothing on a loopback; half of that is charged. */
const HEADER_PART = 0.018

/** One peer of one share. */
export interface PacedLane extends Lane {
  /** Moves about so many bytes, or at least one block; what it has moved, 0: there is nothing that it can move now. */
  go(maxBytes: number): number
}

/** A connection's transport, whoever uses it. */
export interface Transported {
  /** Bytes so far, in this direction. */
  moved(): number
}

interface Account {
  readonly transport: Transported
  users: number
  /** Where it stood when it was first seen, or a limit was set. */
  from: number
  /** Bytes that have been charged as turns. */
  granted: number
  /** And beyond these. */
  over: number
}

/** The clock and timers of a Pacer; tests have their own. */
export interface PacerTime {
  nowMs(): number
  /** Calls once after that time; the function returned takes it back. */
  later(call: () => void, delayMs: number): () => void
}

const REAL_TIME: PacerTime = {
  nowMs: () => performance.now(),
  later(call, delayMs) {
    const timer = setTimeout(call, delayMs).unref()
    return () => clearTimeout(timer)
  },
}

export class Pacer {
  readonly #pacing: Pacing<PacedLane>
  readonly #time: PacerTime
  readonly #accounts = new Map<object, Account>()
  readonly #lanes = new Map<PacedLane, { readonly rate: ShareRate; readonly account: Account | undefined }>()
  #cancel: (() => void) | undefined
  #isRunning = false

  /** Bytes per second; 0: no limit. */
  constructor(bytesPerSecond: number, time: PacerTime = REAL_TIME) {
    this.#pacing = new Pacing(bytesPerSecond)
    this.#time = time
  }

  get bytesPerSecond(): number {
    return this.#pacing.bucket.bytesPerSecond
  }

  /** 0: no limit. Holds from now on. */
  set bytesPerSecond(value: number) {
    if (value === this.bytesPerSecond) return
    this.#pacing.bucket.bytesPerSecond = value
    this.rebase()
    this.#schedule(0)
  }

  /** What transports have carried until now is not charged any more: another limit holds, or for others. */
  rebase(): void {
    for (const account of this.#accounts.values())
      Object.assign(account, { from: account.transport.moved(), granted: 0, over: 0 })
  }

  /** The same for one share. */
  setRate(rate: ShareRate, bytesPerSecond: number): void {
    if (bytesPerSecond === rate.bucket.bytesPerSecond) return
    rate.bucket.bytesPerSecond = bytesPerSecond
    this.#schedule(0)
  }

  /** Whether that share may move what it likes. */
  isFree(rate: ShareRate): boolean {
    return this.#pacing.isFree(rate)
  }

  /** The lower of the two limits, bytes per second; undefined: there is none. */
  rateFor(rate: ShareRate): number | undefined {
    const rates = [this.bytesPerSecond, rate.bucket.bytesPerSecond].filter((each) => each > 0)
    return rates.length === 0 ? undefined : Math.min(...rates)
  }

  /** Counts all that a transport carries, once, however many lanes use it; until the function returned is called. */
  track(key: object, transport: Transported): () => void {
    let account = this.#accounts.get(key)
    if (account === undefined) {
      account = { transport, users: 0, from: transport.moved(), granted: 0, over: 0 }
      this.#accounts.set(key, account)
    }
    account.users++
    const tracked = account
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#settle(tracked, this.#time.nowMs())
      if (--tracked.users === 0) this.#accounts.delete(key)
    }
  }

  /** The lane has something to move; it will be called when its turn comes. `key` as in track(). */
  want(lane: PacedLane, rate: ShareRate, key: object): void {
    if (!this.#lanes.has(lane)) this.#lanes.set(lane, { rate, account: this.#accounts.get(key) })
    this.#pacing.want(lane, rate)
    if (this.#cancel === undefined) this.#schedule(0)
  }

  /** Bytes that a lane was charged for will not move after all. */
  refund(lane: PacedLane, rate: ShareRate, bytes: number): void {
    if (this.#pacing.isFree(rate)) return
    const account = this.#lanes.get(lane)?.account
    if (account !== undefined) account.granted -= bytes
    this.#pacing.charge(-bytes, rate, this.#time.nowMs())
  }

  /** It is gone. */
  drop(lane: PacedLane): void {
    this.#lanes.delete(lane)
    this.#pacing.drop(lane)
  }

  /** Bytes move on a way of their own, and wait for no turn. */
  charge(bytes: number): void {
    this.#pacing.charge(bytes, undefined, this.#time.nowMs())
  }

  /** Gives all turns there are now. Called by its timer. */
  run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      const nowMs = this.#time.nowMs()
      if (!this.#pacing.bucket.isUnlimited)
        for (const account of this.#accounts.values()) this.#settle(account, nowMs)
      for (let lane = this.#pacing.next(nowMs); lane !== undefined; lane = this.#pacing.next(nowMs))
        this.#turn(lane, nowMs)
    } finally {
      this.#isRunning = false
    }
    const waitMs = this.#pacing.waitMs(this.#time.nowMs())
    if (waitMs !== undefined) this.#schedule(Math.max(MIN_PAUSE_MS, waitMs))
  }

  #turn(lane: PacedLane, nowMs: number): void {
    const { isSmall } = lane
    const { rate, account } = this.#lanes.get(lane)!
    const bytes = lane.go(this.#turnBytes(rate))
    if (bytes <= 0) {
      this.#pacing.rest(lane)
      return
    }
    if (account !== undefined) account.granted += bytes
    this.#pacing.moved(lane, bytes, isSmall, nowMs)
  }

  #turnBytes(rate: ShareRate): number {
    const bytesPerSecond = this.rateFor(rate)
    if (bytesPerSecond === undefined) return MAX_TURN_BYTES
    return Math.min(MAX_TURN_BYTES, Math.max(MIN_TURN_BYTES, Math.round((bytesPerSecond * TURN_MS) / 1000)))
  }

  /** Charges what a transport carried beyond the turns of its lanes; what was granted may still be on its way. */
  #settle(account: Account, nowMs: number): void {
    const moved = (account.transport.moved() - account.from) * (1 + HEADER_PART)
    const over = moved - account.granted - account.over
    if (over <= 0) return
    account.over += over
    this.#pacing.charge(over, undefined, nowMs)
  }

  #schedule(delayMs: number): void {
    this.#cancel?.()
    this.#cancel = this.#time.later(() => {
      this.#cancel = undefined
      this.run()
    }, delayMs)
  }
}

/** A limit as one share's exchange meets it. */
export class Gate {
  readonly pacer: Pacer
  readonly rate: ShareRate

  constructor(pacer: Pacer, rate: ShareRate = new ShareRate()) {
    this.pacer = pacer
    this.rate = rate
  }

  get isFree(): boolean {
    return this.pacer.isFree(this.rate)
  }

  /** Bytes per second; undefined: no limit. */
  get bytesPerSecond(): number | undefined {
    return this.pacer.rateFor(this.rate)
  }

  want(lane: PacedLane, key: object): void {
    this.pacer.want(lane, this.rate, key)
  }

  refund(lane: PacedLane, bytes: number): void {
    this.pacer.refund(lane, this.rate, bytes)
  }
}
