// A simulated writer's way into its own feed: versions and piece numbers are given, the records are appended, become
// durable, and only then are taken over, in one transaction with what the disk is known to hold (F5).
import type { PieceRun } from '../../src/core/entry.js'
import { type Fact, sameFactContent } from '../../src/core/fact.js'
import type { WriterId } from '../../src/core/ids.js'
import { depthOf } from '../../src/core/path.js'
import type { PieceInfo } from '../../src/core/piece.js'
import type { FeedRecord, PieceAnnouncement } from '../../src/core/record.js'
import type { DiskStat } from '../../src/core/stat.js'
import { type Draft, entryOf } from '../../src/core/tree.js'
import { advance, type Version } from '../../src/core/version.js'
import { checkpointRecords } from '../../src/daemon/share/checkpoint.js'
import { PieceNumbers } from '../../src/daemon/share/piece-numbers.js'
import { goneVersion } from '../../src/store/gone.js'
import { packLayout } from '../../src/store/pieces.js'
import type { DiskRow } from '../../src/store/rows.js'
import { contentOfPieces } from './contents.js'
import { type Inode, noted } from './disk.js'
import { type SimNode, tokenOf, type Work } from './node.js'
import { unmeant } from './wardrobe.js'

export interface Publication {
  readonly draft: Draft
  readonly pieces: readonly PieceInfo[]
  /** For a change found on the disk: its stat, and for the verdict, the inode and whether a user had touched it. */
  readonly found:
    | (Pick<DiskRow, 'shown' | 'lacks'> & {
        readonly stat: DiskStat | undefined
        readonly inode: Inode | undefined
        readonly isNews: boolean
        readonly touched: ReadonlySet<string>
        /** What applies that were cut off may have put there. */
        readonly meant: readonly Fact[]
      })
    | undefined
}

/** Settles every conflict that is known (V4, V5, V6). */
export function* settleOnce(node: SimNode): Work {
  if (node.feed === undefined) return
  for (const path of node.world.random.shuffled([...node.index.conflicts.unsettled])) {
    yield* exclusively(node, function* () {
      const list: Publication[] = []
      for (const draft of node.rules.settled(node.index.conflicts.settlement(path, node.labelOf))) {
        const pieces = draft.fact.type === 'file' ? node.index.piecesOfContent(path, draft.fact.content) : []
        if (pieces === undefined) return
        list.push({ draft, pieces, found: undefined })
      }
      if (list.length > 0) yield* append(node, list)
    })
  }
  if (node.rules.takesBack && !node.isNew) yield* takeBack(node, node.feed.writer)
}

/** Says of what was made here, and is gone here, and nobody in reach has, that it is gone. */
function* takeBack(node: SimNode, own: WriterId): Work {
  for (const path of node.world.random.shuffled(node.index.wantedAfter(undefined, 1000))) {
    yield* exclusively(node, function* () {
      const gone = goneVersion(node.index, path, own)
      if (gone === undefined || gone.missing.every((piece) => canGet(node, piece))) return
      node.world.log(node, () => `takes ${path} back`)
      // In a daemon this window is some milliseconds, and what comes in it and is put there is only announced again.
      node.inFlight.add(path)
      yield* append(node, [{ draft: gone.draft, pieces: gone.pieces, found: undefined }])
      node.inFlight.delete(path)
    })
  }
}

/** Whether a chunk is in reach, or on its way here to some path that still needs it. */
function canGet(node: SimNode, piece: PieceInfo): boolean {
  const { id } = piece
  if (node.world.canFetch(node, piece)) return true
  return node.index.wantedAfter(undefined, 1000).some((path) => {
    const { step, share } = node.index.need(path)
    const pieces = step.type !== 'write' || share.entry === undefined ? [] : node.index.piecesOf(share.entry)!
    const isIn = pieces.some((each) => each.id.equals(id))
    // What is being committed has left the staging area and is not known to be at its place yet.
    const isCommitted = node.guard.isDisturbed(path, Number.POSITIVE_INFINITY)
    return isIn && (isCommitted || node.disk.staging.has(tokenOf(path, contentOfPieces(pieces))))
  })
}

/** Publishes what a look at the disk found, in records of random sizes. */
export function* publish(node: SimNode, found: readonly Publication[]): Work {
  const list = node.rules.announcesInOrder ? inOrder(found) : [...found]
  while (list.length > 0) {
    const part = list.splice(0, node.world.random.chance(0.5) ? list.length : 1 + node.world.random.below(3))
    yield* exclusively(node, function* () {
      yield* append(node, node.rules.rescues ? part.flatMap((one) => withRescued(node, one)) : part)
      for (const { draft } of part) node.inFlight.delete(draft.path)
    })
  }
}

/**
 * What was deleted below a path that is no directory any more goes first, deepest first: else the others would see
 * something alive inside a file and give the directory its name back (V6). Then what is there, parents first; then the
 * other deletions, deepest first, so that no directory is deleted while something in it still lives (V4).
 */
function inOrder(found: readonly Publication[]): Publication[] {
  const isDeletion = ({ draft }: Publication): boolean => draft.fact.type === 'absent'
  const replaced = new Set<string>(
    found.flatMap(({ draft }) =>
      draft.fact.type === 'file' || draft.fact.type === 'symlink' ? [draft.path] : [],
    ),
  )
  const isBelowReplaced = ({ draft }: Publication): boolean => {
    for (let at = draft.path.lastIndexOf('/'); at > 0; at = draft.path.lastIndexOf('/', at - 1)) {
      if (replaced.has(draft.path.slice(0, at))) return true
    }
    return false
  }
  const rank = (one: Publication): number => (!isDeletion(one) ? 1 : isBelowReplaced(one) ? 0 : 2)
  return [...found].sort((a, b) => {
    const depth = depthOf(a.draft.path) - depthOf(b.draft.path)
    return rank(a) - rank(b) || (isDeletion(a) ? -depth : depth)
  })
}

function withRescued(node: SimNode, one: Publication): Publication[] {
  const copies: Publication[] = []
  const { conflicts } = node.index
  const replaced = node.index.applied(one.draft.path).fact
  const rescued = conflicts.rescued(one.draft, replaced, node.feed!.writer, node.labelOf)
  for (const copy of rescued ?? [undefined]) {
    const pieces =
      copy?.fact.type === 'file' ? node.index.piecesOfContent(one.draft.path, copy.fact.content) : []
    if (copy === undefined || pieces === undefined) return []
    copies.push({ draft: copy, pieces, found: undefined })
  }
  return [...copies, one]
}

/** Says again what is live of its own feed, by the daemon's own records (F3). */
export function* checkpointOnce(node: SimNode): Work {
  const { feed } = node
  if (feed === undefined) return
  yield* exclusively(node, function* () {
    const nowMs = (): number => Math.floor(node.nowUs() / 1000)
    for (const record of checkpointRecords(node.index, feed.writer, nowMs)) {
      const at = feed.durable.length
      yield
      if (node.options.encodes) feed.blocks.push(node.encoded(feed, record))
      feed.durable.push(record)
      feed.timesUs.push(node.world.nowUs())
      node.world.log(node, () => `restates ${record.entries.map(({ path }) => path).join(', ')}`)
      yield
      node.ingest(feed, node.decoded(feed, at), at + 1)
    }
  })
}

/** One append at a time. */
export function* exclusively(node: SimNode, body: () => Work): Work {
  while (node.isPublishing) yield
  node.isPublishing = true
  yield* body()
  node.isPublishing = false
}

function* append(node: SimNode, list: readonly Publication[]): Work {
  if (list.length === 0) return
  const feed = node.feed!
  const versions: Version[] = []
  const record = recordOf(node, list, versions)
  const at = feed.durable.length
  yield
  if (node.options.encodes) feed.blocks.push(node.encoded(feed, record))
  feed.durable.push(record)
  feed.timesUs.push(node.world.nowUs())
  noteAnnounced(node, list)
  node.world.log(
    node,
    () => `announces ${record.entries.map(({ path, type }) => `${path} (${type})`).join(', ')}`,
  )
  yield
  node.index.transaction(() => {
    node.ingest(feed, node.decoded(feed, at), at + 1, (path) => {
      const i = list.findIndex(({ draft }) => draft.path === path)
      const { draft, pieces, found } = list[i]!
      if (found === undefined) return undefined
      const layout = draft.fact.type === 'file' ? packLayout(pieces) : undefined
      const applied = { version: versions[i]!, fact: draft.fact }
      const { stat, shown, lacks = 0 } = found
      return { row: { applied, stat, shown, lacks, drift: undefined }, layout }
    })
  })
  node.progress++
}

/** A4: what is announced must be a user's doing, and news. */
function noteAnnounced(node: SimNode, list: readonly Publication[]): void {
  for (const { draft, found } of list) {
    if (found === undefined) continue
    if (!found.isNews && !node.isAmnesiac) {
      node.world.violation(
        node,
        `announced what no user did since it knew it: ${draft.path} (${draft.fact.type})`,
      )
    }
    if (!node.isAmnesiac && found.inode !== undefined) {
      const before = node.index.applied(draft.path).fact
      const said = [node.index.effective(draft.path).fact, ...found.meant]
      if (sameFactContent(before, draft.fact))
        for (const what of unmeant(before, draft.fact, said, found.touched))
          node.world.violation(node, `${what} of ${draft.path}`)
    }
    const now = node.disk.tree.get(draft.path)
    if (found.inode === undefined) node.disk.removedByUser.delete(draft.path)
    else if (now === found.inode && now.stat === found.stat) noted(now)
  }
}

function recordOf(node: SimNode, list: readonly Publication[], versions: Version[]): FeedRecord {
  const { writer } = node.feed!
  const own = node.index.feeds.byWriter(writer)!
  let { counter } = own
  const fresh: PieceInfo[] = []
  const numbers = new PieceNumbers(node.index, node.rules.announcesAnew ? own : { ...own, checkpoint: 0 })
  const entries = list.map(({ draft, pieces }) => {
    const runs: PieceRun[] = []
    for (const piece of pieces) {
      const { number, isFresh } = numbers.of(piece)
      if (isFresh) fresh.push(piece)
      const last = runs.at(-1)
      if (last !== undefined && last.first + last.count === number)
        runs[runs.length - 1] = { first: last.first, count: last.count + 1 }
      else runs.push({ first: number, count: 1 })
    }
    const version = advance(draft.base, writer, ++counter)
    versions.push(version)
    return entryOf(draft, { author: writer, version, pieces: runs, nowUs: node.nowUs() })
  })
  const announcements: PieceAnnouncement[] =
    fresh.length === 0 ? [] : [{ first: own.pieceCount, pieces: fresh }]
  return {
    header: {
      kind: 'delta',
      timeMs: Math.floor(node.nowUs() / 1000),
      view: node.index.feeds.view(),
      checkpoint: own.checkpoint === 0 ? undefined : own.checkpoint,
    },
    announcements,
    entries,
  }
}
