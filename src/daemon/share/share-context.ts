// What the parts of a readable share see of it (context.ts), made of the parts themselves.
import type { Metadata } from '../../core/metadata.js'
import type { Hooks } from '../../hooks/hooks.js'
import type { Log } from '../../ports/log.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { Scrub } from '../scrub/scrub.js'
import type { Applier } from './applier.js'
import type { ArchiveKeeper } from './archive-keeper.js'
import type { Carried } from './carried.js'
import type { ShareContext } from './context.js'
import { DiskGuard } from './disk-guard.js'
import type { IgnoreFile } from './ignore-file.js'
import type { LocalDrift } from './local-drift.js'
import type { ShareMeta } from './meta.js'
import type { ProblemBook } from './problems.js'
import type { ShareRoot } from './root.js'
import type { ShareFeeds } from './share-feeds.js'
import type { ShareObserver } from './share-observer.js'
import type { ShareOptions, ShareSettings } from './share-options.js'
import type { ShareWatcher } from './share-watcher.js'
import type { ShortageBrake } from './shortage-brake.js'

/** The index, the problems and the log are there already, the others when they are needed. */
export interface ContextParts {
  readonly index: ShareIndex
  readonly problems: ProblemBook
  readonly log: Log
  readonly meta: ShareMeta
  readonly root: ShareRoot
  readonly settings: ShareSettings
  readonly carried: Carried
  readonly ignore: IgnoreFile
  readonly feeds: ShareFeeds
  readonly hooks: Hooks
  readonly observer: ShareObserver
  readonly watcher: ShareWatcher
  readonly applier: Applier
  readonly keeper: ArchiveKeeper
  readonly drift: LocalDrift
  readonly scrub: Scrub
  readonly shortage: ShortageBrake
  readonly isBehindDisk: boolean
  /** Why nothing is done (A5). */
  readonly halted: string | undefined
  readonly stopped: boolean
  loadIgnoreRules(): void
  tellMembers(): void
  halt(reason: string): void
  fail(thrown: unknown): void
}

export function makeContext(
  { dir, pool, keys, useSyncTrash, hardLinks, sparse, padding }: ShareOptions,
  parts: ContextParts,
): ShareContext {
  const metadata = (): Metadata => parts.carried.metadata
  return {
    root: dir,
    index: parts.index,
    pool,
    guard: new DiskGuard(),
    problems: parts.problems,
    log: parts.log,
    pieceKeys: keys.read,
    isWriter: keys.grade === 'write',
    hardLinks,
    archive: useSyncTrash,
    sparse,
    padding,
    maxVersionedBytes: () => parts.settings.maxVersionedBytes,
    useArchive: (atMs) => parts.keeper.use(atMs),
    get metadata() {
      return metadata()
    },
    isOwn: (writer) => writer === parts.feeds.ownWriter,
    dressesAnew: () => parts.carried.dressesAnew,
    isIgnored: (path, isDirectory) => parts.ignore.ignores(path, isDirectory),
    noteChange: (path, by, bytes = 0) => {
      parts.hooks.noteChange(path, by)
      if (by === 'share') parts.observer.applied(path, bytes)
    },
    onIgnoreRules: () => parts.loadIgnoreRules(),
    publish: (list) => parts.feeds.publish(list),
    watch: (directories) => parts.watcher.add(directories),
    hear: () => parts.watcher.hear(),
    rootIdentity: () => parts.root.identity,
    checkRoot: () =>
      parts.root.fault({
        isStopped: () => parts.stopped,
        onShort: (code) => parts.shortage.note(code),
      }),
    noteShortage: (code) => parts.shortage.note(code),
    halt: (reason) => parts.halt(reason),
    haltReason: () => parts.halted ?? (parts.stopped ? 'stopping' : undefined),
    onDriftEnded: (ended) => {
      if (!parts.scrub.noteEnded(ended)) parts.drift.noteEnded(ended)
    },
    onFullScan: (durationMs) => {
      parts.observer.fullScan(durationMs)
      parts.meta.isNewEpoch = false
      parts.carried.noteFullScan(parts.isBehindDisk && wasToldOf(parts))
      parts.tellMembers()
      parts.applier.wake()
    },
    fail: (thrown) => parts.fail(thrown),
  }
}

/** Whether anybody had told of anything when this index began: files that were there are taken over as they were told of. */
function wasToldOf({ index, feeds }: ContextParts): boolean {
  return index.feeds
    .all()
    .some(({ writer, next, before }) => (writer === feeds.ownWriter ? before.length : next) > 0)
}
