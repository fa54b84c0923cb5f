// The clocks that end a connection by themselves: too slow to prove anything, in doubt and without an answer, replaced, or
// taking nothing of what waits for it. That it is silent is watched by its stream (setTimeout).
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import { StuckWatch, unsentBytes } from './unsent.js'

/** Looks at what waits to be sent in the time after which a peer counts as dead: it is noticed a tenth late at most. */
const LOOKS = 10
/** A connection that has carried so much that way does not stand still for the size of packets. */
const MUCH_BYTES = 1024 * 1024

/** What is looked at of a connection. */
export interface Watched {
  readonly stream: NoiseSecretStream
  readonly lastHeardMs: number
}

export class LinkClocks {
  readonly #end: (reason: string) => void
  #deadline: NodeJS.Timeout | undefined
  #parting: NodeJS.Timeout | undefined
  #probing: NodeJS.Timeout | undefined
  #sends: NodeJS.Timeout | undefined
  readonly #onAlive: (() => void)[] = []

  constructor(end: (reason: string) => void) {
    this.#end = end
  }

  /** Ends it after so long, unless kept or given another deadline. */
  setDeadline(withinMs: number, reason: string): void {
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => this.#end(reason), withinMs)
  }

  keep(): void {
    clearTimeout(this.#deadline)
  }

  /** Ends it after so long; called again, what was said last counts. */
  part(withinMs: number, reason: string): void {
    clearTimeout(this.#parting)
    this.#parting = setTimeout(() => this.#end(reason), withinMs)
  }

  /** Ends it unless heard() is called within so long; `onAlive` runs if it is. False: that goes on already. */
  probe(withinMs: number, onAlive: (() => void) | undefined): boolean {
    if (onAlive !== undefined) this.#onAlive.push(onAlive)
    if (this.#probing !== undefined) return false
    this.#probing = setTimeout(() => this.#end('no answer'), withinMs)
    return true
  }

  /** Bytes have arrived. */
  heard(): void {
    if (this.#probing === undefined) return
    clearTimeout(this.#probing)
    this.#probing = undefined
    for (const onAlive of this.#onAlive.splice(0)) onAlive()
  }

  /**
   * Ends it when nothing of what waits to be sent goes for `deadPeerMs`. `onStill` is called once, if for half of that nothing
   * goes, or nothing is heard (standstills.ts, W1).
   */
  watch(link: Watched, deadPeerMs: number, now: () => number, onStill: () => void): void {
    const { stream } = link
    const watch = new StuckWatch(stream)
    let isStill = false
    this.#sends = setInterval(() => {
      const nowMs = now()
      const stuckMs = watch.look(nowMs)
      const isStuck = stuckMs >= deadPeerMs / 2 && stream.rawBytesWritten - unsentBytes(stream) < MUCH_BYTES
      const isSilent = nowMs - link.lastHeardMs >= deadPeerMs / 2 && stream.rawBytesRead < MUCH_BYTES
      if (!isStill && (isStuck || isSilent)) {
        isStill = true
        onStill()
      }
      if (stuckMs >= deadPeerMs) this.#end('it takes nothing of what waits for it')
    }, deadPeerMs / LOOKS)
    this.#sends.unref()
  }

  stop(): void {
    for (const timer of [this.#deadline, this.#parting, this.#probing, this.#sends]) clearTimeout(timer)
  }
}
