// What is done about a reader's changes, as the configuration says it (`drift`): rules by pattern, of which the first that
// matches decides.

/** report: the change stays, and is told of. restore: the share's version is put back, the local one goes to the archive. */
export type DriftPolicy = 'report' | 'restore'

export interface DriftRule {
  /** Patterns in gitignore's language; undefined: every path. */
  readonly match: readonly string[] | undefined
  readonly policy: DriftPolicy
}

/** What holds where no rule matches. */
export const DEFAULT_DRIFT_POLICY: DriftPolicy = 'report'

/** `overwrite_changes`, as rules. */
export const RESTORE_ALL: readonly DriftRule[] = [{ match: undefined, policy: 'restore' }]
