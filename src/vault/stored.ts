// What a vault holds: sealed pieces, and what is needed to bring feeds back to life. All of it is ciphertext, or public
// to every member of any grade.
import type { WriterId } from '../core/ids.js'

/** A sealed piece (P1). */
export interface StoredPiece {
  /** BLAKE3 of the bytes, 32 bytes. */
  readonly id: Buffer
  readonly bytes: Buffer
}

/** A block of a feed as Hypercore stores it (ciphertext). */
export interface StoredBlock {
  readonly writer: WriterId
  readonly index: number
  readonly bytes: Buffer
}

/** What a writer signed of its feed. */
export interface StoredHead {
  readonly writer: WriterId
  /** Blocks, 0 to 2^53 - 1. */
  readonly length: number
  readonly fork: number
  /** At most 4 KiB. */
  readonly signature: Buffer
}

/** What lets the rest of a feed be proved where blocks of it are lost, by numbers that the feed's side gives (src/feed/leaves.ts). */
export interface StoredLeaves {
  readonly writer: WriterId
  readonly index: number
  /** At most 16 KiB. */
  readonly bytes: Buffer
}

/** What is made durable together; parts that are here already are passed over. */
export interface VaultBatch {
  readonly pieces?: readonly StoredPiece[]
  /** Certificates (K5) in their bytes. */
  readonly certificates?: readonly Buffer[]
  readonly blocks?: readonly StoredBlock[]
  /** Written whatever is here under their numbers. */
  readonly leaves?: readonly StoredLeaves[]
  readonly heads?: readonly StoredHead[]
}

/** Something that was here and is not whole any more; it is forgotten, and can be added again. */
export type Damaged =
  | { readonly type: 'piece'; readonly id: Buffer }
  | { readonly type: 'certificate'; readonly digest: Buffer }
  | { readonly type: 'block'; readonly writer: WriterId; readonly index: number }
  | { readonly type: 'head'; readonly writer: WriterId }
  | { readonly type: 'leaves'; readonly writer: WriterId; readonly index: number }

export interface VaultStats {
  readonly pieces: number
  /** Of the pieces, sealed. */
  readonly bytes: number
  readonly packs: number
  /** What packs hold beyond what is live; compaction brings most of it back. */
  readonly deadBytes: number
}

export interface VerifyProgress {
  readonly packs: number
  readonly ofPacks: number
  readonly bytes: number
  readonly ofBytes: number
}

export interface VerifyReport {
  readonly packs: number
  /** Live frames that are whole. */
  readonly frames: number
  /** Bytes read. */
  readonly bytes: number
  readonly damaged: readonly Damaged[]
  /** False: it was stopped by its signal. */
  readonly isComplete: boolean
}

export interface CompactionOptions {
  readonly signal?: AbortSignal
  /** Packs whose share of dead bytes is at least this are rewritten, 0 to 1. Default 0.25. */
  readonly minDeadShare?: number
  /** Packs with fewer dead bytes are left alone. Default 1 MiB. */
  readonly minDeadBytes?: number
  /** Stops after so many packs. Default: all that are due. */
  readonly maxPacks?: number
  /** Called with the bytes just read or written; compaction waits for it. */
  readonly pace?: (bytes: number) => Promise<void>
}

export interface CompactionReport {
  /** Packs removed. */
  readonly packs: number
  readonly movedBytes: number
  readonly freedBytes: number
  readonly damaged: readonly Damaged[]
}

/** Where the sealed bytes of a piece stand. */
export interface PiecePlace {
  readonly pack: number
  /** In bytes from the beginning of the pack. */
  readonly offset: number
  readonly length: number
}
