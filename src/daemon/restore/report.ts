// What restoring and looking into the past are asked, and what they answer: shapes that the command line shows.

export interface RestoreProgress {
  readonly stage: 'meeting' | 'reading' | 'writing'
  /** Members met, records read, or bytes written. */
  readonly done: number
  readonly total: number | undefined
  readonly files: number
  readonly ofFiles: number
  readonly givesUpInMs?: number
}

export interface LackingPath {
  readonly path: string
  readonly code: string
  readonly detail: string
}

export interface RestoreReport {
  readonly dir: string
  /** As of when, ISO 8601; null: the newest there is. */
  readonly at: string | null
  /** Whose feeds were read, and up to when they go. */
  readonly writers: readonly {
    readonly name: string
    readonly records: number
    readonly newest: string | null
  }[]
  readonly files: number
  readonly bytes: number
  /** All is there, verified. */
  readonly complete: boolean
  /** What is not, at most MAX_LACKING; `lackingCount` counts all. */
  readonly lacking: readonly LackingPath[]
  readonly lackingCount: number
  /** What deserves a word although nothing is missing. */
  readonly notes: readonly string[]
}

export const MAX_LACKING = 1000

export interface PastEntry {
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink'
  readonly size: number
  /** ISO 8601. */
  readonly mtime: string
  /** Null for symlinks. */
  readonly mode: number | null
  readonly target: string | null
}

/** One version of one path, as its writer's record tells it. */
export interface PastVersionReport {
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'deleted'
  readonly size: number
  readonly mtime: string
  readonly by: string
  /** ISO 8601, by the writer's clock. */
  readonly at: string
}
