// Takes over as much of a feed as can be proved of what is kept of it. Where all is there, its newest head proves it; where
// blocks are lost, the hashes beside them stand in their place (leaves.ts); where those are lost as well, or the newest head
// is, the longest of the heads that still prove something.
import { toShoalError } from '../core/error.js'
import { writerIdOf } from '../core/ids.js'
import { MAX_FEED_BLOCKS } from './guard.js'
import { type KeptRun, KnownLeaves } from './leaves.js'
import { spanOf } from './merkle.js'
import { type Adoption, missingBlockOf, type PortableBlock, type PortableHead, readProof } from './proof.js'

/** What is kept of a feed. */
export interface KeptFeed {
  readonly feedKey: Buffer
  /** The newest; undefined: it is not there. */
  readonly head: PortableHead | undefined
  /** Those that are there, from `from` (0) on, in order; asked for once for each try. */
  blocks(from?: number): AsyncIterable<PortableBlock>
  /** Asked for where that is not enough. */
  leaves(): AsyncIterable<KeptRun>
}

export interface TakenFeed<T> {
  readonly taken: T
  readonly head: PortableHead
  /** There was a newer head, or may have been. */
  readonly isOlder: boolean
  /** Blocks below its length that were not there, nor missing when it was signed for: [first, end) in order. */
  readonly lost: readonly (readonly [number, number])[]
}

/** Heads that fail for another reason than a block that is missing. */
const MAX_BAD_HEADS = 4

/** Undefined: no head is there. FEED_CORRUPT: nothing holds; and whatever else `take` throws. */
export async function takeBest<T>(
  kept: KeptFeed,
  take: (adoption: Adoption) => Promise<T>,
): Promise<TakenFeed<T> | undefined> {
  const { feedKey, head } = kept
  let first: unknown
  // Where there is more than the head proves, it is an older one, and the newest may stand beside the blocks.
  if (head !== undefined && !(await hasBlocks(kept, head.length)))
    try {
      const taken = await take({ feedKey, head, blocks: kept.blocks() })
      return { taken, head, isOlder: false, lost: [] }
    } catch (thrown) {
      if (toShoalError(thrown).code !== 'FEED_CORRUPT') throw thrown
      first = thrown
    }
  const leaves = await KnownLeaves.read(writerIdOf(feedKey), kept.leaves())
  const newest = newestOf(head, leaves.newest)
  let below = Number.POSITIVE_INFINITY
  let bad = 0
  for (const each of headsOf(head, leaves)) {
    if (each.length > below) continue
    const lost: [number, number][] = []
    try {
      const blocks = watched(kept.blocks(), each, feedKey, lost)
      const taken = await take({ feedKey, head: each, blocks, leaves })
      return { taken, head: each, isOlder: newest === undefined || each.length < newest.length, lost }
    } catch (thrown) {
      if (toShoalError(thrown).code !== 'FEED_CORRUPT') throw thrown
      first ??= thrown
      // What ends before that block may hold still.
      const missing = missingBlockOf(thrown)
      if (missing !== undefined) below = missing
      else if (++bad >= MAX_BAD_HEADS) break
    }
  }
  if (first === undefined) return undefined
  throw first
}

/** Whether there are blocks from this one on. */
export async function hasBlocks(kept: Pick<KeptFeed, 'blocks'>, from: number): Promise<boolean> {
  // What a head claims is not proved yet.
  if (from > MAX_FEED_BLOCKS) return false
  for await (const { index } of kept.blocks(from)) if (index >= from) return true
  return false
}

function newestOf(...heads: (PortableHead | undefined)[]): PortableHead | undefined {
  const known = heads.filter((head) => head !== undefined)
  return known.sort((a, b) => b.length - a.length)[0]
}

/** The longest first; of equals that which was kept as the head. */
function headsOf(head: PortableHead | undefined, leaves: KnownLeaves): PortableHead[] {
  const others = leaves.heads()
  return head === undefined ? others : [head, ...others].sort((a, b) => b.length - a.length)
}

/** Passes blocks on, and notes what is not among them and no node of the head's proof stands over. */
async function* watched(
  blocks: AsyncIterable<PortableBlock>,
  head: PortableHead,
  feedKey: Buffer,
  lost: [number, number][],
): AsyncGenerator<PortableBlock, void, undefined> {
  const cleared = readProof(head, feedKey).nodes.map(({ index }) => spanOf(index))
  let next = 0
  const reach = (to: number): void => {
    // From span to span: how long the feed is, nobody has proved yet.
    while (next < to) {
      const over = cleared.find(({ from, count }) => next >= from && next < from + count)
      if (over !== undefined) {
        next = Math.min(to, over.from + over.count)
        continue
      }
      const end = cleared.reduce((least, { from }) => (from > next ? Math.min(least, from) : least), to)
      const last = lost.at(-1)
      if (last?.[1] === next) last[1] = end
      else lost.push([next, end])
      next = end
    }
  }
  for await (const block of blocks) {
    if (block.index >= head.length) break
    reach(block.index)
    next = block.index + 1
    yield block
  }
  reach(head.length)
}
