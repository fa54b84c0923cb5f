// One pass over all files and symlinks that the index says this disk holds: each is read and compared with the pieces that it
// is to consist of, a batch at a time, on threads that give way (folder/priority.ts). What differs is read a second
// time, and only what differs then as well is damage. A user's changes are not judged here: a path whose stat is not the
// one indexed is left to the scanner, and so is one that has changed while it was read.
import { parentOf, type RelPath } from '../../core/path.js'
import { plainBytesOf, unpackedLength } from '../../core/piece.js'
import type { CheckJob, CheckResult } from '../../folder/check-content.js'
import type { HashResult } from '../../folder/hash-result.js'
import { LAYOUT_BYTES, type Layout, packLayout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareContext } from '../share/context.js'
import { splitPieces } from '../share/hashed.js'
import { readAs } from '../share/padding.js'
import type { FoundDamage } from './damage-book.js'
import type { ScrubCounts } from './scrub-state.js'

/** Rows taken from the index at a time; jobs of one batch, and bytes that it reads, one piece at least. */
const ROWS = 256
const BATCH_JOBS = 256
const BATCH_BYTES = 16 << 20

export interface FilePassOptions {
  readonly context: Pick<
    ShareContext,
    'root' | 'padding' | 'index' | 'pool' | 'pieceKeys' | 'haltReason' | 'checkRoot' | 'log'
  >
  /** Where an earlier run of the pass has come to. */
  readonly after: RelPath | undefined
  readonly counts: ScrubCounts
  /** Damage was found twice; returns whether it was noted. */
  readonly onDamage: (found: FoundDamage) => boolean
  /** These are not as the index says: the user has changed something in them. */
  readonly rescan: (directories: readonly (RelPath | '')[]) => void
  /** All up to a path is done; resolves when the next batch may begin. */
  readonly onBatch: (after: RelPath, counts: ScrubCounts, tookMs: number) => Promise<void>
  /** Ends it, at the next batch. */
  readonly signal: AbortSignal
}

/** One file or symlink of a batch. */
interface Item {
  readonly path: RelPath
  readonly row: DiskRow
  readonly jobs: readonly CheckJob[]
  readonly bytes: number
}

type Counts = { -readonly [K in keyof ScrubCounts]: ScrubCounts[K] }

export class FilePass {
  readonly #o: FilePassOptions
  readonly #counts: Counts
  readonly #rescans = new Set<RelPath | ''>()

  constructor(options: FilePassOptions) {
    this.#o = options
    this.#counts = { ...options.counts }
  }

  /** What was read; undefined if it did not come to its end. */
  async run(): Promise<ScrubCounts | undefined> {
    const { context, signal } = this.#o
    let after = this.#o.after
    for (;;) {
      if (signal.aborted || context.haltReason() !== undefined) return undefined
      const rows = context.index.diskRowsAfter(after, ROWS)
      if (rows.length === 0) return this.#counts
      for (const items of batchesOf(context.index, rows)) {
        if (signal.aborted || context.haltReason() !== undefined) return undefined
        const startedMs = performance.now()
        await this.#check(items)
        if (signal.aborted) return undefined
        after = items.at(-1)!.path
        await this.#o.onBatch(after, { ...this.#counts }, performance.now() - startedMs)
      }
      after = rows.at(-1)!.path
    }
  }

  async #check(items: readonly Item[]): Promise<void> {
    const results = await this.#read(
      items.flatMap(({ jobs }) => jobs),
      false,
    )
    if (this.#o.signal.aborted) return
    let at = 0
    for (const item of items) {
      const own = results.slice(at, at + item.jobs.length)
      at += item.jobs.length
      await this.#judge(item, own)
    }
    if (this.#rescans.size > 0) this.#o.rescan([...this.#rescans])
    this.#rescans.clear()
  }

  async #judge(item: Item, results: readonly CheckResult[]): Promise<void> {
    const bad = item.jobs.filter((_, i) => results[i]!.status === 'damaged')
    const other = results.find(({ status }) => status !== 'good' && status !== 'damaged')
    if (other !== undefined) return this.#passOver(item, other)
    if (bad.length === 0) return this.#good(item)
    // The first reading may have been at fault, or somebody was writing through a mapping.
    const again = await this.#read(bad, true)
    if (this.#o.signal.aborted) return
    const passed = again.find(({ status }) => status !== 'good' && status !== 'damaged')
    if (passed !== undefined) return this.#passOver(item, passed)
    const pieces = again.reduce(
      (sum, result) => sum + (result.status === 'damaged' ? result.bad.length : 0),
      0,
    )
    const isDamaged = again.some(({ status }) => status === 'damaged')
    if (!isDamaged) return this.#unsteady(item)
    await this.#damaged(item, pieces)
  }

  /** What is there is worked out as any look at the disk would. */
  async #damaged(item: Item, pieces: number): Promise<void> {
    const { context, onDamage } = this.#o
    const { path, row } = item
    const { applied } = row
    const job = { path, openCheck: true, ...readAs(context, path, row.stat!.size) }
    const [result] = await context.pool.hash(context.root, context.pieceKeys, [job])
    // Not said of a folder that is another by now (A5).
    if ((await context.checkRoot()) !== undefined) return
    const found = foundIn(result!, row)
    if (found === 'changed') return this.#passOver(item, { status: 'changed' })
    if (found === 'same') return this.#unsteady(item)
    if (applied.fact.type === 'absent') return
    const of = item.jobs.reduce((sum, job) => sum + job.pieces.length / LAYOUT_BYTES, 0)
    const detail = found.layout === undefined ? 'it cannot be read' : `${pieces} of ${of} pieces`
    const isNoted = onDamage({ path, stat: row.stat!, ...found, detail })
    if (isNoted) this.#counts.damaged++
    else this.#counts.changed++
  }

  #good({ bytes }: Item): void {
    this.#counts.files++
    this.#counts.bytes += bytes
  }

  /** Wrong once and right the next time: the disk holds what it should, and something on the way does not. */
  #unsteady(item: Item): void {
    this.#o.context.log.warn(
      { path: item.path },
      'was read wrong once and right the next time: is the memory, a cable or a controller at fault?',
    )
    this.#good(item)
  }

  #passOver({ path }: Item, result: CheckResult): void {
    if (result.status === 'failed') {
      this.#counts.unread++
      this.#o.context.log.warn({ path, code: result.code, detail: result.detail }, 'cannot be verified')
    } else this.#counts.changed++
    this.#rescans.add(parentOf(path))
  }

  /** Fewer results only when it is to end. */
  async #read(jobs: readonly CheckJob[], again: boolean): Promise<CheckResult[]> {
    const { context, signal } = this.#o
    const { root, pool, pieceKeys } = context
    const results: CheckResult[] = []
    while (results.length < jobs.length && !signal.aborted) {
      let end = results.length
      for (let bytes = 0; end < jobs.length && (end === results.length || bytes < BATCH_BYTES); end++)
        bytes += bytesOf(jobs[end]!)
      results.push(...(await pool.checkContent(root, pieceKeys, jobs.slice(results.length, end), again)))
    }
    return results
  }
}

function bytesOf({ pieces }: CheckJob): number {
  const rows = Buffer.from(pieces.buffer, pieces.byteOffset, pieces.length)
  let bytes = 0
  for (let at = 0; at < rows.length; at += LAYOUT_BYTES) bytes += plainBytesAt(rows, at)
  return bytes
}

/** Files of some rows, in batches. What a reader changed is the user's, and so is what was not looked at yet. */
function* batchesOf(
  index: Pick<ShareContext['index'], 'layout'>,
  rows: readonly { readonly path: RelPath; readonly row: DiskRow }[],
): Generator<Item[]> {
  let items: Item[] = []
  let jobs = 0
  let bytes = 0
  for (const { path, row } of rows) {
    const item = itemOf(path, row, index)
    if (item === undefined) continue
    if (items.length > 0 && (jobs + item.jobs.length > BATCH_JOBS || bytes + item.bytes > BATCH_BYTES)) {
      yield items
      items = []
      jobs = 0
      bytes = 0
    }
    items.push(item)
    jobs += item.jobs.length
    bytes += item.bytes
  }
  if (items.length > 0) yield items
}

function itemOf(path: RelPath, row: DiskRow, index: Pick<ShareContext['index'], 'layout'>): Item | undefined {
  const { stat, drift, applied } = row
  const { fact } = applied
  if (stat === undefined || drift !== undefined || stat.type !== fact.type) return undefined
  if (fact.type === 'symlink') {
    const job = { path, stat, offset: 0, pieces: new Uint8Array(0), target: fact.target }
    return { path, row, jobs: [job], bytes: 0 }
  }
  if (fact.type !== 'file') return undefined
  const layout = index.layout(path) ?? Buffer.alloc(0)
  return { path, row, jobs: jobsOf(path, stat, layout), bytes: stat.size }
}

/** A large file in parts, so that a batch is over soon. An empty one has one part without pieces. */
function jobsOf(path: RelPath, stat: CheckJob['stat'], layout: Layout): CheckJob[] {
  const jobs: CheckJob[] = []
  let offset = 0
  let from = 0
  let end = 0
  for (let at = 0; at < layout.length; at += LAYOUT_BYTES) {
    end += plainBytesAt(layout, at)
    const next = at + LAYOUT_BYTES
    if (end - offset < BATCH_BYTES && next < layout.length) continue
    // A copy of its own: a view would be sent with all that it is a view of.
    jobs.push({ path, stat, offset, pieces: Uint8Array.from(layout.subarray(from, next)) })
    offset = end
    from = next
  }
  return jobs.length > 0 ? jobs : [{ path, stat, offset: 0, pieces: new Uint8Array(0) }]
}

/** What a damaged path holds; 'changed' if it is not the one in the index any more, 'same' if it is right after all. */
function foundIn(
  result: HashResult,
  row: DiskRow,
): Pick<FoundDamage, 'held' | 'layout'> | 'changed' | 'same' {
  const { fact } = row.applied
  if (result.status === 'ok' && fact.type === 'file') {
    if (result.stat.ctimeMs !== row.stat!.ctimeMs || result.stat.ino !== row.stat!.ino) return 'changed'
    if (result.content.equals(fact.content)) return 'same'
    return { held: { ...fact, content: Buffer.from(result.content) }, layout: layoutOf(result) }
  }
  if (result.status === 'symlink' && fact.type === 'symlink')
    return result.target === fact.target
      ? 'same'
      : { held: { ...fact, target: result.target }, layout: undefined }
  // Nothing of it is known but that it is not what it was.
  if (result.status === 'failed' && result.code === 'EIO' && fact.type === 'file')
    return { held: { ...fact, content: Buffer.alloc(fact.content.length) }, layout: undefined }
  return 'changed'
}

function layoutOf({ pieces, lengths }: HashResult & { readonly status: 'ok' }): Layout {
  return packLayout(splitPieces(pieces, lengths))
}

/** Bytes of the plaintext of the piece whose row begins there. */
function plainBytesAt(rows: Buffer, at: number): number {
  return plainBytesOf(unpackedLength(rows.readUInt32LE(at + LAYOUT_BYTES - 4)))
}
