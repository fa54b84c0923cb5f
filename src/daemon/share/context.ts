// What the parts of one running share have in common. Made once by share.ts; the parts see only this.
import type { ChangedBy } from '../../core/hook.js'
import type { WriterId } from '../../core/ids.js'
import type { Metadata } from '../../core/metadata.js'
import type { RelPath } from '../../core/path.js'
import type { PieceKeys } from '../../core/piece.js'
import type { RootIdentity } from '../../folder/marker.js'
import type { FolderPool } from '../../folder/pool.js'
import type { Log } from '../../ports/log.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { DiskGuard } from './disk-guard.js'
import type { EndedDrift } from './local-drift.js'
import type { Padding } from './padding.js'
import type { ProblemBook } from './problems.js'
import type { Publication } from './publisher.js'

export type DressesAnew = 'nothing' | 'owners' | 'all'

export interface ShareContext {
  /** The share's directory, absolute. */
  readonly root: string
  readonly index: ShareIndex
  readonly pool: FolderPool
  readonly guard: DiskGuard
  readonly problems: ProblemBook
  readonly log: Log
  readonly pieceKeys: PieceKeys
  /** Whether this device may publish: it holds the write secret. */
  readonly isWriter: boolean
  /** Owners, ACLs and extended attributes: what this node carries of them, and how. */
  readonly metadata: Metadata
  /** Whether a writer is this device in this share. */
  isOwn(writer: WriterId): boolean
  /**
   * Whether other metadata is carried than when the disk was dressed last, so that the first look is at what nobody touched,
   * too: at its stat, or at its attributes as well.
   */
  dressesAnew(): DressesAnew
  /** Names of one link group are made one file here, and said to be one when they are (`hard_links`). */
  readonly hardLinks: boolean
  /** Keep replaced and deleted files in the archive (`use_sync_trash`). */
  readonly archive: boolean
  /** Blocks of zeros in files become holes (`sparse`). */
  readonly sparse: boolean
  /** Whether new content is padded before it is sealed (`padding`). */
  readonly padding: Padding
  /** Larger files are not kept in the archive (`max_file_size_for_versioning`); Infinity: no limit. */
  maxVersionedBytes(): number
  /** Before a commit of this instant: see ArchiveKeeper.use. */
  useArchive(atMs: number): Promise<() => void>
  isIgnored(path: RelPath, isDirectory: boolean): boolean
  /**
   * A path of this disk was changed, which hooks may be for; `bytes` of content were written. Call inside the transaction
   * that notes it.
   */
  noteChange(path: RelPath, by: ChangedBy, bytes?: number): void
  /** The ignore file was seen with new content. */
  onIgnoreRules(): void
  /** Publishes in the own feed; resolves when durable. Nothing to do for an empty list. */
  publish(list: readonly Publication[]): Promise<void>
  /** Watches directories from now on. */
  watch(directories: readonly (RelPath | '')[]): Promise<void>
  /**
   * Resolves when the scanner was told of all that had happened on the disk before the call. False: nobody knows; a look at
   * the whole tree is due where that is because hints were lost.
   */
  hear(): Promise<boolean>
  /** The directory that the root must be while anything is read below it (A5). */
  rootIdentity(): RootIdentity | undefined
  /** Why the tree must not be trusted now (A5), or undefined. */
  checkRoot(): Promise<string | undefined>
  /** Something failed for want of what the system has none left of (core/shortage.ts). */
  noteShortage(code: string): void
  halt(reason: string): void
  haltReason(): string | undefined
  /** A reader's change of a path was put back, or replaced. Called inside the transaction that notes it. */
  onDriftEnded(ended: EndedDrift): void
  /** A whole look at the tree has ended. */
  onFullScan(durationMs: number): void
  /** Something that should not happen: the share stops with it. */
  fail(thrown: unknown): void
}
