// Checks feeds as they lie in the storage, with nobody else's help and without changing a byte: the database is opened for
// reading alone. Of each feed it shows that its writer has signed it as it stands (the roots of the Merkle tree), that every
// block here is the one the writer signed for its position (from the block's hash up to a root), and says where not.
// The hashes are worked out by merkle.ts, not by the code that wrote them.
import { join } from 'node:path'
import Hypercore, { type TreeNode } from 'hypercore'
import CoreStorage from 'hypercore-storage'
import { ShoalError } from '../core/error.js'
import { discoveryKeyOf } from './discovery.js'
import { leafOf, parentOf } from './merkle.js'

export interface FeedFault {
  /** Undefined: of the feed as a whole. */
  readonly block: number | undefined
  readonly what: string
}

export interface CheckedFeed {
  /** Blocks that the writer has signed. */
  readonly length: number
  /** Those of them that are here. */
  readonly blocks: number
  readonly faults: readonly FeedFault[]
}

/** More are counted, not kept. */
const MAX_FAULTS = 100

export class FeedChecker {
  readonly #storage: CoreStorage

  private constructor(storage: CoreStorage) {
    this.#storage = storage
  }

  /** `directory` is that of a FeedStore which nobody has open. STORAGE_UNUSABLE. */
  static async open(directory: string): Promise<FeedChecker> {
    try {
      const storage = new CoreStorage(join(directory, 'cores'), { readOnly: true })
      await storage.ready()
      return new FeedChecker(storage)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      throw new ShoalError('STORAGE_UNUSABLE', `cannot read the feeds in ${directory}: ${message}`, { cause })
    }
  }

  /** Checks one feed; `onBlock` gets each sound block, in order, and may answer what is wrong with it. */
  async check(
    options: { readonly feedKey: Buffer; readonly blockKey: Buffer },
    onBlock: (index: number, block: Buffer) => string | undefined,
  ): Promise<CheckedFeed> {
    const { feedKey, blockKey } = options
    const faults: FeedFault[] = []
    const fault = (block: number | undefined, what: string): void => {
      if (faults.length < MAX_FAULTS) faults.push({ block, what })
    }
    const core = Hypercore.createCore(this.#storage, {
      key: feedKey,
      discoveryKey: discoveryKeyOf(feedKey),
      compat: false,
      eagerUpgrade: true,
    })
    const session = new Hypercore(null, null, { core, encryption: { key: blockKey, block: false } })
    let blocks = 0
    let length = 0
    try {
      await session.ready()
      length = core.state.length
      const tree = new Tree(session)
      if (length > 0) await tree.start(fault)
      for await (const { index, value } of core.state.storage.createBlockStream()) {
        blocks++
        const wrong = index < length ? await tree.wrongOf(index, value) : 'it lies beyond what is signed'
        const block =
          wrong === undefined ? await session.get(index, { activeRequests: [], wait: false }) : null
        const what = wrong ?? (block === null ? 'it cannot be read' : onBlock(index, block))
        if (what !== undefined) fault(index, what)
      }
    } catch (thrown) {
      fault(undefined, `cannot be read on: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    } finally {
      await session.close().catch(() => undefined)
      await core.close().catch(() => undefined)
    }
    return { length, blocks, faults }
  }

  async close(): Promise<void> {
    await this.#storage.close()
  }
}

/** The Merkle tree of one feed, whose roots the writer has signed. */
class Tree {
  readonly #session: Hypercore
  /** By number, those that are known to be right: the signed roots, and what was shown to be below them. */
  readonly #right = new Map<number, Buffer>()

  constructor(session: Hypercore) {
    this.#session = session
  }

  /** Checks the signature over the roots. */
  async start(fault: (block: undefined, what: string) => void): Promise<void> {
    const { state, verifier } = this.#session.core
    const batch = state.createTreeBatch()
    if (verifier === null || !verifier.verify(batch, state.signature))
      return fault(undefined, 'its writer has not signed it as it stands')
    for (const { index, hash } of batch.roots) this.#right.set(index, hash)
  }

  /** What is wrong with a block as it was stored; undefined: it is the one that was signed. */
  async wrongOf(block: number, value: Buffer): Promise<string | undefined> {
    let node: TreeNode = leafOf(block, value)
    const path: TreeNode[] = [node]
    for (let height = 1; !this.#right.has(node.index); height *= 2) {
      const isLeft = Math.floor(node.index / (2 * height)) % 2 === 0
      const siblingIndex = isLeft ? node.index + 2 * height : node.index - 2 * height
      if (siblingIndex < 0 || siblingIndex > 2 * this.#session.core.state.length)
        return 'no signed root is above it'
      const sibling = await this.#node(siblingIndex)
      if (sibling === null) return 'a part of the tree above it is missing'
      node = isLeft ? parentOf(node, sibling) : parentOf(sibling, node)
      path.push(node)
    }
    if (!this.#right.get(node.index)!.equals(node.hash)) return 'it is not the block that was signed'
    for (const { index, hash } of path) this.#right.set(index, hash)
    return undefined
  }

  async #node(index: number): Promise<TreeNode | null> {
    const reading = this.#session.core.state.storage.read()
    const node = reading.getTreeNode(index)
    reading.tryFlush()
    return node
  }
}
