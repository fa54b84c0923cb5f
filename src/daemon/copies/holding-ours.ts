// Who holds all that this device holds, by what they signed: their bitfields say less (exchange/holdings.ts).
import type { DeviceId } from '../../core/ids.js'
import { type DeviceState, type Holding, holdsSame } from '../../core/state.js'

export interface HoldingFacts {
  /** What this disk holds. */
  readonly holding: Holding
  readonly peers: readonly { readonly device: DeviceId; readonly instance: string }[]
  readonly members: { all(): readonly { readonly state: DeviceState }[] }
}

/**
 * Connected members that hold all that this device holds, as they signed it in their present run: what the run before
 * signed says nothing of what this one is going to find. Who follows releases holds the same releases at most, and so do
 * all for a device that follows releases itself.
 */
export function holdingOurs({ holding, peers, members }: HoldingFacts): ReadonlySet<DeviceId> {
  if (holding.scope !== 'all') return new Set()
  const instances = new Map(peers.map(({ device, instance }) => [device, instance]))
  return new Set(
    members
      .all()
      .map(({ state }) => state)
      .filter((state) => instances.get(state.device) === state.instance)
      .filter((state) => state.scope === 'all' && holdsSame(state, holding))
      .map(({ device }) => device),
  )
}
