// What this device reports of its own drift (core/drift-section.ts).
import { bitsOfKinds, type DriftItem } from '../../core/drift-section.js'
import type { LocalDrift } from './local-drift.js'

/** All that is different now, in no order. */
export function ownDrift(drift: Pick<LocalDrift, 'items'>): DriftItem[] {
  const items: DriftItem[] = []
  for (const { path, kinds, sinceMs, policy, restores, notBeforeMs, acknowledgement } of drift.items())
    items.push({
      path,
      kinds: bitsOfKinds(kinds),
      sinceMs,
      restore: policy === 'restore' ? { times: restores, notBeforeMs: notBeforeMs ?? 0 } : undefined,
      acknowledgement: acknowledgement?.bytes,
    })
  return items
}
