// Gathers the content of tasks: each piece from a file on this disk if one holds it, else from the archive, else from
// peers (P3), through the Stager, which verifies all of it. A source that turns out wrong is followed by the next; who
// sent a wrong piece is reported (P1).
import type { DeviceId } from '../../core/ids.js'
import { parentOf, type RelPath } from '../../core/path.js'
import type { PieceLook, PieceRef, Place } from '../../store/pieces.js'
import { type ApplyTask, noteTraffic, type PendingPart, type TaskPart } from './apply-task.js'
import type { ShareContext } from './context.js'
import { Fetcher } from './fetcher.js'
import type { PieceExchange } from './piece-exchange.js'
import { Stager } from './stager.js'

export interface SourcingEvents {
  /** All parts of the file are staged and verified. */
  onStaged(task: ApplyTask): void
  onFailed(task: ApplyTask, code: string, detail: string): void
  /** A file does not hold what the index says: look at its directory (A3). */
  rescan(directory: RelPath | ''): void
}

export class Sourcing {
  readonly #index: ShareContext['index']
  readonly #events: SourcingEvents
  readonly #fetcher: Fetcher
  readonly #stager: Stager

  constructor(context: ShareContext, exchange: PieceExchange, events: SourcingEvents) {
    this.#index = context.index
    this.#events = events
    this.#fetcher = new Fetcher(this.#index, exchange, (task, part, { bytes, room, from }) => {
      noteTraffic(task, from, bytes.length)
      this.#stager.add(task, { part, type: 'bytes', bytes, room, from })
    })
    this.#stager = new Stager(context, {
      onStaged: (task) => this.#events.onStaged(task),
      onWrong: (task, part, from) => this.#wrong(task, part, from),
      onMissing: (task, pending) => this.#missing(task, pending),
      onResumed: (task) => this.#resumed(task),
      onFailed: (task, code, detail) => this.#events.onFailed(task, code, detail),
      onReleased: (bytes) => this.#fetcher.released(bytes),
    })
  }

  /** Where a task's pieces are, in order. */
  look(task: ApplyTask): PieceLook[] {
    return task.parts.map(({ piece }) => this.#index.pieces.look(piece))
  }

  /** The first piece that is neither on this disk, nor in the archive, nor at some connected peer. */
  missingOf(task: ApplyTask, looks: readonly PieceLook[]): PieceRef | undefined {
    return looks.find((look, i) => !this.#canGetPiece(task.parts[i]!.piece.id, look))?.refs[0]
  }

  /** Starts with a task; `isLeftover` if an earlier try left its staged file (A4). Call pump() after starting some. */
  start(task: ApplyTask, looks: readonly PieceLook[], isLeftover: boolean): void {
    if (task.parts.length === 0) return this.#stager.addEmpty(task)
    if (isLeftover) return this.#stager.resume(task)
    for (const [i, part] of task.parts.entries()) this.#source(task, part, looks[i]!.place)
  }

  /** Asks peers for what was started. */
  pump(): void {
    this.#fetcher.pump()
  }

  /** Whether some connected peer has a piece of these refs. */
  isAvailable(refs: readonly PieceRef[]): boolean {
    return this.#fetcher.isAvailable(refs)
  }

  /** Whether this disk holds what the task waits for from peers who do not have it. */
  isHereByNow(task: ApplyTask): boolean {
    const part = task.staging ? undefined : task.parts.find(({ state }) => state === 'missing')
    if (part === undefined) return false
    const { place, refs } = this.#index.pieces.look(part.piece)
    const isHere = place !== undefined || this.#index.archivedPlaceOf(part.piece.id) !== undefined
    return isHere && !this.#fetcher.isAvailable(refs)
  }

  /** Fetches nothing more for a dropped task. */
  drop(task: ApplyTask): void {
    this.#fetcher.drop(task)
  }

  /** Throws away what was staged for a dropped task. */
  discard(task: ApplyTask): void {
    this.#stager.discard(task)
  }

  stop(): void {
    this.#stager.stop()
  }

  #canGetPiece(id: Buffer, { place, refs }: PieceLook): boolean {
    if (place !== undefined || this.#fetcher.isAvailable(refs)) return true
    return this.#index.archivedPlaceOf(id) !== undefined
  }

  /** Finds a part's bytes: on this disk if at all possible (P3), else from peers. */
  #source(task: ApplyTask, part: TaskPart, held: Place | undefined): void {
    const { id } = part.piece
    const place = part.notIn === 'nowhere' ? held : undefined
    if (place !== undefined) {
      const { path, offset } = place
      return this.#stager.add(task, { part, type: 'place', path, inArchive: false, offset })
    }
    const archived = part.notIn === 'archive' ? undefined : this.#index.archivedPlaceOf(id)
    if (archived !== undefined) {
      const { path, offset } = archived
      return this.#stager.add(task, { part, type: 'place', path, inArchive: true, offset })
    }
    this.#fetcher.add(task, part)
  }

  #resumed(task: ApplyTask): void {
    for (const part of task.parts) {
      if (part.state === 'missing') this.#source(task, part, this.#index.pieces.placeOf(part.piece))
    }
    this.#fetcher.pump()
  }

  #wrong(task: ApplyTask, part: TaskPart, from: DeviceId): void {
    this.#fetcher.wrong(part, from)
    this.#fetcher.add(task, part)
    this.#fetcher.pump()
  }

  #missing(task: ApplyTask, { part, inArchive, path }: PendingPart & { readonly type: 'place' }): void {
    const place = inArchive ? undefined : this.#index.pieces.placeOf(part.piece)
    // The file has another name by now.
    if (place !== undefined && place.path !== path) part.notIn = 'nowhere'
    else if (!inArchive) this.#events.rescan(parentOf(path as RelPath))
    this.#source(task, part, place)
    this.#fetcher.pump()
  }
}
