// A hook: a program that is run after files of a share have changed here (`on_change`). What it is and what it is for, and
// which of its patterns has the last word on a path.

import type { RelPath } from './path.js'

/** A hook as the configuration has it. */
export interface HookSpec {
  /** Patterns in gitignore's language, `!` before those that take out again; not empty. */
  readonly match: readonly string[]
  /** The program and its arguments; not empty, and no shell sees it. */
  readonly run: readonly string[]
  /** So long nothing that matches must have been changed before it runs. */
  readonly settleMs: number
  /** After so long a run is ended. */
  readonly timeoutMs: number
  readonly retry: HookRetry
  /** Whether changes made on this device and published by it count, too. */
  readonly ownChanges: boolean
  /** Absolute; undefined: the share's directory. */
  readonly cwd: string | undefined
  /** Variables for the program, over those it has anyway. */
  readonly env: Readonly<Record<string, string>>
}

/** What is done when a run fails. */
export interface HookRetry {
  /** So often it is tried again; 0: never. */
  readonly times: number
  /** Before the first of these; doubled before each further one, up to MAX_RETRY_WAIT_MS. */
  readonly waitMs: number
}

/** Whose change it is: the daemon put it on this disk because the share says so, or found it there and published it. */
export type ChangedBy = 'share' | 'user'

/** Whether a change concerns a hook; `matches` answers for its patterns. */
export function concerns(hook: Pick<HookSpec, 'ownChanges'>, by: ChangedBy, matches: boolean): boolean {
  return matches && (by === 'share' || hook.ownChanges)
}

/** One of a hook's patterns. */
export interface HookPattern {
  /** It began with "!". */
  readonly takesOut: boolean
  /** Whether it matches a path, or a directory above it. */
  matches(path: RelPath): boolean
}

/** Whether patterns match a path: the last that does decides. Unlike gitignore's, they take out below what they match. */
export function lastMatch(patterns: readonly HookPattern[], path: RelPath): boolean {
  return patterns.findLast((pattern) => pattern.matches(path))?.takesOut === false
}
