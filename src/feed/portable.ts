// Moves feeds in and out of where Hypercore keeps them: out of an open feed the blocks as they are stored (ciphertext)
// with what proves that its writer signed them, and back into a feed store, with the signature verified and no peer.
//
// M1. A feed that was adopted is the one its writer signed: the tree is worked out from the blocks, and the writer's
//     signature over its roots must hold. Nothing of a feed that fails is kept.
// M2. A feed is adopted whole or, after a crash, not at all: its head is written last, in one step with what it says.
// M3. Blocks that are not there (cleared by their writer after a checkpoint) stay so: the nodes of the tree over them
//     travel with the head. So do blocks that were lost since, where their hashes are kept (leaves.ts).
import type { Core, CoreStorageOfOne, Manifest, TreeNode } from 'hypercore'
import { ShoalError } from '../core/error.js'
import { type WriterId, writerIdOf } from '../core/ids.js'
import { manifestOf } from './key.js'
import { type LeafHash, nodesOver } from './merkle.js'
import {
  type Adoption,
  encodeProof,
  type FeedProof,
  FeedTree,
  MAX_PROOF_BYTES,
  type PortableBlock,
  type PortableHead,
  readProof,
} from './proof.js'

export type { Adoption, PortableBlock, PortableHead } from './proof.js'
export { MAX_PROOF_BYTES } from './proof.js'

export interface PortableFeed {
  readonly head: PortableHead
  /**
   * In order, those that are here. Rejects with IO if one is cleared meanwhile: export again. Ends with the head's length.
   */
  readonly blocks: AsyncIterable<PortableBlock>
}

/** Written to the database at once while adopting. In bytes. */
const WRITE_BYTES = 4 * 1024 * 1024
/** hypercore/lib/bitfield.js */
const BITS_PER_PAGE = 32_768

/**
 * What is here of a feed, as it stands now. `from`: blocks below it are left out; the head takes for granted that whoever
 * keeps it has all of them that are here. Undefined: nothing is signed yet. FEED_CORRUPT if the tree lacks a part; IO if
 * what is here has too many gaps (MAX_PROOF_BYTES).
 */
export async function exportCore(core: Core, from: number): Promise<PortableFeed | undefined> {
  const { length, fork, signature } = core.state
  const signer = core.manifest?.signers[0]
  if (length === 0 || signature === null || signer === undefined) return undefined
  // All of it is of this moment: what is read below may only become less.
  const present = rangesOf(core, length)
  const writer = writerIdOf(core.key)
  const nodes: TreeNode[] = []
  for (const index of missingNodes(present, length)) nodes.push(await nodeOf(core, index, writer))
  const proof = encodeProof({ publicKey: signer.publicKey, signature, nodes })
  if (proof.length > MAX_PROOF_BYTES)
    throw new ShoalError('IO', `cannot export feed ${writer}: there are too many gaps in what is here of it`)
  return { head: { writer, length, fork, signature: proof }, blocks: blocksOf(core, writer, present, from) }
}

/**
 * Writes a feed into the storage of a core that nobody else uses. False: there is a feed already, which stays as it is.
 * FEED_CORRUPT unless blocks and head are what the feed's writer signed.
 */
export async function adoptInto(core: Core, adoption: Adoption): Promise<boolean> {
  const { feedKey, head } = adoption
  if (core.state.length > 0) return false
  const proof = readProof(head, feedKey)
  // Of an adoption that a crash has ended.
  await emptyOut(core)
  const filling = new Filling(core, adoption, proof.nodes)
  try {
    for await (const { index, bytes } of adoption.blocks) {
      if (index >= head.length) break
      await filling.add(index, bytes)
    }
    await filling.finish(proof, head)
  } catch (thrown) {
    await emptyOut(core)
    throw thrown
  }
  return true
}

/** The manifest a head tells, once it is known to be that of `feedKey`; FEED_CORRUPT if it is another's. */
export function manifestOfHead(head: PortableHead, feedKey: Buffer): Manifest {
  return manifestOf(readProof(head, feedKey).publicKey)
}

/** What stands in the tree for the blocks `from` to `to` (exclusive); undefined: of one of them it is not known here. */
export async function leavesOf(core: Core, from: number, to: number): Promise<LeafHash[] | undefined> {
  const reading = core.state.storage.read()
  const asked: Promise<TreeNode | null>[] = []
  for (let block = from; block < to; block++) asked.push(reading.getTreeNode(2 * block))
  reading.tryFlush()
  const leaves: LeafHash[] = []
  for (const leaf of await Promise.all(asked)) {
    if (leaf === null) return undefined
    leaves.push({ size: leaf.size, hash: leaf.hash })
  }
  return leaves
}

/** Takes the blocks and nodes out of a core that has no head. */
async function emptyOut(core: Core): Promise<void> {
  const tx = core.state.storage.write()
  tx.deleteBlockRange(0, -1)
  tx.deleteTreeNodeRange(0, -1)
  await tx.flush()
}

/** Blocks that are here: [first, end) pairs in order. */
function rangesOf(core: Core, length: number): [number, number][] {
  const ranges: [number, number][] = []
  for (let at = core.bitfield.firstSet(0); at !== -1 && at < length; ) {
    const end = Math.min(core.bitfield.firstUnset(at), length)
    ranges.push([at, end])
    at = core.bitfield.firstSet(end)
  }
  return ranges
}

function missingNodes(present: readonly [number, number][], length: number): number[] {
  const nodes: number[] = []
  let at = 0
  for (const [first, end] of [...present, [length, length] as const]) {
    nodes.push(...nodesOver(at, first))
    at = end
  }
  return nodes
}

async function nodeOf(core: Core, index: number, writer: WriterId): Promise<TreeNode> {
  const reading = core.state.storage.read()
  const asked = reading.getTreeNode(index)
  reading.tryFlush()
  const node = await asked
  if (node === null)
    throw new ShoalError('FEED_CORRUPT', `cannot export feed ${writer}: a part of its tree is missing`)
  return node
}

async function* blocksOf(
  core: Core,
  writer: WriterId,
  present: readonly [number, number][],
  from: number,
): AsyncGenerator<PortableBlock, void, undefined> {
  for (const [first, end] of present) {
    if (end <= from) continue
    let next = Math.max(first, from)
    for await (const { index, value } of core.state.storage.createBlockStream({ gte: next, lt: end })) {
      if (index !== next) break
      next++
      yield { writer, index, bytes: value }
    }
    if (next < end)
      throw new ShoalError('IO', `cannot export feed ${writer}: block ${next} was cleared meanwhile`)
  }
}

/** A feed that comes in from the left; what it is made of is written as it comes, its head at the end (M2). */
class Filling {
  readonly #core: Core
  readonly #tree: FeedTree
  readonly #pages = new Map<number, Buffer>()
  #tx: ReturnType<CoreStorageOfOne['write']> | undefined
  #waitingBytes = 0

  constructor(core: Core, { head, leaves }: Adoption, nodes: readonly TreeNode[]) {
    this.#core = core
    this.#tree = new FeedTree(head, nodes, leaves, (node, bytes) => {
      this.#writing().putTreeNode(node)
      this.#waitingBytes += bytes
    })
  }

  async add(index: number, bytes: Buffer): Promise<void> {
    this.#tree.add(index, bytes)
    this.#writing().putBlock(index, bytes)
    this.#waitingBytes += bytes.length
    this.#mark(index)
    if (this.#waitingBytes >= WRITE_BYTES) await this.#flush()
  }

  async finish({ signature }: FeedProof, { fork, length }: PortableHead): Promise<void> {
    const roots = this.#tree.roots()
    const { state, verifier } = this.#core
    const batch = state.createTreeBatch()
    batch.roots = roots
    batch.length = length
    batch.byteLength = batch.roots.reduce((sum, root) => sum + root.size, 0)
    batch.fork = fork
    if (verifier === null || !verifier.verify(batch, signature)) throw this.#tree.notSigned()
    const tx = this.#writing()
    for (const [page, bits] of this.#pages) tx.putBitfieldPage(page, bits)
    tx.setHead({ fork, length, rootHash: batch.hash(), signature, timestamp: 0 })
    tx.setHints({ contiguousLength: this.#tree.firstMissing ?? length, remoteContiguousLength: 0 })
    await this.#flush()
  }

  #mark(index: number): void {
    const page = Math.floor(index / BITS_PER_PAGE)
    let bits = this.#pages.get(page)
    if (bits === undefined) {
      bits = Buffer.alloc(BITS_PER_PAGE / 8)
      this.#pages.set(page, bits)
    }
    const bit = index % BITS_PER_PAGE
    bits[bit >> 3]! |= 1 << (bit & 7)
  }

  #writing(): ReturnType<CoreStorageOfOne['write']> {
    this.#tx ??= this.#core.state.storage.write()
    return this.#tx
  }

  async #flush(): Promise<void> {
    const tx = this.#tx
    this.#tx = undefined
    this.#waitingBytes = 0
    await tx?.flush()
  }
}
