// What a peer has rejected though it says that it holds it (G4): when to believe again that it does. It may hold a piece again
// that it could not serve before (its file was being written), without having said so.
import type { FeedWire } from './feed-wire.js'

const REFUSED_FOR_MS = 15_000

export class Refusals {
  /** By feed, piece numbers and until when, oldest first. */
  readonly #until = new Map<FeedWire, Map<number, number>>()

  get isEmpty(): boolean {
    return this.#until.size === 0
  }

  add(wire: FeedWire, index: number, nowMs: number): void {
    let refused = this.#until.get(wire)
    if (refused === undefined) {
      refused = new Map()
      this.#until.set(wire, refused)
    }
    refused.set(index, nowMs + REFUSED_FOR_MS)
  }

  /** The peer has said something new of the piece; without one: the wire is closed. */
  forget(wire: FeedWire, index?: number): void {
    if (index === undefined) this.#until.delete(wire)
    else this.#until.get(wire)?.delete(index)
  }

  /** Takes out those that are old enough to be believed again. */
  *takeOld(nowMs: number): Generator<readonly [FeedWire, number]> {
    for (const [wire, refused] of this.#until) {
      for (const [index, untilMs] of refused) {
        if (untilMs > nowMs) break // oldest first
        refused.delete(index)
        yield [wire, index]
      }
      if (refused.size === 0) this.#until.delete(wire)
    }
  }
}
