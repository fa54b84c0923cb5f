// What people ask of a share's content and do to it: browsing, the versions of a path, ending conflicts.
import type { RelPath } from '../../core/path.js'
import { Contents } from './contents.js'
import type { ShareContext } from './context.js'
import { type History, historyOf } from './history.js'
import { PublishTimes } from './publish-times.js'
import { Resolver } from './resolver.js'
import type { Scanner } from './scanner.js'
import type { Settler } from './settler.js'
import type { ShareFeeds } from './share-feeds.js'
import type { ShareOptions } from './share-options.js'

export interface ShareContents {
  readonly browser: Contents
  readonly conflicts: Resolver
  /** When contents were published. */
  readonly times: PublishTimes
  /** Up to `limit` versions of a path, the newest first. */
  history(path: RelPath, limit: number): Promise<History>
}

export function makeContents(
  { keys, nowMs }: Pick<ShareOptions, 'keys' | 'nowMs'>,
  context: ShareContext,
  parts: {
    readonly feeds: ShareFeeds
    readonly scanner: Scanner
    readonly settler: Settler
    readonly mustRun: () => void
  },
): ShareContents {
  const { entryKey } = keys.read
  const { feeds, scanner, settler, mustRun } = parts
  const settled = async (directories: readonly (RelPath | '')[]): Promise<void> => {
    scanner.markDirty(directories)
    await scanner.settled()
    await settler.settled()
  }
  return {
    browser: new Contents(context),
    conflicts: new Resolver(context, nowMs, { mustRun, settled }),
    times: new PublishTimes(() => feeds.feeds, entryKey, nowMs),
    history: (path, limit) => historyOf(context, { feeds: feeds.feeds, entryKey, nowMs }, path, limit),
  }
}
