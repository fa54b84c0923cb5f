// Moves feeds in and out of where Hypercore keeps them: out of an open feed the blocks as they are stored (ciphertext)
// with what proves that its writer signed them, and back into a feed store, with the signature verified and no peer.
//
// M1. A feed that was adopted is the one its writer signed: the tree is worked out from the blocks, and the writer's
//     signature over its roots must hold. Nothing of a feed that fails is kept.
// M2. A feed is adopted whole or, after a crash, not at all: its head is written last, in one step with what it says.
// M3. Blocks that are not there (cleared by their writer after a checkpoint) stay so: the nodes of the tree over them
//     travel with the head.
//
// A head's proof, which travels as its `signature` ("feed proof v1"; docs/design.md):
//   format version 1 (1)
//   the writer's public key (32), which Hypercore tells in a manifest and a certificate does not
//   length, signature as Hypercore has it
//   count, then of each node over missing blocks, from the left: index (varint), size (varint), hash (32)
import type { Core, CoreStorageOfOne, Manifest, TreeNode } from 'hypercore'
import { ByteReader, ByteWriter } from '../core/bytes.js'
import { ShoalError } from '../core/error.js'
import { type WriterId, writerIdOf } from '../core/ids.js'
import { Malformed } from '../core/violation.js'
import { MAX_BLOCK_BYTES, MAX_FEED_BLOCKS } from './guard.js'
import { feedKeyOf, manifestOf } from './key.js'
import { leafOf, NODE_HASH_BYTES, nodesOver, spanOf, TreeBuilder } from './merkle.js'

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

export interface PortableFeed {
  readonly head: PortableHead
  /**
   * In order, those that are here. Rejects with IO if one is cleared meanwhile: export again. Ends with the head's length.
   */
  readonly blocks: AsyncIterable<PortableBlock>
}

export interface Adoption {
  /** The Hypercore key, from the writer's certificate. */
  readonly feedKey: Buffer
  readonly head: PortableHead
  /** In order; those beyond the head's length are passed over. */
  readonly blocks: AsyncIterable<PortableBlock> | Iterable<PortableBlock>
}

interface FeedProof {
  readonly publicKey: Buffer
  readonly signature: Buffer
  readonly nodes: readonly TreeNode[]
}

const FORMAT = 1
/** Hypercore adds an 8-byte nonce to every encrypted block. */
const MAX_STORED_BYTES = MAX_BLOCK_BYTES + 8
/** Writers of Shoal have one signer: 64 bytes and Hypercore's frame around them. */
const MAX_SIGNATURE_BYTES = 256
/** About a hundred nodes: one hole of any size takes at most 50, and vaults take no more. */
export const MAX_PROOF_BYTES: number = 4096
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
  const writer = writerIdOf(feedKey)
  if (core.state.length > 0) return false
  const proof = readProof(head, feedKey)
  // Of an adoption that a crash has ended.
  await emptyOut(core)
  const filling = new Filling(core, writer, head.length, proof.nodes)
  try {
    for await (const { index, bytes } of adoption.blocks) {
      if (index >= head.length) break
      await filling.add(index, bytes)
    }
    await filling.finish(proof, head.fork)
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

function encodeProof({ publicKey, signature, nodes }: FeedProof): Buffer {
  const writer = new ByteWriter().u8(FORMAT).raw(publicKey).bytes(signature).uint(nodes.length)
  for (const { index, size, hash } of nodes) writer.uint(index).uint(size).raw(hash)
  return writer.finish()
}

/** Checks all that can be checked without the blocks. */
function readProof(head: PortableHead, feedKey: Buffer): FeedProof {
  const refuse = (why: string): ShoalError =>
    new ShoalError('FEED_CORRUPT', `cannot take over feed ${writerIdOf(feedKey)}: ${why}`)
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

/** A feed that comes in from the left; what it is made of is written as it comes, its head at the end (M2). */
class Filling {
  readonly #core: Core
  readonly #writer: WriterId
  readonly #length: number
  readonly #builder = new TreeBuilder()
  readonly #nodes: readonly TreeNode[]
  #nextNode = 0
  readonly #pages = new Map<number, Buffer>()
  #firstMissing: number | undefined
  #tx: ReturnType<CoreStorageOfOne['write']> | undefined
  #waitingBytes = 0

  constructor(core: Core, writer: WriterId, length: number, nodes: readonly TreeNode[]) {
    this.#core = core
    this.#writer = writer
    this.#length = length
    this.#nodes = nodes
  }

  async add(index: number, bytes: Buffer): Promise<void> {
    if (bytes.length > MAX_STORED_BYTES) throw this.#refusal(`block ${index} is too large`)
    this.#bridge(index)
    if (this.#builder.length !== index) throw this.#refusal(`block ${this.#builder.length} is missing`)
    this.#put(leafOf(index, bytes), bytes.length)
    this.#writing().putBlock(index, bytes)
    this.#mark(index)
    if (this.#waitingBytes >= WRITE_BYTES) await this.#flush()
  }

  async finish({ signature }: FeedProof, fork: number): Promise<void> {
    this.#bridge(this.#length)
    if (this.#builder.length !== this.#length) throw this.#refusal(`block ${this.#builder.length} is missing`)
    const { state, verifier } = this.#core
    const batch = state.createTreeBatch()
    batch.roots = this.#builder.roots()
    batch.length = this.#length
    batch.byteLength = batch.roots.reduce((sum, root) => sum + root.size, 0)
    batch.fork = fork
    if (verifier === null || !verifier.verify(batch, signature))
      throw this.#refusal('its writer has not signed these blocks')
    const tx = this.#writing()
    for (const [page, bits] of this.#pages) tx.putBitfieldPage(page, bits)
    tx.setHead({ fork, length: this.#length, rootHash: batch.hash(), signature, timestamp: 0 })
    tx.setHints({ contiguousLength: this.#firstMissing ?? this.#length, remoteContiguousLength: 0 })
    await this.#flush()
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
      this.#firstMissing ??= from
      this.#put(node, NODE_HASH_BYTES)
    }
  }

  #put(node: TreeNode, bytes: number): void {
    for (const made of this.#builder.add(node)) {
      this.#writing().putTreeNode(made)
      this.#waitingBytes += NODE_HASH_BYTES
    }
    this.#waitingBytes += bytes
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

  #refusal(why: string): ShoalError {
    return new ShoalError('FEED_CORRUPT', `cannot take over feed ${this.#writer}: ${why}`)
  }
}
