// What a Watcher (watch.ts) and its thread (watch-worker.ts) say to each other. Both ends are ours and of one version
// (ports/thread-version.ts), so nothing is checked here.
import type { RelPath } from '../core/path.js'
import type { ThreadVersion } from '../ports/thread-version.js'

/** A directory of the share, '' for the root. */
export type Directory = RelPath | ''

/** What the thread starts with. */
export interface WatchWorkerData extends ThreadVersion {
  readonly root: string
  readonly canaryIntervalMs: number
  readonly canaryTimeoutMs: number
  /** Events the kernel queues before it drops them (fs.inotify.max_queued_events). */
  readonly queueLength: number
  /** Messages that only tests may send are obeyed. */
  readonly testing: boolean
}

/** To the thread. */
export type WatchRequest =
  | { readonly type: 'add'; readonly id: number; readonly directories: readonly Directory[] }
  | { readonly type: 'remove'; readonly directories: readonly Directory[] }
  | { readonly type: 'flush'; readonly id: number }
  /** Tests: the thread reads nothing until the first word of `gate` is no longer 0. */
  | { readonly type: 'block'; readonly gate: Int32Array }
  /** Tests: the thread dies. */
  | { readonly type: 'fail'; readonly how: WatchFailure }

/** How a thread may die: of an error nobody catches, by ending itself, or of running out of memory. */
export type WatchFailure = 'throw' | 'exit' | 'memory'

/** From the thread. */
export type WatchReport =
  /** Once, before all others: requests are read from now on. */
  | { readonly type: 'started' }
  | { readonly type: 'added'; readonly id: number }
  | { readonly type: 'flushed'; readonly id: number; readonly certain: boolean }
  | { readonly type: 'dirty'; readonly directories: readonly Directory[] }
  | { readonly type: 'gone'; readonly directories: readonly Directory[] }
  | { readonly type: 'limited'; readonly limit: WatchLimit }
  | { readonly type: 'overflow'; readonly reason: OverflowReason }

/** Why events may be missing from now on. */
export interface WatchLimit {
  /** ENOSPC: no watches left for this user; EMFILE: no watch queues left; CANARY: events cannot be proved to arrive
   * (no `.shoal`, or it cannot be written); WORKER: the thread died again and again (it is started anew each time). Others as the system names them. */
  readonly code: string
  readonly detail: string
  /** Directories that are not watched because of it; empty where all of them may be affected. */
  readonly directories: readonly Directory[]
}

/**
 * 'queue': so many events came in one go that the kernel may have dropped some; 'canary': our own event did not come;
 * 'restart': the thread died and another one runs, which watches nothing until directories are added.
 */
export type OverflowReason = 'queue' | 'canary' | 'restart'
