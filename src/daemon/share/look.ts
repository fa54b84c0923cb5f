// One look at some directories, or from them downwards at the whole tree: list them, compare with what the index knows of
// the disk, hash what is new, have it judged, publish. Changes found in it are published together, so that a rename
// moves no content (P3). What was changed by ourselves since the look began is left to the next one (A9, DiskGuard).

import { isScopeEmpty } from '../../core/attribute-scope.js'
import type { LiveFact } from '../../core/fact.js'
import type { Observation } from '../../core/metadata.js'
import { childPath, IGNORE_FILE, nameOf, parentOf, type RelPath } from '../../core/path.js'
import type { AttributeScope } from '../../core/raw-attributes.js'
import { type DiskStat, mtimeUsOf, sameStat, unpackStat } from '../../core/stat.js'
import type { HashJob, HashResult } from '../../folder/hash.js'
import type { ScannedDirectory } from '../../folder/scan.js'
import { isShared } from '../../store/links.js'
import type { DiskRow } from '../../store/rows.js'
import type { DressesAnew, ShareContext } from './context.js'
import { currentFact } from './current-fact.js'
import type { Moment } from './disk-guard.js'
import type { Judge } from './judge.js'
import { joining, twinOf } from './link-watch.js'
import { DELETE_HOLD_MS, type Missing } from './missing.js'
import { OtherNames } from './other-names.js'
import { readAs } from './padding.js'
import type { Publication } from './publisher.js'
import { QUIET_MS, type Readiness } from './readiness.js'
import { withOldNames } from './renames.js'
import type { Retries } from './retries.js'
import type { ScanCount } from './scan-count.js'
import { directoryFact, observationOf, seenOf } from './seen.js'
import { Twins } from './twins.js'

export type Directory = RelPath | ''

/** Directories listed by one job; files and bytes hashed by one. */
const SCAN_BATCH = 64
const HASH_FILES = 256
const HASH_BYTES_BATCH = 8 << 20
/** On a reader, larger files are not read while somebody has them open for writing: each look would read all of them. */
const OPEN_CHECK_BYTES = 16 << 20
/** Hash jobs under way, those whose files are being published among them; more only costs memory. */
const HASH_JOBS = 6

interface Candidate {
  readonly path: RelPath
  readonly stat: DiskStat
  /** The row that the listing was compared with: if it is another one by the time of judging, look again. */
  readonly seen: DiskStat | undefined
  /** Another name of the file that looks exactly like this is known to the index. */
  readonly isKnown?: boolean
  /** Of a directory: its attributes in the scope, packed. */
  readonly attributes?: Buffer | undefined
  /** Judged as this, without reading it. */
  readonly unread?: LiveFact
}

/** What a look shares with those before and after it. */
export interface LookParts {
  readonly context: ShareContext
  readonly judge: Judge
  readonly missing: Missing
  readonly readiness: Readiness
  readonly count: ScanCount
  readonly retries: Retries
  /** These are to be looked at again. */
  markDirty(directories: Iterable<Directory>, delayMs?: number): void
  /** Whether this directory has to be looked through as if it were new; asked once. */
  takeUnwatched(directory: RelPath): boolean
}

/** One look at some directories, or from them downwards at the whole tree. */
export class Look {
  readonly #parts: LookParts
  readonly #context: ShareContext
  readonly #deep: boolean
  /** Directories that are another than the index knows, or whose watches ended: all below them is looked at. */
  readonly #anew = new Set<Directory>()
  /** Directories judged in this look, as they were then: each is in two listings, its parent's and its own. */
  readonly #judged = new Map<RelPath, DiskStat>()
  readonly #moment: Moment
  /** What is carried is new: also what is untouched is looked at. */
  readonly #dressesAnew: DressesAnew
  readonly #scope: AttributeScope | undefined
  readonly #jobs = new Set<Promise<void>>()
  readonly #twins = new Twins<Candidate>()
  /** Inodes with further names, of which a name is among the found. */
  #foundInodes: number[] = []
  readonly #otherNames: OtherNames
  #found: Publication[] = []
  #hashing: Candidate[] = []
  #hashingBytes = 0

  /** `deep`: all below the directories is looked at, too. */
  constructor(parts: LookParts, deep: boolean) {
    this.#parts = parts
    this.#context = parts.context
    this.#deep = deep
    this.#moment = parts.context.guard.startLook()
    this.#otherNames = new OtherNames(parts.context.index)
    this.#dressesAnew = parts.context.dressesAnew()
    const { scope } = parts.context.metadata.rules
    this.#scope = isScopeEmpty(scope) ? undefined : scope
  }

  async run(directories: readonly Directory[]): Promise<void> {
    try {
      let queue = [...directories]
      this.#otherNames.start(directories)
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
      do {
        this.#flushHash()
        await Promise.all(this.#jobs)
        if (this.#deep && this.#parts.missing.isMost()) return
        await this.#publishFound(0, true)
      } while (this.#hashing.length > 0)
    } finally {
      await Promise.allSettled(this.#jobs)
      this.#context.guard.endLook(this.#moment)
    }
  }

  #list(batch: readonly Directory[]): Promise<ScannedDirectory[]> {
    return this.#context.pool.scan(this.#context.root, batch, this.#context.rootIdentity(), this.#scope)
  }

  /** Compares one listing with the index; returns directories to look into as well. */
  #compare(listing: ScannedDirectory): Directory[] {
    const { index, problems } = this.#context
    if (listing.status === 'left') return [listing.path]
    if (listing.status === 'gone') {
      if (listing.path !== '') this.#parts.markDirty([parentOf(listing.path)])
      // A row may outlive those of the directories above it; then its own parent is the last who can tell.
      for (const { path, row } of index.diskChildren(listing.path)) {
        if (currentFact(row).type !== 'absent') this.#noteMissing(path)
      }
      return []
    }
    if (listing.status === 'failed') {
      const code = listing.code ?? 'IO'
      problems.set('scan', listing.path, code, 'cannot list this directory')
      this.#parts.retries.unlisted(listing.path, code)
      return []
    }
    problems.clear('scan', listing.path)
    this.#parts.retries.listed(listing)
    problems.replaceChildren('scan', listing.path, listing.faults)
    const rows = new Map(index.diskChildren(listing.path).map(({ path, row }) => [path, row]))
    const faulty = new Set(listing.faults.map(({ name }) => name))
    const below: Directory[] = []
    const directories: Candidate[] = []
    if (listing.path !== '' && listing.stat !== undefined)
      this.#addItself(directories, listing.path, { stat: listing.stat, attributes: listing.attributes })
    for (let i = 0; i < listing.names.length; i++) {
      const path = childPath(listing.path, listing.names[i]!)
      if (path === undefined) continue
      const row = rows.get(path)
      rows.delete(path)
      const stat = unpackStat(listing.stats, i)
      const isDirectory = stat.type === 'directory'
      if (this.#context.isIgnored(path, isDirectory)) continue
      this.#parts.missing.noteFound(path, row)
      if (!isDirectory) this.#parts.count.listed()
      if (isDirectory && (this.#deep || this.#isAnew(path, row, stat))) below.push(path)
      const isSame = row?.stat !== undefined && sameStat(row.stat, stat)
      if (isSame && this.#dressesAnew === 'nothing') continue
      if (this.#isDisturbed(path)) continue
      const unread = isSame && !isDirectory ? this.#unread(path, row, stat) : undefined
      if (unread !== undefined) {
        directories.push(unread)
        continue
      }
      if (!isDirectory && currentFact(row).type === 'directory' && this.#childrenGoFirst(path)) continue
      const candidate = { path, stat, seen: row?.stat, attributes: listing.childAttributes?.get(i) }
      if (!this.#deep) below.push(...this.#otherNames.of(stat))
      if (!isDirectory) this.#hash(candidate)
      else if (!this.#wasJudged(path, stat)) directories.push(candidate)
    }
    this.#judgeDirectories(directories)
    // Judged all the same; what is amiss with them stays so.
    if (listing.faults.some(({ code }) => code === 'ATTRIBUTES_LEFT'))
      problems.replaceChildren('scan', listing.path, listing.faults)
    for (const [path, row] of rows) {
      const fact = currentFact(row)
      if (fact.type === 'absent' || faulty.has(nameOf(path))) continue
      if (this.#context.isIgnored(path, fact.type === 'directory') || this.#isDisturbed(path)) continue
      this.#noteMissing(path)
    }
    return below
  }

  /** A directory's own time moves with the names in it, and of that its parent's watch says nothing. */
  #addItself(directories: Candidate[], path: RelPath, { stat, attributes }: Observation): void {
    const row = this.#context.index.disk(path)
    if (this.#wasJudged(path, stat) || currentFact(row).type !== 'directory') return
    if (row?.stat !== undefined && sameStat(row.stat, stat) && this.#dressesAnew === 'nothing') return
    if (!this.#isDisturbed(path)) directories.push({ path, stat, seen: row?.stat, attributes })
  }

  /**
   * Judged once in a look, as the index learns of it when it is published. What came between its two listings, maybe
   * before it was watched, is for the next look.
   */
  #wasJudged(path: RelPath, stat: DiskStat): boolean {
    const before = this.#judged.get(path)
    if (before === undefined) return false
    if (!sameStat(before, stat)) this.#parts.markDirty([path], QUIET_MS)
    return true
  }

  /**
   * A directory gave its name to something else: what was in it is gone, and has to be so in the share before the name
   * changes hands, or the directory would live on for its sake (V6).
   */
  #childrenGoFirst(path: RelPath): boolean {
    const children = this.#context.index.diskChildren(path)
    const left = children.filter(({ row }) => currentFact(row).type !== 'absent')
    for (const child of left) this.#noteMissing(child.path)
    if (left.length > 0) this.#parts.markDirty([parentOf(path)], DELETE_HOLD_MS)
    return left.length > 0
  }

  #isAnew(path: RelPath, row: DiskRow | undefined, stat: DiskStat): boolean {
    const isAnew =
      this.#parts.takeUnwatched(path) ||
      this.#anew.has(parentOf(path)) ||
      currentFact(row).type !== 'directory' ||
      (row?.stat !== undefined && row.stat.ino !== stat.ino)
    if (isAnew) this.#anew.add(path)
    return isAnew
  }

  /** Whether we are changing a path ourselves; then its directory is looked at again later. */
  #isDisturbed(path: RelPath): boolean {
    if (!this.#context.guard.isDisturbed(path, this.#moment)) return false
    this.#parts.markDirty([parentOf(path)], QUIET_MS)
    return true
  }

  /** Another owner is told from the stat alone: then a file or link that nobody touched is not read again. */
  #unread(path: RelPath, row: DiskRow, stat: DiskStat): Candidate | undefined {
    const fact = currentFact(row)
    const isToRead = fact.type === 'file' && this.#scope !== undefined && this.#dressesAnew === 'all'
    if (fact.type === 'absent' || isToRead) return undefined
    const mtimeUs = mtimeUsOf(stat)
    const unread: LiveFact =
      fact.type === 'symlink' ? { ...fact, mtimeUs } : { ...fact, mtimeUs, mode: stat.mode }
    return { path, stat, seen: row.stat, unread }
  }

  #judgeDirectories(candidates: readonly Candidate[]): void {
    if (candidates.length === 0) return
    this.#context.index.transaction(() => {
      for (const { path, stat, attributes, unread } of candidates) {
        if (unread === undefined) this.#judged.set(path, stat)
        const fact: LiveFact = unread ?? directoryFact(stat)
        const layout = unread === undefined ? undefined : this.#context.index.layout(path)
        const publication = this.#parts.judge.judge(
          path,
          fact,
          { stat, attributes, isUnread: unread !== undefined },
          layout,
        )
        if (publication !== undefined) this.#found.push(publication)
      }
    })
  }

  /** A file that another name of was read in this look: only looked at, if at all. */
  #hashAgain(freed: readonly Candidate[]): void {
    const { index } = this.#context
    for (const { path, stat } of freed) {
      const seen = index.disk(path)?.stat
      if (seen === undefined || !sameStat(seen, stat)) this.#hash({ path, stat, seen })
    }
  }

  #hash(found: Candidate): void {
    const isKnown = twinOf(this.#context.index, found.path, found.stat) !== undefined
    const candidate = { ...found, isKnown }
    if (!isKnown && this.#twins.isWaiting(candidate)) return
    const ready = this.#parts.readiness.of(candidate.path, candidate.stat)
    if ('waitMs' in ready) return this.#later(candidate, ready.waitMs)
    if (this.#hashing.length >= HASH_FILES || this.#hashingBytes + candidate.stat.size > HASH_BYTES_BATCH) {
      this.#flushHash()
    }
    this.#hashing.push(candidate)
    this.#hashingBytes += candidate.stat.size
    this.#parts.count.toRead(candidate.stat.size)
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
    const jobs = batch.map(({ path, stat, isKnown }): HashJob => {
      const ready = this.#parts.readiness.of(path, stat)
      // A reader announces nothing half-written (A8), and has to notice soon.
      const isChecked = this.#context.isWriter || stat.size > OPEN_CHECK_BYTES
      const openCheck = isChecked && 'openCheck' in ready && ready.openCheck
      const as = readAs(this.#context, path, stat.size, this.#parts.judge.meantAt(path))
      return { path, openCheck, seen: stat, isKnown: isKnown === true, ...as }
    })
    const results = await pool.hash(root, pieceKeys, jobs, this.#scope)
    for (const { stat } of batch) this.#parts.count.read(stat.size)
    index.transaction(() => {
      for (const [i, candidate] of batch.entries()) this.#judgeHashed(candidate, results[i]!)
    })
    const waitedFor = new Set(this.#foundInodes)
    for (const { stat, isKnown } of batch)
      if (!isKnown && isShared(stat) && !waitedFor.has(stat.ino)) this.#hashAgain(this.#twins.free(stat.ino))
    await this.#publishFound(HASH_FILES)
  }

  /** It cannot be read yet (A8), or has another name again. */
  #later({ path, stat }: Pick<Candidate, 'path' | 'stat'>, delayMs: number): void {
    this.#parts.missing.noteUnread(stat, delayMs)
    this.#parts.markDirty([parentOf(path)], delayMs)
  }

  #judgeHashed(candidate: Candidate, result: HashResult): void {
    const { index, problems } = this.#context
    const { path, seen } = candidate
    const row = index.disk(path)
    const now = row?.stat
    const rowIsNew = seen === undefined ? now !== undefined : now === undefined || !sameStat(now, seen)
    if (rowIsNew || this.#context.guard.isDisturbed(path, this.#moment)) {
      return this.#parts.markDirty([parentOf(path)], QUIET_MS)
    }
    switch (result.status) {
      case 'ok':
      case 'same':
      case 'symlink': {
        const seen = seenOf(index, path, result)
        if (seen === undefined) return this.#parts.markDirty([parentOf(path)], QUIET_MS)
        this.#parts.retries.read(path)
        const publication = this.#parts.judge.judge(path, seen.fact, observationOf(result), seen.pieces, row)
        if (publication !== undefined) this.#find(publication)
        const fault = result.status === 'symlink' ? undefined : result.attributesFault
        if (fault !== undefined) problems.set('attributes', path, fault.code, fault.detail)
        if (path === IGNORE_FILE) this.#context.onIgnoreRules()
        return
      }
      case 'busy':
      case 'changed':
        return this.#later(candidate, this.#parts.readiness.noteRestless(path))
      case 'gone':
        return this.#later(candidate, 0)
      case 'failed':
        this.#parts.retries.unread(path, parentOf(path), result.code)
        return problems.set('scan', path, result.code, result.detail)
    }
  }

  #find(publication: Publication): void {
    const stat = publication.disk?.stat
    if (isShared(stat)) {
      this.#foundInodes.push(stat.ino)
      this.#found.push(...joining(this.#context, publication))
    }
    this.#found.push(publication)
  }

  async #publishFound(atLeast: number, isEnd = false): Promise<void> {
    if (this.#found.length === 0 || this.#found.length < atLeast) return
    if (!isEnd && this.#parts.missing.mayBeMost()) return
    const news = this.#found
    this.#found = []
    const inodes = this.#foundInodes
    this.#foundInodes = []
    const { missing } = this.#parts
    const { publications: found, movedOn } = await withOldNames(this.#context, missing, news, this.#moment)
    for (const { draft, disk } of movedOn) this.#later({ path: draft.path, stat: disk!.stat! }, 0)
    await this.#context.publish(found)
    for (const ino of inodes) this.#hashAgain(this.#twins.free(ino))
    // What we changed ourselves while it was being published is remembered as it was before.
    const { guard } = this.#context
    const overtaken = found.filter(({ draft }) => guard.isDisturbed(draft.path, this.#moment))
    this.#parts.markDirty(
      overtaken.map(({ draft }) => parentOf(draft.path)),
      QUIET_MS,
    )
  }

  #noteMissing(path: RelPath): void {
    const other = this.#otherNames.leftBehind(path)
    if (other !== undefined) this.#parts.markDirty([other], QUIET_MS)
    for (const gone of this.#parts.missing.note(path)) this.#parts.takeUnwatched(gone)
  }

  /** Waits while enough hashing is under way. */
  async #room(): Promise<void> {
    while (this.#jobs.size >= HASH_JOBS) await Promise.race(this.#jobs)
  }
}
