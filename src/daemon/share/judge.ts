// What was found on the disk becomes an outcome: the core judges (core/local.ts), and here its verdict is carried out:
// remembered in the index, or handed back to be published. Keeps what an earlier run was about to do (intents, A4) until
// a path was judged, or changed by us, for the first time since: later, the same content is the user's doing.
import type { Fact } from '../../core/fact.js'
import { sameFactContent } from '../../core/fact.js'
import { type Applied, type Intent, judge, NOTHING_APPLIED } from '../../core/local.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import { withWithheld } from '../../core/setid.js'
import { type DiskStat, sameStat } from '../../core/stat.js'
import { type Layout, packLayout } from '../../store/pieces.js'
import type { ShareContext } from './context.js'
import { currentFact } from './current-fact.js'
import { withObservedGroup } from './link-watch.js'
import type { Publication } from './publisher.js'
import type { Readiness } from './readiness.js'

/** What an earlier run was about to do at a path, and what the index said of the disk when that was found out. */
interface Recovered {
  readonly intents: readonly Intent[]
  readonly stat: DiskStat | undefined
}

export class Judge {
  readonly #context: ShareContext
  readonly #readiness: Readiness
  /** What an earlier run was about to do; undefined until the first look, since starting adds to it. */
  #recovered: Map<RelPath, Recovered> | undefined
  #areUsedUp = false

  constructor(context: ShareContext, readiness: Readiness) {
    this.#context = context
    this.#readiness = readiness
  }

  /** Reads what an earlier run left; to be called when a look begins. */
  recover(): void {
    if (this.#recovered !== undefined) return
    const { index } = this.#context
    this.#recovered = new Map()
    for (const [path, intents] of index.recovery.intents())
      this.#recovered.set(path, { intents, stat: index.disk(path)?.stat })
  }

  /** Once the whole tree was looked at, intents are of use only for what was left to a later look. */
  useUpIntents(isLeft: (path: RelPath) => boolean): void {
    if (this.#areUsedUp || this.#recovered === undefined) return
    this.#context.index.transaction(() => this.#context.index.noteLooked())
    for (const path of this.#recovered.keys()) if (!isLeft(path)) this.#recovered.delete(path)
    this.#areUsedUp = this.#recovered.size === 0
    if (this.#areUsedUp) this.#context.index.transaction(() => this.#context.index.recovery.useUp())
  }

  /** Judges what a path holds and remembers it; returns what has to be published. Call inside a transaction. */
  judge(
    path: RelPath,
    seen: Fact,
    stat: DiskStat | undefined,
    pieces: readonly PieceInfo[] | undefined,
  ): Publication | undefined {
    const { index, problems } = this.#context
    this.#readiness.noteQuiet(path)
    problems.clear('scan', path)
    const row = index.disk(path)
    const applied = row?.applied ?? NOTHING_APPLIED
    const share = index.effective(path)
    const intents = this.#takeIntents(path, row?.stat)
    const known = [...intents.map(({ fact }) => fact), share.fact]
    const worn = withWithheld(seen, currentFact(row), row?.stat, known, this.#context.withholdsSetid)
    const observed = withObservedGroup(this.#context, path, worn, stat, row, {
      intents: intents.map(({ fact }) => fact),
      share,
    })
    const outcome = judge({ path, observed, applied, share, intents, writer: this.#context.isWriter })
    const layout: Layout | undefined = pieces === undefined ? undefined : packLayout(pieces)
    switch (outcome.type) {
      case 'unchanged':
        index.setDisk(path, { applied, stat, drift: undefined }, layout)
        return undefined
      case 'adopt':
        if (this.#isGivenUp(path, applied, observed)) {
          const draft = { path, base: applied.version, fact: observed, origin: undefined, was: undefined }
          return { draft, pieces: pieces ?? [], disk: { stat } }
        }
        index.setDisk(path, { applied: outcome.applied, stat, drift: undefined }, layout)
        return undefined
      case 'drift': {
        const sinceMs = row?.drift?.sinceMs ?? Date.now()
        const { kinds } = outcome
        if (row?.drift?.kinds.join() !== kinds.join()) this.#context.log.info({ path, kinds }, 'drift')
        index.setDisk(path, { applied, stat, drift: { kinds, sinceMs, fact: observed } }, layout)
        return undefined
      }
      case 'publish':
        return { draft: outcome.draft, pieces: pieces ?? [], disk: { stat } }
    }
  }

  /** None if the path was committed since: a commit leaves another stat. */
  #takeIntents(path: RelPath, stat: DiskStat | undefined): readonly Intent[] {
    const recovered = this.#recovered?.get(path)
    if (recovered === undefined) return []
    this.#recovered?.delete(path)
    const before = recovered.stat
    const isSame = before === undefined || stat === undefined ? before === stat : sameStat(before, stat)
    return isSame ? recovered.intents : []
  }

  /**
   * Whether the user put what the share says in the place of a version that lost a conflict and is not copied yet. Taken
   * over without a word, that version would wait for ever for a copy that nobody has the content for any more. We never
   * displace such a version ourselves (Applier).
   */
  #isGivenUp(path: RelPath, { fact }: Applied, observed: Fact): boolean {
    if (fact.type !== 'file' || sameFactContent(fact, observed) || !this.#context.isWriter) return false
    return this.#context.index.conflicts.isLosing(path, fact.content)
  }
}
