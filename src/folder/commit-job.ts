// What can be asked of a commit and what it answers: plain values that cross to the worker and back.
import type { RelPath } from '../core/path.js'
import type { AttributeScope } from '../core/raw-attributes.js'
import type { DiskStat } from '../core/stat.js'
import type { Dress, Shown } from './dress-job.js'
import type { Fault } from './safefs.js'
import type { StagedAs } from './stage-job.js'

/**
 * What must be at the path, or nothing is done. A file or symlink must match in every field of sameStat; a directory in
 * type, inode and mode, since its times change with everything in it.
 */
export type Expect = { readonly type: 'absent' } | { readonly type: 'stat'; readonly stat: DiskStat }

interface Displacing {
  readonly path: RelPath
  readonly expect: Expect
  /** Whether this path's old version is archived, if other than the batch's option says. */
  readonly archive?: boolean
  /**
   * A name (no path) beside `path` for a version of the user's that slips in at the moment of the replacement; `~2`, ...
   * is added if it is taken. By default the path's own name with such a number.
   */
  readonly slipName?: string
  /** The old file has other names that stay: the archive gets a copy, which a write through one of them leaves alone. */
  readonly copyOld?: boolean
}

export type CommitJob =
  /** A staged file gets its name. `size` is checked once more: a torn file must never get it. */
  | (Displacing & {
      readonly type: 'file'
      readonly token: string
      readonly size: number
      readonly mode: number
      readonly mtimeUs: number
      readonly dress?: Dress
      /** What staging answered, if it was given the very same mode, time and dress: then it is not looked at again. */
      readonly staged?: StagedAs
    })
  /** The path becomes another name of the file at `from`, which must be as this stat says. */
  | (Displacing & { readonly type: 'link'; readonly from: RelPath; readonly fromStat: DiskStat })
  | (Displacing & {
      readonly type: 'symlink'
      readonly target: string
      readonly mtimeUs: number
      readonly dress?: Dress
    })
  /** With exactly this mode; also in place of a file or symlink, if that is what is expected. */
  | (Displacing & { readonly type: 'mkdir'; readonly mode: number; readonly dress?: Dress })
  /** Mode and time of a file or directory, time of a symlink. */
  | {
      readonly type: 'metadata'
      readonly path: RelPath
      /** What a directory must show of attributes (core/shown.ts), or nothing is done: its stat does not tell. */
      readonly expectShown?: Buffer
      readonly mode?: number
      readonly mtimeUs: number
      readonly dress?: Dress
      readonly expect: Expect
    }
  /** To the archive; a directory only if it is empty, else blocked with ENOTEMPTY. */
  | (Displacing & { readonly type: 'remove' })
  /** Final time of a directory, and its mode if given, after its children. The answer says what attributes it shows. */
  | {
      readonly type: 'directory'
      readonly path: RelPath
      readonly mode?: number
      readonly mtimeUs: number
      readonly dress?: Dress
    }
  /**
   * The file `from`, which must be as `expectFrom` says, gets the free name `path`, with all that it is: nothing of its
   * metadata changes, and nothing is archived. 'changed' if the name is not free. Where neither RENAME_NOREPLACE nor links
   * are to be had it fails (isUnsupported) and nothing was done. `slipName` is for beside `from`.
   */
  | {
      readonly type: 'move'
      readonly path: RelPath
      readonly from: RelPath
      readonly expectFrom: DiskStat
      readonly slipName?: string
    }
  /** Renames to a free name, else blocked with EEXIST. */
  | { readonly type: 'displace'; readonly path: RelPath; readonly to: RelPath; readonly expect: Expect }

export type CommitResult =
  | {
      readonly status: 'done'
      /**
       * Of the path afterwards ('displace': of `to`). Absent after a removal, and where the user has changed it again
       * already: then the applied version is the one of the job, and the path must be scanned.
       */
      readonly stat?: DiskStat
      /** A version of the user's that slipped in lies here now as an ordinary file, to be scanned (A3). */
      readonly slipped?: RelPath
      /** Where the old version is, relative to `.shoal/archive`. */
      readonly archived?: string
      /** A version that slipped in could not be brought back beside the path; `detail` says where in `.shoal` it is. */
      readonly problem?: Fault
      /** What the file that was at the path is now, if it has other names still. */
      readonly left?: DiskStat
      /** Only if a dress could not be set whole; of 'directory', in a scope, always. */
      readonly shown?: Shown
    }
  /** The disk is not as expected: scan the path, plan again (A3). Nothing was done. */
  | { readonly status: 'changed' }
  /** ENOTEMPTY, EEXIST, IS_A_DIRECTORY, NOT_CARRIED, or a PathFaultCode for the path above. Nothing was done. */
  | { readonly status: 'blocked'; readonly code: string }
  /**
   * STAGED_UNUSABLE: the staged file is missing or not whole, stage it again. OWN_DIR_UNUSABLE: all of the batch; look
   * at the marker. Else what the system said (ENOSPC, EACCES, EIO, EXDEV, ...). Scan the path before trying again:
   * NOT_DURABLE, for one, comes after everything was done.
   */
  | { readonly status: 'failed'; readonly code: string; readonly detail: string }

export interface CommitOptions {
  /** Whether replaced and removed files are kept in the archive (use_sync_trash). */
  readonly archive: boolean
  /** Milliseconds since 1970, names the archive's day. */
  readonly atMs: number
  /** The attributes that dresses are about; none unless told. */
  readonly scope?: AttributeScope
  /** Which directory the root must be (A5); where it is another one, all of the batch fails with ROOT_CHANGED. */
  readonly expectRoot?: { readonly dev: number; readonly ino: number }
}

export interface CommitPayload {
  readonly root: string
  readonly jobs: readonly CommitJob[]
  readonly options: CommitOptions
}
