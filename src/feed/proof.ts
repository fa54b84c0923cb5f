// What proves a feed that is carried from place to place: which tree its blocks make up, and what its writer has signed of it.
//
// A head's proof, which travels as its `signature` ("feed proof v1"; docs/design.md):
//   format version 1 (1)
//   the writer's public key (32), which Hypercore tells in a manifest and a certificate does not
//   length, signature as Hypercore has it
//   count, then of each node over missing blocks, from the left: index (varint), size (varint), hash (32)
import type { TreeNode } from 'hypercore'
import { ByteReader, ByteWriter } from '../core/bytes.js'
import { ShoalError } from '../core/error.js'
import { type WriterId, writerIdOf } from '../core/ids.js'
import { Malformed } from '../core/violation.js'
import { MAX_BLOCK_BYTES, MAX_FEED_BLOCKS } from './guard.js'
import { feedKeyOf } from './key.js'
import { type LeafHash, leafOf, NODE_HASH_BYTES, spanOf, TreeBuilder } from './merkle.js'

/** A block as Hypercore stores it: ciphertext. */
export interface PortableBlock {
  readonly writer: WriterId
  readonly index: number
  readonly bytes: Buffer
}

/** What proves the blocks of a feed up to `length`. */
export interface PortableHead {
  readonly writer: WriterId
  readonly length: number
  readonly fork: number
  /** A feed proof: the signature with what it takes to check it. */
  readonly signature: Buffer
}

export interface Adoption {
  /** The Hypercore key, from the writer's certificate. */
  readonly feedKey: Buffer
  readonly head: PortableHead
  /** In order; those beyond the head's length are passed over. */
  readonly blocks: AsyncIterable<PortableBlock> | Iterable<PortableBlock>
  /** What stands in the tree for blocks that are lost (leaves.ts). None: then all must be there that the proof does not cover. */
  readonly leaves?: { get(block: number): LeafHash | undefined }
}

/** What is added to a feed that is here. */
export interface Extension {
  readonly feedKey: Buffer
  readonly head: PortableHead
  /** In order, from a block on; those beyond the head's length are passed over. */
  readonly blocks: (from: number) => AsyncIterable<PortableBlock> | Iterable<PortableBlock>
  /** What is missing before this block is not looked for. */
  readonly needed: number
}

export interface FeedProof {
  readonly publicKey: Buffer
  readonly signature: Buffer
  readonly nodes: readonly TreeNode[]
}

const FORMAT = 1
/** Hypercore adds an 8-byte nonce to every encrypted block. */
export const MAX_STORED_BYTES: number = MAX_BLOCK_BYTES + 8
/** Writers of Shoal have one signer: 64 bytes and Hypercore's frame around them. */
const MAX_SIGNATURE_BYTES = 256
/** About a hundred nodes: one hole of any size takes at most 50, and vaults take no more. */
export const MAX_PROOF_BYTES: number = 4096

export function encodeProof({ publicKey, signature, nodes }: FeedProof): Buffer {
  const writer = new ByteWriter().u8(FORMAT).raw(publicKey).bytes(signature).uint(nodes.length)
  for (const { index, size, hash } of nodes) writer.uint(index).uint(size).raw(hash)
  return writer.finish()
}

/** Checks all that can be checked without the blocks. FEED_CORRUPT. */
export function readProof(head: PortableHead, feedKey: Buffer): FeedProof {
  const refuse = (why: string): ShoalError => refusal(writerIdOf(feedKey), why)
  const { length, fork, signature: bytes } = head
  // Writers of Shoal never truncate.
  if (fork !== 0) throw refuse('it was truncated')
  if (!Number.isSafeInteger(length) || length < 1 || length > MAX_FEED_BLOCKS)
    throw refuse('its length is out of bounds')
  if (bytes.length > MAX_PROOF_BYTES) throw refuse('its proof is too long')
  let proof: FeedProof
  try {
    proof = decodeProof(bytes)
  } catch (thrown) {
    if (!(thrown instanceof Malformed)) throw thrown
    throw refuse(`its proof is damaged (${thrown.message})`)
  }
  if (!feedKeyOf(proof.publicKey).equals(feedKey)) throw refuse("its proof is another feed's")
  return proof
}

function decodeProof(bytes: Buffer): FeedProof {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  if (format !== FORMAT) throw new Malformed('bad-format', `proof of format ${format}`)
  const publicKey = Buffer.from(reader.take(32))
  const signature = Buffer.from(reader.bytes(MAX_SIGNATURE_BYTES, 'signature'))
  const nodes: TreeNode[] = []
  const count = reader.count(2 + NODE_HASH_BYTES, 'nodes')
  for (let i = 0; i < count; i++)
    nodes.push({
      index: reader.uintUpTo(2 * MAX_FEED_BLOCKS, 'node'),
      size: reader.uint(),
      hash: Buffer.from(reader.take(NODE_HASH_BYTES)),
    })
  reader.end()
  return { publicKey, signature, nodes }
}

/**
 * The tree over a feed that comes in from the left, worked out from its blocks, the nodes over those that are missing, and the
 * hashes of those that are lost.
 */
export class FeedTree {
  readonly #head: PortableHead
  readonly #nodes: readonly TreeNode[]
  readonly #leaves: Adoption['leaves']
  readonly #onNode: (node: TreeNode, bytes: number) => void
  readonly #builder = new TreeBuilder()
  #nextNode = 0

  /** `onNode`: a node of it is known, and about how many bytes that is. `start`: what it begins with, from the left. */
  constructor(
    head: PortableHead,
    nodes: readonly TreeNode[],
    leaves?: Adoption['leaves'],
    onNode: (node: TreeNode, bytes: number) => void = () => undefined,
    start: readonly TreeNode[] = [],
  ) {
    this.#head = head
    this.#nodes = nodes
    this.#leaves = leaves
    this.#onNode = onNode
    for (const node of start) this.#builder.add(node)
  }

  /** FEED_CORRUPT for a block that is too large, or after one that is neither here nor accounted for. */
  add(index: number, bytes: Buffer): void {
    if (bytes.length > MAX_STORED_BYTES) throw this.#refusal(`block ${index} is too large`)
    this.#reach(index)
    this.#put(leafOf(index, bytes))
  }

  /** All of it is in: what the writer has signed, if he has. FEED_CORRUPT if blocks are missing. */
  roots(): readonly TreeNode[] {
    this.#reach(this.#head.length)
    return this.#builder.roots()
  }

  notSigned(): ShoalError {
    return this.#refusal('its writer has not signed these blocks')
  }

  forked(): ShoalError {
    return this.#refusal('it is another than what is here of it')
  }

  #reach(index: number): void {
    for (this.#bridge(index); this.#builder.length < index; this.#bridge(index)) {
      const block = this.#builder.length
      const leaf = this.#leaves?.get(block)
      if (leaf === undefined) throw this.#refusal(`block ${block} is missing`, block)
      this.#put({ index: 2 * block, size: leaf.size, hash: leaf.hash })
    }
    if (this.#builder.length !== index) throw this.#refusal(`block ${index} comes twice, or too late`)
  }

  /** Puts the nodes that stand over what is missing before `index`. */
  #bridge(index: number): void {
    while (this.#builder.length < index) {
      const node = this.#nodes[this.#nextNode]
      if (node === undefined) return
      const { from, count } = spanOf(node.index)
      if (from < this.#builder.length) {
        // Those blocks are here after all.
        this.#nextNode++
        continue
      }
      if (from > this.#builder.length || from + count > index) return
      this.#nextNode++
      this.#put(node)
    }
  }

  #put(node: TreeNode): void {
    for (const made of this.#builder.add(node)) this.#onNode(made, NODE_HASH_BYTES)
  }

  #refusal(why: string, missingBlock?: number): ShoalError {
    return refusal(this.#head.writer, why, missingBlock)
  }
}

/** The block for want of which a feed was refused; undefined: it was because of what was there. */
export function missingBlockOf(thrown: unknown): number | undefined {
  const missing = thrown instanceof ShoalError ? thrown.details.missingBlock : undefined
  return typeof missing === 'number' ? missing : undefined
}

function refusal(writer: WriterId, why: string, missingBlock?: number): ShoalError {
  const details = missingBlock === undefined ? {} : { missingBlock }
  return new ShoalError('FEED_CORRUPT', `cannot take over feed ${writer}: ${why}`, { details })
}
