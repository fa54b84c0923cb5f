// A rename elsewhere is a rename here: where the share has a file at a new path and has none any more at another one that
// holds just that, with the same metadata, the disk's file gets the new name in one step. Whoever lists the directory sees
// it exactly once (A2), nothing is copied, and nothing goes to the archive, for nothing was lost.
//
// Only the plain case is moved, in which nothing else depends on either name: all other changes are copies and removals,
// in the order that keeps content (P3). Whether it still is one is asked again when it is carried out.
import { ABSENT, type FileFact, sameFact } from '../../core/fact.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import type { DiskStat } from '../../core/stat.js'
import type { Version } from '../../core/version.js'
import type { CommitJob } from '../../folder/commit.js'
import type { PathIntent } from '../../store/intents.js'
import type { DiskRow } from '../../store/rows.js'
import { type ApplyTask, fileFactOf, type Shortcut } from './apply-task.js'
import type { ShareContext } from './context.js'
import { currentFact } from './current-fact.js'
import { closestName } from './names-alike.js'
import { slipNameOf } from './slip-name.js'
import { isBelowWantedFile } from './wait-rules.js'

/** Files of one content looked at; where there are more, they are copied and removed. */
const MAX_SOURCES = 8

/** What an old name holds, and which version its absence stands for. */
interface Source {
  readonly stat: DiskStat
  readonly version: Version
  /** What is known of the file's attributes. */
  readonly dress: Pick<DiskRow, 'shown' | 'lacks'>
}

export class Moves {
  readonly #context: ShareContext
  /** Old names that the batch at hand takes away already. */
  readonly #taken = new Set<RelPath>()
  readonly #sources = new WeakMap<ApplyTask, Source>()

  constructor(context: ShareContext) {
    this.#context = context
  }

  /** The old name of a file that is to be written, if this is a rename; `pieces` are its content's. */
  find(
    path: RelPath,
    fact: FileFact,
    row: DiskRow | undefined,
    pieces: readonly PieceInfo[],
  ): Shortcut | undefined {
    if (pieces.length === 0 || isOccupied(row)) return undefined
    const { index } = this.#context
    const places = index.pieces.placesOf(pieces[0]!.id, MAX_SOURCES)
    const leaving = places.flatMap((place) =>
      this.#source(place.path, fact) === undefined ? [] : [place.path],
    )
    // Where more names come than go, some of them have to copy.
    if (leaving.length === 0 || index.isContentWanted(fact.content, leaving.length)) return undefined
    // A copy lies ready before the directory is there, a move has to wait for it.
    if (isBelowWantedFile(index, path)) return undefined
    return { type: 'move', from: closestName(path, leaving) }
  }

  /** A batch is being planned. */
  startBatch(): void {
    this.#taken.clear()
  }

  isTaken(path: RelPath): boolean {
    return this.#taken.has(path)
  }

  /** Undefined if it is no rename any more. */
  jobsOf(from: RelPath, task: ApplyTask): readonly CommitJob[] | undefined {
    const { path } = task
    const fact = fileFactOf(task)
    const source = fact === undefined || this.#taken.has(from) ? undefined : this.#source(from, fact)
    if (source === undefined || isOccupied(this.#context.index.disk(path))) return undefined
    this.#taken.add(from)
    this.#sources.set(task, source)
    const slipName = slipNameOf(from, source.stat)
    return [{ type: 'move', path, from, expectFrom: source.stat, slipName }]
  }

  /** What is about to be so at the old name (A4). */
  intentOf(from: RelPath, task: ApplyTask): PathIntent {
    return { path: from, version: this.#sources.get(task)!.version, fact: ABSENT }
  }

  dressOf(task: ApplyTask): Pick<DiskRow, 'shown' | 'lacks'> {
    return this.#sources.get(task)!.dress
  }

  /** Notes that the old name is gone; the new one must have been noted before, lest its pieces seem lost in between. */
  setDone(from: RelPath, task: ApplyTask): void {
    const { version } = this.#sources.get(task)!
    const row: DiskRow = { applied: { version, fact: ABSENT }, stat: undefined, drift: undefined }
    this.#context.index.setDisk(from, row, undefined)
    this.#context.noteChange(from, 'share')
  }

  /** What a path holds, if that is the very file and has to go, and nobody's change or conflict is in it. */
  #source(path: RelPath, fact: FileFact): Source | undefined {
    const { index } = this.#context
    if (!index.isWanted(path)) return undefined
    const { step, share, row } = index.need(path)
    if (step.type !== 'remove' || row?.stat?.type !== 'file' || row.drift !== undefined) return undefined
    if (!sameFact(row.applied.fact, fact) || index.conflicts.holdsLoser(path)) return undefined
    const { shown, lacks = 0 } = row
    return { stat: row.stat, version: share.version, dress: { shown, lacks } }
  }
}

function isOccupied(row: DiskRow | undefined): boolean {
  return row?.stat !== undefined || currentFact(row).type !== 'absent'
}
