// From "something moved in this directory" to entries in the feed: list the dirty directories, compare with what the
// index knows of the disk, hash what is new, let the core judge (core/local.ts), publish. One look at a time; changes
// found in it are published together, new names before deletions, so that a rename moves no content (P3).
import { performance } from 'node:perf_hooks'
import { NO_EXTRA } from '../../core/entry.js'
import { ABSENT, type Fact, sameFactContent } from '../../core/fact.js'
import { type Applied, type Intent, judge, NOTHING_APPLIED } from '../../core/local.js'
import { childPath, depthOf, IGNORE_FILE, nameOf, parentOf, type RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import { type DiskStat, mtimeUsOf, sameStat, unpackStat } from '../../core/stat.js'
import type { HashJob, HashResult } from '../../folder/hash.js'
import type { ScannedDirectory } from '../../folder/scan.js'
import { type Layout, packLayout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareContext } from './context.js'
import type { Moment } from './disk-guard.js'
import { splitPieces } from './hashed.js'
import type { Publication } from './publisher.js'

type Directory = RelPath | ''

/** A file whose inode changed this recently may be in the middle of a write (A8). */
const QUIET_MS = 30
/** A file changed this recently is not read while some process has it open for writing (A8). */
const OPEN_CHECK_MS = 10_000
/** A file that never comes to rest (a log) is taken as it is after this long, if it is the same before and after. */
const RESTLESS_MS = 60_000
/** A name must be missing this long before it counts as deleted: the other half of a rename may be on its way. */
const DELETE_HOLD_MS = 80
/** A directory that we made is watched after this long at the latest: watched while it is filled, all of it is news. */
const MADE_HOLD_MS = 2000
/** Directories listed by one job; files and bytes hashed by one. */
const SCAN_BATCH = 64
const HASH_FILES = 256
const HASH_BYTES_BATCH = 8 << 20
/** Hash jobs under way; more only costs memory. */
const HASH_JOBS = 3
/** Share of the tree that may vanish unseen before the share halts (A5), and the least number. */
const MASS_DELETE_SHARE = 0.5
const MASS_DELETE_LEAST = 100

const NO_INTENTS: ReadonlyMap<RelPath, readonly Intent[]> = new Map()

interface Candidate {
  readonly path: RelPath
  readonly stat: DiskStat
  /** The row that the listing was compared with: if it is another one by the time of judging, look again. */
  readonly seen: DiskStat | undefined
}

export class Scanner {
  readonly #context: ShareContext
  readonly #dirty = new Map<Directory, number>()
  readonly #deleted = new Map<RelPath, number>()
  readonly #restless = new Map<RelPath, number>()
  /** Directories that were made by applying and are not watched yet. */
  readonly #made = new Set<RelPath>()
  /** Directories whose watches ended, and those of all below them. */
  readonly #unwatched = new Set<Directory>()
  /** What an earlier run was about to do; undefined until the first look, since starting adds to it. */
  #intents: ReadonlyMap<RelPath, readonly Intent[]> | undefined
  #fullScanDue = true
  #fullScans = 0
  #firstScan = true
  /** Files that the index knew when the first look began, and how many of them it has found again. */
  #filesBefore = 0
  #foundAgain = 0
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #waiters: (() => void)[] = []
  #approved = false
  #isHeld = false

  constructor(context: ShareContext) {
    this.#context = context
  }

  /** Whether the whole tree is being looked at. */
  get isScanningAll(): boolean {
    return this.#fullScanDue
  }

  /** Whether the whole tree was looked at, and what was found published, since the start. */
  get hasScanned(): boolean {
    return this.#fullScans > 0
  }

  /** Looks at nothing until letGo(). */
  hold(): void {
    this.#isHeld = true
  }

  letGo(): void {
    this.#isHeld = false
    this.#wake()
  }

  /** Something may have changed directly inside these directories. */
  markDirty(directories: Iterable<Directory>, delayMs = 0): void {
    const due = performance.now() + delayMs
    for (const directory of directories) {
      const before = this.#dirty.get(directory)
      if (before === undefined || due < before) this.#dirty.set(directory, due)
    }
    this.#wake()
  }

  /** The share put a directory there: to be watched, and looked at for what came before the watch (A10). */
  noteMade(directory: RelPath): void {
    this.#made.add(directory)
    this.markDirty([directory], MADE_HOLD_MS)
  }

  /** Watches what was made up to now. */
  watchMade(): void {
    if (this.#made.size === 0) return
    this.markDirty(this.#made)
    this.#made.clear()
  }

  /** Watches ended. The parent tells what became of the directory; if it is there, all below it is looked at anew. */
  noteUnwatched(directories: readonly Directory[]): void {
    for (const directory of directories) {
      if (directory === '') continue
      this.#unwatched.add(directory)
      this.markDirty([parentOf(directory as RelPath)])
    }
  }

  /** Whether this directory has to be looked through as if it were new. */
  takeUnwatched(directory: RelPath): boolean {
    return this.#unwatched.delete(directory)
  }

  /** Looks at the whole tree; resolves when what it found is published. */
  async fullScan(): Promise<void> {
    this.#fullScanDue = true
    const before = this.#fullScans
    while (this.#fullScans === before && !this.#stopped) {
      if (this.#context.haltReason() !== undefined) return
      await this.settled()
    }
  }

  /** Resolves when nothing is dirty or held back, and all that was found is published. */
  async settled(): Promise<void> {
    this.watchMade()
    this.#wake()
    if (this.#isIdle()) return
    await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }

  /** The next full scan may find the tree as empty as it likes (A5). */
  approve(): void {
    this.#approved = true
    this.#fullScanDue = true
    this.#wake()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
    this.#release()
  }

  #isIdle(): boolean {
    return (
      this.#running === undefined && !this.#fullScanDue && this.#dirty.size === 0 && this.#deleted.size === 0
    )
  }

  #wake(): void {
    if (this.#stopped || this.#running !== undefined || this.#context.haltReason() !== undefined) {
      if (this.#context.haltReason() !== undefined) this.#release()
      return
    }
    if (this.#isHeld) return
    const now = performance.now()
    const due = this.#fullScanDue ? now : Math.min(...this.#dirty.values(), ...this.#deleted.values())
    clearTimeout(this.#timer)
    if (due === Number.POSITIVE_INFINITY) return this.#release()
    if (due > now + 1) {
      this.#timer = setTimeout(() => this.#wake(), due - now)
      return
    }
    this.#running = this.#look()
      .catch((thrown) => this.#context.fail(thrown))
      .finally(() => {
        this.#running = undefined
        this.#wake()
      })
  }

  #release(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }

  async #look(): Promise<void> {
    this.#intents ??= this.#context.index.intents()
    const full = this.#fullScanDue
    if (this.#firstScan && full) {
      this.#filesBefore = this.#context.index.counts.files
      this.#foundAgain = 0
    }
    const now = performance.now()
    const directories: Directory[] = []
    if (full) {
      directories.push('')
      this.#dirty.clear()
      this.#made.clear()
      this.#unwatched.clear()
    } else {
      for (const [directory, due] of this.#dirty) {
        if (due > now + 1) continue
        directories.push(directory)
        this.#dirty.delete(directory)
        this.#made.delete(directory as RelPath)
      }
    }
    const halt = await this.#context.checkRoot()
    if (halt !== undefined) return this.#context.halt(halt)
    if (directories.length > 0) await new Look(this, this.#context, full).run(directories)
    if (full) {
      this.#fullScanDue = false
      if (this.#massDeletion()) return
    }
    await this.#publishDeletions()
    // What was adopted, or is a reader's drift, is news for the others too (section 10).
    await this.#context.publish([])
    if (full) this.#endFullScan()
    this.#useUpIntents()
  }

  /** Once the whole tree was looked at, intents are of use only for what was left to a later look. */
  #useUpIntents(): void {
    if (this.#firstScan || this.#intents === NO_INTENTS) return
    const isLeft = (path: RelPath): boolean => this.#dirty.has(parentOf(path)) || this.#deleted.has(path)
    const left = new Map([...(this.#intents ?? [])].filter(([path]) => isLeft(path)))
    this.#intents = left.size === 0 ? NO_INTENTS : left
    if (left.size === 0) this.#context.index.transaction(() => this.#context.index.clearRecoveredIntents())
  }

  #endFullScan(): void {
    this.#firstScan = false
    this.#approved = false
    this.#fullScans++
    this.#context.onFullScan()
  }

  /** A5: most of what was there at the last run is gone. Nothing is announced until a person says so. */
  #massDeletion(): boolean {
    const gone = this.#goneFiles()
    if (!this.#isMost(gone)) return false
    this.#deleted.clear()
    this.#fullScanDue = true
    const files = this.#filesBefore
    this.#context.halt(`${gone} of ${files} files are gone since the last run; approve if that is meant`)
    return true
  }

  #goneFiles(): number {
    let gone = 0
    for (const path of this.#deleted.keys())
      if (this.#context.index.applied(path).fact.type === 'file') gone++
    return gone
  }

  #isMost(files: number): boolean {
    if (!this.#firstScan || this.#approved) return false
    return files > MASS_DELETE_LEAST && files > this.#filesBefore * MASS_DELETE_SHARE
  }

  /** Whether the first look may still find most of the tree gone (A5): then even what it found must wait. */
  mayBeMostlyGone(): boolean {
    return this.#isMost(this.#filesBefore - this.#foundAgain)
  }

  /** The same at the end of the look, when all that is gone is known. */
  isMostlyGone(): boolean {
    return this.#isMost(this.#goneFiles())
  }

  /** Deletions whose hold is over, if they still are: the listing may have missed a name while others were renamed. */
  async #publishDeletions(): Promise<void> {
    const now = performance.now()
    // The deepest first: a directory that is published as gone while its children live would be brought back by others.
    const due = [...this.#deleted]
      .filter(([, at]) => at <= now + 1)
      .map(([path]) => path)
      .sort((a, b) => depthOf(b) - depthOf(a))
    if (due.length === 0) return
    for (const path of due) this.#deleted.delete(path)
    const { pool, root, index, guard } = this.#context
    const moment = guard.startLook()
    try {
      const missing = await pool.confirmMissing(root, due, this.#context.rootIdentity())
      const halt = await this.#context.checkRoot()
      if (halt !== undefined) return this.#context.halt(halt)
      const gone = due.filter((path, i) => missing[i] && !guard.isDisturbed(path, moment))
      const publications = index.transaction(() =>
        gone.flatMap((path) => this.judge(path, ABSENT, undefined, undefined) ?? []),
      )
      await this.#context.publish(publications)
      if (gone.some((path) => path === IGNORE_FILE)) this.#context.onIgnoreRules()
    } finally {
      guard.endLook(moment)
    }
  }

  /** A path of the index that a listing did not show, with all that the index knows below it. */
  noteMissing(path: RelPath): void {
    const { index } = this.#context
    const held = performance.now() + (this.#firstScan ? 0 : DELETE_HOLD_MS)
    const queue: RelPath[] = [path]
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const fact = currentFact(index.disk(next))
      this.#unwatched.delete(next)
      if (fact.type === 'absent') continue
      if (!this.#deleted.has(next)) this.#deleted.set(next, held)
      if (fact.type === 'directory') for (const child of index.diskChildren(next)) queue.push(child.path)
    }
  }

  noteFound(path: RelPath, row: DiskRow | undefined): void {
    this.#deleted.delete(path)
    if (this.#firstScan && row?.applied.fact.type === 'file') this.#foundAgain++
  }

  /**
   * Whether the user put what the share says in the place of a version that lost a conflict and is not copied yet. Taken
   * over without a word, that version would wait for ever for a copy that nobody has the content for any more. We never
   * displace such a version ourselves (Applier).
   */
  #isGivenUp(path: RelPath, { fact }: Applied, observed: Fact): boolean {
    if (fact.type !== 'file' || sameFactContent(fact, observed) || !this.#context.isWriter) return false
    return this.#context.index.isLosing(path, fact.content)
  }

  /** How a changed file is to be read: not yet, with a check who has it open, or as it is (A8). */
  readiness(path: RelPath, stat: DiskStat): { readonly waitMs: number } | { readonly openCheck: boolean } {
    const ageMs = Date.now() - stat.ctimeMs
    if (ageMs < 0 || ageMs >= OPEN_CHECK_MS) return { openCheck: false }
    if (ageMs < QUIET_MS) return { waitMs: QUIET_MS - ageMs + 1 }
    const since = this.#restless.get(path)
    return { openCheck: since === undefined || performance.now() - since < RESTLESS_MS }
  }

  /** A file was open for writing, or changed while it was read: look again after a while that grows. */
  noteRestless(path: RelPath): void {
    const now = performance.now()
    const since = this.#restless.get(path) ?? now
    this.#restless.set(path, since)
    this.markDirty([parentOf(path)], Math.min(2000, Math.max(50, (now - since) / 2)))
  }

  /** Judges what a path holds and remembers it; returns what has to be published. Call inside a transaction. */
  judge(
    path: RelPath,
    observed: Fact,
    stat: DiskStat | undefined,
    pieces: readonly PieceInfo[] | undefined,
  ): Publication | undefined {
    const { index, problems } = this.#context
    this.#restless.delete(path)
    problems.clear('scan', path)
    const row = index.disk(path)
    const applied = row?.applied ?? NOTHING_APPLIED
    const outcome = judge({
      path,
      observed,
      applied,
      share: index.effective(path),
      intents: this.#intents?.get(path) ?? [],
      writer: this.#context.isWriter,
    })
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
        this.#context.log.info({ path, what: outcome.what }, 'drift')
        index.setDisk(path, { applied, stat, drift: { what: outcome.what, sinceMs, fact: observed } }, layout)
        return undefined
      }
      case 'publish':
        return { draft: outcome.draft, pieces: pieces ?? [], disk: { stat } }
    }
  }
}

/** What a row says the disk holds. */
export function currentFact(row: DiskRow | undefined): Fact {
  return row === undefined ? ABSENT : (row.drift?.fact ?? row.applied.fact)
}

/** One look at some directories, or from them downwards at the whole tree. */
class Look {
  readonly #scanner: Scanner
  readonly #context: ShareContext
  readonly #deep: boolean
  /** Directories that are another than the index knows, or whose watches ended: all below them is looked at. */
  readonly #anew = new Set<Directory>()
  /** Directories judged in this look, as they were then: each is in two listings, its parent's and its own. */
  readonly #judged = new Map<RelPath, DiskStat>()
  readonly #moment: Moment
  readonly #jobs = new Set<Promise<void>>()
  #found: Publication[] = []
  #hashing: Candidate[] = []
  #hashingBytes = 0

  constructor(scanner: Scanner, context: ShareContext, deep: boolean) {
    this.#scanner = scanner
    this.#context = context
    this.#deep = deep
    this.#moment = context.guard.startLook()
  }

  async run(directories: readonly Directory[]): Promise<void> {
    try {
      let queue = [...directories]
      while (queue.length > 0) {
        const batch = queue.slice(0, SCAN_BATCH)
        queue = queue.slice(SCAN_BATCH)
        // Watched before it is listed: what comes between is an event, not a gap (A10).
        await this.#context.watch(batch)
        for (const listing of await this.#list(batch)) {
          for (const below of this.#compare(listing)) queue.push(below)
        }
        await this.#room()
      }
      this.#flushHash()
      await Promise.all(this.#jobs)
      if (this.#deep && this.#scanner.isMostlyGone()) return
      await this.#publishFound(0, true)
    } finally {
      await Promise.allSettled(this.#jobs)
      this.#context.guard.endLook(this.#moment)
    }
  }

  #list(batch: readonly Directory[]): Promise<ScannedDirectory[]> {
    return this.#context.pool.scan(this.#context.root, batch, this.#context.rootIdentity())
  }

  /** Compares one listing with the index; returns directories to look into as well. */
  #compare(listing: ScannedDirectory): Directory[] {
    const { index, problems } = this.#context
    if (listing.status === 'gone') {
      if (listing.path !== '') this.#scanner.markDirty([parentOf(listing.path)])
      // A row may outlive those of the directories above it; then its own parent is the last who can tell.
      for (const { path, row } of index.diskChildren(listing.path)) {
        if (currentFact(row).type !== 'absent') this.#scanner.noteMissing(path)
      }
      return []
    }
    if (listing.status === 'failed') {
      problems.set('scan', listing.path, listing.code ?? 'IO', 'cannot list this directory')
      return []
    }
    problems.clear('scan', listing.path)
    problems.replaceChildren('scan', listing.path, listing.faults)
    const rows = new Map(index.diskChildren(listing.path).map(({ path, row }) => [path, row]))
    const faulty = new Set(listing.faults.map(({ name }) => name))
    const below: Directory[] = []
    const directories: Candidate[] = []
    if (listing.path !== '' && listing.stat !== undefined)
      this.#addItself(directories, listing.path, listing.stat)
    for (let i = 0; i < listing.names.length; i++) {
      const path = childPath(listing.path, listing.names[i]!)
      if (path === undefined) continue
      const row = rows.get(path)
      rows.delete(path)
      const stat = unpackStat(listing.stats, i)
      const isDirectory = stat.type === 'directory'
      if (this.#context.isIgnored(path, isDirectory)) continue
      this.#scanner.noteFound(path, row)
      if (isDirectory && (this.#deep || this.#isAnew(path, row, stat))) below.push(path)
      if (row?.stat !== undefined && sameStat(row.stat, stat)) continue
      if (this.#isDisturbed(path)) continue
      if (!isDirectory && currentFact(row).type === 'directory' && this.#childrenGoFirst(path)) continue
      const candidate = { path, stat, seen: row?.stat }
      if (!isDirectory) this.#hash(candidate)
      else if (!this.#wasJudged(path, stat)) directories.push(candidate)
    }
    this.#judgeDirectories(directories)
    for (const [path, row] of rows) {
      const fact = currentFact(row)
      if (fact.type === 'absent' || faulty.has(nameOf(path))) continue
      if (this.#context.isIgnored(path, fact.type === 'directory') || this.#isDisturbed(path)) continue
      this.#scanner.noteMissing(path)
    }
    return below
  }

  /** A directory's own time moves with the names in it, and of that its parent's watch says nothing. */
  #addItself(directories: Candidate[], path: RelPath, stat: DiskStat): void {
    const row = this.#context.index.disk(path)
    if (this.#wasJudged(path, stat) || currentFact(row).type !== 'directory') return
    if (row?.stat !== undefined && sameStat(row.stat, stat)) return
    if (!this.#isDisturbed(path)) directories.push({ path, stat, seen: row?.stat })
  }

  /**
   * Judged once in a look, as the index learns of it when it is published. What came between its two listings, maybe
   * before it was watched, is for the next look.
   */
  #wasJudged(path: RelPath, stat: DiskStat): boolean {
    const before = this.#judged.get(path)
    if (before === undefined) return false
    if (!sameStat(before, stat)) this.#scanner.markDirty([path], QUIET_MS)
    return true
  }

  /**
   * A directory gave its name to something else: what was in it is gone, and has to be so in the share before the name
   * changes hands, or the directory would live on for its sake (V6).
   */
  #childrenGoFirst(path: RelPath): boolean {
    const children = this.#context.index.diskChildren(path)
    const left = children.filter(({ row }) => currentFact(row).type !== 'absent')
    for (const child of left) this.#scanner.noteMissing(child.path)
    if (left.length > 0) this.#scanner.markDirty([parentOf(path)], DELETE_HOLD_MS)
    return left.length > 0
  }

  #isAnew(path: RelPath, row: DiskRow | undefined, stat: DiskStat): boolean {
    const isAnew =
      this.#scanner.takeUnwatched(path) ||
      this.#anew.has(parentOf(path)) ||
      currentFact(row).type !== 'directory' ||
      (row?.stat !== undefined && row.stat.ino !== stat.ino)
    if (isAnew) this.#anew.add(path)
    return isAnew
  }

  /** Whether we are changing a path ourselves; then its directory is looked at again later. */
  #isDisturbed(path: RelPath): boolean {
    if (!this.#context.guard.isDisturbed(path, this.#moment)) return false
    this.#scanner.markDirty([parentOf(path)], QUIET_MS)
    return true
  }

  #judgeDirectories(candidates: readonly Candidate[]): void {
    if (candidates.length === 0) return
    this.#context.index.transaction(() => {
      for (const { path, stat } of candidates) {
        this.#judged.set(path, stat)
        const fact: Fact = { type: 'directory', mode: stat.mode, mtimeUs: mtimeUsOf(stat), extra: NO_EXTRA }
        const publication = this.#scanner.judge(path, fact, stat, undefined)
        if (publication !== undefined) this.#found.push(publication)
      }
    })
  }

  #hash(candidate: Candidate): void {
    const ready = this.#scanner.readiness(candidate.path, candidate.stat)
    if ('waitMs' in ready) return this.#scanner.markDirty([parentOf(candidate.path)], ready.waitMs)
    if (this.#hashing.length >= HASH_FILES || this.#hashingBytes + candidate.stat.size > HASH_BYTES_BATCH) {
      this.#flushHash()
    }
    this.#hashing.push(candidate)
    this.#hashingBytes += candidate.stat.size
  }

  #flushHash(): void {
    const batch = this.#hashing
    if (batch.length === 0) return
    this.#hashing = []
    this.#hashingBytes = 0
    const job = this.#hashBatch(batch).finally(() => this.#jobs.delete(job))
    this.#jobs.add(job)
  }

  async #hashBatch(batch: readonly Candidate[]): Promise<void> {
    const { pool, root, pieceKeys, index } = this.#context
    const jobs = batch.map(({ path, stat }): HashJob => {
      const ready = this.#scanner.readiness(path, stat)
      return { path, openCheck: 'openCheck' in ready && ready.openCheck }
    })
    const results = await pool.hash(root, pieceKeys, jobs)
    index.transaction(() => {
      for (const [i, candidate] of batch.entries()) this.#judgeHashed(candidate, results[i]!)
    })
    await this.#publishFound(HASH_FILES)
  }

  #judgeHashed({ path, seen }: Candidate, result: HashResult): void {
    const { index, problems } = this.#context
    const row = index.disk(path)?.stat
    const rowIsNew = seen === undefined ? row !== undefined : row === undefined || !sameStat(row, seen)
    if (rowIsNew || this.#context.guard.isDisturbed(path, this.#moment)) {
      return this.#scanner.markDirty([parentOf(path)], QUIET_MS)
    }
    switch (result.status) {
      case 'ok':
      case 'symlink': {
        const { fact, pieces } = factOfHashed(result)
        const publication = this.#scanner.judge(path, fact, result.stat, pieces)
        if (publication !== undefined) this.#found.push(publication)
        if (path === IGNORE_FILE) this.#context.onIgnoreRules()
        return
      }
      case 'busy':
      case 'changed':
        return this.#scanner.noteRestless(path)
      case 'gone':
        return this.#scanner.markDirty([parentOf(path)])
      case 'failed':
        return problems.set('scan', path, result.code, result.detail)
    }
  }

  async #publishFound(atLeast: number, isEnd = false): Promise<void> {
    // Drift and what was adopted are news as well, although there is nothing to publish.
    if (isEnd && this.#found.length === 0) return this.#context.publish([])
    if (this.#found.length === 0 || this.#found.length < atLeast) return
    if (!isEnd && this.#scanner.mayBeMostlyGone()) return
    const found = this.#found
    this.#found = []
    await this.#context.publish(found)
    // What we changed ourselves while it was being published is remembered as it was before.
    const { guard } = this.#context
    const overtaken = found.filter(({ draft }) => guard.isDisturbed(draft.path, this.#moment))
    this.#scanner.markDirty(
      overtaken.map(({ draft }) => parentOf(draft.path)),
      QUIET_MS,
    )
  }

  /** Waits while enough hashing is under way. */
  async #room(): Promise<void> {
    while (this.#jobs.size >= HASH_JOBS) await Promise.race(this.#jobs)
  }
}

function factOfHashed(result: Extract<HashResult, { status: 'ok' | 'symlink' }>): {
  fact: Fact
  pieces: readonly PieceInfo[] | undefined
} {
  const mtimeUs = mtimeUsOf(result.stat)
  if (result.status === 'symlink') {
    return { fact: { type: 'symlink', mtimeUs, target: result.target, extra: NO_EXTRA }, pieces: undefined }
  }
  const { mode, size } = result.stat
  return {
    fact: { type: 'file', mode, mtimeUs, size, content: result.content, extra: NO_EXTRA },
    pieces: splitPieces(result.pieces, result.lengths),
  }
}
