// Which pieces came wrong from which device: never asked of it again (P1), while all else that it holds is still welcome.
import type { DeviceId } from '../core/ids.js'

/** Wrong pieces remembered of one device; it is banned long before. */
const MAX_DISTRUSTED = 1024

export class Distrust {
  readonly #keys = new Map<DeviceId, Set<string>>()

  add(device: DeviceId, key: string): void {
    const keys = this.#keys.get(device)
    if (keys === undefined) this.#keys.set(device, new Set([key]))
    else if (keys.size < MAX_DISTRUSTED) keys.add(key)
  }

  has(device: DeviceId, key: string): boolean {
    return this.#keys.get(device)?.has(key) === true
  }
}
