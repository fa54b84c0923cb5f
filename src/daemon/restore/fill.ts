// Writes a tree out of a vault into a folder in which nothing is, the straight way: directories, then files in the order
// of the packs, links, what directories are to be in the end, one sync. Workers read, verify, open and write; here is only
// said what (folder/fill.ts).
//
// L1. It claims all or nothing: whatever does not go straight is left to the ordinary way (folder.ts), which then looks
//     at everything that is there.
//     But for a disk that is full: the ordinary way would need more of it.
// L2. Nothing is acknowledged before the one sync in the end, and that every file is as it was made is looked at before it.
import { ShoalError } from '../../core/error.js'
import { type FileFact, factOf, type LiveFact } from '../../core/fact.js'
import { Interned } from '../../core/interned.js'
import type { Metadata } from '../../core/metadata.js'
import type { RelPath } from '../../core/path.js'
import { plainBytesOf } from '../../core/piece.js'
import { type FillFile, type FillStep, packFiles } from '../../folder/fill-job.js'
import type { FolderPool } from '../../folder/pool.js'
import type { RootIdentity } from '../../folder/scan.js'
import type { Log } from '../../ports/log.js'
import type { PiecePlace } from '../../vault/vault.js'
import { scopeOf } from '../share/dressing.js'
import { keyedToken } from '../share/token.js'
import { leftOutOf } from './chosen.js'
import { makeDurable } from './durable-tree.js'
import { BATCH_BYTES, chunksOf, FillBatch, type PackBytes, type PlacedPiece } from './fill-batch.js'
import { type FillPlan, type PlannedFile, planFill, startOf } from './fill-plan.js'
import type { Written } from './folder.js'
import type { RestoreKeys } from './past-share.js'
import type { PastTree } from './past-tree.js'
import { noRoomIn } from './place.js'
import type { RestoreProgress } from './report.js'
import { SyncAhead } from './sync-ahead.js'

/** A vault that tells where its pieces stand. */
export interface PlacedVault extends PackBytes {
  placeOf(id: Buffer): PiecePlace | undefined
}

/** Whether its packs can be read straight. */
export function isPlaced<Some extends object>(vault: Some): vault is Some & PlacedVault {
  return 'placeOf' in vault && 'fileOf' in vault && 'bytesOf' in vault
}

export interface FillOptions {
  readonly dir: string
  readonly tree: PastTree
  readonly vault: PlacedVault
  readonly keys: RestoreKeys
  readonly pool: FolderPool
  readonly metadata: Metadata
  readonly hardLinks: boolean
  readonly sparse: boolean
  readonly paths: readonly RelPath[]
  readonly signal: AbortSignal
  readonly onProgress: (progress: RestoreProgress) => void
  readonly log: Log
}

/** Jobs on their way at most: each thread has one at hand and one to go on with. */
const LANES = 4
/** Names in one job. */
const STEP_NAMES = 1000

export class FolderFill {
  readonly #o: FillOptions
  readonly #ahead: SyncAhead
  readonly #root: RootIdentity
  #metadata: Metadata
  /** What is said of most files is said of many. */
  readonly #dresses = new Interned<ReturnType<Metadata['dress']>>()
  #plan: FillPlan | undefined
  #doneFiles = 0
  #doneBytes = 0
  /** False: something is left to the ordinary way. */
  #isWhole = true
  /** What did not go straight; nothing more is begun. */
  #obstacle: string | undefined

  constructor(options: FillOptions) {
    this.#o = options
    this.#metadata = options.metadata
    this.#ahead = new SyncAhead(options.dir)
    this.#root = this.#ahead.root
  }

  /** Undefined: not all of it is there, and the ordinary way is to go on. Throws the signal's reason; IO for a full disk and for a sync that failed. */
  async run(): Promise<Written | undefined> {
    const written = await this.#run().finally(() => this.#ahead.close())
    if (written === undefined) this.#o.log.debug({ why: this.#obstacle }, 'the ordinary way goes on')
    return written
  }

  async #run(): Promise<Written | undefined> {
    const { dir, tree, vault, hardLinks, paths, pool } = this.#o
    const { scope } = this.#metadata.rules
    const isLeftOut = leftOutOf(paths)
    const plan = planFill(tree, { isLeftOut, placeOf: (id) => vault.placeOf(id), hardLinks })
    if (!plan.isPlain) return undefined
    this.#plan = plan
    // Where it cannot be asked, the file system is taken at its word: what it then refuses is told path by path.
    if (scopeOf(this.#metadata) !== undefined)
      this.#metadata = this.#metadata.within(await pool.attributeSupport(dir, scope).catch(() => scope))
    this.#tell()
    for (const paths of slices(plan.directories)) await this.#step({ type: 'directories', paths })
    await this.#inLanes(this.#files(plan))
    await this.#inLanes(this.#symlinks(plan))
    await this.#inLanes(this.#links(plan))
    if (!this.#isWhole) return undefined
    await this.#inLanes(this.#looks(plan))
    for (const directories of slices([...plan.directories].reverse()))
      await this.#step({ type: 'end', directories: directories.map((path) => this.#attired(path)) })
    if (!this.#isWhole) return undefined
    const { files, directories } = plan
    await makeDurable({
      ...{ dir, root: this.#root, keys: this.#o.keys.read, pool },
      ahead: this.#ahead,
      files: () => files.map(({ path }) => path),
      directories: () => ['' as RelPath, ...directories],
    })
    return { files: plan.fileCount, bytes: plan.bytes, lacking: [], lackingCount: 0 }
  }

  /** Work for the lanes: each call begins when there is room, and what it does ends before the next of its lane. */
  async #inLanes(work: Iterator<() => Promise<void>>): Promise<void> {
    const lane = async (): Promise<void> => {
      while (this.#obstacle === undefined) {
        this.#o.signal.throwIfAborted()
        const next = work.next()
        if (next.done === true) return
        await next.value()
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: LANES }, lane))
    for (const each of ended) if (each.status === 'rejected') throw each.reason
  }

  async #step(step: FillStep): Promise<boolean> {
    const { dir, keys, pool, signal } = this.#o
    signal.throwIfAborted()
    if (this.#obstacle !== undefined) return false
    const { faults } = await pool.fill(dir, this.#root, keys.read, step, scopeOf(this.#metadata))
    const full = faults.find(({ code }) => code === 'ENOSPC' || code === 'EDQUOT')
    if (full !== undefined) throw noRoomIn(dir)
    const fault = faults.find(({ code }) => code !== 'NO_PIECES')
    if (fault !== undefined) this.#obstacle = `${step.type}: ${fault.code} (${fault.detail})`
    // What is damaged takes nothing away from the rest; the ordinary way looks for it anew.
    if (faults.length > 0) this.#isWhole = false
    return fault === undefined
  }

  *#files({ files }: FillPlan): Generator<() => Promise<void>> {
    let batch = new FillBatch()
    for (const file of files) {
      const { path } = file
      const found = this.#placed(file)
      if (found === undefined) {
        this.#isWhole = false
        continue
      }
      const { fact, pieces } = found
      if (pieces.reduce((sum, { place }) => sum + place.length, 0) > BATCH_BYTES) {
        yield () => this.#large(path, fact, pieces)
        continue
      }
      batch.add(this.#fileOf(path, fact, pieces.length), pieces)
      if (!batch.isFull) continue
      const full = batch
      batch = new FillBatch()
      yield () => this.#write(full)
    }
    if (batch.files.length > 0) yield () => this.#write(batch)
  }

  async #write(batch: FillBatch): Promise<void> {
    const { vault, sparse } = this.#o
    if (!(await this.#step(await batch.step(vault, sparse)))) return
    this.#doneBytes += batch.contentBytes
    this.#ahead.wrote(batch.contentBytes)
    for (const { large } of batch.files) if (large === undefined || large.final) this.#doneFiles++
    this.#tell()
  }

  /** One batch after the other: each goes on where the one before ended. */
  async #large(path: RelPath, fact: FileFact, pieces: readonly PlacedPiece[]): Promise<void> {
    const token = keyedToken(path, fact.content)
    const chunks = [...chunksOf(pieces)]
    let at = 0
    for (const [i, chunk] of chunks.entries()) {
      const large = { token, begin: i === 0, final: i === chunks.length - 1 }
      const batch = new FillBatch()
      batch.add({ ...this.#fileOf(path, fact, chunk.length), large, at }, chunk)
      at += chunk.reduce((sum, { piece }) => sum + plainBytesOf(piece), 0)
      await this.#write(batch)
      if (this.#obstacle !== undefined) return
    }
  }

  #fileOf(path: RelPath, fact: FileFact, parts: number): FillFile {
    const { size, mtimeUs } = fact
    return { path, size, mtimeUs, parts, at: 0, ...this.#dressed(fact) }
  }

  #dressed(fact: FileFact): ReturnType<Metadata['dress']> {
    const extra = fact.extra.map(([tag, value]) => `${tag}:${value.length}:${value.toString('latin1')}`)
    return this.#dresses.of(`${fact.mode}:${extra.join()}`, () => this.#metadata.dress(fact, true))
  }

  *#symlinks({ symlinks }: FillPlan): Generator<() => Promise<void>> {
    for (const paths of slices(symlinks)) {
      const links = paths.flatMap((path) => {
        const fact = this.#fact(path)
        if (fact.type !== 'symlink') return []
        const { target, mtimeUs } = fact
        const { dress } = this.#metadata.dress(fact, true)
        return [{ path, target, mtimeUs, ...(dress === undefined ? {} : { dress }) }]
      })
      yield () => this.#done({ type: 'symlinks', links })
    }
  }

  *#links({ links }: FillPlan): Generator<() => Promise<void>> {
    for (const some of slices(links)) yield () => this.#done({ type: 'links', links: some })
  }

  *#looks({ files }: FillPlan): Generator<() => Promise<void>> {
    for (const some of slices(files)) {
      const made = some.map(({ path, size, mtimeUs }) => ({ path, size, mtimeUs, mode: 0, parts: 0, at: 0 }))
      yield () => this.#done({ type: 'look', files: packFiles(made) })
    }
  }

  async #done(step: FillStep): Promise<void> {
    await this.#step(step)
  }

  #attired(path: RelPath): (FillStep & { readonly type: 'end' })['directories'][number] {
    const fact = this.#fact(path)
    return { path, mtimeUs: fact.mtimeUs, ...this.#metadata.dress(fact, true) }
  }

  /** What a planned path is to be. */
  #fact(path: RelPath): LiveFact {
    const { fact } = this.#o.tree.effective(path)
    if (fact.type === 'absent') throw new ShoalError('INTERNAL', `broken invariant: ${path} is in the tree`)
    return fact
  }

  #placed(file: PlannedFile): { readonly fact: FileFact; readonly pieces: PlacedPiece[] } | undefined {
    const { tree, vault } = this.#o
    const { fact, entry } =
      file.entry === undefined ? tree.effective(file.path) : { fact: factOf(file.entry), entry: file.entry }
    const infos = entry === undefined ? undefined : tree.piecesOf(entry)
    if (fact.type !== 'file' || infos === undefined) return undefined
    const pieces: PlacedPiece[] = []
    for (const piece of infos) {
      // The first was looked up for the plan.
      const { length } = piece
      const place = pieces.length === 0 ? startOf(file, length) : vault.placeOf(piece.id)
      if (place === undefined || place.length !== length) return undefined
      pieces.push({ piece, place })
    }
    return { fact, pieces }
  }

  #tell(): void {
    const { bytes, fileCount } = this.#plan!
    const done = this.#doneBytes
    this.#o.onProgress({ stage: 'writing', done, total: bytes, files: this.#doneFiles, ofFiles: fileCount })
  }
}

function* slices<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += STEP_NAMES) yield all.slice(at, at + STEP_NAMES)
}
