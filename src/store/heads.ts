// Who says what about which path: the heads of every path (core/merge.ts), how many live paths each directory has
// directly inside it, and what follows from both: conflicts to settle, conflict copies in the tree. Every method that
// changes something runs inside the caller's transaction.
//
// children[d] is the number of live paths directly inside d, by core/tree.ts effective(). During a batch of merges it
// lags behind; settleParents() brings it up to date, once per directory and not once per file.
import { isConflictCopy } from '../core/conflict.js'
import type { Entry } from '../core/entry.js'
import { type Heads, mergeEntry, NO_HEADS, viewOf } from '../core/merge.js'
import { depthOf, parentOf, type RelPath } from '../core/path.js'
import { type Effective, effective } from '../core/tree.js'
import { packHeads, unpackHeads } from './rows.js'
import {
  belowRanges,
  childrenRange,
  type Database,
  firstPaths,
  keyAfter,
  pathKey,
  pathOfKey,
  type Table,
  walk,
} from './tables.js'

/** A path whose state in the share may be another now. */
export interface HeadsChange {
  readonly path: RelPath
  readonly share: Effective
}

/** What an entry did. */
export interface Merged extends HeadsChange {
  readonly before: Heads
  readonly after: Heads
}

/** Between heads and their rows. */
interface HeadsCodec {
  pack(heads: Heads): unknown[][]
  unpack(path: RelPath, row: unknown[][]): Heads
}

const PACKED: HeadsCodec = { pack: packHeads, unpack: unpackHeads }
const AS_THEY_ARE: HeadsCodec = {
  pack: (heads) => heads as unknown as unknown[][],
  unpack: (_path, row) => row as unknown as Heads,
}

export class HeadsTable {
  readonly #codec: HeadsCodec
  readonly #heads: Table<unknown[][]>
  readonly #children: Table<number>
  readonly #unsettled = new Set<RelPath>()
  readonly #copies = new Set<RelPath>()
  /** Changes of `children` that settleParents has yet to make. */
  #pending = new Map<RelPath, number>()

  constructor(database: Database, prefix: string) {
    this.#codec = database.holdsValues === true ? AS_THEY_ARE : PACKED
    this.#heads = database.table(`${prefix}heads`)
    this.#children = database.table(`${prefix}children`)
    for (const { key, value } of walk(this.#heads)) {
      const path = pathOfKey(key)
      const hasLiveChild = this.hasLiveChild(path)
      if (value.length > 1 || hasLiveChild)
        this.#noteUnsettled(path, this.#codec.unpack(path, value), hasLiveChild)
      if (isConflictCopy(path)) {
        this.#noteCopy(path, effective(this.#codec.unpack(path, value), hasLiveChild).fact.type !== 'absent')
      }
    }
  }

  get(path: RelPath): Heads {
    const row = this.#heads.get(pathKey(path))
    return row === undefined ? NO_HEADS : this.#codec.unpack(path, row)
  }

  /** What the share says a path holds (V4, V6). */
  effective(path: RelPath): Effective {
    return effective(this.get(path), this.hasLiveChild(path))
  }

  hasLiveChild(path: RelPath): boolean {
    return (this.#children.get(pathKey(path)) ?? 0) > 0
  }

  /** Paths with conflicts that a writer is to settle. */
  get unsettled(): ReadonlySet<RelPath> {
    return this.#unsettled
  }

  /** Live conflict copies (V5). */
  get copies(): ReadonlySet<RelPath> {
    return this.#copies
  }

  /** So many rows are read at a time. */
  *all(chunk?: number): Generator<Heads> {
    for (const { key, value } of walk(this.#heads, chunk)) yield this.#codec.unpack(pathOfKey(key), value)
  }

  /** Of paths with more than one. */
  *contested(): Generator<Heads> {
    for (const { key, value } of walk(this.#heads))
      if (value.length > 1) yield this.#codec.unpack(pathOfKey(key), value)
  }

  /** What the share says of every path that has heads. */
  *allEffective(): Generator<{ readonly path: RelPath; readonly share: Effective }> {
    for (const { key, value } of walk(this.#heads)) {
      const path = pathOfKey(key)
      const hasLiveChild = (this.#children.get(key) ?? 0) > 0
      yield { path, share: effective(this.#codec.unpack(path, value), hasLiveChild) }
    }
  }

  *paths(): Generator<RelPath> {
    for (const { key } of walk(this.#heads)) yield pathOfKey(key)
  }

  /**
   * Paths directly inside a directory that somebody ever said anything of, or that hold up something, in the order of their
   * keys: after a path if one is given, up to `limit`.
   */
  inside(directory: RelPath | '', after: RelPath | undefined, limit: number): RelPath[] {
    const { start, end } = childrenRange(directory)
    const from = after === undefined ? start : keyAfter(pathKey(after))
    const keys = [this.#heads, this.#children].flatMap((table) =>
      (table as Table<unknown>).range(from, end, limit).map(({ key }) => key),
    )
    return firstPaths(keys, limit)
  }

  /** Paths below a directory that somebody ever said anything of, up to `limit`, after a path if one is given. */
  below(directory: RelPath, after: RelPath | undefined, limit: number): RelPath[] {
    const from = after === undefined ? undefined : keyAfter(pathKey(after))
    const paths: RelPath[] = []
    for (const { start, end } of belowRanges(directory)) {
      const begin = from === undefined || Buffer.compare(from, start) < 0 ? start : from
      if (Buffer.compare(begin, end) >= 0 || paths.length >= limit) continue
      for (const { key } of this.#heads.range(begin, end, limit - paths.length)) paths.push(pathOfKey(key))
    }
    return paths
  }

  /** Adds an entry; undefined if it says nothing new. Call settleParents() after the last one of a batch. */
  merge(entry: Entry): Merged | undefined {
    const { path } = entry
    const key = pathKey(path)
    const stored = this.#heads.get(key)
    const before = stored === undefined ? NO_HEADS : this.#codec.unpack(path, stored)
    const after = mergeEntry(before, entry)
    if (after === before) return undefined
    this.#heads.put(key, this.#codec.pack(after))
    const hasLiveChild = (this.#children.get(key) ?? 0) > 0
    const share = effective(after, hasLiveChild)
    const isLive = share.fact.type !== 'absent'
    this.#noteUnsettled(path, after, hasLiveChild)
    this.#noteCopy(path, isLive)
    const isNew = before.length === 0 && !hasLiveChild
    const wasLive = !isNew && effective(before, hasLiveChild).fact.type !== 'absent'
    if (wasLive !== isLive) this.#bumpParent(path, isLive ? 1 : -1)
    return { path, share, before, after }
  }

  /** Parents of what came to life or died: they may have to exist now, or no longer (V4), and so on upwards. */
  settleParents(): HeadsChange[] {
    const changes: HeadsChange[] = []
    while (this.#pending.size > 0) {
      // From the bottom up: a directory that dies takes part in its parent's count.
      const deepest = Math.max(...[...this.#pending.keys()].map(depthOf))
      for (const [path, change] of [...this.#pending]) {
        if (depthOf(path) < deepest) continue
        this.#pending.delete(path)
        const changed = this.#addChildren(path, change)
        if (changed !== undefined) changes.push(changed)
      }
    }
    return changes
  }

  #bumpParent(path: RelPath, change: 1 | -1): void {
    const parent = parentOf(path)
    if (parent !== '') this.#pending.set(parent, (this.#pending.get(parent) ?? 0) + change)
  }

  #addChildren(path: RelPath, change: number): HeadsChange | undefined {
    if (change === 0) return undefined
    const key = pathKey(path)
    const before = this.#children.get(key) ?? 0
    const after = before + change
    if (after === 0) this.#children.remove(key)
    else this.#children.put(key, after)
    if (before > 0 && after > 0) return undefined
    const heads = this.get(path)
    const share = effective(heads, after > 0)
    const isLive = share.fact.type !== 'absent'
    const wasLive = effective(heads, before > 0).fact.type !== 'absent'
    this.#noteUnsettled(path, heads, after > 0)
    this.#noteCopy(path, isLive)
    if (wasLive !== isLive) this.#bumpParent(path, isLive ? 1 : -1)
    return { path, share }
  }

  #noteUnsettled(path: RelPath, heads: Heads, hasLiveChild: boolean): void {
    const winner = heads[0]
    const implied = hasLiveChild && winner !== undefined && winner.type !== 'directory'
    if (implied || (heads.length > 1 && viewOf(heads).losers.length > 0)) this.#unsettled.add(path)
    else this.#unsettled.delete(path)
  }

  #noteCopy(path: RelPath, isLive: boolean): void {
    if (isLive && isConflictCopy(path)) this.#copies.add(path)
    else this.#copies.delete(path)
  }
}
