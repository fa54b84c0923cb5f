// What was found on the disk becomes an outcome: the core judges (core/local.ts), and here its verdict is carried out:
// remembered in the index, or handed back to be published. Keeps what an earlier run was about to do (intents, A4) until
// a path was judged, or changed by us, for the first time since: later, the same content is the user's doing.
import { ABSENT, type Fact, type LiveFact, sameFactContent } from '../../core/fact.js'
import { type Applied, type Intent, judge, NOTHING_APPLIED } from '../../core/local.js'
import { LACKS, type Observation } from '../../core/metadata.js'
import { type Looked, lookedAt } from '../../core/metadata-look.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import { type DiskStat, sameStat } from '../../core/stat.js'
import type { Effective } from '../../core/tree.js'
import { compareVersions } from '../../core/version.js'
import { isDamaged } from '../../store/due.js'
import { type Layout, packLayout, unpackLayout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareContext } from './context.js'
import { currentFact } from './current-fact.js'
import { withGroups } from './link-watch.js'
import type { Publication } from './publisher.js'
import type { Readiness } from './readiness.js'
import { namesOfInode } from './renames.js'

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

  /** Contents that an earlier run was about to put there, or had been told of. */
  meantAt(path: RelPath): readonly Buffer[] {
    const intents = this.#recovered?.get(path)?.intents ?? []
    return intents.flatMap(({ fact }) => (fact.type === 'file' ? [fact.content] : []))
  }

  /**
   * Judges what a path holds and remembers it; returns what has to be published. Call inside a transaction. `row`: what the
   * index says of the path, in this transaction.
   */
  judge(
    path: RelPath,
    seen: Fact,
    now: Observation | undefined,
    pieces: readonly PieceInfo[] | Layout | undefined,
    row: DiskRow | undefined = this.#context.index.disk(path),
  ): Publication | undefined {
    const { index, problems } = this.#context
    this.#readiness.noteQuiet(path)
    problems.clear('scan', path)
    problems.clear('attributes', path)
    const applied = row?.applied ?? NOTHING_APPLIED
    const share = index.effective(path)
    const intents = this.#takeIntents(path, row?.stat)
    if (row !== undefined && isStillDamaged(row, seen, now)) {
      // Told as a change of the user's, the damage would go to all members.
      index.setDisk(path, { ...row, stat: now?.stat }, index.layout(path))
      return undefined
    }
    // Under its new name, a file is to look as it was to look under the old one: not all of that may show here.
    const oldName =
      currentFact(row).type === 'absent' && Array.isArray(pieces)
        ? namesOfInode(index, path, seen, now?.stat, pieces)[0]
        : undefined
    const held = oldName === undefined ? row : index.disk(oldName)
    const meant = oldName === undefined ? share : index.effective(oldName)
    const looked =
      seen.type === 'absent' || now === undefined
        ? undefined
        : withGroups(this.#context, path, this.#look(seen, now, held, meant, intents), now.stat, row, {
            intents: intents.map(({ fact }) => fact),
            share,
          })
    const observed = looked?.observed ?? seen
    const outcome = judge({
      path,
      observed,
      seenAs: looked?.seenAs,
      applied,
      share,
      intents,
      writer: this.#context.isWriter,
    })
    const layout = Buffer.isBuffer(pieces) || pieces === undefined ? pieces : packLayout(pieces)
    const told = Buffer.isBuffer(pieces) ? unpackLayout(pieces) : (pieces ?? [])
    const dressed = (fact: Fact): Pick<DiskRow, 'stat' | 'shown' | 'lacks'> => this.#dressed(fact, now, row)
    switch (outcome.type) {
      case 'unchanged':
        index.setDisk(path, { applied, ...dressed(applied.fact), drift: undefined }, layout)
        return undefined
      case 'adopt':
        if (this.#isGivenUp(path, applied, observed)) {
          const draft = { path, base: applied.version, fact: observed, origin: undefined, was: undefined }
          return { draft, pieces: told, disk: dressed(observed) }
        }
        index.setDisk(
          path,
          { applied: outcome.applied, ...dressed(outcome.applied.fact), drift: undefined },
          layout,
        )
        // Put there by a process that died before it noted that, unless a user has done the same.
        if (!this.#areUsedUp && compareVersions(outcome.applied.version, applied.version) !== 'equal')
          this.#context.noteChange(path, 'share')
        return undefined
      case 'drift': {
        const sinceMs = row?.drift?.sinceMs ?? Date.now()
        const { kinds } = outcome
        if (row?.drift?.kinds.join() !== kinds.join()) this.#context.log.info({ path, kinds }, 'drift')
        const drift = { kinds, sinceMs, fact: observed }
        index.setDisk(path, { applied, ...dressed(ABSENT), drift }, layout)
        return undefined
      }
      case 'publish':
        return { draft: outcome.draft, pieces: told, disk: dressed(outcome.draft.fact) }
    }
  }

  /** What a path holds, told from what it was to hold: an attribute that this disk cannot show is not gone. */
  #look(
    seen: LiveFact,
    now: Observation,
    row: DiskRow | undefined,
    share: Effective,
    intents: readonly Intent[],
  ): Looked {
    const { metadata, isWriter } = this.#context
    return lookedAt(metadata, {
      seen,
      now,
      share,
      intents,
      isWriter,
      held: currentFact(row),
      was: { stat: row?.stat, shown: row?.shown },
      applied: row?.applied.fact ?? ABSENT,
      isOurs: share.entry !== undefined && this.#context.isOwn(share.entry.origin),
    })
  }

  /** What to remember of a path beside what it is to hold. */
  #dressed(
    fact: Fact,
    now: Observation | undefined,
    before: DiskRow | undefined,
  ): Pick<DiskRow, 'stat' | 'shown' | 'lacks'> {
    if (now === undefined) return { stat: undefined }
    const { metadata } = this.#context
    const was = before?.lacks ?? 0
    const ofOwner = LACKS.owner | LACKS.account
    const found = metadata.lacks(fact, now)
    const lacks = now.isUnread === true ? (found & ofOwner) | (was & (LACKS.acl | LACKS.xattrs)) : found
    // To be tried again, and not forgotten because somebody looked before it was.
    const isAnew = this.#context.dressesAnew() !== 'nothing' || (was & LACKS.redress) !== 0
    return {
      stat: now.stat,
      shown: now.isUnread === true ? before?.shown : metadata.shownOf(now),
      lacks: isAnew && (lacks & ~LACKS.account) !== 0 ? lacks | LACKS.redress : lacks,
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

/**
 * Whether a path holds the very file that was found to be damaged, and only its metadata was touched. A copy that a user puts in
 * its place is a version of the user's.
 */
function isStillDamaged(row: DiskRow, seen: Fact, now: Observation | undefined): boolean {
  const held = row.drift?.fact
  if (held === undefined || !isDamaged(row) || now?.stat.ino !== row.stat?.ino) return false
  return sameFactContent(seen, held)
}
