// The archive's keeper of a share, and what it needs of the share.
import { ArchiveKeeper } from './archive-keeper.js'
import type { ShareContext } from './context.js'
import type { ShareMeta } from './meta.js'
import type { ShareOptions } from './share-options.js'

export function makeKeeper(
  { dir, pool, nowMs }: ShareOptions,
  { problems, log, haltReason, rootIdentity, index }: ShareContext,
  meta: ShareMeta,
  ttlDays: number,
): ArchiveKeeper {
  return new ArchiveKeeper({
    ...{ root: dir, pool, meta, problems, log, nowMs, ttlDays, rootIdentity, haltReason },
    forgetPieces: (isDayThere, after) => index.transaction(() => index.forgetArchived(isDayThere, after)),
  })
}
