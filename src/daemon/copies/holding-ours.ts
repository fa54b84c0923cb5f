// Who holds all that this device holds, by what they signed: their bitfields say less (exchange/holdings.ts).
import type { BlindState } from '../../core/blind-state.js'
import { covers } from '../../core/head.js'
import type { DeviceId } from '../../core/ids.js'
import type { FeedView } from '../../core/record-public.js'
import { type DeviceState, type Holding, holdsSame } from '../../core/state.js'

export interface BlindHoldingFacts {
  readonly peers: readonly { readonly device: DeviceId; readonly instance: string }[]
  readonly blindMembers: { all(): readonly { readonly state: BlindState }[] }
  /** How far the share is read here, without feeds that nobody can follow any more. */
  readonly view: FeedView
}

export interface HoldingFacts extends BlindHoldingFacts {
  /** What this disk holds. */
  readonly holding: Holding
  readonly members: { all(): readonly { readonly state: DeviceState }[] }
}

/**
 * Connected members that hold all that this device holds, as they signed it in their present run: what the run before
 * signed says nothing of what this one is going to find. Who follows releases holds the same releases at most, and so do
 * all readers for a device that follows releases itself.
 */
export function holdingOurs({ holding, members, ...facts }: HoldingFacts): ReadonlySet<DeviceId> {
  const blind = blindHoldingOurs(facts)
  if (holding.scope !== 'all') return blind
  const isOfThisRun = ofThisRun(facts)
  const readers = members
    .all()
    .filter(({ state }) => isOfThisRun(state) && state.scope === 'all' && holdsSame(state, holding))
  return new Set([...blind, ...readers.map(({ state }) => state.device)])
}

/** Connected blind nodes that hold every piece that is live, of all that is read here. */
export function blindHoldingOurs(facts: BlindHoldingFacts): ReadonlySet<DeviceId> {
  const isOfThisRun = ofThisRun(facts)
  const nodes = facts.blindMembers
    .all()
    .filter(({ state }) => isOfThisRun(state) && state.missingPieces === 0 && covers(state.feeds, facts.view))
  return new Set(nodes.map(({ state }) => state.device))
}

function ofThisRun({ peers }: BlindHoldingFacts): (state: DeviceState | BlindState) => boolean {
  const instances = new Map(peers.map(({ device, instance }) => [device, instance]))
  return ({ device, instance }) => instances.get(device) === instance
}
