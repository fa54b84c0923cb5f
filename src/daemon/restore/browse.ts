// A vault's content without restoring it: what was in a directory at a moment, a file's bytes, the versions of a path. Reads
// the feeds into an index that is thrown away; writes nowhere but into a folder for temporary files, mode 0700.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isLive } from '../../core/entry.js'
import { ShoalError } from '../../core/error.js'
import type { LiveFact } from '../../core/fact.js'
import { childPath, nameOf, type RelPath } from '../../core/path.js'
import { openPiece, type PieceInfo } from '../../core/piece.js'
import type { Secret } from '../../core/secret.js'
import { FeedStore } from '../../feed/store.js'
import { type Log, silentLog } from '../../ports/log.js'
import { ShareIndex } from '../../store/share-index.js'
import { openIndex } from '../open-index.js'
import { KnownBeyond } from './beyond.js'
import { feedsOfVault, notesOfVault, type RestorableVault, takeInto } from './from-vault.js'
import { clockWentBack, nothingBy } from './moment.js'
import { openVault } from './open-vault.js'
import { addConflictCopies, type OnRecord, type RestoreKeys, spansAt, takeOver } from './past-share.js'
import type { PastEntry, PastVersionReport } from './report.js'
import { restoreKeys } from './restore.js'

export interface BrowseOptions {
  readonly secret: Secret
  /** A vault's folder, or a vault that stays the caller's to close. */
  readonly vault: string | RestorableVault
  /** Milliseconds since 1970; undefined: the newest there is. */
  readonly atMs?: number | undefined
  readonly signal: AbortSignal
  readonly log?: Log
}

/** Sealed bytes read at once for a file. */
const READ_BYTES = 16 << 20
const LIST_CHUNK = 1024

/** Opens a past, does something with it, and leaves no trace. Throws as restore() does. */
export async function browse<T>(options: BrowseOptions, body: (past: Past) => Promise<T>): Promise<T> {
  const keys = restoreKeys(options.secret)
  const log = options.log ?? silentLog
  const temporary = fs.mkdtempSync(path.join(tmpdir(), 'shoal-browse-'))
  const closing: (() => unknown)[] = [() => fs.rmSync(temporary, { recursive: true, force: true })]
  try {
    const { vault: given } = options
    const isOurs = typeof given === 'string'
    const vault = isOurs ? await openVault({ at: given, shareId: keys.shareId, log }) : given
    if (isOurs) closing.push(() => (vault as Awaited<ReturnType<typeof openVault>>).close())
    const database = openIndex(path.join(temporary, 'index'))
    closing.push(() => database.close())
    const { store } = await FeedStore.open(path.join(temporary, 'cores'), { log })
    closing.push(() => store.close())
    const index = new ShareIndex(database, 'past:', { overwriteDrift: false, isIgnored: () => false })
    return await body(new Past(vault, { index, store, keys, log }, options))
  } finally {
    for (const close of closing.reverse()) await close()
  }
}

export class Past {
  /** What could not be read. */
  readonly faults: string[] = []
  /** What deserves a word although all that is here was read. */
  readonly notes: string[] = []
  readonly #vault: RestorableVault
  readonly #parts: {
    readonly index: ShareIndex
    readonly store: FeedStore
    readonly keys: RestoreKeys
    readonly log: Log
  }
  readonly #o: Pick<BrowseOptions, 'atMs' | 'signal'>
  #reading: Promise<void> | undefined

  constructor(
    vault: RestorableVault,
    parts: {
      readonly index: ShareIndex
      readonly store: FeedStore
      readonly keys: RestoreKeys
      readonly log: Log
    },
    options: Pick<BrowseOptions, 'atMs' | 'signal'>,
  ) {
    this.#vault = vault
    this.#parts = parts
    this.#o = options
  }

  /** What is at a path: of a directory all that is in it, by the bytes of the names; of anything else that alone. NOT_FOUND. */
  async list(at: RelPath | '', isRecursive = false): Promise<PastEntry[]> {
    await this.#read()
    const fact = at === '' ? undefined : this.#factAt(at)
    if (fact !== undefined && fact.type !== 'directory') return [entryOf(at as RelPath, fact)]
    const found: PastEntry[] = []
    const walk = (directory: RelPath | ''): void => {
      for (const { path: child, fact: childFact } of this.#inside(directory)) {
        found.push(entryOf(child, childFact))
        if (isRecursive && childFact.type === 'directory') walk(child)
      }
    }
    walk(at)
    return found
  }

  /** The bytes of a file, each piece verified. NOT_FOUND for what is none, or of which a piece is not kept. */
  async *cat(at: RelPath): AsyncGenerator<Buffer, void, undefined> {
    await this.#read()
    const { index, keys } = this.#parts
    const fact = this.#factAt(at)
    if (fact.type !== 'file')
      throw new ShoalError('NOT_FOUND', `${at} ${this.#then} no file, but a ${fact.type}`)
    const entry = index.effective(at).entry!
    const pieces = index.piecesOf(entry)
    if (pieces === undefined) throw new ShoalError('FEED_CORRUPT', `the pieces of ${at} were never announced`)
    for (let next = 0; next < pieces.length; ) {
      const batch: PieceInfo[] = []
      for (let bytes = 0; next < pieces.length && bytes < READ_BYTES; next++) {
        batch.push(pieces[next]!)
        bytes += pieces[next]!.length
      }
      const read = await this.#vault.read(batch.map(({ id }) => id))
      for (const [i, sealed] of read.entries()) {
        if (sealed === null) throw new ShoalError('NOT_FOUND', `a piece of ${at} is not kept here any more`)
        const plain = openPiece(keys.read, sealed, batch[i]!.plain)
        if (plain === undefined) throw new ShoalError('FEED_CORRUPT', `a piece of ${at} is not of this share`)
        yield plain
      }
    }
  }

  /**
   * All versions of a path, or of what is below it, that the feeds tell up to the moment; newest first, at most `limit`.
   * NOT_FOUND if nothing there was ever written.
   */
  async versions(at: RelPath | '', limit: number): Promise<PastVersionReport[]> {
    const seen = new Set<string>()
    const found: (PastVersionReport & { readonly atMs: number })[] = []
    await this.#read(({ deviceName }, { header, entries }) => {
      for (const entry of entries) {
        if (at !== '' && entry.path !== at && !entry.path.startsWith(`${at}/`)) continue
        // A checkpoint only says again what was said before.
        const key = JSON.stringify([entry.path, entry.author, entry.version])
        if (seen.has(key)) continue
        seen.add(key)
        found.push({
          path: entry.path,
          type: isLive(entry) ? entry.type : 'deleted',
          size: entry.type === 'file' ? entry.size : 0,
          mtime: isoOf(entry.mtimeUs),
          by: deviceName,
          at: new Date(header.timeMs).toISOString(),
          atMs: header.timeMs,
        })
      }
    })
    if (found.length === 0 && at !== '')
      throw new ShoalError('NOT_FOUND', `nothing was ever written of ${at} in the share`)
    found.sort((a, b) => b.atMs - a.atMs)
    return found.slice(0, limit).map(({ atMs: _, ...version }) => version)
  }

  /** The content id's pieces of a live file, for who wants to compare; undefined if it is none. */
  async piecesOf(at: RelPath): Promise<readonly Buffer[] | undefined> {
    await this.#read()
    const { index } = this.#parts
    const { entry } = index.effective(at)
    return entry === undefined ? undefined : index.piecesOf(entry)?.map(({ id }) => id)
  }

  /** How to speak of what is told: of now, or of the moment that was asked for. */
  get #then(): 'is' | 'was' {
    return this.#o.atMs === undefined ? 'is' : 'was'
  }

  #factAt(at: RelPath): LiveFact {
    const { fact } = this.#parts.index.effective(at)
    if (fact.type === 'absent') throw new ShoalError('NOT_FOUND', `${at} ${this.#then} not in the share`)
    return fact
  }

  *#inside(directory: RelPath | ''): Generator<{ readonly path: RelPath; readonly fact: LiveFact }> {
    const { index } = this.#parts
    for (let after: RelPath | undefined; ; ) {
      const paths = index.inside(directory, after, LIST_CHUNK)
      for (const at of paths) {
        const child = childPath(directory, nameOf(at)) ?? at
        const { fact } = index.effective(child)
        if (fact.type !== 'absent') yield { path: child, fact }
      }
      if (paths.length < LIST_CHUNK) return
      after = paths.at(-1)
    }
  }

  #read(onRecord?: OnRecord): Promise<void> {
    this.#reading ??= this.#readAll(onRecord)
    return this.#reading
  }

  async #readAll(onRecord: OnRecord | undefined): Promise<void> {
    const { index, store, keys, log } = this.#parts
    const { atMs, signal } = this.#o
    this.notes.push(...notesOfVault(this.#vault))
    const feeds = await feedsOfVault(this.#vault, {
      ...{ index, keys, take: takeInto(store) },
      onDamaged: (name, detail) => this.faults.push(`what ${name} wrote: ${detail}`),
    })
    const spans = await spansAt(feeds, atMs)
    const beyond = new KnownBeyond()
    let isAnything = false
    for (const [feed, span] of spans) {
      const { to, ended, lost } = await takeOver(index, feed, span, {
        ...{ keys, atMs, signal },
        onRefused: (at, detail) => this.faults.push(`${at}: ${detail}`),
        ...(onRecord === undefined ? {} : { onRecord }),
      })
      if (ended?.by === 'bad-record') this.faults.push(`what ${feed.name} wrote since: ${ended.detail}`)
      if (ended?.by === 'later-time') this.notes.push(clockWentBack(feed.name, ended.atMs))
      this.faults.push(...feed.faultsAfter(to, lost))
      if (to <= span.from) continue
      isAnything = true
      const newest = await feed.newest(span.from, to)
      if (newest !== undefined) beyond.note(feed.name, newest)
    }
    if (!isAnything && atMs !== undefined) throw await nothingBy(feeds, atMs)
    this.notes.push(...beyond.notes(feeds))
    addConflictCopies(index, log)
  }
}

function entryOf(at: RelPath, fact: LiveFact): PastEntry {
  return {
    path: at,
    type: fact.type,
    size: fact.type === 'file' ? fact.size : 0,
    mtime: isoOf(fact.mtimeUs),
    mode: fact.type === 'symlink' ? null : fact.mode,
    target: fact.type === 'symlink' ? fact.target : null,
  }
}

function isoOf(mtimeUs: number): string {
  return new Date(Math.floor(mtimeUs / 1000)).toISOString()
}
