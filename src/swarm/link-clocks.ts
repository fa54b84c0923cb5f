// The clocks that end a connection by themselves: too slow to prove anything, in doubt and without an answer, replaced, or
// taking nothing of what waits for it. That it is silent is watched by its stream (setTimeout).
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import { StuckWatch } from './unsent.js'

/** Looks at what waits to be sent in the time after which a peer counts as dead: it is noticed a tenth late at most. */
const LOOKS = 10

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

  /** Ends it when something waits to be sent and nothing of it goes for so long. */
  watchSends(stream: NoiseSecretStream, forMs: number, now: () => number): void {
    const watch = new StuckWatch(stream)
    this.#sends = setInterval(() => {
      if (watch.look(now()) >= forMs) this.#end('it takes nothing of what waits for it')
    }, forMs / LOOKS)
    this.#sends.unref()
  }

  stop(): void {
    for (const timer of [this.#deadline, this.#parting, this.#probing, this.#sends]) clearTimeout(timer)
  }
}
