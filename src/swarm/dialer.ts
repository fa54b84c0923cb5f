// Dials what the address book says is due, a bounded number at a time, with one timer for the next.
import type { Socket } from 'node:net'
import type { AddressBook, DeviceView, DialTarget } from './addresses.js'
import type { DialTcp } from './tcp.js'

/** Enough that dead addresses, which take the full time-out, do not hold up live ones. */
const MAX_DIALS = 16

/** A timer that fires so much late: the machine slept, and all other addresses are late as well (B6). */
const LATE_MS = 60_000

export interface DialerOptions {
  readonly book: AddressBook
  readonly view: DeviceView
  readonly dial: DialTcp
  readonly timeoutMs: number
  readonly now: () => number
  /** A socket is there. The dial counts until done() is called for it. */
  readonly onSocket: (socket: Socket, target: DialTarget, done: () => void) => void
  readonly onFailure: (target: DialTarget, error: Error) => void
}

export class Dialer {
  readonly #options: DialerOptions
  readonly #abort = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #dials = 0
  #isRunning = false

  constructor(options: DialerOptions) {
    this.#options = options
  }

  start(): void {
    this.#isRunning = true
    this.wake()
  }

  stop(): void {
    this.#isRunning = false
    clearTimeout(this.#timer)
    this.#abort.abort()
  }

  /** The book or the connections changed: looks again when the next dial is due. */
  wake(): void {
    clearTimeout(this.#timer)
    if (!this.#isRunning || this.#dials >= MAX_DIALS) return
    const { book, view, now } = this.#options
    const dueAtMs = book.dueAtMs(view)
    if (dueAtMs === undefined) return
    const firesAtMs = Math.max(now(), dueAtMs)
    this.#timer = setTimeout(
      () => (now() - firesAtMs > LATE_MS ? this.woke() : this.#dialDue()),
      Math.ceil(firesAtMs - now()),
    )
  }

  /** The machine has slept. */
  woke(): void {
    this.#options.book.woke(this.#options.now())
    this.wake()
  }

  #dialDue(): void {
    const { book, view, now } = this.#options
    while (this.#dials < MAX_DIALS) {
      const target = book.take(view, now())
      if (target === undefined) break
      this.#dials++
      void this.#dial(target)
    }
    this.wake()
  }

  async #dial(target: DialTarget): Promise<void> {
    const { book, now, dial, timeoutMs, onSocket, onFailure } = this.#options
    let isDone = false
    const done = (): void => {
      if (isDone) return
      isDone = true
      this.#dials--
      this.wake()
    }
    try {
      const socket = await dial(target.endpoint, timeoutMs, this.#abort.signal)
      onSocket(socket, target, done)
    } catch (thrown) {
      book.failed(target.key, now())
      done()
      if (this.#isRunning) onFailure(target, thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }
}
