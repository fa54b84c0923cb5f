// What a preview answers, and what `shoal preview --json` prints: names are stable, keys are only ever added.

export interface PreviewReport {
  /** The configuration file. */
  readonly config: string
  readonly shares: readonly SharePreview[]
}

export interface SharePreview {
  readonly dir: string
  readonly grade: 'write' | 'read'
  /** Every member that was reached has told all that it knows, and all of it was read. */
  readonly complete: boolean
  readonly members: readonly PreviewMember[]
  /** Null if nobody was reached. */
  readonly comparison: Comparison | null
  /** Things to know before joining, for people. */
  readonly notes: readonly string[]
}

/** A member that was met or told of. */
export interface PreviewMember {
  /** 64 hex digits. */
  readonly device: string
  readonly name: string
  readonly grade: 'write' | 'read'
  readonly reached: boolean
  /** Whether its disk holds the tree that this folder was compared with, by its newest signed state. */
  readonly digestEqual: boolean
}

/** Paths by how the folder stands to the share. What the ignore rules leave out is in none. */
export interface Comparison {
  /** Same type, content and permissions; times may differ. */
  readonly same: Tally
  /** `deletedThere`: paths among them that the share once had. */
  readonly onlyHere: Tally & { readonly deletedThere: number }
  readonly onlyThere: Tally
  /** Another type, content or permissions. Counted by what is here; `bytesThere` is what the share has instead. */
  readonly different: Tally & { readonly bytesThere: number }
  /** Paths that could not be compared. */
  readonly problems: readonly PreviewProblem[]
}

export interface Tally {
  readonly files: number
  readonly folders: number
  readonly links: number
  /** Of the files. */
  readonly bytes: number
}

export interface PreviewProblem {
  readonly path: string
  readonly code: string
  readonly detail: string
}

/** One path that is not the same. */
export interface PreviewPath {
  readonly dir: string
  readonly path: string
  readonly what: 'only-here' | 'only-there' | 'different'
  /** Of what differs. */
  readonly why?: 'type' | 'content' | 'permissions'
}

/** How far a preview is. */
export type PreviewProgress =
  /** Members are met and what they say is read; given up without anything new for so long. */
  | { readonly stage: 'meeting'; readonly members: number; readonly givesUpInMs: number }
  /** The folder is compared; of the share's bytes those that had to be read were, up to now. */
  | {
      readonly stage: 'comparing'
      readonly dir: string
      readonly files: number
      readonly readBytes: number
      readonly shareBytes: number
    }
