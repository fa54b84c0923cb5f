// What a share does about what its watcher tells.
import type { Watcher } from '../../folder/watch.js'
import type { Applier } from './applier.js'
import type { ProblemBook } from './problems.js'
import type { Scanner } from './scanner.js'

/** How long a change of this disk may wait to be noticed while a backlog is applied. */
const BULK_LOOK_MS = 1000

export interface WatchParts {
  readonly scanner: Pick<Scanner, 'markDirty' | 'noteUnwatched'>
  readonly applier: Pick<Applier, 'isBulk'>
  readonly problems: Pick<ProblemBook, 'set' | 'clear'>
  /** Look at the whole tree. */
  readonly rescanAll: () => void
}

/** Listens to a watcher from now on. */
export function listenTo(watcher: Watcher, { scanner, applier, problems, rescanAll }: WatchParts): void {
  // While much is being applied, nearly all events are our own doing: one look at the end of a while does for many.
  watcher.on('dirty', (directories) => scanner.markDirty(directories, applier.isBulk ? BULK_LOOK_MS : 0))
  watcher.on('gone', (directories) => scanner.noteUnwatched(directories))
  watcher.on('overflow', (reason) => {
    // What is still amiss, the scan that follows tells anew.
    if (reason === 'restart') problems.clear('watch', '')
    rescanAll()
  })
  watcher.on('limited', ({ code, detail }) => problems.set('watch', '', code, detail))
}
