// Dials what the address book says is due, with one timer for the next: a bounded number at a time and a bounded number a
// second, however much is due, so that neither a thousand dead addresses nor the return of a network makes a storm.
import type { Socket } from 'node:net'
import { Allowance } from '../core/allowance.js'
import type { AddressBook, DeviceView, DialTarget } from './addresses.js'
import { patienceMs } from './backoff.js'
import type { DialTcp } from './tcp.js'

/** A dial that waits for an answer is one packet and a socket, and dead addresses should not hold up live ones. */
const MAX_DIALS = 64
/** So many at once, and then one for each 50 ms: fifty members are dialled within two seconds. */
const BURST = 8
const EACH_MS = 50

/** A timer that fires so much late: the machine slept, and all other addresses are late as well (B6). */
const LATE_MS = 60_000

/** For tests with a clock of their own. */
export interface Timers {
  set(action: () => void, afterMs: number): unknown
  clear(timer: unknown): void
}

const SYSTEM_TIMERS: Timers = {
  set: (action, afterMs) => setTimeout(action, afterMs),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
}

export interface DialerOptions {
  readonly book: AddressBook
  readonly view: DeviceView
  readonly dial: DialTcp
  /** The longest that a dial may take. */
  readonly timeoutMs: number
  readonly now: () => number
  /** A socket is there. The dial counts until done() is called for it. */
  readonly onSocket: (socket: Socket, target: DialTarget, done: () => void) => void
  readonly onFailure: (target: DialTarget, error: Error) => void
  readonly timers?: Timers
}

/** A dial that has no socket yet. */
interface Attempt {
  readonly target: DialTarget
  readonly abort: AbortController
}

export class Dialer {
  readonly #options: DialerOptions
  readonly #timers: Timers
  readonly #pace = new Allowance(BURST, EACH_MS)
  readonly #attempts = new Set<Attempt>()
  #timer: unknown
  #dials = 0
  #isRunning = false

  constructor(options: DialerOptions) {
    this.#options = options
    this.#timers = options.timers ?? SYSTEM_TIMERS
  }

  start(): void {
    this.#isRunning = true
    this.wake()
  }

  stop(): void {
    this.#isRunning = false
    this.#timers.clear(this.#timer)
    for (const { abort } of this.#attempts) abort.abort()
  }

  /** The book or the connections changed: gives up what is needless now, and looks again when the next dial is due. */
  wake(): void {
    this.#timers.clear(this.#timer)
    if (!this.#isRunning) return
    const { book, view, now } = this.#options
    for (const { target, abort } of this.#attempts)
      if (target.likely !== undefined && view.isConnected(target.likely, target.endpoint)) abort.abort()
    if (this.#dials >= MAX_DIALS) return
    const dueAtMs = book.dueAtMs(view)
    if (dueAtMs === undefined) return
    const nowMs = now()
    const firesAtMs = Math.max(nowMs + this.#pace.waitMs(nowMs), dueAtMs)
    this.#timer = this.#timers.set(
      () => (now() - firesAtMs > LATE_MS ? this.woke() : this.#dialDue()),
      Math.ceil(firesAtMs - nowMs),
    )
  }

  /** The machine has slept, or is on another network. */
  woke(): void {
    this.#options.book.woke(this.#options.now())
    this.wake()
  }

  #dialDue(): void {
    const { book, view, now } = this.#options
    while (this.#dials < MAX_DIALS && this.#pace.waitMs(now()) === 0) {
      const target = book.take(view, now())
      if (target === undefined) break
      this.#pace.spend(1, now())
      this.#dials++
      void this.#dial(target)
    }
    this.wake()
  }

  async #dial(target: DialTarget): Promise<void> {
    const { book, view, now, dial, timeoutMs, onSocket, onFailure } = this.#options
    const attempt: Attempt = { target, abort: new AbortController() }
    let isDone = false
    const done = (): void => {
      if (isDone) return
      isDone = true
      this.#dials--
      this.wake()
    }
    this.#attempts.add(attempt)
    try {
      const isSmall = target.likely !== undefined && view.wantsSmall(target.likely)
      const patience = patienceMs(target.failures, timeoutMs)
      const socket = await dial(target.endpoint, patience, attempt.abort.signal, isSmall)
      this.#attempts.delete(attempt)
      onSocket(socket, target, done)
    } catch (thrown) {
      this.#attempts.delete(attempt)
      if (attempt.abort.signal.aborted) book.released(target.key)
      else book.failed(target.key, now())
      done()
      if (this.#isRunning && !attempt.abort.signal.aborted)
        onFailure(target, thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }
}
