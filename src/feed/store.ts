// One RocksDB with all feeds of this device, own and remote, behind one lock. Layout of `directory`, mode 0700:
//   cores/          hypercore-storage: db/ (RocksDB) and CORESTORE, the guard that knows its own inode
//   moved           there while the storage may hold own feeds that are behind what this device once announced
//   forks/<writer>  a feed that has forked, and why
//
// S1. Storage that was copied, restored, moved between machines, repaired with loss, or whose disk failed a sync is
//     reported as moved, at every open until settleMove(): its own feeds must take a new epoch (F4), and are opened as
//     remote feeds from then on.
// S2. What an earlier process left unsynced in the write-ahead logs is synced before it is read back, so that nothing
//     is announced after a restart that a power cut could still take (F5).
// S3. Own secret keys are never stored; they come with openOwn.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import Hypercore, { type Core, type KeyPair, type Manifest } from 'hypercore'
import CoreStorage from 'hypercore-storage'
import { ShoalError } from '../core/error.js'
import { type WriterId, writerIdOf } from '../core/ids.js'
import { shortageWords } from '../core/shortage.js'
import type { Log } from '../ports/log.js'
import { discoveryKeyOf } from './discovery.js'
import type { Feed, FeedSetup, ForkReason } from './feed.js'
import {
  exists,
  makeDirectory,
  readIfThere,
  removeDurably,
  syncDirectory,
  syncFileData,
  syncLeftoverLogs,
  writeDurably,
} from './files.js'
import { feedKeyOf, manifestOf } from './key.js'
import { OwnFeed } from './own.js'
import {
  type Adoption,
  adoptInto,
  type Extension,
  extendCore,
  manifestOfHead,
  type PortableHead,
} from './portable.js'
import { holdBackConflictLine } from './quiet.js'
import { RemoteFeed } from './remote.js'
import { WriteAheadLog } from './wal.js'

/** Bytes of writes RocksDB collects in memory; its logs are preallocated at about this size. */
const WRITE_BUFFER_BYTES = 4 * 1024 * 1024

export interface FeedStoreOptions {
  readonly log: Log
  /** Bytes; 4 MiB unless told. */
  readonly writeBufferBytes?: number
  /** fdatasync of one file, for tests that watch, delay or break it. */
  readonly syncFile?: (path: string) => Promise<void>
}

export interface OpenedFeedStore {
  readonly store: FeedStore
  /** The own feeds in here may be behind what was announced (S1): take a new epoch, then call settleMove(). */
  readonly moved: boolean
  /** There was no store here before. With a master seed that is older than that, the same care is due as for `moved`. */
  readonly created: boolean
}

interface StoreParts {
  readonly directory: string
  readonly storage: CoreStorage
  readonly log: Log
  readonly syncFile: (path: string) => Promise<void>
}

export class FeedStore {
  readonly #parts: StoreParts
  readonly #wal: WriteAheadLog
  readonly #open = new Map<string, Feed>()
  readonly #opening = new Map<string, Promise<unknown>>()
  readonly #release: () => void = holdBackConflictLine()
  readonly #marking = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  private constructor(parts: StoreParts) {
    this.#parts = parts
    this.#wal = new WriteAheadLog({
      directory: databaseOf(parts.directory),
      currentFile: async () => (await parts.storage.rocks.currentWalFile()).path,
      syncFile: parts.syncFile,
      onFailure: (err) => {
        parts.log.error({ err }, 'feed store cannot be made durable')
        // The next run could read back what the disk never took, and no sync would notice.
        this.#mark(markMoved(parts.directory, 'sync-failed'))
      },
    })
  }

  /**
   * Opens or creates the store. Throws STORAGE_LOCKED if another process has it, STORAGE_UNUSABLE if it cannot be
   * read or written.
   */
  static async open(directory: string, options: FeedStoreOptions): Promise<OpenedFeedStore> {
    const syncFile = options.syncFile ?? syncFileData
    try {
      const created = !(await exists(databaseOf(directory)))
      await makeDirectory(coresOf(directory))
      await syncLeftoverLogs(databaseOf(directory))
      if (!created) await noticeMove(directory)
      const storage = await openStorage(directory, options.writeBufferBytes ?? WRITE_BUFFER_BYTES)
      await syncFileData(guardOf(directory))
      for (const made of [coresOf(directory), databaseOf(directory), directory]) await syncDirectory(made)
      const moved = await exists(movedMarkerOf(directory))
      if (moved) options.log.warn({}, 'feed store was moved, restored or damaged')
      const store = new FeedStore({ directory, storage, log: options.log, syncFile })
      return { store, moved, created }
    } catch (thrown) {
      throw openFailure(thrown)
    }
  }

  /** Records that every own feed in here has been replaced by one of a new epoch; the next open reports no move. */
  async settleMove(): Promise<void> {
    await removeDurably(movedMarkerOf(this.#parts.directory))
  }

  /** Opens the feed that `keyPair` signs. It may be `forked` already; then it takes no appends and reaches no peer. */
  openOwn(options: { readonly keyPair: KeyPair; readonly blockKey: Buffer }): Promise<OwnFeed> {
    const { keyPair, blockKey } = options
    const key = feedKeyOf(keyPair.publicKey)
    const { storage } = this.#parts
    const sync = (): Promise<void> => this.#wal.sync()
    return this.#register(key, async () => {
      const manifest = manifestOf(keyPair.publicKey)
      const setup = await this.#setup({ key, blockKey, manifest, keyPair })
      return new OwnFeed({ ...setup, storage, keyPair, sync })
    })
  }

  /** Opens another writer's feed, or an own one of an epoch that has ended. */
  openRemote(options: { readonly feedKey: Buffer; readonly blockKey: Buffer }): Promise<RemoteFeed> {
    const { feedKey, blockKey } = options
    return this.#register(feedKey, async () => {
      const setup = await this.#setup({ key: feedKey, blockKey })
      // Said of a feed while it was our own: that peers have more of it is what a remote feed expects.
      const forked = setup.forked === 'longer' ? undefined : setup.forked
      return new RemoteFeed({ ...setup, forked })
    })
  }

  /**
   * Takes over a feed that somebody has exported, its writer's signature verified, with no peer; durable when it resolves.
   * It can be opened afterwards. False: there is one already, which stays as it is, even if it is shorter. Throws
   * FEED_CORRUPT unless blocks and head are what the writer of `feedKey` signed.
   */
  async adopt(adoption: Adoption): Promise<boolean> {
    const taken = await this.#take(adoption, async (core) =>
      (await adoptInto(core, adoption)) ? adoption.head : undefined,
    )
    return taken !== undefined
  }

  /**
   * Takes over what somebody has exported of a feed beyond what is here of it, its writer's signature over both verified,
   * with no peer; durable when it resolves. From which block on it is whole then; undefined: nothing is missing. Throws
   * FEED_CORRUPT unless its writer signed it as the continuation of what is here, which then stays as it is.
   */
  extend(extension: Extension): Promise<number | undefined> {
    return this.#take(extension, (core) => extendCore(core, extension))
  }

  /** Closes all feeds and the database. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #register<F extends Feed>(key: Buffer, open: () => Promise<F>): Promise<F> {
    const id = key.toString('hex')
    if (this.#closing !== undefined)
      throw new ShoalError('IO', 'cannot open a feed: the feed store is closed')
    const writer = writerIdOf(key)
    // Two cores over the same rows would sign or store over each other.
    if (this.#opening.has(id) || this.#open.has(id))
      throw new ShoalError('INTERNAL', `broken invariant: feed ${writer} is opened once`)
    const opening = open()
    this.#opening.set(id, opening)
    try {
      const feed = await opening
      this.#open.set(id, feed)
      return feed
    } catch (thrown) {
      throw new ShoalError('FEED_CORRUPT', `cannot open feed ${writer}`, { cause: thrown })
    } finally {
      this.#opening.delete(id)
    }
  }

  /** Undefined: `body` has changed nothing. */
  async #take<T>(
    { feedKey, head }: { readonly feedKey: Buffer; readonly head: PortableHead },
    body: (core: Core) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const id = feedKey.toString('hex')
    if (this.#closing !== undefined)
      throw new ShoalError('IO', 'cannot take over a feed: the feed store is closed')
    if (this.#opening.has(id) || this.#open.has(id))
      throw new ShoalError('INTERNAL', `broken invariant: feed ${writerIdOf(feedKey)} is opened once`)
    // Checked first: Hypercore keeps whatever manifest it is given.
    const manifest = manifestOfHead(head, feedKey)
    const taking = this.#takeInto(feedKey, manifest, body)
    this.#opening.set(id, taking)
    try {
      return await taking
    } finally {
      this.#opening.delete(id)
    }
  }

  async #takeInto<T>(
    feedKey: Buffer,
    manifest: Manifest,
    body: (core: Core) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const core = Hypercore.createCore(this.#parts.storage, {
      key: feedKey,
      discoveryKey: discoveryKeyOf(feedKey),
      manifest,
      compat: false,
      eagerUpgrade: true,
    })
    try {
      await core.ready()
      const taken = await body(core)
      if (taken !== undefined) await this.#wal.sync()
      return taken
    } finally {
      await core.close()
    }
  }

  async #setup(options: {
    readonly key: Buffer
    readonly blockKey: Buffer
    readonly manifest?: Manifest
    readonly keyPair?: KeyPair
  }): Promise<FeedSetup> {
    const { key, blockKey, manifest, keyPair } = options
    const { directory, storage, log } = this.#parts
    const writer = writerIdOf(key)
    const forked = await readFork(directory, writer)
    const core = Hypercore.createCore(storage, {
      key,
      discoveryKey: discoveryKeyOf(key),
      // Not the key pair: Hypercore would store it in clear.
      ...(manifest === undefined ? {} : { manifest }),
      compat: false,
      eagerUpgrade: true,
    })
    const encryption = { key: blockKey, block: false }
    const session = new Hypercore(null, null, { core, encryption, keyPair: keyPair ?? null })
    try {
      await session.ready()
    } catch (thrown) {
      await core.close().catch(() => {})
      throw thrown
    }
    return {
      session,
      log,
      forked,
      onForked: (id, reason) => this.#mark(writeFork(directory, id, reason)),
      onClosed: () => this.#open.delete(key.toString('hex')),
    }
  }

  #mark(writing: Promise<void>): void {
    const done = writing
      .catch((err) => this.#parts.log.error({ err }, 'cannot record the state of a feed'))
      .finally(() => this.#marking.delete(done))
    this.#marking.add(done)
  }

  async #close(): Promise<void> {
    try {
      this.#wal.stop()
      await Promise.allSettled(this.#opening.values())
      await Promise.all([...this.#open.values()].map((feed) => feed.close()))
      await Promise.all(this.#marking)
      await this.#parts.storage.close()
    } finally {
      this.#release()
    }
  }
}

function coresOf(directory: string): string {
  return join(directory, 'cores')
}

function databaseOf(directory: string): string {
  return join(directory, 'cores', 'db')
}

function guardOf(directory: string): string {
  return join(directory, 'cores', 'CORESTORE')
}

function movedMarkerOf(directory: string): string {
  return join(directory, 'moved')
}

async function markMoved(directory: string, reason: string): Promise<void> {
  await writeDurably(movedMarkerOf(directory), `${JSON.stringify({ reason })}\n`)
}

/** Signs of a move that show before opening: no guard over an existing database, or a repair that lost the logs. */
async function noticeMove(directory: string): Promise<void> {
  if (!(await exists(guardOf(directory)))) await markMoved(directory, 'guard-missing')
  if (await exists(join(databaseOf(directory), 'RECOVERING'))) await markMoved(directory, 'repaired')
}

async function openStorage(directory: string, writeBufferBytes: number): Promise<CoreStorage> {
  try {
    return await tryOpenStorage(directory, writeBufferBytes)
  } catch (thrown) {
    const repaired = await exists(join(databaseOf(directory), 'RECOVERING'))
    if (!repaired && !isMoved(thrown)) throw thrown
    await markMoved(directory, repaired ? 'repaired' : 'moved')
    // The marker remembers the move now; a new guard watches over the place where the storage is.
    if (isMoved(thrown)) await rm(guardOf(directory), { force: true })
    return tryOpenStorage(directory, writeBufferBytes)
  }
}

async function tryOpenStorage(directory: string, writeBufferBytes: number): Promise<CoreStorage> {
  const storage = new CoreStorage(coresOf(directory), { writeBufferSize: writeBufferBytes })
  await storage.ready()
  return storage
}

function isMoved(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'DEVICE_FILE'
}

function openFailure(thrown: unknown): ShoalError {
  if (thrown instanceof ShoalError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  // fd-lock gives this no code.
  if (/could not be locked|lock hold by current process|Resource temporarily unavailable/.test(message))
    return new ShoalError('STORAGE_LOCKED', 'cannot open the feed store: another process has it', {
      cause: thrown,
    })
  // RocksDB's words for EMFILE.
  if (/Too many open files/i.test(message))
    return new ShoalError('IO', `cannot open the feed store: ${message}: ${shortageWords('EMFILE')}`, {
      cause: thrown,
    })
  return new ShoalError('STORAGE_UNUSABLE', `cannot open the feed store: ${message}`, { cause: thrown })
}

function forkMarkerOf(directory: string, writer: WriterId): string {
  return join(directory, 'forks', writer)
}

async function writeFork(directory: string, writer: WriterId, reason: ForkReason): Promise<void> {
  await makeDirectory(join(directory, 'forks'))
  await writeDurably(forkMarkerOf(directory, writer), `${JSON.stringify({ reason })}\n`)
}

async function readFork(directory: string, writer: WriterId): Promise<ForkReason | undefined> {
  const text = await readIfThere(forkMarkerOf(directory, writer))
  if (text === undefined) return undefined
  if (text.includes('longer')) return 'longer'
  // Anything unreadable counts as the worst.
  return text.includes('truncated') ? 'truncated' : 'conflict'
}
