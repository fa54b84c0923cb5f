// Which frames a batch comes to: what is here already is not written again.
import { invariant } from '../core/error.js'
import { HASH_BYTES } from '../core/ids.js'
import { MAX_PIECE_BYTES } from '../core/piece.js'
import type { Catalog } from './catalog.js'
import {
  blockFrame,
  certificateFrame,
  headFrame,
  keyOfBlock,
  leavesFrame,
  MAX_PAYLOAD_BYTES,
  type NewFrame,
  pieceFrame,
} from './frame.js'
import type { SmallFrames } from './small-frames.js'
import type { StoredBlock, StoredHead, VaultBatch } from './stored.js'
import { VerifiedPiece } from './verified-piece.js'

const MAX_SMALL_BYTES = 4096
const MAX_LEAVES_BYTES = 16 * 1024
/** Before the bytes of a block in its frame. */
const BLOCK_START_BYTES = 16

/** Throws INTERNAL for what must not come here: whoever adds has verified it. */
export function checkBatch(batch: VaultBatch): void {
  const { pieces = [], certificates = [], blocks = [], leaves = [], heads = [] } = batch
  for (const piece of pieces) {
    const { id, bytes } = piece
    invariant(id.length === HASH_BYTES && bytes.length <= MAX_PIECE_BYTES, 'a piece has an id and a size')
    const isVerified = VerifiedPiece.is(piece) || VerifiedPiece.of(id, bytes) !== undefined
    invariant(isVerified, 'a piece is what its id says (P1)')
  }
  for (const bytes of certificates) invariant(bytes.length <= MAX_SMALL_BYTES, 'a certificate is small')
  for (const { bytes } of blocks)
    invariant(bytes.length <= MAX_PAYLOAD_BYTES - BLOCK_START_BYTES, 'a block has the size of one')
  for (const { bytes } of leaves) invariant(bytes.length <= MAX_LEAVES_BYTES, 'leaves have the size of a run')
  for (const { signature } of heads) invariant(signature.length <= MAX_SMALL_BYTES, 'a signature is small')
}

/** `read` gives payloads by key, undefined for what is not here. */
export async function newFrames(
  batches: readonly VaultBatch[],
  catalog: Catalog,
  small: SmallFrames,
  read: (keys: readonly Buffer[]) => Promise<(Buffer | undefined)[]>,
): Promise<NewFrame[]> {
  const fresh: NewFrame[] = []
  const seen = new Set<string>()
  const addOnce = (frame: NewFrame): void => {
    const before = seen.size
    if (seen.add(frame.key.toString('latin1')).size > before) fresh.push(frame)
  }
  for (const { pieces = [], certificates = [] } of batches) {
    for (const { id, bytes } of pieces) if (!catalog.hasPiece(id)) addOnce(pieceFrame(id, bytes))
    for (const bytes of certificates) {
      const frame = certificateFrame(bytes)
      if (catalog.get(frame.key) === undefined) addOnce(frame)
    }
  }
  fresh.push(
    ...(await newBlocks(
      batches.flatMap(({ blocks = [] }) => blocks),
      catalog,
      read,
    )),
  )
  fresh.push(...batches.flatMap(({ leaves = [] }) => leaves).map(leavesFrame))
  fresh.push(
    ...newHeads(
      batches.flatMap(({ heads = [] }) => heads),
      small,
    ),
  )
  return fresh
}

/** A feed that was given up and begun again under the same key has other blocks at the same positions. */
async function newBlocks(
  blocks: readonly StoredBlock[],
  catalog: Catalog,
  read: (keys: readonly Buffer[]) => Promise<(Buffer | undefined)[]>,
): Promise<NewFrame[]> {
  const known = blocks.filter((block) => catalog.get(keyOfBlock(block)) !== undefined)
  const payloads = await read(known.map(keyOfBlock))
  const same = new Set(
    known.filter((block, i) => payloads[i]?.subarray(BLOCK_START_BYTES).equals(block.bytes) === true),
  )
  return blocks.filter((block) => !same.has(block)).map(blockFrame)
}

/** Of each writer the last that is longer than what is here, or of a later fork. */
function newHeads(heads: readonly StoredHead[], small: SmallFrames): NewFrame[] {
  const newest = new Map<string, StoredHead>()
  for (const head of heads) {
    const known = newest.get(head.writer) ?? small.head(head.writer)
    const isNewer =
      known === undefined ||
      head.fork > known.fork ||
      (head.fork === known.fork && head.length > known.length)
    if (isNewer) newest.set(head.writer, head)
  }
  return [...newest.values()].map(headFrame)
}
