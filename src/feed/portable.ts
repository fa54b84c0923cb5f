// Moves feeds in and out of where Hypercore keeps them: out of an open feed the blocks as they are stored (ciphertext)
// with what proves that its writer signed them, and back into a feed store, with the signature verified and no peer.
//
// M1. A feed that was adopted is the one its writer signed: the tree is worked out from the blocks, and the writer's
//     signature over its roots must hold. Nothing of a feed that fails is kept.
// M2. A feed is adopted whole or, after a crash, not at all: its head is written last, in one step with what it says.
// M3. Blocks that are not there (cleared by their writer after a checkpoint) stay so: the nodes of the tree over them
//     travel with the head. So do blocks that were lost since, where their hashes are kept (leaves.ts).
// M4. A feed that is here is only ever extended, by what its writer signed over what is here: what is here of it counts
//     as the start of the tree, so that another beginning cannot come out signed.
import type { Core, Manifest, TreeNode } from 'hypercore'
import { ShoalError } from '../core/error.js'
import { type WriterId, writerIdOf } from '../core/ids.js'
import { Filling } from './filling.js'
import { manifestOf } from './key.js'
import { type LeafHash, nodesOver } from './merkle.js'
import {
  type Adoption,
  type Extension,
  encodeProof,
  MAX_PROOF_BYTES,
  missingBlockOf,
  type PortableBlock,
  type PortableHead,
  readProof,
} from './proof.js'

export type { Adoption, Extension, PortableBlock, PortableHead } from './proof.js'
export { MAX_PROOF_BYTES } from './proof.js'

export interface PortableFeed {
  readonly head: PortableHead
  /**
   * In order, those that are here. Rejects with IO if one is cleared meanwhile: export again. Ends with the head's length.
   */
  readonly blocks: AsyncIterable<PortableBlock>
}

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
    await filling.fill(adoption.blocks, proof)
  } catch (thrown) {
    await emptyOut(core)
    throw thrown
  }
  return true
}

/**
 * Adds to a feed in a core that nobody else uses what is missing of it from block `needed` on, and what is beyond it.
 * From where on it is whole then, as far as the head's gaps go; undefined: there is nothing that it lacks, or it cannot be proved for
 * blocks that are nowhere. FEED_CORRUPT unless that follows what is here as the feed's writer signed it: then it stays as it was.
 */
export async function extendCore(core: Core, extension: Extension): Promise<number | undefined> {
  const { feedKey, head, needed } = extension
  const { length, fork } = core.state
  // Never backwards, and never over to what another head says of the same blocks.
  if (length === 0 || fork !== head.fork || head.length < length) return undefined
  const proof = readProof(head, feedKey)
  const present = rangesOf(core, length)
  const from = wholeUntil(present, Math.min(needed, length))
  if (from >= head.length) return undefined
  const writer = writerIdOf(core.key)
  const start: TreeNode[] = []
  for (const index of nodesOver(0, from)) start.push(await nodeOf(core, index, writer))
  const filling = new Filling(core, { head }, proof.nodes, { nodes: start, roots: core.state.roots, present })
  try {
    return (await filling.fill(extension.blocks(from), proof)) ? from : undefined
  } catch (thrown) {
    await filling.undo()
    // A head may be known whose blocks are on their way still, with holes that its proof says nothing of.
    if (missingBlockOf(thrown) !== undefined) return undefined
    throw thrown
  }
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

/** The first block from `from` on that is not here. */
function wholeUntil(present: readonly [number, number][], from: number): number {
  const range = present.find(([first, end]) => first <= from && from < end)
  return range === undefined ? from : range[1]
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
