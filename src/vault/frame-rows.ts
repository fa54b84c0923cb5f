// The rows of a vault's index: where each frame that counts stands. Kept by journal-rows.ts; in memory alone, for reading
// a vault that is somebody else's, by memory-rows.ts.
import type { FrameType } from './frame.js'

/** Where a frame stands. */
export interface Place {
  /** Number of the pack. */
  readonly pack: number
  /** Of the frame in it. */
  readonly offset: number
  /** Of the payload. */
  readonly length: number
}

/** What is known of a pack. */
export interface PackRow {
  /** The index knows the pack up to here. */
  readonly covered: number
  /** Bytes of live frames, their headers included. */
  readonly live: number
  /** Live ones. */
  readonly frames: number
  readonly pieces: number
  /** Sealed bytes of the live pieces. */
  readonly pieceBytes: number
}

export interface KeyedPlace {
  readonly key: Buffer
  readonly place: Place
}

/** One writer; all of it synchronous. */
export interface FrameRows {
  transaction<T>(body: () => T): T
  get(key: Buffer): Place | undefined
  /** Whether there is a piece of this id. */
  hasPiece(id: Buffer): boolean
  /** Where it was before. */
  put(key: Buffer, place: Place): Place | undefined
  remove(key: Buffer): void
  /** Rows of a type whose keys are at least `from`, ascending, up to `limit`. */
  range(type: FrameType, from: Buffer, limit: number): KeyedPlace[]
  packs(): [number, PackRow][]
  putPack(number: number, row: PackRow): void
  removePack(number: number): void
  /** Which vault this is the index of. */
  vault(): string | undefined
  /** Forgets all, and is the index of this vault from now on. */
  begin(vault: string): void
  /** Whether what is kept is several times larger than what it says. */
  readonly isLong: boolean
  /** Keeps what it says anew, in slices; rows may change meanwhile. Rejects with the signal's reason, and is whole then. */
  shorten(signal?: AbortSignal): Promise<void>
}
