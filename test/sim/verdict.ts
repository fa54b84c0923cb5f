// What must hold at the end of every history, judged from the disks and the accounts, not from what the agent believes.
import { type Fact, sameFact, sameFactContent } from '../../src/core/fact.js'
import type { RelPath } from '../../src/core/path.js'
import { ShareIndex } from '../../src/store/share-index.js'
import { contentOfPieces } from './contents.js'
import { bytesOf, factOfInode, type Inode } from './disk.js'
import { type Accounts, keyOf } from './ledger.js'
import type { SimNode } from './node.js'
import { currentFact } from './scan.js'
import { BARE, isDressed } from './wardrobe.js'

/** What a device's disk holds. */
export function factsOf({ disk }: SimNode): ReadonlyMap<RelPath, Fact> {
  return new Map([...disk.tree].map(([path, inode]) => [path, factOfInode(inode)]))
}

/** Everything that is wrong, in words. `meant`: what all must end as, where only one user did anything. */
export function verdictOf(
  nodes: readonly SimNode[],
  accounts: Accounts,
  meant: ReadonlyMap<RelPath, Fact> | undefined,
): string[] {
  return [...verdict(nodes, accounts), ...(meant === undefined ? [] : asMeant(nodes[0]!, meant))]
}

/** Nobody contradicted the only user: no conflict copy, nothing back from the dead. */
function* asMeant(node: SimNode, meant: ReadonlyMap<RelPath, Fact>): Generator<string> {
  const ended = factsOf(node)
  for (const [path, fact] of ended) {
    const was = meant.get(path)
    // One that took a file's name, was announced, and was deleted while the device was down before that was noted, comes
    // back empty: its entry is like one that settles a conflict, which the disk need not have held.
    if (was === undefined && fact.type === 'directory' && node.crashes > 0) continue
    if (was === undefined) yield `${path} (${fact.type}) was made although the only user did not make it`
    // Times of directories that were put back after an apply do not tell what a user did in between.
    else if (!isSameAsMeant(node, was, fact) && (fact.type !== 'directory' || was.type !== 'directory'))
      yield `${path} is not as the only user left it`
  }
  for (const path of meant.keys())
    if (!ended.has(path)) yield `${path} is gone although the only user did not delete it`
}

/** Whether it is as its user left it; of a node that takes modes for less than they are, only the rest. */
function isSameAsMeant({ options }: SimNode, was: Fact, fact: Fact): boolean {
  if (options.wardrobe === BARE || !('mode' in was) || !('mode' in fact)) return sameFact(was, fact)
  return sameFact({ ...was, mode: 0 }, { ...fact, mode: 0 })
}

function* verdict(nodes: readonly SimNode[], accounts: Accounts): Generator<string> {
  const ghosts = ghostsOf(nodes)
  const drifted = new Set(nodes.flatMap(({ index }) => index.drifted()))
  yield* equalTrees(nodes, new Set([...ghosts, ...drifted]))
  if (ghosts.size === 0 && drifted.size === 0) {
    for (const node of nodes.slice(1)) {
      if (!node.index.digest().equals(nodes[0]!.index.digest()))
        yield `${node.options.name} and ${nodes[0]!.options.name} have different digests of equal trees`
    }
  }
  for (const node of nodes) {
    const name = node.options.name
    for (const path of node.index.wantedAfter(undefined, 1000)) {
      if (!ghosts.has(path) && !isHeldUp(node, path))
        yield `${name}${node.options.isWriter ? '' : ' (reader)'} still wants ${path}: ${node.index.step(path).type}`
    }
    for (const path of node.index.conflicts.unsettled) yield `${name} has an unsettled conflict at ${path}`
    yield* soundIndex(node)
  }
  yield* noLostBytes(nodes, accounts)
}

/**
 * Whether a reader's own changes, which it is told to leave alone, are in the way of a path: at it, above or below it, or
 * in the way of another path that has yet to copy what lies here.
 */
function isHeldUp({ index, options }: SimNode, path: RelPath): boolean {
  if (options.overwritesDrift) return false
  const drifted = index.drifted()
  const isInTheWay = (of: RelPath): boolean =>
    drifted.some((drift) => of === drift || of.startsWith(`${drift}/`) || drift.startsWith(`${of}/`))
  if (isInTheWay(path)) return true
  const fact = currentFact(index.disk(path))
  return index.wantedAfter(undefined, 1000).some((other) => {
    const step = index.step(other)
    return step.type === 'write' && isInTheWay(other) && sameFactContent(step.fact, fact)
  })
}

/**
 * Paths whose content is nowhere any more: allowed only where an index was lost, since who announced it cannot tell then
 * whether a user destroyed it.
 */
function ghostsOf(nodes: readonly SimNode[]): Set<RelPath> {
  const ghosts = new Set<RelPath>()
  for (const node of nodes) {
    for (const path of node.index.wantedAfter(undefined, 1000)) {
      const { entry } = node.index.effective(path)
      const pieces = entry === undefined ? undefined : node.index.piecesOf(entry)
      if (pieces === undefined || entry?.type !== 'file') continue
      const { chunks } = contentOfPieces(pieces)
      const isSomewhere = chunks.every((chunk) =>
        nodes.some(({ disk }) =>
          [...disk.tree.values()].some(({ content }) => content?.chunks.includes(chunk)),
        ),
      )
      if (isSomewhere) continue
      if (nodes.some(({ isAmnesiac }) => isAmnesiac)) ghosts.add(path)
    }
  }
  return ghosts
}

function* equalTrees(nodes: readonly SimNode[], besides: ReadonlySet<RelPath>): Generator<string> {
  const [first, ...others] = nodes
  for (const other of others) {
    for (const path of new Set([...first!.disk.tree.keys(), ...other.disk.tree.keys()])) {
      if (besides.has(path) || isHeldUp(first!, path) || isHeldUp(other, path)) continue
      const one = first!.disk.tree.get(path)
      const two = other.disk.tree.get(path)
      const names = `${first!.options.name} and ${other.options.name}${other.options.isWriter ? '' : ' (reader)'}`
      if (one === undefined || two === undefined) yield `${names} differ: only one has ${path}`
      else if (!sameFact(comparable(first!, one), comparable(other, two))) yield `${names} differ at ${path}`
    }
  }
}

/** Modes are other where an ACL cannot be held; that each wears what the share says is asked apart. */
function comparable({ options }: SimNode, inode: Inode): Fact {
  const fact = factOfInode(inode)
  return options.wardrobe === BARE || fact.type === 'absent' || fact.type === 'symlink'
    ? fact
    : { ...fact, mode: 0 }
}

/** The index says of the disk what is there, and counts to the same when it counts again. */
function* soundIndex({ index, disk, database, options }: SimNode): Generator<string> {
  for (const { path, row } of index.diskRows()) {
    const inode = disk.tree.get(path)
    const fact = currentFact(row)
    const isRight = inode === undefined ? fact.type === 'absent' : isAs(options, fact, inode)
    if (!isRight) yield `${options.name} believes ${path} to be ${fact.type}, wrongly`
  }
  const again = new ShareIndex(database, '', {
    overwriteDrift: options.overwritesDrift,
    isIgnored: () => false,
  })
  if (!again.digest().equals(index.digest())) yield `${options.name} counts another digest after a restart`
  const counts = JSON.stringify(again.counts)
  if (counts !== JSON.stringify(index.counts)) yield `${options.name} counts ${counts} after a restart`
}

function isAs({ wardrobe }: SimNode['options'], fact: Fact, inode: Inode): boolean {
  if (wardrobe === BARE) return sameFact(fact, factOfInode(inode))
  const seen = factOfInode(inode)
  if (fact.type === 'absent' || !sameFactContent(fact, seen) || seen.type === 'absent') return false
  return fact.mtimeUs === seen.mtimeUs && isDressed(wardrobe, fact, inode)
}

function* noLostBytes(nodes: readonly SimNode[], accounts: Accounts): Generator<string> {
  const kept = new Set<string>()
  for (const { disk, options } of nodes) {
    for (const [path, inode] of disk.tree) {
      const bytes = bytesOf(inode)
      if (bytes === undefined) continue
      if (options.isWriter) kept.add(keyOf(bytes))
      if (options.isWriter && !accounts.contents.has(keyOf(bytes)))
        yield `${options.name} has ${keyOf(bytes)} at ${path}, which nobody wrote`
    }
  }
  for (const { path, content } of accounts.owed())
    if (!kept.has(content)) yield `LOST ${content}, written at ${path}`
}
