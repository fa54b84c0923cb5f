// Batches that are added at the same time share a write: one append, one sync for all that waits.
import type { VaultBatch } from './stored.js'

interface Waiting {
  readonly batch: VaultBatch
  readonly bytes: number
  readonly within: (() => void) | undefined
  readonly resolve: () => void
  readonly reject: (thrown: unknown) => void
}

/** A write gets no larger, unless one batch is. */
const GROUP_BYTES = 16 * 2 ** 20

export class Adds {
  readonly #write: (batches: readonly VaultBatch[], within: () => void) => Promise<void>
  #waiting: Waiting[] = []
  #isWriting = false

  /**
   * `write` makes batches durable, all or with an error that goes to each of them, and calls `within` in the transaction that
   * makes the last of them known.
   */
  constructor(write: (batches: readonly VaultBatch[], within: () => void) => Promise<void>) {
    this.#write = write
  }

  add(batch: VaultBatch, within?: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, bytes: bytesOf(batch), within, resolve, reject })
      if (!this.#isWriting) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isWriting = true
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup()
      try {
        const within = (): void => {
          for (const each of group) each.within?.()
        }
        await this.#write(
          group.map(({ batch }) => batch),
          within,
        )
        for (const { resolve } of group) resolve()
      } catch (thrown) {
        for (const { reject } of group) reject(thrown)
      }
    }
    this.#isWriting = false
  }

  #nextGroup(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes
      if (count > 0 && bytes > GROUP_BYTES) break
      count++
    }
    return this.#waiting.splice(0, count)
  }
}

function bytesOf({ pieces = [], certificates = [], blocks = [] }: VaultBatch): number {
  const sum = (parts: readonly Uint8Array[]): number => parts.reduce((total, part) => total + part.length, 0)
  return sum(pieces.map(({ bytes }) => bytes)) + sum(certificates) + sum(blocks.map(({ bytes }) => bytes))
}
