// `shoal restore`: a share as it was at a moment, from a vault or from members, into a folder of its own. Needs the secret
// and one place that has the data; no daemon, no configuration, no member it would be (docs/backup.md).
//
// R1. What is restored is what the feeds of all writers say by that moment, each feed verified as signed, merged by the
//     ordinary rules; content is verified piece by piece before it gets a name (P1).
// R2. A restore that ended anyhow is gone on with by the same command; what is there and right is not read again.
// R3. The folder was empty before, or it is refused; what is lacking in the end is listed, and the exit code says so.
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { ShoalError } from '../../core/error.js'
import type { RelPath } from '../../core/path.js'
import { pieceKeyOf } from '../../core/picker.js'
import { keysOf, type Secret } from '../../core/secret.js'
import { withAncestors } from '../../core/tree.js'
import type { FeedStore } from '../../feed/store.js'
import { FolderPool } from '../../folder/pool.js'
import { AccountCache } from '../../instance/account-cache.js'
import { type Log, silentLog } from '../../ports/log.js'
import { PassingDatabase } from '../../store/passing.js'
import type { Database } from '../../store/tables.js'
import type { PieceExchange } from '../share/piece-exchange.js'
import { metadataFor } from '../share-metadata.js'
import { KnownBeyond } from './beyond.js'
import { FolderFill, isPlaced, type PlacedVault } from './fill.js'
import type { FolderRestore, FolderRestoreOptions, Written } from './folder.js'
import type { SwarmWays } from './from-swarm.js'
import {
  FeedsTooLarge,
  feedsOfVault,
  notesOfVault,
  type RestorableVault,
  type TakeFeed,
  takeInMemory,
  takeInto,
} from './from-vault.js'
import { clockWentBack, nothingBy } from './moment.js'
import { openVault } from './open-vault.js'
import type { PastFeed } from './past-feed.js'
import { addConflictCopies, type RestoreKeys, spansAt, takeOver } from './past-share.js'
import { type PastIndex, PastTree } from './past-tree.js'
import {
  abandonPlace,
  checkApart,
  checkRoom,
  isNoRoom,
  leavePlace,
  noRoomIn,
  type RestorePlace,
  takePlace,
} from './place.js'
import type { LackingPath, RestoreProgress, RestoreReport } from './report.js'
import { VaultPieces } from './vault-pieces.js'

export type RestoreFrom =
  /** A vault's folder, or a vault that stays the caller's to close. */
  | { readonly type: 'vault'; readonly vault: string | RestorableVault }
  | { readonly type: 'swarm'; readonly ways: SwarmWays }

export interface RestoreOptions {
  readonly secret: Secret
  readonly from: RestoreFrom
  /** Made if it is not there; must be empty, or hold the same restore unfinished. */
  readonly to: string
  /** Milliseconds since 1970; undefined: the newest there is. */
  readonly atMs?: number | undefined
  /** What members may yet find in their folders is not waited for: the caller compares. Default: it is. */
  readonly mayBeOlder?: boolean
  /** Only these and what is below; all if absent or empty. */
  readonly paths?: readonly RelPath[] | undefined
  readonly signal: AbortSignal
  readonly onProgress?: (progress: RestoreProgress) => void
  readonly log?: Log
  /** As in a configuration; what is not told is what this process can carry. */
  readonly owners?: 'name' | 'number' | 'ignore' | undefined
  readonly acls?: boolean | undefined
  readonly xattrs?: readonly string[] | undefined
  readonly hardLinks?: boolean | undefined
  /** Milliseconds without anything moving after which a vault has given all it can. Default 10 s. */
  readonly stallMs?: number
  /** Feeds of more bytes than this are read by way of a database in the target. Default 8 MiB. */
  readonly heldFeedBytes?: number | undefined
  /** Whose threads do the work; the caller closes it. Default: one of its own. */
  readonly pool?: FolderPool
}

/** A vault has all it has at once; what does not move for so long does not move. */
const VAULT_STALL_MS = 10_000
const ALL_XATTRS = ['user.*']
/** Feeds of which an earlier try has left less. */
const LONGER = 'cores-longer'
/** Feeds of so many bytes are read in memory: of some 100,000 paths, which take 100 MB there. */
const HELD_FEED_BYTES = 8 << 20

/** Throws SECRET_GRADE, EXISTS, SHARE_UNUSABLE, NOT_FOUND, FEED_CORRUPT, DAEMON_UNREACHABLE, IO, and the signal's reason. */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const keys = restoreKeys(options.secret)
  if (options.from.type === 'vault' && typeof options.from.vault === 'string')
    checkApart(options.from.vault, options.to)
  const { to, atMs, paths = [] } = options
  const place = takePlace(to, { shareId: keys.shareId, atMs, paths })
  const run = new Restore(options, keys, place)
  let report: RestoreReport
  try {
    report = await run.run()
  } catch (error) {
    const thrown = isNoRoom(error) ? noRoomIn(place.dir) : error
    // A mistyped time, path or secret, or nobody to ask: the folder is free for the command put right.
    const isFruitless = thrown instanceof ShoalError && !place.isResumed && !run.hasWritten
    if (isFruitless) abandonPlace(place)
    else place.lock?.release()
    throw thrown
  }
  if (!report.complete) place.lock?.release()
  if (!report.complete || !leavePlace(place)) return report
  const aside = `what stood in the way is kept in ${path.join(place.dir, '.shoal', 'archive')}`
  return { ...report, notes: [...report.notes, aside] }
}

/** The keys of a secret that can read. SECRET_GRADE. */
export function restoreKeys(secret: Secret): RestoreKeys {
  const keys = keysOf(secret)
  const { read } = keys
  if (read === undefined)
    throw new ShoalError(
      'SECRET_GRADE',
      'a blind secret cannot read what it keeps: the read or write secret is needed',
    )
  return { ...keys, read }
}

class Restore {
  readonly #o: RestoreOptions
  readonly #keys: RestoreKeys
  readonly #place: RestorePlace
  readonly #log: Log
  readonly #closing: (() => unknown)[] = []
  #pool: FolderPool | undefined
  readonly #lacking: LackingPath[] = []
  readonly #notes: string[] = []
  /** Whether anything but what is ours may be in the folder. */
  hasWritten = false

  constructor(options: RestoreOptions, keys: RestoreKeys, place: RestorePlace) {
    this.#o = options
    this.#keys = keys
    this.#place = place
    this.#log = options.log ?? silentLog
  }

  async run(): Promise<RestoreReport> {
    try {
      return await this.#run()
    } finally {
      for (const close of this.#closing.reverse()) await close()
    }
  }

  async #run(): Promise<RestoreReport> {
    this.#pool = this.#o.pool ?? new FolderPool()
    if (this.#o.pool === undefined) this.#closing.push(() => this.#pool!.close())
    const { from } = this.#o
    if (from.type === 'swarm')
      return this.#fromSwarm(from.ways, await this.#folder(), await this.#store(this.#closing))
    return this.#fromVault(await this.#vault(from.vault))
  }

  get #common(): Pick<
    FolderRestoreOptions,
    'dir' | 'pool' | 'metadata' | 'hardLinks' | 'paths' | 'keys' | 'sparse' | 'log'
  > {
    const { paths = [], owners, acls, xattrs = ALL_XATTRS, hardLinks = true } = this.#o
    const accounts = new AccountCache(() => performance.now())
    const metadata = metadataFor(
      { ...(owners === undefined ? {} : { owners }), ...(acls === undefined ? {} : { acls }), xattrs },
      accounts,
    )
    return {
      ...{ dir: this.#place.dir, pool: this.#pool!, metadata, hardLinks, paths },
      ...{ keys: this.#keys, sparse: true, log: this.#log },
    }
  }

  async #folder(isResumed = this.#place.isResumed): Promise<FolderRestore> {
    checkRoom(this.#place)
    const { openIndex } = await import('../open-index.js')
    const { FolderRestore } = await import('./folder.js')
    const database = openIndex(path.join(this.#place.scratch, 'index'))
    this.#closing.push(() => database.close())
    return new FolderRestore({ ...this.#common, database, isResumed, nowMs: Date.now })
  }

  async #vault(given: string | RestorableVault): Promise<RestorableVault> {
    if (typeof given !== 'string') return given
    const vault = await openVault({ at: given, shareId: this.#keys.shareId, log: this.#log })
    this.#closing.push(() => vault.close())
    return vault
  }

  async #store(closing: (() => unknown)[], name = 'cores'): Promise<FeedStore> {
    const { FeedStore } = await import('../../feed/store.js')
    const { store } = await FeedStore.open(path.join(this.#place.scratch, name), { log: this.#log })
    closing.push(() => store.close())
    return store
  }

  async #take(closing: (() => unknown)[]): Promise<TakeFeed> {
    return takeInto(await this.#store(closing), () => {
      rmSync(path.join(this.#place.scratch, LONGER), { recursive: true, force: true })
      return this.#store(closing, LONGER)
    })
  }

  async #fromVault(vault: RestorableVault): Promise<RestoreReport> {
    const straight = this.#place.isEmpty && isPlaced(vault) ? await this.#straight(vault) : undefined
    return straight ?? this.#ordinary(vault)
  }

  /** Into a folder in which nothing is (fill.ts). Undefined: it did not go all the way. */
  async #straight(vault: RestorableVault & PlacedVault): Promise<RestoreReport | undefined> {
    try {
      return await this.#fill(
        vault,
        new PassingDatabase(),
        takeInMemory(this.#o.heldFeedBytes ?? HELD_FEED_BYTES),
      )
    } catch (thrown) {
      if (!(thrown instanceof FeedsTooLarge)) throw thrown
    }
    const place = path.join(this.#place.scratch, 'tree')
    // Of a try that ended anyhow: what it holds was never meant to outlive it.
    rmSync(place, { recursive: true, force: true })
    mkdirSync(place, { mode: 0o700 })
    const closing: (() => unknown)[] = []
    try {
      const { openLmdb } = await import('../../store/lmdb.js')
      const database = openLmdb(place, { isPassing: true })
      closing.push(() => database.close())
      // The ordinary way opens its own.
      return await this.#fill(vault, database, await this.#take(closing))
    } finally {
      for (const close of closing.reverse()) await close()
    }
  }

  async #fill(
    vault: RestorableVault & PlacedVault,
    database: Database,
    take: TakeFeed,
  ): Promise<RestoreReport | undefined> {
    const tree = new PastTree(database)
    this.#startOver()
    this.#pool!.warm()
    const writers = await this.#read(tree, await this.#feeds(vault, tree, take))
    const { signal, onProgress = () => undefined } = this.#o
    const fill = new FolderFill({ ...this.#common, tree, vault, signal, onProgress })
    this.hasWritten = true
    const written = await fill.run()
    return written === undefined ? undefined : this.#report(writers, written)
  }

  #feeds(vault: RestorableVault, index: PastIndex, take: TakeFeed): Promise<PastFeed[]> {
    this.#notes.push(...notesOfVault(vault))
    return feedsOfVault(vault, {
      ...{ index, take },
      keys: this.#keys,
      onDamaged: (name, detail) => this.#lack('', 'FEED_CORRUPT', `what ${name} wrote: ${detail}`),
    })
  }

  /** What was noted of the feeds is found again. */
  #startOver(): void {
    this.#lacking.length = 0
    this.#notes.length = 0
  }

  /** Beside whatever is there, right or wrong. */
  async #ordinary(vault: RestorableVault): Promise<RestoreReport> {
    this.#startOver()
    const folder = await this.#folder(this.#place.isResumed || this.hasWritten)
    const { index } = folder
    const writers = await this.#read(index, await this.#feeds(vault, index, await this.#take(this.#closing)))
    let failure: unknown
    const lost = new Set<string>()
    const pieces = new VaultPieces(
      vault,
      (piece) => lost.add(pieceKeyOf(piece)),
      (thrown) => {
        failure ??= thrown
      },
    )
    this.#closing.push(() => pieces.stop())
    const written = await this.#write(folder, pieces, {
      fetchedBytes: () => pieces.bytes,
      stallMs: this.#o.stallMs ?? VAULT_STALL_MS,
      isLost: (piece) => !vault.has(piece.id) || lost.has(pieceKeyOf(piece)),
      failure: () => failure,
    })
    return this.#report(writers, written)
  }

  async #fromSwarm(ways: SwarmWays, folder: FolderRestore, store: FeedStore): Promise<RestoreReport> {
    const { index } = folder
    const { signal, onProgress } = this.#o
    const { SwarmSource } = await import('./from-swarm.js')
    const source = new SwarmSource({ ways, keys: this.#keys, index, store, log: this.#log })
    this.#closing.push(() => source.stop())
    const isNewest = this.#o.atMs === undefined && this.#o.mayBeOlder !== true
    const feeds = await source.gather(signal, isNewest, (members, givesUpInMs) =>
      onProgress?.({ stage: 'meeting', done: members, total: undefined, files: 0, ofFiles: 0, givesUpInMs }),
    )
    this.#notes.push(...source.missing())
    for (const name of isNewest ? source.looking : [])
      this.#lack(
        '',
        'NOT_LOOKED',
        `${name} has not looked through its folder since it started: there may be more than it says`,
      )
    const writers = await this.#read(index, feeds)
    source.grow()
    const written = await this.#write(folder, source.exchange, {
      fetchedBytes: () => source.exchange.stats().downloadedBytes,
      stallMs: ways.timeoutMs,
      isLost: () => false,
      failure: () => source.failure,
    })
    return this.#report(writers, written)
  }

  /** Takes the feeds over as of the moment. */
  async #read(index: PastIndex, feeds: readonly PastFeed[]): Promise<RestoreReport['writers']> {
    const { signal, atMs, onProgress, paths = [] } = this.#o
    const spans = await spansAt(feeds, atMs)
    const beyond = new KnownBeyond()
    let records = 0
    let total = 0
    for (const { from, to } of spans.values()) total += to - from
    const writers: RestoreReport['writers'][number][] = []
    for (const [feed, span] of spans) {
      const { to, ended, lost } = await takeOver(index, feed, span, {
        keys: this.#keys,
        ...{ atMs, signal },
        onRefused: (at, detail) => this.#lack(at, 'BAD_ENTRY', detail),
        onRecord: () => onProgress?.({ stage: 'reading', done: ++records, total, files: 0, ofFiles: 0 }),
      })
      if (ended?.by === 'bad-record')
        this.#lack('', 'FEED_CORRUPT', `what ${feed.name} wrote since: ${ended.detail}`)
      if (ended?.by === 'later-time') this.#notes.push(clockWentBack(feed.name, ended.atMs))
      for (const detail of feed.faultsAfter(to, lost)) this.#lack('', 'FEED_CORRUPT', detail)
      if (to <= span.from) continue
      const newest = await feed.newest(span.from, to)
      if (newest !== undefined) beyond.note(feed.name, newest)
      writers.push({
        name: feed.name,
        records: lost.reduce((count, [first, end]) => count - (end - first), to - span.from),
        newest: newest === undefined ? null : new Date(newest.timeMs).toISOString(),
      })
    }
    addConflictCopies(index, this.#log)
    this.#notes.push(...beyond.notes(feeds))
    if (writers.length === 0 && atMs !== undefined) throw await nothingBy(feeds, atMs)
    if (writers.length === 0)
      throw new ShoalError(
        'NOT_FOUND',
        'no record of this share is there: nothing was ever written to it, or a part of what is read from is missing',
      )
    for (const at of paths) this.#mustBeThere(index, at)
    return writers
  }

  #mustBeThere(index: PastIndex, at: RelPath): void {
    for (const above of withAncestors(at)) {
      const { fact } = index.effective(above)
      const isThere = above === at ? fact.type !== 'absent' : fact.type === 'directory'
      const be = this.#o.atMs === undefined ? 'is' : 'was'
      if (!isThere) throw new ShoalError('NOT_FOUND', `${at} ${be} not in the share`)
    }
  }

  #write(
    folder: FolderRestore,
    exchange: PieceExchange,
    how: Pick<Parameters<FolderRestore['write']>[0], 'fetchedBytes' | 'stallMs' | 'isLost' | 'failure'>,
  ): Promise<Written> {
    const { signal, onProgress = () => undefined } = this.#o
    this.hasWritten = true
    return folder.write({ ...how, exchange, signal, onProgress })
  }

  #lack(at: string, code: string, detail: string): void {
    this.#lacking.push({ path: at, code, detail })
  }

  #report(writers: RestoreReport['writers'], written: Written): RestoreReport {
    const { atMs } = this.#o
    const lackingCount = written.lackingCount + this.#lacking.length
    return {
      dir: this.#place.dir,
      at: atMs === undefined ? null : new Date(atMs).toISOString(),
      writers,
      files: written.files,
      bytes: written.bytes,
      complete: lackingCount === 0,
      lacking: [...this.#lacking, ...written.lacking],
      lackingCount,
      notes: this.#notes,
    }
  }
}
