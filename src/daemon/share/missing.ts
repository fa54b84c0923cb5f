// Paths of the index that a listing did not show, from then until they are published as gone. Promises: a name must be
// missing for a while (the other half of a rename may be on its way) and then be confirmed missing; what we change
// ourselves meanwhile is left to the next look (A9); and when most of the tree is gone since the last run, nothing is
// said before a person has approved it (A5). A reader says nothing in any case: what it misses is drift.
import { performance } from 'node:perf_hooks'
import { ABSENT, sameFact } from '../../core/fact.js'
import type { Applied } from '../../core/local.js'
import { depthOf, IGNORE_FILE, parentOf, type RelPath } from '../../core/path.js'
import type { DiskStat } from '../../core/stat.js'
import { withAncestors } from '../../core/tree.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareContext } from './context.js'
import { currentFact } from './current-fact.js'
import type { Judge } from './judge.js'
import type { Publication } from './publisher.js'

/** A name must be missing this long before it counts as deleted: the other half of a rename may be on its way. */
export const DELETE_HOLD_MS = 80
/** Share of the tree that may vanish unseen before the share halts (A5), and the least number. */
const MASS_DELETE_SHARE = 0.5
const MASS_DELETE_LEAST = 100
/** Paths confirmed by one job: few enough that a worker's memory holds them, whatever their length. */
const CONFIRM_BATCH = 16_384

/** A file seen that cannot be read yet is thought to be on its way this long beyond the next try. */
const UNREAD_MARGIN_MS = 2000

/** A path that a listing did not show. */
interface Absence {
  /** When its hold is over. */
  due: number
  /** What was applied when the listing was compared. */
  readonly applied: Applied
}

export class Missing {
  readonly #context: ShareContext
  readonly #judge: Judge
  readonly #relook: (directory: RelPath | '') => void
  readonly #paths = new Map<RelPath, Absence>()
  /** Files that were seen and not read yet, by inode, and until when that counts. */
  readonly #unread = new Map<number, { readonly stat: DiskStat; readonly untilMs: number }>()
  #isFirstScan = true
  #isApproved = false
  /** Files that the index knew when the first look began, and how many of them it has found again. */
  #filesBefore = 0
  #foundAgain = 0

  /** `relook`: these directories are to be listed again, in a while. */
  constructor(context: ShareContext, judge: Judge, relook: (directory: RelPath | '') => void) {
    this.#context = context
    this.#judge = judge
    this.#relook = relook
  }

  get size(): number {
    return this.#paths.size
  }

  /** The instant at which the first hold is over, as performance.now() tells it; infinite when nothing is missing. */
  get due(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { due } of this.#paths.values()) first = Math.min(first, due)
    return first
  }

  has(path: RelPath): boolean {
    return this.#paths.has(path)
  }

  /** A look at the whole tree begins. */
  startFullScan(): void {
    if (!this.#isFirstScan) return
    this.#filesBefore = this.#context.index.counts.files
    this.#foundAgain = 0
  }

  /** A look at the whole tree has ended, and all that was found is published. */
  endFullScan(): void {
    this.#isFirstScan = false
    this.#isApproved = false
  }

  /** The next full scan may find the tree as empty as it likes (A5). */
  approve(): void {
    this.#isApproved = true
  }

  /** A path of the index that a listing did not show, with all that the index knows below it. Returns those paths. */
  note(path: RelPath): readonly RelPath[] {
    const { index } = this.#context
    const due = this.#isFirstScan ? 0 : performance.now() + DELETE_HOLD_MS
    const all: RelPath[] = []
    const queue: RelPath[] = [path]
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      all.push(next)
      const fact = currentFact(index.disk(next))
      if (fact.type === 'absent') continue
      if (!this.#paths.has(next)) this.#paths.set(next, { due, applied: index.applied(next) })
      if (fact.type === 'directory') for (const child of index.diskChildren(next)) queue.push(child.path)
    }
    return all
  }

  noteFound(path: RelPath, row: DiskRow | undefined): void {
    this.#paths.delete(path)
    if (this.#isFirstScan && row?.applied.fact.type === 'file') this.#foundAgain++
  }

  /** A file was seen that is tried again in `delayMs` (A8): it may be the new name of one that is missing. */
  noteUnread(stat: DiskStat, delayMs: number): void {
    this.#unread.set(stat.ino, { stat, untilMs: performance.now() + delayMs + UNREAD_MARGIN_MS })
  }

  /**
   * What is to be published of a path that is confirmed to be missing, because its file was found under another name.
   * Call inside a transaction.
   */
  take(path: RelPath): Publication | undefined {
    const noted = this.#paths.get(path)?.applied ?? this.#context.index.applied(path)
    this.#paths.delete(path)
    return this.#judgeGone(path, noted)
  }

  /**
   * Deletions whose hold is over, if they still are: the listing may have missed a name while others were renamed. Over
   * means before `startedMs`: all that had happened by then was heard of, and looked at, so the other half of a rename, too.
   */
  async publishDue(startedMs: number): Promise<void> {
    const absences = this.#takeDue(startedMs)
    // The deepest first: a directory that is published as gone while its children live would be brought back by others.
    const due = [...absences.keys()].sort((a, b) => depthOf(b) - depthOf(a))
    if (due.length === 0) return
    const { pool, root, index, guard } = this.#context
    const moment = guard.startLook()
    try {
      const missing: boolean[] = []
      for (let from = 0; from < due.length; from += CONFIRM_BATCH) {
        const batch = due.slice(from, from + CONFIRM_BATCH)
        missing.push(...(await pool.confirmMissing(root, batch, this.#context.rootIdentity())))
      }
      const halt = await this.#context.checkRoot()
      if (halt !== undefined) return this.#context.halt(halt)
      // It is there again, or the system could not tell: only a listing knows.
      due.forEach((path, i) => {
        if (missing[i] !== true) this.#relook(parentOf(path))
      })
      const gone = this.#withoutHalves(
        due.filter((path, i) => missing[i] && !guard.isDisturbed(path, moment)),
      )
      const publications = index.transaction(() =>
        gone.flatMap((path) => this.#judgeGone(path, absences.get(path)!.applied) ?? []),
      )
      await this.#context.publish(publications)
      if (gone.some((path) => path === IGNORE_FILE)) this.#context.onIgnoreRules()
    } finally {
      guard.endLook(moment)
    }
  }

  /** Absences whose time has come, but for those whose file was seen elsewhere, and the directories these lay in. */
  #takeDue(startedMs: number): Map<RelPath, Absence> {
    const now = performance.now()
    for (const [ino, { untilMs }] of this.#unread) if (untilMs < now) this.#unread.delete(ino)
    const due = new Map([...this.#paths].filter(([, absence]) => absence.due <= startedMs + 1))
    if (this.#unread.size > 0) {
      const held = [...due.keys()].filter((path) => this.#isUnreadElsewhere(path))
      for (const path of new Set(held.flatMap((path) => withAncestors(path)))) {
        const absence = due.get(path)
        if (absence !== undefined) absence.due = now + DELETE_HOLD_MS
        due.delete(path)
      }
    }
    for (const path of due.keys()) this.#paths.delete(path)
    return due
  }

  /**
   * Without directories in which something is left to a later look: one that is published as gone while that lives would be
   * brought back by others (V4). They wait for it. `gone` has the deepest first.
   */
  #withoutHalves(gone: readonly RelPath[]): RelPath[] {
    const { index } = this.#context
    const whole = new Set<RelPath>()
    for (const path of gone) {
      const isLeft = ({ path: child, row }: { readonly path: RelPath; readonly row: DiskRow }): boolean =>
        currentFact(row).type !== 'absent' && !whole.has(child)
      if (currentFact(index.disk(path)).type !== 'directory' || !index.diskChildren(path).some(isLeft))
        whole.add(path)
      else this.note(path)
    }
    return [...whole]
  }

  /** A number alone says little: the inode of a deleted file goes to the next one that is made. */
  #isUnreadElsewhere(path: RelPath): boolean {
    const stat = this.#context.index.disk(path)?.stat
    const unread = stat === undefined ? undefined : this.#unread.get(stat.ino)?.stat
    return unread !== undefined && unread.mtimeMs === stat!.mtimeMs && unread.size === stat!.size
  }

  /**
   * A deletion starts from what was applied when the name was missed (V1). Meanwhile the index may have heard that others
   * deleted the file and put it back as it was, and have taken that for applied, since it is what the disk was thought to
   * hold: a deletion that included it would bury what this user never saw.
   */
  #judgeGone(path: RelPath, noted: Applied): Publication | undefined {
    const { fact } = this.#context.index.applied(path)
    const publication = this.#judge.judge(path, ABSENT, undefined, undefined)
    if (publication === undefined || !sameFact(fact, noted.fact)) return publication
    return { ...publication, draft: { ...publication.draft, base: noted.version }, noted }
  }

  /** Whether the first look may still find most of the tree gone (A5): then even what it found must wait. */
  mayBeMost(): boolean {
    return this.#isMost(this.#filesBefore - this.#foundAgain)
  }

  /** The same at the end of the look, when all that is gone is known. */
  isMost(): boolean {
    return this.#isMost(this.#goneFiles())
  }

  /** Halts if most of what was there at the last run is gone (A5), and forgets what is missing; true if so. */
  haltIfMost(): boolean {
    const gone = this.#goneFiles()
    if (!this.#isMost(gone)) return false
    this.#paths.clear()
    const files = this.#filesBefore
    this.#context.halt(`${gone} of ${files} files are gone since the last run; approve if that is meant`)
    return true
  }

  #goneFiles(): number {
    let gone = 0
    for (const path of this.#paths.keys()) if (this.#context.index.applied(path).fact.type === 'file') gone++
    return gone
  }

  #isMost(files: number): boolean {
    if (!this.#isFirstScan || this.#isApproved || !this.#context.isWriter) return false
    return files > MASS_DELETE_LEAST && files > this.#filesBefore * MASS_DELETE_SHARE
  }
}
