// A small feed that is read once, in memory: its blocks proved as its writer signed them, with neither a database nor a peer.
// Hypercore's own parts check the signature and open the blocks.
import DefaultEncryption from 'hypercore/lib/default-encryption.js'
import Verifier from 'hypercore/lib/verifier.js'
import { ShoalError } from '../core/error.js'
import { manifestOf } from './key.js'
import { rootsHashOf, signableOf } from './merkle.js'
import { type Adoption, FeedTree, readProof } from './proof.js'

export class HeldFeed {
  readonly length: number
  /** As stored, by number. */
  readonly #blocks: ReadonlyMap<number, Buffer>
  readonly #encryption: DefaultEncryption

  private constructor(length: number, blocks: ReadonlyMap<number, Buffer>, encryption: DefaultEncryption) {
    this.length = length
    this.#blocks = blocks
    this.#encryption = encryption
  }

  /**
   * Takes a feed over into memory. Undefined: its blocks are more than `maxBytes`. FEED_CORRUPT unless blocks and head are
   * what the writer of `feedKey` signed. `blockKey`: what opens them.
   */
  static async take(adoption: Adoption, blockKey: Buffer, maxBytes: number): Promise<HeldFeed | undefined> {
    const { feedKey, head, leaves } = adoption
    const { length, fork } = head
    const { publicKey, signature, nodes } = readProof(head, feedKey)
    const tree = new FeedTree(head, nodes, leaves)
    const blocks = new Map<number, Buffer>()
    let left = maxBytes
    for await (const { index, bytes } of adoption.blocks) {
      if (index >= length) break
      left -= bytes.length
      if (left < 0) return undefined
      tree.add(index, bytes)
      blocks.set(index, bytes)
    }
    const hash = rootsHashOf(tree.roots())
    const verifier = new Verifier(feedKey, Verifier.createManifest(manifestOf(publicKey)))
    const batch = {
      length,
      fork,
      hash: () => hash,
      signable: (of: Buffer) => signableOf(of, hash, length, fork),
    }
    if (!verifier.verify(batch, signature)) throw tree.notSigned()
    return new HeldFeed(
      length,
      blocks,
      new DefaultEncryption(blockKey, feedKey, { block: false, compat: false }),
    )
  }

  /** Of all blocks that are here, as stored. */
  get bytes(): number {
    let bytes = 0
    for (const block of this.#blocks.values()) bytes += block.length
    return bytes
  }

  async has(from: number, to: number): Promise<boolean> {
    for (let index = from; index < to; index++) if (!this.#blocks.has(index)) return false
    return true
  }

  /** As Feed.read(). FEED_CORRUPT for a block that is not here: nobody is asked for it. */
  async *read(
    from: number,
    to: number,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<{ readonly index: number; readonly block: Buffer }, void, undefined> {
    for (let index = from; index < to; index++) {
      signal?.throwIfAborted()
      const stored = this.#blocks.get(index)
      if (stored === undefined || stored.length < DefaultEncryption.PADDING)
        throw new ShoalError('FEED_CORRUPT', `cannot read block ${index} of a feed: not there`)
      const block = Buffer.from(stored)
      this.#encryption.decrypt(index, block, { compat: false })
      yield { index, block: block.subarray(DefaultEncryption.PADDING) }
    }
  }
}
