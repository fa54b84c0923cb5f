// What has arrived and is right, until it is written: a good many pieces together, one write at a time. The memory they lie in is
// left once they are durable, and not after a failure: whether a write is still under way then, nobody knows.
import type { VerifiedPiece } from '../../vault/verified-piece.js'
import type { SharedRoom } from '../share/piece-exchange.js'

/** Written at once at most; the sync after it costs the same for a little as for much. */
const BATCH_BYTES = 8 << 20
/**
 * What arrives within so long is written together, unless nothing else is on its way: each write costs a sync of the pack and
 * a commit of the index. Longer would fill batches of links slower than 40 MB/s, and tell peers later what is here.
 */
const GATHER_MS = 200

export interface ArrivalsOptions<Fetch> {
  /** Makes pieces durable, and does all that is to be done then for what they were fetched by. */
  readonly store: (pieces: readonly VerifiedPiece[], by: readonly Fetch[]) => Promise<void>
  /** Whether more is on its way. */
  readonly isMoreAwaited: () => boolean
  /** A write is over, well or not. */
  readonly over: () => void
  readonly fail: (thrown: unknown) => void
}

export class Arrivals<Fetch> {
  readonly #o: ArrivalsOptions<Fetch>
  #pieces: VerifiedPiece[] = []
  #by: Fetch[] = []
  /** Where they lie, with others. */
  #rooms: SharedRoom[] = []
  #bytes = 0
  #gathering: NodeJS.Timeout | undefined
  /** What has arrived has waited for company long enough. */
  #isDue = false
  #writing: Promise<void> | undefined
  #stopped = false

  constructor(options: ArrivalsOptions<Fetch>) {
    this.#o = options
  }

  /** look() then sees to it that they are written. */
  add(pieces: readonly VerifiedPiece[], by: Fetch, room: SharedRoom | undefined): void {
    for (const piece of pieces) {
      this.#pieces.push(piece)
      this.#bytes += piece.bytes.length
    }
    this.#by.push(by)
    if (room !== undefined) this.#rooms.push(room)
  }

  /** Something has arrived, or what was awaited is not any more. */
  look(): void {
    if (this.#pieces.length === 0 || this.#stopped) return
    if (this.#isDue || !this.#o.isMoreAwaited() || this.#bytes >= BATCH_BYTES) return this.#write()
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      this.#isDue = true
      this.look()
    }, GATHER_MS)
  }

  /** Resolves when no write is under way; no other one begins. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#gathering)
    await this.#writing
  }

  #write(): void {
    if (this.#writing !== undefined) return
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    this.#isDue = false
    const rooms = this.#rooms
    const stored = this.#o.store(this.#pieces, this.#by)
    this.#pieces = []
    this.#by = []
    this.#rooms = []
    this.#bytes = 0
    this.#writing = stored
      .then(() => {
        for (const room of rooms) room.leave()
      })
      .catch((thrown: unknown) => {
        if (!this.#stopped) this.#o.fail(thrown)
      })
      .finally(() => {
        this.#writing = undefined
        this.look()
        this.#o.over()
      })
  }
}
