// What `shoal log --verify` found, as it prints it with --json.

export interface VerifyReport {
  readonly shares: readonly VerifiedShare[]
}

export interface VerifiedShare {
  readonly dir: string
  readonly feeds: readonly VerifiedFeed[]
  /** Versions that the index goes by, each of which was looked for in its feed. */
  readonly heads: number
  /** Those whose records are not kept here, so that it cannot be looked. */
  readonly headsNotHere: number
  /** What does not hold; empty: all does. */
  readonly faults: readonly VerifyFault[]
}

export interface VerifiedFeed {
  readonly device: string
  readonly name: string
  readonly writer: string
  readonly epoch: number
  /** Records that its writer has signed, those that are here, and the versions in those. */
  readonly length: number
  readonly records: number
  readonly versions: number
  /** It has forked, and nobody follows it any more. */
  readonly closed: boolean
}

export interface VerifyFault {
  /** Whose feed; null: none's. */
  readonly name: string | null
  readonly writer: string | null
  /** From 0; null: no single one. */
  readonly record: number | null
  readonly what: string
}
