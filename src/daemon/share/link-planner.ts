// What link groups (core/link-group.ts) and shared inodes mean for the steps of this disk. A file is linked to another name
// of its group that holds the same already, instead of being written; the first of a group is written, and the others wait
// for it. And what is to change one name of an inode must not change the others: either all of them are to change alike,
// and do so at once, or the name gets a file of its own.
import { type FileFact, fingerprint, sameFact, sameFactContent } from '../../core/fact.js'
import { groupOf, sameButGroup, statedGroup } from '../../core/link-group.js'
import type { RelPath } from '../../core/path.js'
import type { Step } from '../../core/plan.js'
import { twinsOf } from '../../core/release.js'
import { type DiskStat, sameStat } from '../../core/stat.js'
import type { PathIntent } from '../../store/intents.js'
import { isShared } from '../../store/links.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import { contentStart } from '../../store/wanted.js'
import type { ActiveStep } from './apply-task.js'
import type { ShareContext } from './context.js'

export type LinkDecision =
  /** Links have no part in it. */
  | { readonly type: 'ordinary' }
  /** Another path of the group goes first; `ended` names this one when it has. */
  | { readonly type: 'wait' }
  /** A new name for the file at another path. */
  | { readonly type: 'link'; readonly from: RelPath }
  /** The disk is as it should be, only what is said of it is new. */
  | { readonly type: 'note' }
  /** A file of its own, with the same content. */
  | { readonly type: 'own' }

interface Leader {
  readonly path: RelPath
  readonly waiting: Set<RelPath>
}

const ORDINARY: LinkDecision = { type: 'ordinary' }
const WAIT: LinkDecision = { type: 'wait' }
/** Files of one content looked at to find a name of the group. */
const MAX_PLACES = 16
/** Sources remembered at most, each for one group. */
const MAX_SOURCES = 1024

export class LinkPlanner {
  readonly #context: Pick<ShareContext, 'index' | 'hardLinks'>
  readonly #isActive: (path: RelPath) => boolean
  /** What is being brought about by one path for several, by key, and who waits for that. */
  readonly #leaders = new Map<string, Leader>()
  readonly #keys = new Map<RelPath, readonly string[]>()
  /** Paths that are to be written and get their content by a link, by its start: the path that they wait for or link to. */
  readonly #served = new Map<number, Map<RelPath, RelPath>>()
  /** Where a file of a group was last found, by key. */
  readonly #sources = new Map<string, RelPath>()

  /** `isActive`: whether a path is on its way to the disk. */
  constructor(context: Pick<ShareContext, 'index' | 'hardLinks'>, isActive: (path: RelPath) => boolean) {
    this.#context = context
    this.#isActive = isActive
  }

  /** What is to be done for a step; `mayLink` is false once linking has failed for the path. */
  decide(path: RelPath, step: ActiveStep, row: DiskRow | undefined, mayLink: boolean): LinkDecision {
    if ((step.type !== 'write' && step.type !== 'metadata') || step.fact.type !== 'file') return ORDINARY
    const { fact } = step
    const isInGroup = mayLink && this.#context.hardLinks && groupOf(fact) !== undefined
    if (step.type === 'write' && isInGroup) return this.#written(path, fact)
    if (step.type === 'write') return mayLink ? this.#ofRelease(path, fact) : ORDINARY
    const held = row?.applied.fact
    if (row?.stat === undefined || row.drift !== undefined || held?.type !== 'file') return ORDINARY
    // What is the same and is to be dressed all the same could not be dressed before.
    if (sameButGroup(fact, held) && !sameFact(fact, held))
      return this.#ofGroupAlone(path, fact, row, isInGroup)
    const isLinked = isShared(row.stat) && this.#context.index.links.hasOther(row.stat.ino, path)
    const first = (): LinkDecision =>
      this.members(path, fact, row) === undefined ? { type: 'own' } : ORDINARY
    const together = isLinked ? [`${row.stat.ino}:${keyOf(fact)}`] : []
    if (isInGroup) return this.#asMember(path, fact, row.stat, together, first)
    return together.some((key) => this.#mustWait(path, key)) ? WAIT : this.#lead(path, together, first())
  }

  /**
   * The other names of a path's inode, if all of them are to become just this as well, with what they will hold then.
   * Undefined if one is not: then the path needs a file of its own.
   */
  members(path: RelPath, fact: FileFact, row: DiskRow): PathIntent[] | undefined {
    const { index } = this.#context
    const { stat } = row
    if (!isShared(stat)) return []
    const members: PathIntent[] = []
    for (const { path: name } of index.links.names(stat.ino)) {
      if (name === path) continue
      const { share, row: other } = index.need(name)
      if (other?.stat === undefined || other.drift !== undefined || !sameStat(other.stat, stat))
        return undefined
      if (!sameFactContent(other.applied.fact, fact) || !sameFact(share.fact, fact)) return undefined
      members.push({ path: name, version: share.version, fact })
    }
    return members
  }

  /** Whether a step is about a file that is in a group here. */
  isMember(step: Step): boolean {
    return 'fact' in step && this.#context.hardLinks && groupOf(step.fact) !== undefined
  }

  /** Whether a path that is to be written could be linked by now. */
  isLinkable(path: RelPath, fact: FileFact): boolean {
    if (!this.#context.hardLinks || groupOf(fact) === undefined) return false
    return this.#source(path, fact, keyOf(fact)) !== undefined
  }

  /**
   * How many of the paths that want a content get it by a link to another path than `gone`, which is about to lose it:
   * they need no copy.
   */
  servedWithout(gone: RelPath, content: Buffer): number {
    const start = contentStart(content)
    const served = this.#served.get(start)
    if (served === undefined) return 0
    let count = 0
    for (const [path, by] of served) {
      const { step } = this.#context.index.need(path)
      const isWanted = step.type === 'write' && contentStart(step.fact.content) === start
      if (!isWanted) served.delete(path)
      else if (by !== gone) count++
    }
    if (served.size === 0) this.#served.delete(start)
    return count
  }

  /** A path is not on its way any more: the paths that waited for it. */
  ended(path: RelPath): readonly RelPath[] {
    const keys = this.#keys.get(path)
    if (keys === undefined) return []
    this.#keys.delete(path)
    const waiting: RelPath[] = []
    for (const key of keys) {
      const leader = this.#leaders.get(key)
      if (leader?.path !== path) continue
      this.#leaders.delete(key)
      waiting.push(...leader.waiting)
    }
    return waiting
  }

  #written(path: RelPath, fact: FileFact): LinkDecision {
    const decision = this.#asMember(path, fact, undefined, [], () => ORDINARY)
    const by =
      decision.type === 'link'
        ? decision.from
        : decision.type === 'wait'
          ? this.#leaders.get(keyOf(fact))!.path
          : undefined
    if (by !== undefined) this.#serve(path, fact.content, by)
    return decision
  }

  /** A file that is unchanged since another release has the same inode: releases are not written to. */
  #ofRelease(path: RelPath, fact: FileFact): LinkDecision {
    const { index, hardLinks } = this.#context
    const twin = hardLinks
      ? twinsOf(path, index.releases.names()).find((at) => isSource(index, at, fact))
      : undefined
    if (twin === undefined) return ORDINARY
    this.#serve(path, fact.content, twin)
    return { type: 'link', from: twin }
  }

  /** Nothing but what is said of the group is new. */
  #ofGroupAlone(path: RelPath, fact: FileFact, row: DiskRow, isInGroup: boolean): LinkDecision {
    const { index } = this.#context
    const stat = row.stat!
    if (isInGroup) {
      const source = this.#source(path, fact, keyOf(fact))
      return source === undefined || index.disk(source)?.stat?.ino === stat.ino
        ? { type: 'note' }
        : { type: 'link', from: source }
    }
    const isLeft = statedGroup(fact.extra)?.length === 0
    return isLeft && isShared(stat) && index.links.hasOther(stat.ino, path)
      ? { type: 'own' }
      : { type: 'note' }
  }

  /**
   * One name of a group is brought about; `first` says what to do for it if nothing of the group is there yet, and `keys`
   * what else that is for.
   */
  #asMember(
    path: RelPath,
    fact: FileFact,
    stat: DiskStat | undefined,
    keys: readonly string[],
    first: () => LinkDecision,
  ): LinkDecision {
    const key = keyOf(fact)
    if ([key, ...keys].some((each) => this.#mustWait(path, each))) return WAIT
    const source = this.#source(path, fact, key)
    if (source === undefined) return this.#lead(path, [key, ...keys], first())
    // The very inode, but the row says it is otherwise: the row is stale, which comes out when the disk is touched.
    return stat !== undefined && this.#context.index.disk(source)?.stat?.ino === stat.ino
      ? ORDINARY
      : { type: 'link', from: source }
  }

  #mustWait(path: RelPath, key: string): boolean {
    const leader = this.#leaders.get(key)
    if (leader === undefined || leader.path === path || !this.#isActive(leader.path)) return false
    leader.waiting.add(path)
    return true
  }

  #lead(path: RelPath, keys: readonly string[], decision: LinkDecision): LinkDecision {
    if (keys.length === 0) return decision
    for (const key of keys) this.#leaders.set(key, { path, waiting: new Set() })
    this.#keys.set(path, [...new Set([...(this.#keys.get(path) ?? []), ...keys])])
    return decision
  }

  /** A path of the group that holds just this, and stays as it is. */
  #source(path: RelPath, fact: FileFact, key: string): RelPath | undefined {
    const known = this.#sources.get(key)
    if (known !== undefined && this.#isSource(path, known, fact)) return known
    const { links } = this.#context.index
    const isFound = (other: RelPath): boolean => this.#isSource(path, other, fact)
    // A name that had no group before the share said so of all of them is found by what it holds.
    const name = links.inGroup(groupOf(fact)!).find(isFound) ?? this.#sameContent(path).find(isFound)
    if (name === undefined) return undefined
    if (this.#sources.size >= MAX_SOURCES) this.#sources.clear()
    this.#sources.set(key, name)
    return name
  }

  #sameContent(path: RelPath): RelPath[] {
    const { index } = this.#context
    const { entry } = index.effective(path)
    const piece = entry === undefined ? undefined : index.firstPieceOf(entry)
    return piece === undefined ? [] : index.pieces.placesOf(piece.id, MAX_PLACES).map((place) => place.path)
  }

  #isSource(path: RelPath, name: RelPath, fact: FileFact): boolean {
    return name !== path && isSource(this.#context.index, name, fact)
  }

  #serve(path: RelPath, content: Buffer, by: RelPath): void {
    const start = contentStart(content)
    const served = this.#served.get(start)
    if (served === undefined) this.#served.set(start, new Map([[path, by]]))
    else served.set(path, by)
  }
}

/** Whether a path of this disk holds just this file, and stays as it is. That it is in the group may still be to be noted. */
export function isSource(index: ShareIndex, path: RelPath, fact: FileFact): boolean {
  const row = index.disk(path)
  const held = row?.applied.fact
  if (row?.stat?.type !== 'file' || row.drift !== undefined || held?.type !== 'file') return false
  if (!sameButGroup(held, fact)) return false
  return index.isWanted(path) ? sameFact(index.effective(path).fact, fact) : sameFact(held, fact)
}

/** Equal for files that are to be one inode. */
function keyOf(fact: FileFact): string {
  return fingerprint('' as RelPath, fact).toString('latin1')
}
