// How a directory stands to what the share says. Promises: the directory is only read, never written, not even by a
// marker, and no symlink in it is followed (A1); contents are compared by their hash; nothing of the whole tree is kept
// in memory, what was seen on the disk is a table in the preview's own database.

import { TreeDigest } from '../../core/digest.js'
import { NO_EXTRA } from '../../core/entry.js'
import { type Fact, fingerprint, type LiveFact, sameFactContent } from '../../core/fact.js'
import { childPath, parentOf, type RelPath } from '../../core/path.js'
import type { PieceKeys } from '../../core/piece.js'
import { type DiskStat, mtimeUsOf, unpackStat } from '../../core/stat.js'
import { withAncestors } from '../../core/tree.js'
import type { HashResult } from '../../folder/hash-result.js'
import type { FolderPool } from '../../folder/pool.js'
import type { ScannedDirectory } from '../../folder/scan.js'
import type { ShareIndex } from '../../store/share-index.js'
import { type Database, pathKey, type Table } from '../../store/tables.js'
import type { Comparison, PreviewPath, PreviewProblem } from './report.js'

export interface CompareOptions {
  readonly dir: string
  /** Whether there is a directory at all; if not, it counts as empty. */
  readonly exists: boolean
  readonly index: ShareIndex
  readonly database: Database
  readonly prefix: string
  readonly pool: FolderPool
  readonly pieceKeys: PieceKeys
  readonly isIgnored: (path: RelPath, isDirectory: boolean) => boolean
  readonly signal: AbortSignal
  readonly onPath: (path: PreviewPath) => void
  /** So many files were looked at, and so many bytes read, up to now. */
  readonly onRead?: (files: number, readBytes: number) => void
}

export interface Compared {
  readonly comparison: Comparison
  /** The digest that a member's disk has if it holds exactly what was compared with, 32 bytes. */
  readonly digest: Buffer
}

/** Directories listed by one job; files and bytes hashed by one. */
const SCAN_BATCH = 64
const HASH_FILES = 256
const HASH_BYTES_BATCH = 8 << 20
/** Hash jobs under way. */
const HASH_JOBS = 3
/** A file that changes while it is read is read again this often, then it is a problem. */
const HASH_TRIES = 4
/** More are not listed. */
const MAX_PROBLEMS = 1000

interface MutableTally {
  files: number
  folders: number
  links: number
  bytes: number
}

interface Candidate {
  readonly path: RelPath
  readonly stat: DiskStat
  readonly share: LiveFact
  readonly tries: number
}

/** Compares. Throws the signal's reason. */
export function compareTree(options: CompareOptions): Promise<Compared> {
  return new Comparing(options).run()
}

class Comparing {
  readonly #o: CompareOptions
  readonly #seen: Table<1>
  readonly #same = tally()
  readonly #onlyHere = { ...tally(), deletedThere: 0 }
  readonly #onlyThere = tally()
  readonly #different = { ...tally(), bytesThere: 0 }
  readonly #problems: PreviewProblem[] = []
  /** Directories that could not be listed: nothing is known of what lies in them. */
  readonly #unread = new Set<RelPath | ''>()
  readonly #jobs = new Set<Promise<void>>()
  /** Of jobs, to be thrown by the walk: nobody awaits them one by one. */
  #failure: unknown
  #hashing: Candidate[] = []
  #hashingBytes = 0
  #files = 0
  #readBytes = 0

  constructor(options: CompareOptions) {
    this.#o = options
    this.#seen = options.database.table(`${options.prefix}seen`)
  }

  async run(): Promise<Compared> {
    if (this.#o.exists) await this.#walkDisk()
    const digest = this.#walkShare()
    return {
      comparison: {
        same: this.#same,
        onlyHere: this.#onlyHere,
        onlyThere: this.#onlyThere,
        different: this.#different,
        problems: this.#problems,
      },
      digest,
    }
  }

  async #walkDisk(): Promise<void> {
    const { pool, dir, signal, database } = this.#o
    try {
      // Depth first: what waits is a few directories' worth, not a level of the tree.
      const stack: (RelPath | '')[] = ['']
      while (stack.length > 0) {
        signal.throwIfAborted()
        const batch = stack.splice(-SCAN_BATCH)
        const listings = await pool.scan(dir, batch)
        database.transaction(() => {
          for (const listing of listings) stack.push(...this.#look(listing))
        })
        if (this.#hashing.length >= HASH_FILES || this.#hashingBytes >= HASH_BYTES_BATCH) await this.#flush()
      }
      // A file that was changing comes back once more.
      while (this.#hashing.length > 0 || this.#jobs.size > 0) {
        await this.#flush()
        await Promise.all(this.#jobs)
        this.#throwFailure()
      }
    } finally {
      await Promise.allSettled(this.#jobs)
    }
  }

  /** Compares one listing; returns directories to look into as well. */
  #look(listing: ScannedDirectory): (RelPath | '')[] {
    if (listing.status === 'left') return [listing.path]
    if (listing.status !== 'ok') {
      // Gone since its parent was listed: then it is not here.
      if (listing.status === 'failed') {
        this.#unread.add(listing.path)
        this.#problem(listing.path, listing.code ?? 'IO', listing.detail ?? 'cannot be listed')
      }
      return []
    }
    for (const { name, code, detail } of listing.faults) {
      const path = listing.path === '' ? name : `${listing.path}/${name}`
      this.#problem(path, code, detail)
      const isPath = childPath(listing.path, name)
      // It is there in some form, so it is not only in the share.
      if (isPath !== undefined) this.#seen.put(pathKey(isPath), 1)
    }
    const below: RelPath[] = []
    for (const [i, name] of listing.names.entries()) {
      const path = childPath(listing.path, name)
      if (path === undefined) continue
      const stat = unpackStat(listing.stats, i)
      const isDirectory = stat.type === 'directory'
      if (this.#o.isIgnored(path, isDirectory)) continue
      if (isDirectory) below.push(path)
      this.#lookAt(path, stat)
    }
    return below
  }

  #lookAt(path: RelPath, stat: DiskStat): void {
    this.#seen.put(pathKey(path), 1)
    if (stat.type === 'file') this.#files++
    const share = this.#o.index.effective(path).fact
    if (share.type === 'absent') {
      if (this.#o.index.heads(path).length > 0) this.#onlyHere.deletedThere++
      return this.#note(this.#onlyHere, stat, path, 'only-here')
    }
    if (share.type !== stat.type) return this.#differs(path, stat, share, 'type')
    if (share.type === 'directory') return this.#compare(path, stat, share, factOf(stat))
    // Another length is another content; a link's is read like a file.
    if (share.type === 'file' && share.size !== stat.size) return this.#differs(path, stat, share, 'content')
    this.#hashing.push({ path, stat, share, tries: 0 })
    this.#hashingBytes += stat.size
  }

  #compare(path: RelPath, stat: DiskStat, share: LiveFact, here: Fact): void {
    if (!sameFactContent(here, share)) return this.#differs(path, stat, share, 'content')
    const isMode = !('mode' in share) || share.mode === stat.mode
    if (!isMode) return this.#differs(path, stat, share, 'permissions')
    count(this.#same, stat.type, stat.size)
  }

  async #flush(): Promise<void> {
    const all = this.#hashing
    this.#hashing = []
    this.#hashingBytes = 0
    for (const batch of batchesOf(all)) {
      while (this.#jobs.size >= HASH_JOBS) await Promise.race(this.#jobs)
      this.#o.signal.throwIfAborted()
      this.#throwFailure()
      const job = this.#hash(batch)
        .catch((thrown: unknown) => {
          this.#failure ??= thrown
        })
        .finally(() => this.#jobs.delete(job))
      this.#jobs.add(job)
    }
  }

  async #hash(batch: readonly Candidate[]): Promise<void> {
    const { pool, dir, pieceKeys, database } = this.#o
    const jobs = batch.map(({ path }) => ({ path, openCheck: false, isPadded: this.#isPadded(path) }))
    const results = await pool.hash(dir, pieceKeys, jobs)
    for (const { stat } of batch) this.#readBytes += stat.size
    this.#o.onRead?.(this.#files, this.#readBytes)
    database.transaction(() => {
      for (const [i, candidate] of batch.entries()) this.#onHashed(candidate, results[i]!)
    })
  }

  /** A file is compared with what the share says, so it is read as that was. */
  #isPadded(path: RelPath): boolean {
    const { index } = this.#o
    const { entry } = index.effective(path)
    return entry !== undefined && index.firstPieceOf(entry)?.plain !== undefined
  }

  #onHashed(candidate: Candidate, result: HashResult): void {
    const { path, share, tries } = candidate
    switch (result.status) {
      case 'ok':
        return this.#compare(path, result.stat, share, {
          type: 'file',
          mode: result.stat.mode,
          mtimeUs: mtimeUsOf(result.stat),
          size: result.stat.size,
          content: result.content,
          extra: NO_EXTRA,
        })
      case 'symlink': {
        const { target, stat } = result
        const here: Fact = { type: 'symlink', mtimeUs: mtimeUsOf(stat), target, extra: NO_EXTRA }
        return this.#compare(path, stat, share, here)
      }
      case 'gone':
        return this.#seen.remove(pathKey(path))
      case 'failed':
        return this.#problem(path, result.code, result.detail)
      case 'busy':
      case 'changed':
        if (tries + 1 >= HASH_TRIES) return this.#problem(path, 'CHANGING', 'it changes while it is read')
        this.#hashing.push({ ...candidate, tries: tries + 1 })
    }
  }

  /** What the share has and the disk has not; the digest of all that the share has. */
  #walkShare(): Buffer {
    const { index, signal, isIgnored } = this.#o
    const digest = new TreeDigest()
    const add = (path: RelPath, fact: LiveFact): void => {
      if (isIgnored(path, fact.type === 'directory')) return
      digest.add(fingerprint(path, fact))
      if (this.#seen.get(pathKey(path)) !== undefined || this.#isUnread(path)) return
      count(this.#onlyThere, fact.type, fact.type === 'file' ? fact.size : 0)
      this.#o.onPath({ dir: this.#o.dir, path, what: 'only-there' })
    }
    // Directories that only their children hold up have no heads of their own (V4).
    const implied = new Set<RelPath>()
    let parent: RelPath | '' = ''
    for (const heads of index.allHeads()) {
      signal.throwIfAborted()
      const { path } = heads[0]!
      const { fact } = index.effective(path)
      if (fact.type === 'absent') continue
      add(path, fact)
      if (parentOf(path) === parent) continue
      parent = parentOf(path)
      for (
        let at = parent;
        at !== '' && !implied.has(at) && index.heads(at).length === 0;
        at = parentOf(at)
      ) {
        implied.add(at)
        const above = index.effective(at).fact
        if (above.type !== 'absent') add(at, above)
      }
    }
    return digest.value()
  }

  #isUnread(path: RelPath): boolean {
    if (this.#unread.size === 0) return false
    return this.#unread.has('') || withAncestors(path).some((at) => this.#unread.has(at))
  }

  #differs(path: RelPath, stat: DiskStat, share: LiveFact, why: PreviewPath['why']): void {
    if (share.type === 'file') this.#different.bytesThere += share.size
    this.#note(this.#different, stat, path, 'different', why)
  }

  #note(
    to: MutableTally,
    stat: DiskStat,
    path: RelPath,
    what: PreviewPath['what'],
    why?: PreviewPath['why'],
  ): void {
    count(to, stat.type, stat.size)
    this.#o.onPath({ dir: this.#o.dir, path, what, ...(why !== undefined && { why }) })
  }

  #problem(path: string, code: string, detail: string): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ path, code, detail })
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

function tally(): MutableTally {
  return { files: 0, folders: 0, links: 0, bytes: 0 }
}

function count(to: MutableTally, type: DiskStat['type'], bytes: number): void {
  if (type === 'directory') to.folders++
  else if (type === 'symlink') to.links++
  else {
    to.files++
    to.bytes += bytes
  }
}

function factOf(stat: DiskStat): Fact {
  return { type: 'directory', mode: stat.mode, mtimeUs: mtimeUsOf(stat), extra: NO_EXTRA }
}

function batchesOf(all: readonly Candidate[]): Candidate[][] {
  const batches: Candidate[][] = []
  let bytes = 0
  for (const candidate of all) {
    const last = batches.at(-1)
    if (last === undefined || last.length >= HASH_FILES || bytes + candidate.stat.size > HASH_BYTES_BATCH) {
      batches.push([candidate])
      bytes = candidate.stat.size
    } else {
      last.push(candidate)
      bytes += candidate.stat.size
    }
  }
  return batches
}
