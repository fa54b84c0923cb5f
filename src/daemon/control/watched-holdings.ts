// What somebody who watches is shown of others' pieces. Of a piece that this device holds as well a peer need not tell that
// it has come to hold it (exchange/holdings.ts), and from a signed state that follows only of those who hold just the same:
// a reader with one change of its own would be shown with what it had when it connected. So such peers are asked, for as
// long as somebody watches.
import type { DeviceId } from '../../core/ids.js'
import type { AnyShare } from '../any-share.js'

/** An answer is one bit for each piece of the share. */
const ASK_AGAIN_MS = 10_000
const TIMEOUT_MS = 10_000

export class WatchedHoldings {
  readonly #askedAt = new WeakMap<AnyShare, Map<DeviceId, number>>()

  /** Asks connected peers but those that are known to hold all; what they say comes to the exchange. */
  ask(share: AnyShare, holdsAll: (device: DeviceId) => boolean): void {
    const before = this.#askedAt.get(share)
    const nowMs = performance.now()
    const askedAt = new Map<DeviceId, number>()
    const due: DeviceId[] = []
    for (const { device } of share.peers) {
      const atMs = before?.get(device) ?? Number.NEGATIVE_INFINITY
      const isDue = !holdsAll(device) && nowMs - atMs >= ASK_AGAIN_MS
      askedAt.set(device, isDue ? nowMs : atMs)
      if (isDue) due.push(device)
    }
    this.#askedAt.set(share, askedAt)
    // Who does not answer in time is shown with less; it does not fail.
    if (due.length > 0) void share.copies.talk.ask({ looksFirst: false, timeoutMs: TIMEOUT_MS }, due)
  }
}
