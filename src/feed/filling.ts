// Writes a feed that comes in from the left into the storage of a core that nobody else uses. Blocks are written as they
// come, which nobody sees before the bits and the head that say that they are there: those are written last, in one step,
// once the writer's signature holds (M1, M2 in portable.ts).
import type { Core, CoreStorageOfOne, TreeNode } from 'hypercore'
import { type Adoption, type FeedProof, FeedTree, type PortableBlock, type PortableHead } from './proof.js'

/** Written to the database at once. In bytes. */
const WRITE_BYTES = 4 * 1024 * 1024
/** hypercore/lib/bitfield.js */
const BITS_PER_PAGE = 32_768

/** What is in a core already. */
export interface Beginning {
  /** Over all blocks before the first that comes in, from the left. */
  readonly nodes: readonly TreeNode[]
  /** Of all that is here. */
  readonly roots: readonly TreeNode[]
  /** Blocks that are here: [first, end) pairs in order. */
  readonly present: readonly (readonly [number, number])[]
}

const NOTHING: Beginning = { nodes: [], roots: [], present: [] }

export class Filling {
  readonly #core: Core
  readonly #head: PortableHead
  readonly #tree: FeedTree
  readonly #bits = new Bits()
  /** Nodes that must come out as they are here, by index. */
  readonly #fixed: Map<number, TreeNode>
  readonly #isFresh: boolean
  /** Wait for the signature: what is here of a feed is read meanwhile only by its own tree, and stays that. */
  readonly #waitingNodes: TreeNode[] = []
  readonly #written: number[] = []
  #isForked = false
  #tx: ReturnType<CoreStorageOfOne['write']> | undefined
  #waitingBytes = 0

  /** `nodes`: over blocks that are missing, from the left. */
  constructor(
    core: Core,
    { head, leaves }: Pick<Adoption, 'head' | 'leaves'>,
    nodes: readonly TreeNode[],
    { nodes: start, roots, present }: Beginning = NOTHING,
  ) {
    this.#core = core
    this.#head = head
    this.#isFresh = start.length === 0 && roots.length === 0
    const begun = new Set(start.map(({ index }) => index))
    this.#fixed = new Map(roots.filter(({ index }) => !begun.has(index)).map((root) => [root.index, root]))
    for (const [first, end] of present) for (let i = first; i < end; i++) this.#bits.set(i)
    this.#tree = new FeedTree(head, nodes, leaves, (node, bytes) => this.#takeNode(node, bytes), start)
  }

  /** All of it. False: something is here, and none of these blocks was missing. FEED_CORRUPT: undo() takes back what was written. */
  async fill(
    blocks: AsyncIterable<PortableBlock> | Iterable<PortableBlock>,
    proof: FeedProof,
  ): Promise<boolean> {
    for await (const { index, bytes } of blocks) {
      if (index >= this.#head.length) break
      await this.#add(index, bytes)
    }
    if (!this.#isFresh && this.#written.length === 0) return false
    await this.#finish(proof)
    return true
  }

  /** Takes out the blocks that nothing says are there. */
  async undo(): Promise<void> {
    this.#tx = undefined
    const tx = this.#core.state.storage.write()
    for (const index of this.#written) tx.deleteBlockRange(index, index + 1)
    await tx.flush()
  }

  async #add(index: number, bytes: Buffer): Promise<void> {
    this.#tree.add(index, bytes)
    if (this.#isForked) throw this.#tree.forked()
    if (this.#bits.has(index)) return
    this.#writing().putBlock(index, bytes)
    this.#waitingBytes += bytes.length
    this.#written.push(index)
    this.#bits.set(index)
    if (this.#waitingBytes >= WRITE_BYTES) await this.#flush()
  }

  #takeNode(node: TreeNode, bytes: number): void {
    const fixed = this.#fixed.get(node.index)
    if (fixed !== undefined && !(fixed.size === node.size && fixed.hash.equals(node.hash)))
      this.#isForked = true
    this.#fixed.delete(node.index)
    if (!this.#isFresh) return void this.#waitingNodes.push(node)
    this.#writing().putTreeNode(node)
    this.#waitingBytes += bytes
  }

  async #finish({ signature }: FeedProof): Promise<void> {
    const { fork, length } = this.#head
    const roots = this.#tree.roots()
    // A gap may hide it; then nobody can tell.
    if (this.#isForked || this.#fixed.size > 0) throw this.#tree.forked()
    const { state, verifier } = this.#core
    const batch = state.createTreeBatch()
    batch.roots = roots
    batch.length = length
    batch.byteLength = batch.roots.reduce((sum, root) => sum + root.size, 0)
    batch.fork = fork
    if (verifier === null || !verifier.verify(batch, signature)) throw this.#tree.notSigned()
    const tx = this.#writing()
    for (const node of this.#waitingNodes) tx.putTreeNode(node)
    for (const [page, bits] of this.#bits.pages) tx.putBitfieldPage(page, bits)
    tx.setHead({ fork, length, rootHash: batch.hash(), signature, timestamp: 0 })
    tx.setHints({ contiguousLength: this.#bits.firstUnset(), remoteContiguousLength: 0 })
    await this.#flush()
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

/** Which blocks are there, in pages as Hypercore stores them. */
class Bits {
  readonly pages = new Map<number, Buffer>()

  has(index: number): boolean {
    const bits = this.pages.get(Math.floor(index / BITS_PER_PAGE))
    const bit = index % BITS_PER_PAGE
    return bits !== undefined && (bits[bit >> 3]! & (1 << (bit & 7))) !== 0
  }

  set(index: number): void {
    const page = Math.floor(index / BITS_PER_PAGE)
    let bits = this.pages.get(page)
    if (bits === undefined) {
      bits = Buffer.alloc(BITS_PER_PAGE / 8)
      this.pages.set(page, bits)
    }
    const bit = index % BITS_PER_PAGE
    bits[bit >> 3]! |= 1 << (bit & 7)
  }

  firstUnset(): number {
    let index = 0
    while (this.has(index)) index++
    return index
  }
}
