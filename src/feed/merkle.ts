// Hypercore's Merkle tree, worked out here from its definition (Hypercore 10 and 11), not by the code that writes it:
//
//   leaf    BLAKE2b-256 of 0, size (8, little endian), block
//   parent  BLAKE2b-256 of 1, size of both (8), hash of left, hash of right
// Node 2i is the leaf of block i; parents stand between their children (flat in-order numbering). The writer signs the
// roots: the largest whole subtrees, from the left.
import type { TreeNode } from 'hypercore'
import caps from 'hypercore/lib/caps.js'
import sodium from 'sodium-native'

export const NODE_HASH_BYTES = 32

/** What stands for a block in the tree. */
export interface LeafHash {
  /** Of the block as it is stored. */
  readonly size: number
  readonly hash: Buffer
}

const LEAF = Buffer.of(0)
const PARENT = Buffer.of(1)
const ROOTS = Buffer.of(2)

/** The leaf of a block as it is stored. */
export function leafOf(index: number, block: Buffer): TreeNode {
  return { index: 2 * index, size: block.length, hash: hashOf([LEAF, sizeBytes(block.length), block]) }
}

export function parentOf(left: TreeNode, right: TreeNode): TreeNode {
  const size = left.size + right.size
  return {
    index: (left.index + right.index) / 2,
    size,
    hash: hashOf([PARENT, sizeBytes(size), left.hash, right.hash]),
  }
}

/** The blocks below a node: the first of them, and how many. */
export function spanOf(index: number): { readonly from: number; readonly count: number } {
  let count = 1
  while (index % (2 * count) === 2 * count - 1) count *= 2
  return { from: (index - count + 1) / 2, count }
}

/** The node over `count` blocks (a power of two) that begin at `from` (a multiple of it). */
export function nodeOver(from: number, count: number): number {
  return 2 * from + count - 1
}

/** The fewest nodes that stand over blocks `from` to `to` (exclusive) and over nothing else, from the left. */
export function nodesOver(from: number, to: number): number[] {
  const nodes: number[] = []
  for (let at = from; at < to; ) {
    let count = 1
    while (at % (2 * count) === 0 && at + 2 * count <= to) count *= 2
    nodes.push(nodeOver(at, count))
    at += count
  }
  return nodes
}

/** Builds the tree from the left, of leaves and of nodes over blocks that are not here. */
export class TreeBuilder {
  readonly #open: TreeNode[] = []
  #length = 0

  /** Blocks that are covered so far. */
  get length(): number {
    return this.#length
  }

  /** Adds a node that begins where the tree ends; answers it and all that become whole by it. */
  add(node: TreeNode): TreeNode[] {
    const made = [node]
    this.#length += spanOf(node.index).count
    let last = node
    for (let left = this.#open.at(-1); left !== undefined && areTwins(left, last); left = this.#open.at(-1)) {
      this.#open.pop()
      last = parentOf(left, last)
      made.push(last)
    }
    this.#open.push(last)
    return made
  }

  /** From the left. Those the writer signs once the whole length is covered. */
  roots(): readonly TreeNode[] {
    return this.#open
  }
}

/** What stands for all of a tree: BLAKE2b-256 of 2 and of each root its hash, node and size (8 bytes each, little endian). */
export function rootsHashOf(roots: readonly TreeNode[]): Buffer {
  return hashOf([
    ROOTS,
    ...roots.flatMap(({ hash, index, size }) => [hash, sizeBytes(index), sizeBytes(size)]),
  ])
}

/** The bytes that a writer signs of a tree. */
export function signableOf(manifestHash: Buffer, treeHash: Buffer, length: number, fork: number): Buffer {
  return caps.treeSignable(manifestHash, treeHash, length, fork)
}

function areTwins(left: TreeNode, right: TreeNode): boolean {
  const { from, count } = spanOf(left.index)
  const other = spanOf(right.index)
  return count === other.count && from + count === other.from && from % (2 * count) === 0
}

function hashOf(parts: readonly Buffer[]): Buffer {
  const hash = Buffer.allocUnsafe(NODE_HASH_BYTES)
  sodium.crypto_generichash_batch(hash, parts)
  return hash
}

function sizeBytes(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64LE(BigInt(size))
  return bytes
}
