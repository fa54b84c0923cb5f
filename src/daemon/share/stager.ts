// Brings pieces into staged files, many at a time: parts with a source are collected for a tick and go to the workers in
// batches, bulk bytes in one transferred buffer. A task's parts are staged by one job at a time.
import type { DeviceId } from '../../core/ids.js'
import { plainBytesOf } from '../../core/piece.js'
import type { StageFileJob, StagePart, StageResult } from '../../folder/stage.js'
import { type ApplyTask, fileFactOf, type PendingPart, type TaskPart } from './apply-task.js'
import type { ShareContext } from './context.js'
import { scopeOf, setKey } from './dressing.js'
import { Gather } from './gather.js'

/** One batch at most; two or three of them keep the workers busy. */
const BATCH_PARTS = 192
const BATCH_BYTES = 2 << 20
const BATCHES = 3
/** A batch starts with so many parts, or so long after the first; a fresh small change starts one at once. */
const GATHER_PARTS = 96
const GATHER_MS = 8

export interface StagerEvents {
  /** All parts of the file are staged and verified. */
  onStaged(task: ApplyTask): void
  /** A piece from a peer was not what it claimed to be (P1). */
  onWrong(task: ApplyTask, part: TaskPart, from: DeviceId): void
  /** A place on this disk does not hold the piece. */
  onMissing(task: ApplyTask, pending: PendingPart & { readonly type: 'place' }): void
  /** What a leftover held is known; the rest of the parts needs sources. */
  onResumed(task: ApplyTask): void
  onFailed(task: ApplyTask, code: string, detail: string): void
  /** Bytes that came from peers are no longer held in memory. */
  onReleased(bytes: number): void
}

export class Stager {
  readonly #context: ShareContext
  readonly #events: StagerEvents
  #ready: ApplyTask[] = []
  /**
   * Staged files that a worker is at. Tasks for the same path and content have the same one, and may follow each other
   * faster than a worker: each waits here for the one before, or they would replace each other's file and leave holes.
   */
  readonly #busy = new Map<string, (() => void)[]>()
  #batches = 0
  readonly #gather = new Gather(GATHER_PARTS, GATHER_MS, () => this.#startAll())

  constructor(context: ShareContext, events: StagerEvents) {
    this.#context = context
    this.#events = events
  }

  /** Gives a part a source. */
  add(task: ApplyTask, pending: PendingPart): void {
    pending.part.state = 'queued'
    task.pending.push(pending)
    if (task.pending.length === 1 && !task.staging) this.#enqueue(task)
  }

  /** A file without content has no parts, but must be staged all the same. */
  addEmpty(task: ApplyTask): void {
    this.#enqueue(task)
  }

  /** Looks which parts of a leftover staged file are right (A4), then calls onResumed. */
  resume(task: ApplyTask): void {
    if (this.#isWaiting(task, () => (task.dropped ? undefined : this.resume(task)))) return
    const { pool, root, pieceKeys } = this.#context
    const parts = task.parts.map(stagePartOf)
    const size = fileFactOf(task)!.size
    task.staging = true
    this.#busy.set(task.token, [])
    pool
      .stage(root, pieceKeys, [{ type: 'resume', token: task.token, size, parts }])
      .then(([result]) => {
        task.staging = false
        this.#leave(task)
        if (task.dropped) {
          task.begun = true
          return this.discard(task)
        }
        task.begun = result!.good.length > 0
        for (const i of result!.good) {
          const part = task.parts[i]!
          part.state = 'staged'
          task.missing--
          task.doneBytes += plainBytesOf(part.piece)
        }
        // Even a complete leftover goes through one last job, which checks its size and sets its metadata.
        if (task.missing === 0) this.#enqueue(task)
        else this.#events.onResumed(task)
      })
      .catch((thrown) => this.#context.fail(thrown))
  }

  /** Throws away what was staged for a task that is no longer wanted. */
  discard(task: ApplyTask): void {
    if (task.staging || !task.begun) return
    if (this.#isWaiting(task, () => this.discard(task))) return
    this.#busy.set(task.token, [])
    const { pool, root, pieceKeys } = this.#context
    pool
      .stage(root, pieceKeys, [{ type: 'discard', token: task.token }])
      .then(() => this.#leave(task))
      .catch((thrown) => this.#context.fail(thrown))
  }

  stop(): void {
    this.#gather.stop()
  }

  #enqueue(task: ApplyTask): void {
    this.#ready.push(task)
    this.#gather.add(Math.max(1, task.pending.length), task.fresh)
  }

  #startAll(): void {
    while (this.#batches < BATCHES && this.#ready.length > 0) this.#start()
  }

  #start(): void {
    const tasks: ApplyTask[] = []
    const taken: PendingPart[][] = []
    let parts = 0
    let bytes = 0
    while (this.#ready.length > 0 && parts < BATCH_PARTS && bytes < BATCH_BYTES) {
      const task = this.#ready.shift()!
      if (task.dropped) {
        this.#releaseAll(task.pending.splice(0))
        continue
      }
      if (this.#isWaiting(task, () => this.#enqueue(task))) continue
      this.#busy.set(task.token, [])
      let count = 0
      for (; count < task.pending.length && parts + count < BATCH_PARTS && bytes < BATCH_BYTES; count++) {
        bytes += byteLengthOf(task.pending[count]!)
      }
      tasks.push(task)
      taken.push(task.pending.splice(0, count))
      task.staging = true
      parts += Math.max(1, count)
    }
    if (tasks.length === 0) return
    this.#batches++
    void this.#stage(tasks, taken, bytes)
      .catch((thrown) => this.#context.fail(thrown))
      .finally(() => {
        this.#batches--
        if (this.#ready.length > 0) this.#gather.add(this.#ready.length, this.#ready[0]!.fresh)
      })
  }

  async #stage(
    tasks: readonly ApplyTask[],
    taken: readonly PendingPart[][],
    byteLength: number,
  ): Promise<void> {
    const { pool, root, pieceKeys, metadata, sparse } = this.#context
    const room = byteLength === 0 ? new ArrayBuffer(0) : pool.takeRoom(byteLength)
    const packed = Buffer.from(room)
    let at = 0
    const sets = tasks.map((task) => metadata.dress(fileFactOf(task)!, true))
    const jobs = tasks.map((task, i): StageFileJob => {
      const fact = fileFactOf(task)!
      const parts = taken[i]!.map((pending): StageFileJob['parts'][number] => {
        const common = stagePartOf(pending.part)
        if (pending.type === 'place') return { ...common, source: this.#placeSource(pending) }
        const source = { type: 'bytes' as const, at, length: pending.bytes!.length }
        at += pending.bytes!.copy(packed, at)
        letGo(pending)
        return { ...common, source }
      })
      return {
        type: 'file',
        token: task.token,
        size: fact.size,
        begin: !task.begun,
        final: task.missing === parts.length,
        parts,
        ...sets[i]!,
        mtimeUs: fact.mtimeUs,
      }
    })
    const results = await pool.stage(root, pieceKeys, jobs, room, scopeOf(metadata), sparse)
    for (const [i, task] of tasks.entries()) {
      const { staged: as } = results[i]!
      const { mtimeUs } = jobs[i]!
      if (as !== undefined) task.staged = { set: setKey({ ...sets[i]!, mtimeUs: mtimeUs! }), as }
      this.#finish(task, taken[i]!, results[i]!)
    }
  }

  #placeSource(pending: PendingPart & { readonly type: 'place' }): StageFileJob['parts'][number]['source'] {
    const length = plainBytesOf(pending.part.piece)
    return { type: 'place', path: pending.path, inArchive: pending.inArchive, offset: pending.offset, length }
  }

  #finish(task: ApplyTask, taken: readonly PendingPart[], result: StageResult): void {
    task.staging = false
    this.#releaseAll(taken)
    this.#leave(task)
    if (task.dropped) {
      this.#releaseAll(task.pending.splice(0))
      task.begun = true
      return this.discard(task)
    }
    task.begun = true
    if (result.failed !== undefined) {
      // What came in meanwhile goes with the task.
      this.#releaseAll(task.pending.splice(0))
      return this.#events.onFailed(task, result.failed.code, result.failed.detail)
    }
    for (const i of result.good) {
      const { part } = taken[i]!
      part.state = 'staged'
      task.missing--
      task.doneBytes += plainBytesOf(part.piece)
    }
    for (const i of result.wrong) this.#retry(task, taken[i]!)
    for (const i of result.missing) this.#retry(task, taken[i]!)
    if (task.missing === 0) this.#events.onStaged(task)
    else if (task.pending.length > 0) this.#enqueue(task)
  }

  /** Whether a worker is at the staged file; `again` is called when it has left. */
  #isWaiting(task: ApplyTask, again: () => void): boolean {
    const waiting = this.#busy.get(task.token)
    waiting?.push(again)
    return waiting !== undefined
  }

  /** A worker has left a staged file. What must be next with it comes before those that wait. */
  #leave(task: ApplyTask): void {
    const waiting = this.#busy.get(task.token) ?? []
    this.#busy.delete(task.token)
    queueMicrotask(() => {
      for (const again of waiting) again()
    })
  }

  #retry(task: ApplyTask, pending: PendingPart): void {
    pending.part.state = 'missing'
    if (pending.type === 'bytes') return this.#events.onWrong(task, pending.part, pending.from)
    pending.part.notIn = pending.inArchive ? 'archive' : 'places'
    this.#events.onMissing(task, pending)
  }

  #releaseAll(list: readonly PendingPart[]): void {
    for (const pending of list) if (pending.type === 'bytes') letGo(pending)
    const bytes = list.reduce((sum, pending) => sum + byteLengthOf(pending), 0)
    if (bytes > 0) this.#events.onReleased(bytes)
  }
}

function stagePartOf({ piece, offset }: TaskPart): StagePart {
  const { id, length: sealedLength, plain } = piece
  return plain === undefined ? { id, sealedLength, offset } : { id, sealedLength, plain, offset }
}

/** What came is copied, or not needed: others lie in the same memory, which is used again when all are let go. */
function letGo(pending: PendingPart & { readonly type: 'bytes' }): void {
  if (pending.bytes === undefined) return
  pending.bytes = undefined
  pending.room?.leave()
}

function byteLengthOf(pending: PendingPart): number {
  return pending.type === 'bytes' ? pending.part.piece.length : 0
}
