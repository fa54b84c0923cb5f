// Conflicts as the index knows them: which paths have one, what would settle it (core/tree.ts), which copies were made,
// and which contents must not be lost before that. A view of the heads and of what this disk holds; it changes nothing.
import { ABSENT, type Fact, factOf, sameFactContent } from '../core/fact.js'
import type { WriterId } from '../core/ids.js'
import type { RelPath } from '../core/path.js'
import { type Draft, losersOf, rescue, type SettleContext, settle } from '../core/tree.js'
import type { DiskTable } from './disk.js'
import type { HeadsTable } from './heads.js'

export class Conflicts {
  readonly #heads: HeadsTable
  readonly #disk: Pick<DiskTable, 'get'>

  constructor(heads: HeadsTable, disk: Pick<DiskTable, 'get'>) {
    this.#heads = heads
    this.#disk = disk
  }

  /** Live conflict copies (V5). */
  get copies(): ReadonlySet<RelPath> {
    return this.#heads.copies
  }

  /** Paths with conflicts that a writer is to settle. */
  get unsettled(): ReadonlySet<RelPath> {
    return this.#heads.unsettled
  }

  /** What to publish for a path in conflict (V4, V5, V6); empty when there is nothing, or no longer. */
  settlement(path: RelPath, labelOf: (writer: WriterId) => string): readonly Draft[] {
    return settle(path, this.#heads.get(path), this.#heads.hasLiveChild(path), this.#settleContext(labelOf))
  }

  /**
   * What must be published before a change of this disk, lest it bury versions the user never saw (core/tree.ts). `replaced`:
   * what is applied at its path.
   */
  rescued(
    draft: Draft,
    replaced: Fact,
    author: WriterId,
    labelOf: (writer: WriterId) => string,
  ): readonly Draft[] | undefined {
    return rescue(draft, author, replaced, this.#heads.get(draft.path), this.#settleContext(labelOf))
  }

  /**
   * Whether this disk holds, at a path, a version that lost a conflict nobody has settled yet. No path asks for its
   * content until then, and this may be the only copy: it must stay where it is (V5).
   */
  holdsLoser(path: RelPath): boolean {
    if (!this.unsettled.has(path)) return false
    const row = this.#disk.get(path)
    const fact = row?.drift?.fact ?? row?.applied.fact ?? ABSENT
    const losers = losersOf(this.#heads.get(path), this.#heads.hasLiveChild(path))
    return losers.some((loser) => sameFactContent(factOf(loser), fact))
  }

  /** Whether a content of a path has lost a conflict that nobody has settled yet: a copy has to be made of it (V5). */
  isLosing(path: RelPath, content: Buffer): boolean {
    const has = (fact: Fact): boolean => fact.type === 'file' && fact.content.equals(content)
    return (
      !has(this.#heads.effective(path).fact) &&
      this.#heads.get(path).some((entry) => entry.type === 'file' && entry.content.equals(content))
    )
  }

  #settleContext(labelOf: (writer: WriterId) => string): SettleContext {
    return { headsAt: (path) => this.#heads.get(path), labelOf }
  }
}
