// Devices that are refused for a while, in all shares. Bounded; ends by itself.
import type { DeviceId } from '../core/ids.js'

/** Devices refused at a time; beyond it the oldest ban is forgotten. */
const MAX_BANS = 1_000

export class Bans {
  /** Oldest first, each with the timer that ends it. */
  readonly #timers = new Map<DeviceId, NodeJS.Timeout>()
  readonly #onEnd: (device: DeviceId) => void

  /** `onEnd` hears of every ban that ends, except by clear(). */
  constructor(onEnd: (device: DeviceId) => void) {
    this.#onEnd = onEnd
  }

  has(device: DeviceId): boolean {
    return this.#timers.has(device)
  }

  /** Refuses a device from now on for `forMs`; replaces an earlier ban. */
  add(device: DeviceId, forMs: number): void {
    clearTimeout(this.#timers.get(device))
    this.#timers.delete(device)
    if (this.#timers.size >= MAX_BANS) this.#end(this.#timers.keys().next().value!)
    const timer = setTimeout(() => this.#end(device), forMs)
    timer.unref()
    this.#timers.set(device, timer)
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #end(device: DeviceId): void {
    clearTimeout(this.#timers.get(device))
    this.#timers.delete(device)
    this.#onEnd(device)
  }
}
