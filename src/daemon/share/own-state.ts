// What this device says of itself to all members: signed anew when something is different, told soon, and now and then again
// although nothing is. How a state is made of the facts is the caller's.
import type { StatePeer } from './state-book.js'

export interface OwnStateOptions<F> {
  /** This run of the daemon. */
  readonly instance: string
  /** Of the state that an earlier run signed last. */
  readonly lastSequence: number | undefined
  /** A state is sent at most this often, milliseconds: at once after a pause, then collected. */
  readonly pauseMs: number
  readonly nowMs: () => number
  readonly peers: () => readonly StatePeer[]
  /** What this device holds now; as JSON the same if it is the same. */
  readonly describe: () => F
  /** Signs it, and has it kept for the next run. */
  readonly sign: (facts: F, sequence: number, timeMs: number) => Buffer
}

/** A device that has nothing new to say signs its state again this often: others may meet it through members alone. */
const REFRESH_MS = 3_600_000

export class OwnState<F> {
  readonly #o: OwnStateOptions<F>
  readonly #refresh: NodeJS.Timeout
  #bytes: Buffer | undefined
  #sequence: number
  #lastFacts = ''
  #sentMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: OwnStateOptions<F>) {
    this.#o = options
    this.#sequence = Math.max(options.nowMs(), options.lastSequence ?? 0)
    this.#refresh = setInterval(() => this.#again(), REFRESH_MS).unref()
  }

  /** As it stands now, for a new peer; all others hear of it if it is news. */
  greet(peer: StatePeer): Buffer[] {
    if (this.#publish()) this.#tell(peer)
    return this.#bytes === undefined ? [] : [this.#bytes]
  }

  /** What this device holds may have changed: tell everybody, soon. */
  changed(): void {
    if (this.#timer !== undefined || this.#stopped) return
    const waitMs = Math.max(0, this.#sentMs + this.#o.pauseMs - performance.now())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#publishToPeers()
    }, waitMs)
  }

  /** Signs what this device holds now, if that is news, and tells everybody. Its state's sequence. */
  publishNow(): number {
    if (this.#publish()) this.#tell()
    return this.#sequence
  }

  /**
   * Another process with this device's key (a copy that has stepped aside since, or this one before its storage was put
   * back) may have signed a later state than ours: others would go by that one until something changes here.
   */
  outbid({ instance, sequence }: { readonly instance: string; readonly sequence: number }): void {
    if (instance === this.#o.instance || sequence < this.#sequence) return
    this.#sequence = sequence
    this.#again()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearInterval(this.#refresh)
    this.#timer = undefined
  }

  /** With nobody to tell, nothing is signed and kept, several times a second while a tree is scanned: who comes is greeted. */
  #publishToPeers(): void {
    if (this.#o.peers().length > 0) this.publishNow()
    else this.#sentMs = performance.now()
  }

  #again(): void {
    this.#lastFacts = ''
    this.changed()
  }

  #tell(except?: StatePeer): void {
    if (this.#bytes === undefined) return
    for (const peer of this.#o.peers()) if (peer !== except) peer.sendStates([this.#bytes])
  }

  /** Signs a new state if anything is different; false if all is as it was. */
  #publish(): boolean {
    const { nowMs, describe, sign } = this.#o
    this.#sentMs = performance.now()
    const facts = describe()
    const text = JSON.stringify(facts)
    if (text === this.#lastFacts) return false
    this.#lastFacts = text
    this.#sequence = Math.max(this.#sequence + 1, nowMs())
    this.#bytes = sign(facts, this.#sequence, nowMs())
    return true
  }
}
