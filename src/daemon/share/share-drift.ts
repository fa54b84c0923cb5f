// What a share does about a reader's own changes, and what it needs of the share for that.
import type { Log } from '../../ports/log.js'
import { LocalDrift, type LocalDriftOptions } from './local-drift.js'
import type { ShareOptions } from './share-options.js'

export function makeDrift(
  { database, nowMs, drift: rules, keys, identity }: ShareOptions,
  prefix: string,
  log: Log,
  { onChange, mustRun }: Pick<LocalDriftOptions, 'onChange' | 'mustRun'>,
): LocalDrift {
  return new LocalDrift({
    ...{ database, prefix, nowMs, rules, log, onChange, mustRun },
    ...{ shareId: keys.shareId, device: identity.device },
  })
}
