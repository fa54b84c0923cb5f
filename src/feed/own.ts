// The feed we write. Two promises, and both are about never signing one position twice:
//
// O1. No peer learns of a length before its blocks are on the disk (F5): blocks are written through a Hypercore atom,
//     and the atom's commit, which is what changes the length that peers see, waits for the sync.
//     docs/decisions/0010-durable-append.md has the reasoning.
// O2. Nothing is appended once a peer has proved that our feed has blocks we do not know, or others than ours (F4).
//     What such a peer sends is never applied; the fork ends replication at once and all appends from then on.
// Appends that arrive while others are being synced share the next write and the next sync.
import type { KeyPair } from 'hypercore'
import type CoreStorage from 'hypercore-storage'
import { ShoalError } from '../core/error.js'
import { Feed, type FeedSetup, type ForkReason } from './feed.js'
import { MAX_BLOCK_BYTES } from './guard.js'

export interface OwnFeedSetup extends FeedSetup {
  readonly storage: CoreStorage
  readonly keyPair: KeyPair
  /** Resolves when all that was written before the call is on the disk. */
  readonly sync: () => Promise<void>
}

interface Waiting {
  readonly blocks: readonly Buffer[]
  readonly bytes: number
  readonly resolve: (length: number) => void
  readonly reject: (error: ShoalError) => void
}

/** One write holds about this much; a group is cut before it grows beyond it. In bytes. */
const MAX_GROUP_BYTES = 8 * 1024 * 1024

export class OwnFeed extends Feed {
  readonly #own: OwnFeedSetup
  #waiting: Waiting[] = []
  #writing: Promise<void> = Promise.resolve()
  #busy = false
  #durableLength: number

  constructor(setup: OwnFeedSetup) {
    super(setup)
    this.#own = setup
    this.#durableLength = this.session.length
    this.core.preupdate = async (batch) => {
      // The signature has been verified: these are blocks of our feed that this device has not written.
      if (batch.upgraded) this.fork('longer')
      throw new Error('an own feed takes no blocks from peers')
    }
  }

  /**
   * Appends blocks (at most 2 MiB each) and resolves with the length right after the last of them, once they are on
   * the disk. Rejects with FEED_CORRUPT when the feed has forked, and with IO when it cannot be written or is closed;
   * after a rejection it is unknown, until the store is opened again, whether the blocks are in the feed.
   */
  append(blocks: readonly Buffer[]): Promise<number> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    let bytes = 0
    for (const block of blocks) {
      bytes += block.length
      if (block.length > MAX_BLOCK_BYTES)
        return Promise.reject(new ShoalError('INTERNAL', `cannot append a block of ${block.length} bytes`))
    }
    if (blocks.length === 0) return Promise.resolve(this.length)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ blocks, bytes, resolve, reject })
      this.#kick()
    })
  }

  override async clear(from: number, to: number): Promise<void> {
    // A write under way has read the same bitfield pages and would put back what is cleared meanwhile.
    const clearing = this.#writing.then(() => super.clear(from, to))
    this.#writing = clearing.catch(() => {})
    await clearing
  }

  protected override mayReplicate(_reason: ForkReason): boolean {
    return false
  }

  protected override async settle(): Promise<void> {
    await this.#writing
    this.#rejectAll()
  }

  #kick(): void {
    if (this.#busy) return
    this.#busy = true
    this.#writing = this.#writing.then(() => this.#drain())
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && this.#refusal() === undefined) {
      const group = this.#takeGroup()
      try {
        let length = await this.#write(group.flatMap((waiting) => waiting.blocks))
        for (const waiting of group) {
          length += waiting.blocks.length
          waiting.resolve(length)
        }
      } catch (thrown) {
        const error = this.#refusal() ?? writeFailure(this.writer, thrown)
        for (const waiting of group) waiting.reject(error)
      }
    }
    this.#rejectAll()
    this.#busy = false
  }

  #takeGroup(): Waiting[] {
    const group: Waiting[] = []
    let bytes = 0
    for (const waiting of this.#waiting) {
      if (group.length > 0 && bytes + waiting.bytes > MAX_GROUP_BYTES) break
      group.push(waiting)
      bytes += waiting.bytes
    }
    this.#waiting = this.#waiting.slice(group.length)
    return group
  }

  /** Writes, syncs, then publishes; resolves with the length before these blocks. */
  async #write(blocks: readonly Buffer[]): Promise<number> {
    const before = this.#durableLength
    this.#assertOnlyOurs()
    const { storage, keyPair, sync } = this.#own
    const atom = storage.createAtom()
    const onflush = atom.onflush.bind(atom)
    atom.onflush = (commit) =>
      onflush(async () => {
        await sync()
        // A fork proven meanwhile: these blocks are on our disk, but nobody shall ever hear of them (O2).
        this.#assertNotForked()
        await commit()
        this.#durableLength = before + blocks.length
      })
    const draft = this.session.session({ atom, keyPair })
    try {
      await draft.ready()
      await draft.append(blocks, { keyPair })
      this.#assertNotForked()
      await atom.flush()
    } finally {
      await draft.close()
    }
    this.#assertOnlyOurs()
    return before
  }

  /** A length that is not the one we wrote would mean that something else appends here. */
  #assertOnlyOurs(): void {
    if (this.session.length !== this.#durableLength) this.fork('longer')
    this.#assertNotForked()
  }

  #assertNotForked(): void {
    // Closing does not stop a write that has begun: it ends normally and close() waits for it.
    if (this.forked !== undefined) throw this.#refusal() ?? new Error('forked')
  }

  #refusal(): ShoalError | undefined {
    if (this.forked !== undefined)
      return new ShoalError('FEED_CORRUPT', `cannot append to feed ${this.writer}: it has forked`, {
        details: { reason: this.forked },
      })
    if (this.closed) return new ShoalError('IO', `cannot append to feed ${this.writer}: it is closed`)
    return undefined
  }

  #rejectAll(): void {
    const refusal = this.#refusal()
    if (refusal === undefined) return
    for (const waiting of this.#waiting.splice(0)) waiting.reject(refusal)
  }
}

function writeFailure(writer: string, thrown: unknown): ShoalError {
  if (thrown instanceof ShoalError) return thrown
  return new ShoalError('IO', `cannot append to feed ${writer}`, { cause: thrown })
}
