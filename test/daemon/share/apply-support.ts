// What the parts that apply need around them in tests: a pool that stages and commits on the fake disk, an exchange that
// the test answers for, and a clock that only moves when it is told to. Nothing waits or touches a file.

import { EventEmitter } from 'node:events'
import { performance } from 'node:perf_hooks'
import type { TestContext } from 'node:test'
import { NO_EXTRA } from '../../../src/core/entry.js'
import { ABSENT, type DirectoryFact, type Fact } from '../../../src/core/fact.js'
import type { DeviceId } from '../../../src/core/ids.js'
import type { Metadata } from '../../../src/core/metadata.js'
import { parentOf, type RelPath } from '../../../src/core/path.js'
import { SIV_BYTES } from '../../../src/core/piece.js'
import { type DiskStat, sameStat } from '../../../src/core/stat.js'
import { Applier } from '../../../src/daemon/share/applier.js'
import { type ActiveStep, type ApplyTask, taskOf } from '../../../src/daemon/share/apply-task.js'
import type { ShareContext } from '../../../src/daemon/share/context.js'
import type { PieceExchange } from '../../../src/daemon/share/piece-exchange.js'
import type { CommitJob, CommitOptions, CommitResult } from '../../../src/folder/commit.js'
import type { StageFileJob, StageJob, StageResult } from '../../../src/folder/stage.js'
import { chunkWithId, contentOf } from '../../sim/contents.js'
import { metadataOf } from '../../support/metadata.js'
import { at, type Bench, type FakeDisk, fileFact, newBench } from './support.js'

/** A peer. */
export const PEER = 'peer' as DeviceId
const LONG_AGO_MS = 1_600_000_000_000

/** What stands for the bytes of a chunk's piece on the wire. */
export function pieceBytes(chunk: number): Buffer {
  return Buffer.alloc(contentOf([chunk]).pieces[0]!.length, chunk)
}

export function idOf(chunk: number): Buffer {
  return contentOf([chunk]).pieces[0]!.id
}

export function directoryFact(mtimeMs: number = LONG_AGO_MS): DirectoryFact {
  return { type: 'directory', mode: 0o755, mtimeUs: mtimeMs * 1000, extra: NO_EXTRA }
}

/** Stages and commits on a fake disk as src/folder does on a real one. */
export class FakePool {
  readonly #disk: FakeDisk
  /** Chunks by part of each staged file, by token. */
  readonly staged: Map<string, Map<number, number>> = new Map()
  readonly archived: Map<string, readonly number[]> = new Map()
  readonly stageJobs: StageJob[] = []
  readonly commits: CommitJob[][] = []
  readonly options: CommitOptions[] = []
  /** Answers to the next job of a path, given instead of doing it; `after` also does it. */
  readonly answers: Map<string, { readonly result: CommitResult; readonly after?: boolean }> = new Map()
  /** Codes with which the next stage job of any file fails. */
  readonly stageFaults: string[] = []
  beforeStage: () => Promise<void> | void = () => undefined
  beforeCommit: (jobs: readonly CommitJob[]) => Promise<void> | void = () => undefined

  constructor(disk: FakeDisk) {
    this.#disk = disk
  }

  takeRoom(bytes: number): ArrayBuffer {
    return new ArrayBuffer(bytes)
  }

  async stage(
    _root: string,
    _keys: unknown,
    jobs: readonly StageJob[],
    room?: ArrayBuffer,
  ): Promise<StageResult[]> {
    this.stageJobs.push(...jobs)
    await this.beforeStage()
    return jobs.map((job): StageResult => {
      const { token } = job
      if (job.type === 'discard') this.staged.delete(token)
      if (job.type === 'discard') return { token, good: [], wrong: [], missing: [] }
      if (job.type === 'file') return this.#stageFile(job, room!)
      const has = new Set(this.staged.get(token)?.values())
      const isGood = (i: number): boolean => has.has(chunkWithId(job.parts[i]!.id)!)
      const all = job.parts.map((_, i) => i)
      return { token, good: all.filter(isGood), wrong: [], missing: all.filter((i) => !isGood(i)) }
    })
  }

  #stageFile(job: StageFileJob, room: ArrayBuffer): StageResult {
    const result = { token: job.token, good: [] as number[], wrong: [] as number[], missing: [] as number[] }
    const fault = this.stageFaults.shift()
    if (fault !== undefined) return { ...result, failed: { code: fault, detail: 'on purpose' } }
    if (job.begin) this.staged.set(job.token, new Map())
    const file = this.staged.get(job.token)
    if (file === undefined) return { ...result, failed: { code: 'STAGED_GONE', detail: 'none' } }
    for (const [i, { id, offset, source }] of job.parts.entries()) {
      const chunk = chunkWithId(id)!
      const isRight =
        source.type === 'bytes'
          ? Buffer.from(room, source.at, source.length).equals(pieceBytes(chunk))
          : this.#chunkAt(source.path, source.inArchive, source.offset) === chunk
      if (isRight) file.set(offset, chunk)
      const list = isRight ? result.good : source.type === 'bytes' ? result.wrong : result.missing
      list.push(i)
    }
    return result
  }

  #chunkAt(path: string, inArchive: boolean, offset: number): number | undefined {
    const chunks = inArchive ? this.archived.get(path) : this.#disk.nodes.get(path)?.chunks
    let start = 0
    for (const chunk of chunks ?? []) {
      if (start === offset) return chunk
      start += contentOf([chunk]).pieces[0]!.length - SIV_BYTES
    }
    return undefined
  }

  async commit(_root: string, jobs: readonly CommitJob[], options: CommitOptions): Promise<CommitResult[]> {
    this.commits.push([...jobs])
    this.options.push(options)
    await this.beforeCommit(jobs)
    return jobs.map((job) => {
      const answer = job.type === 'directory' ? undefined : this.answers.get(job.path)
      this.answers.delete(answer === undefined ? '' : job.path)
      if (answer !== undefined && answer.after !== true) return answer.result
      const result = this.#commit(job, options)
      return answer?.result ?? result
    })
  }

  #commit(job: CommitJob, options: CommitOptions): CommitResult {
    const { path } = job
    const node = this.#disk.nodes.get(path)
    if (job.type === 'directory') {
      if (node?.type !== 'directory') return { status: 'changed' }
      const { ino } = node.stat
      this.#disk.directory(path, { mode: node.stat.mode, ino, mtimeMs: job.mtimeUs / 1000 })
      return { status: 'done', stat: this.#disk.stat(path) }
    }
    if (!isExpected(job, node?.stat)) return { status: 'changed' }
    const parent = parentOf(path)
    if (parent !== '' && this.#disk.nodes.get(parent)?.type !== 'directory')
      return { status: 'blocked', code: 'PARENT_MISSING' }
    const isEmpty = ![...this.#disk.nodes.keys()].some((name) => parentOf(name as RelPath) === path)
    if (node?.type === 'directory' && job.type === 'remove' && !isEmpty)
      return { status: 'blocked', code: 'ENOTEMPTY' }
    const keeps = ('archive' in job ? job.archive : undefined) ?? options.archive
    const archived = keeps && node?.type === 'file' && job.type !== 'metadata' ? `day/${path}` : undefined
    if (archived !== undefined) this.archived.set(archived, node!.chunks)
    const extra = archived === undefined ? {} : { archived }
    switch (job.type) {
      case 'move': {
        const moved = this.#disk.nodes.get(job.from)
        if (node !== undefined || moved === undefined || !sameStat(moved.stat, job.expectFrom))
          return { status: 'changed' }
        this.#disk.move(job.from, path)
        break
      }
      case 'file': {
        const staged = this.staged.get(job.token)
        if (staged === undefined) return { status: 'failed', code: 'STAGED_UNUSABLE', detail: 'none' }
        this.staged.delete(job.token)
        const chunks = [...staged].sort(([a], [b]) => a - b).map(([, chunk]) => chunk)
        this.#disk.file(path, chunks, { mode: job.mode, mtimeMs: job.mtimeUs / 1000 })
        break
      }
      case 'mkdir':
        this.#disk.directory(path, { mode: job.mode, mtimeMs: 1 })
        break
      case 'metadata':
        if (node!.type === 'directory')
          this.#disk.directory(path, { mode: job.mode!, mtimeMs: job.mtimeUs / 1000, ino: node!.stat.ino })
        else this.#disk.file(path, node!.chunks, { mode: job.mode!, mtimeMs: job.mtimeUs / 1000 })
        break
      case 'remove':
        this.#disk.remove(path)
        return { status: 'done', ...extra }
      default:
        throw new Error(`no test asks for ${job.type}`)
    }
    return { status: 'done', stat: this.#disk.stat(path), ...extra }
  }
}

function isExpected(job: CommitJob, found: DiskStat | undefined): boolean {
  if (!('expect' in job)) return true
  if (job.expect.type === 'absent') return found === undefined
  const { stat } = job.expect
  if (found?.type !== stat.type) return false
  return stat.type === 'directory' ? stat.ino === found.ino : sameStat(stat, found)
}

type Wanted = Parameters<PieceExchange['want']>[0][number]

/** Peers that a test speaks for. */
export class FakeExchange extends EventEmitter implements PieceExchange {
  readonly asked: Wanted[] = []
  readonly open: Map<number, Wanted> = new Map()
  readonly unwanted: number[] = []
  readonly liars: { readonly chunk: number; readonly from: DeviceId }[] = []
  /** Whether some peer has any of the pieces asked about. */
  hasAll = true

  want(pieces: readonly Wanted[]): void {
    this.asked.push(...pieces)
    for (const piece of pieces) this.open.set(chunkWithId(piece.id) ?? -1, piece)
  }

  unwant(pieces: readonly { readonly id: Buffer }[]): void {
    for (const { id } of pieces) {
      this.unwanted.push(chunkWithId(id) ?? -1)
      this.open.delete(chunkWithId(id) ?? -1)
    }
  }

  wrong({ id }: { readonly id: Buffer }, from: DeviceId): void {
    this.liars.push({ chunk: chunkWithId(id)!, from })
  }

  stats(): { readonly inFlightBytes: number } {
    return { inFlightBytes: 0 }
  }

  isAvailable(refs: readonly unknown[]): boolean {
    return this.hasAll && refs.length > 0
  }

  /** A peer sends what it was asked for; `bytes` instead, if it lies. */
  deliver(chunk: number, bytes: Buffer = pieceBytes(chunk), from: DeviceId = PEER): void {
    this.open.delete(chunk)
    this.emit('pieces', [{ id: idOf(chunk), bytes, from }])
  }

  deliverAll(): void {
    for (const chunk of [...this.open.keys()]) this.deliver(chunk)
  }

  get chunksAsked(): number[] {
    return this.asked.map(({ id }) => chunkWithId(id)!)
  }
}

/** Lets everything run that waits for no timer. */
export async function flush(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve))
}

export interface Clock {
  /** Moves on, in steps small enough for every timer here. */
  advance(ms: number): Promise<void>
}

/** Replaces timeouts and performance.now for one test. */
export function fakeClock(t: TestContext): Clock {
  let nowMs = 1000
  t.mock.timers.enable({ apis: ['setTimeout'] })
  t.mock.method(performance, 'now', () => nowMs)
  return {
    async advance(ms) {
      for (let passed = 0; passed < ms; passed += 10) {
        nowMs += 10
        t.mock.timers.tick(10)
        await flush()
      }
    },
  }
}

export interface ApplyBench extends Bench {
  readonly pool: FakePool
  readonly exchange: FakeExchange
  readonly rescans: string[]
  readonly failures: unknown[]
  /** This disk and the share have a file or directory, in step. */
  have(path: string, what: readonly number[] | 'directory', over?: Partial<DiskStat>): Promise<void>
  /** The other writer says what a path holds now. */
  say(path: string, what: readonly number[] | 'directory' | 'gone'): Promise<void>
  /** What the share holds at a path is on this disk, and known to be. */
  isInStep(path: string): boolean
  /** A task for what is to be done at a path. */
  taskAt(path: string, fresh?: boolean): ApplyTask
}

export function newApplyBench(
  o: { archive?: boolean; isWriter?: boolean; withholdsSetid?: boolean; metadata?: Metadata } = {},
): ApplyBench {
  const inner = newBench({ isWriter: o.isWriter ?? true })
  const { index, disk } = inner
  const pool = new FakePool(disk)
  const failures: unknown[] = []
  const context: ShareContext = {
    ...inner.context,
    pool: pool as unknown as ShareContext['pool'],
    archive: o.archive ?? true,
    metadata: o.metadata ?? metadataOf({ withholdsSetid: o.withholdsSetid ?? false }),
    fail: (thrown) => failures.push(thrown),
  }
  const factOf = (what: readonly number[] | 'directory' | 'gone'): Fact =>
    what === 'gone' ? ABSENT : what === 'directory' ? directoryFact() : fileFact(what)
  const bench: ApplyBench = Object.assign(inner, {
    context,
    pool,
    exchange: new FakeExchange(),
    rescans: [],
    failures,
    say: (path: string, what: readonly number[] | 'directory' | 'gone') => inner.tell(path, factOf(what)),
    have: async (path: string, what: readonly number[] | 'directory', over: Partial<DiskStat> = {}) => {
      await inner.tell(path, factOf(what))
      if (what === 'directory') disk.directory(path, over)
      else disk.file(path, what, over)
      const { version, fact } = index.effective(at(path))
      const layout = what === 'directory' ? undefined : contentOf(what).layout
      index.transaction(() =>
        index.setDisk(
          at(path),
          { applied: { version, fact }, stat: disk.stat(path), drift: undefined },
          layout,
        ),
      )
    },
    isInStep: (path: string) => {
      const share = index.effective(at(path)).fact
      const node = disk.nodes.get(path)
      if (index.isWanted(at(path)) || index.step(at(path)).type !== 'none') return false
      if (share.type !== 'file') return (node?.type ?? 'absent') === share.type
      return node?.type === 'file' && contentOf(node.chunks).id.equals(share.content)
    },
    taskAt: (path: string, fresh = true) => {
      const { step, share } = index.need(at(path))
      const pieces = share.entry === undefined ? [] : index.piecesOf(share.entry)!
      return taskOf(at(path), step as ActiveStep, share.version, fresh, pieces)
    },
  })
  return bench
}

export interface ApplierBench extends ApplyBench {
  readonly applier: Applier
  readonly clock: Clock
  readonly applied: string[]
  readonly quiet: { count: number }
  isDiskKnown: boolean
  /** Tells the applier what changed and lets it work for so long. */
  run(ms?: number): Promise<void>
  /** run() while peers deliver all they are asked for. */
  runOnline(ms?: number): Promise<void>
}

export function newApplierBench(
  t: TestContext,
  o: { archive?: boolean; isWriter?: boolean; leftovers?: readonly string[]; base?: ApplyBench } = {},
): ApplierBench {
  const base = o.base ?? newApplyBench(o)
  const clock = fakeClock(t)
  const applied: string[] = []
  const quiet = { count: 0 }
  const applier = new Applier({
    context: base.context,
    exchange: base.exchange,
    nowMs: () => 1,
    leftovers: o.leftovers ?? [],
    rescan: (directories) => base.rescans.push(...directories),
    isDiskKnown: () => bench.isDiskKnown,
    onApplied: (path) => applied.push(path),
    onMade: () => undefined,
    onQuiet: () => quiet.count++,
  })
  const step = async (): Promise<void> => {
    applier.note(base.index.drain())
    await clock.advance(10)
  }
  const bench: ApplierBench = Object.assign(base, {
    applier,
    clock,
    applied,
    quiet,
    isDiskKnown: true,
    run: async (ms = 200) => {
      for (let passed = 0; passed < ms; passed += 10) await step()
    },
    runOnline: async (ms = 200) => {
      for (let passed = 0; passed < ms; passed += 10) {
        await step()
        base.exchange.deliverAll()
      }
    },
  })
  t.after(() => applier.stop())
  return bench
}
