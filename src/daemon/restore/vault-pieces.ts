// Pieces for applying that come out of a vault, in the place of peers: read in the order asked, a few MiB at a time.
import { EventEmitter } from 'node:events'
import type { DeviceId } from '../../core/ids.js'
import { type PieceName, pieceKeyOf } from '../../core/picker.js'
import type { PieceExchange } from '../share/piece-exchange.js'

/** What restoring needs of a vault. */
export interface ReadableVault {
  has(id: Buffer): boolean
  read(ids: readonly Buffer[]): Promise<(Buffer | null)[]>
}

interface PieceEvents {
  pieces: [batch: readonly { readonly id: Buffer; readonly bytes: Buffer; readonly from: DeviceId }[]]
  availability: []
}

/** Read at once: enough to keep a disk busy, little enough to lie in memory a few times. */
const BATCH_BYTES = 4 << 20
/** Stands for the vault where a peer would be named. */
const NOBODY = '0'.repeat(64) as DeviceId

export class VaultPieces extends EventEmitter<PieceEvents> implements PieceExchange {
  readonly #vault: ReadableVault
  readonly #onLost: (piece: PieceName) => void
  readonly #onFailure: (thrown: unknown) => void
  readonly #queues: [PieceName[], PieceName[]] = [[], []]
  readonly #unwanted = new Set<string>()
  #running: Promise<void> | undefined
  #stopped = false
  #bytes = 0

  /** `onLost`: a piece is not there, not whole, or not of that length. `onFailure`: the vault cannot be read. */
  constructor(
    vault: ReadableVault,
    onLost: (piece: PieceName) => void,
    onFailure: (thrown: unknown) => void,
  ) {
    super()
    this.#vault = vault
    this.#onLost = onLost
    this.#onFailure = onFailure
  }

  /** Delivered so far. */
  get bytes(): number {
    return this.#bytes
  }

  want(pieces: Parameters<PieceExchange['want']>[0]): void {
    for (const { id, length, priority } of pieces) {
      this.#unwanted.delete(pieceKeyOf({ id, length }))
      this.#queues[priority === 0 ? 0 : 1].push({ id, length })
    }
    this.#wake()
  }

  unwant(pieces: readonly PieceName[]): void {
    if (this.#running === undefined) return
    for (const piece of pieces) this.#unwanted.add(pieceKeyOf(piece))
  }

  /** It was verified when it was read: asking again changes nothing. */
  wrong(piece: PieceName): void {
    this.#onLost(piece)
  }

  stats(): { readonly inFlightBytes: number } {
    return { inFlightBytes: 0 }
  }

  /** All that a vault has is there from the start: who waits for a piece waits for its turn. */
  isAvailable(): boolean {
    return true
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  #wake(): void {
    this.#running ??= this.#read()
      .catch((thrown) => this.#onFailure(thrown))
      .finally(() => {
        this.#running = undefined
        this.#unwanted.clear()
        if (!this.#stopped && this.#queues.some((queue) => queue.length > 0)) this.#wake()
      })
  }

  async #read(): Promise<void> {
    // What is wanted in one go is read in one go.
    await new Promise((resolve) => setImmediate(resolve))
    for (let batch = this.#take(); batch.length > 0 && !this.#stopped; batch = this.#take()) {
      const read = await this.#vault.read(batch.map(({ id }) => id))
      if (this.#stopped) return
      const delivered: { id: Buffer; bytes: Buffer; from: DeviceId }[] = []
      for (const [i, bytes] of read.entries()) {
        const piece = batch[i]!
        // Of another length than was announced, it is not that piece: nobody has that one.
        if (bytes?.length !== piece.length) this.#onLost(piece)
        else delivered.push({ id: piece.id, bytes, from: NOBODY })
        this.#bytes += bytes?.length ?? 0
      }
      if (delivered.length > 0) this.emit('pieces', delivered)
    }
  }

  #take(): PieceName[] {
    const batch: PieceName[] = []
    let bytes = 0
    for (const queue of this.#queues) {
      let taken = 0
      while (taken < queue.length && bytes < BATCH_BYTES) {
        const wanted = queue[taken++]!
        if (this.#unwanted.has(pieceKeyOf(wanted))) continue
        batch.push(wanted)
        bytes += wanted.length
      }
      queue.splice(0, taken)
    }
    return batch
  }
}
