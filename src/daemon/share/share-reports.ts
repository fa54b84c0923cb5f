// The reports of a share (reports.ts), made from its parts.
import { randomBytes } from 'node:crypto'
import { fitDrift } from '../../core/drift-section.js'
import type { Log } from '../../ports/log.js'
import type { LocalDrift } from './local-drift.js'
import type { Members } from './members.js'
import { ownDrift } from './own-drift.js'
import { Reports } from './reports.js'
import type { ShareOptions } from './share-options.js'

/** Asked for when they are needed: some are made later. */
export interface ReportedParts {
  readonly members: Pick<Members, 'nameOf'>
  readonly drift: Pick<LocalDrift, 'items'>
  /** Whether the whole disk was looked at since the start. */
  readonly hasScanned: () => boolean
}

export function makeReports(
  { keys, identity, database, nowMs }: ShareOptions,
  prefix: string,
  log: Log,
  { members, drift, hasScanned }: ReportedParts,
): Reports {
  const reports = new Reports({
    ...{ database, prefix, log, nowMs },
    own: identity.device,
    shareId: keys.shareId,
    stateKey: keys.read.stateKey,
    monotonicMs: () => performance.now(),
    nonce: () => randomBytes(24),
    isReady: hasScanned,
    nameOf: (device) => members.nameOf(device),
  })
  reports.provide('drift', () => fitDrift(ownDrift(drift)))
  return reports
}
