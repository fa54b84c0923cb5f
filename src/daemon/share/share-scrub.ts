// The scrub of a share, and what it needs of the share.
import { Scrub, type ScrubOptions } from '../scrub/scrub.js'
import type { ShareContext } from './context.js'
import { type ShareOptions, type ShareSettings, tablePrefix } from './share-options.js'

export function makeScrub(
  { database, keys, nowMs }: ShareOptions,
  context: ShareContext,
  { scrubEveryMs: everyMs }: ShareSettings,
  more: Pick<ScrubOptions, 'note' | 'rescan' | 'onDamage' | 'onChange' | 'mustRun'>,
): Scrub {
  return new Scrub({ ...{ context, database, nowMs, everyMs, prefix: tablePrefix(keys.shareId) }, ...more })
}
