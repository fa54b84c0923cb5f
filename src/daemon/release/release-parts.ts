// What releases need of the share they belong to.
import type { DeviceId } from '../../core/ids.js'
import type { RelPath } from '../../core/path.js'
import type { ShareContext } from '../share/context.js'
import type { Member } from '../share/members.js'
import type { Reports } from '../share/reports.js'

export interface ReleaseParts {
  readonly context: ShareContext
  readonly device: DeviceId
  readonly deviceName: string
  /** Whether this node holds the releases alone, and shows the one that is to be shown. */
  readonly follows: boolean
  readonly nowMs: () => number
  /** Leave so many releases; undefined: all. */
  keep(): number | undefined
  /** Resolves when all that changed on the disk before is seen, scanned and announced. SHARE_HALTED. */
  settle(): Promise<void>
  /** Whether the disk was looked through since the start. */
  isDiskKnown(): boolean
  /** Nothing is looked at while the body runs. */
  withoutLooks<T>(body: () => Promise<T>): Promise<T>
  /** Look at these directories. */
  rescan(directories: readonly RelPath[]): void
  /** A directory was put there, which nobody watches yet. */
  noteMade(directory: RelPath): void
  members(): readonly Member[]
  isConnected(device: DeviceId): boolean
  /** Not connected, and not waited for any more. */
  isExpired(member: Member): boolean
  readonly reports: Reports
}
