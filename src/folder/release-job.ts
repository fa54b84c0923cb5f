// What building and removing a release asks of a worker, and what is answered: plain values that cross to it and back. Paths
// are relative to the share's root; places to build at are below `.shoal/staging`.
import type { RelPath } from '../core/path.js'
import type { DiskStat } from '../core/stat.js'
import type { RootIdentity } from './scan.js'

export type ReleaseStep =
  /** A directory to fill, for nobody else to see; one that is there already stays. */
  | { readonly type: 'directory'; readonly at: string }
  /**
   * A copy of a file with all that belongs to it: as a clone that shares its blocks until one of the two is written to; else
   * as another name of the first of `earlier` that is untouched; else byte by byte.
   */
  | {
      readonly type: 'file'
      readonly from: RelPath
      readonly stat: DiskStat
      readonly at: string
      readonly earlier: readonly { readonly path: RelPath; readonly stat: DiskStat }[]
    }
  | { readonly type: 'symlink'; readonly from: RelPath; readonly stat: DiskStat; readonly at: string }
  /** Owner, mode and time of a directory, after all that is put into it; owner and mode as those of `from`. */
  | { readonly type: 'finish'; readonly from: RelPath | ''; readonly at: string; readonly mtimeUs: number }
  /** Whatever is there goes, with all that is in it; nothing there is fine. */
  | { readonly type: 'remove'; readonly at: string }
  /** Makes what was built durable. */
  | { readonly type: 'sync'; readonly directories: readonly string[]; readonly files: readonly string[] }
  /** To a name that must be free; durable. */
  | { readonly type: 'rename'; readonly from: string; readonly to: string }
  /** A small file with this text takes the name, whatever file had it; durable. */
  | { readonly type: 'text'; readonly at: string; readonly to: RelPath; readonly text: string }

export type ReleaseStepResult =
  | {
      readonly status: 'done'
      /** Of what was made, where something was. */
      readonly stat?: DiskStat
      /** Files that were removed and have other names still, as those show them now. */
      readonly left?: readonly DiskStat[]
      /** The file of an earlier release that has become the same file; its stat is now `stat`. */
      readonly linked?: RelPath
    }
  /** The source is not as it was said to be: look at it again. Nothing was left at the place. */
  | { readonly status: 'changed' }
  /** EEXIST and what else the system says. */
  | { readonly status: 'failed'; readonly code: string; readonly detail: string }

export interface ReleasePayload {
  readonly root: string
  readonly steps: readonly ReleaseStep[]
  readonly expectRoot: RootIdentity | undefined
}
