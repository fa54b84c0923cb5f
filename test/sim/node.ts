// One simulated device: a disk, a database that survives crashes, and the agent's work as generators that stop at every
// point where a crash or another device's doing may come between. It runs the real index, judgement, settling and plan.

import { invariant } from '../../src/core/error.js'
import { blake3 } from '../../src/core/hash.js'
import type { DeviceId, WriterId } from '../../src/core/ids.js'
import { writerIdOf } from '../../src/core/ids.js'
import type { Intent } from '../../src/core/local.js'
import type { RelPath } from '../../src/core/path.js'
import type { PieceInfo } from '../../src/core/piece.js'
import { decodeRecord, encodeRecord, type FeedRecord } from '../../src/core/record.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { type HeldRow, ShareIndex } from '../../src/store/share-index.js'
import { applyOnce } from './apply.js'
import type { Content } from './contents.js'
import { type Ledger, SimDisk } from './disk.js'
import { Guard } from './guard.js'
import { checkpointOnce, settleOnce } from './publish.js'
import type { Random } from './random.js'
import type { Rules } from './rules.js'
import { scanOnce } from './scan.js'
import type { Wardrobe } from './wardrobe.js'

/** A piece of work that stops wherever something may come between. */
export type Work = Generator<void, void, void>
export type WorkName = 'scan' | 'settle' | 'apply' | 'checkpoint'

/** What a disk is known to hold at a path of an entry that is taken over. */
export type OnDisk = (path: RelPath) => HeldRow | undefined

/** A writer's feed: what is durable is what the others can get; the rest is gone after a crash (F5). */
export interface SimFeed {
  readonly key: Buffer
  readonly writer: WriterId
  readonly durable: FeedRecord[]
  /** When each record was made, in true time. */
  readonly timesUs: number[]
  /** Encoded blocks, in histories that go through the real format. */
  readonly blocks: Buffer[]
}

export interface NodeOptions {
  readonly name: string
  readonly isWriter: boolean
  readonly archives: boolean
  readonly overwritesDrift: boolean
  readonly encodes: boolean
  readonly skewUs: number
  readonly rules: Rules
  readonly wardrobe: Wardrobe
}

/** What a node needs of the world around it. */
export interface Surroundings {
  readonly random: Random
  /** Whether only one device's user does anything. */
  readonly isSolo: boolean
  /** Whether most of what users do is to rename. */
  readonly isMoving: boolean
  nowUs(): number
  feeds(): readonly SimFeed[]
  labelOf(writer: WriterId): string
  /** Whether some node in reach can serve a chunk now. */
  canFetch(node: SimNode, piece: PieceInfo): boolean
  violation(node: SimNode, what: string): void
  log(node: SimNode, what: () => string): void
}

/** The daemon looks for a checkpoint from 8 records on; here, histories are short. */
const FAR_BEHIND = 3
const WORKS: Readonly<Record<WorkName, (node: SimNode) => Work>> = {
  scan: scanOnce,
  settle: settleOnce,
  apply: applyOnce,
  checkpoint: checkpointOnce,
}
const ENTRY_KEY = blake3(Buffer.from('simulated entry key'))

export class SimNode {
  readonly options: NodeOptions
  readonly world: Surroundings
  readonly disk: SimDisk
  readonly feed: SimFeed | undefined
  database: MemoryDatabase = new MemoryDatabase()
  index: ShareIndex
  guard: Guard = new Guard()
  isUp = false
  /** Whether the next scan must be of everything: after a start, or when an apply met something unexpected. */
  fullScanDue = true
  isPublishing = false
  /** No whole look at the disk has ended since the start. */
  isNew = true
  /** Whether an apply takes all it can: at the end of a history, so that it ends. */
  isThorough = false
  /** Paths whose change is judged and not yet taken over: an apply must not change them, or the two would be confused. */
  readonly inFlight: Set<RelPath> = new Set()
  recovered: Map<RelPath, Intent[]> = new Map()
  /** Entries published, records taken over, paths applied: what tells that a node is not quiet. */
  progress = 0
  /** It lost its index once: what it then announces again is no invention. */
  isAmnesiac = false
  crashes = 0
  readonly #works = new Map<WorkName, Work>()

  constructor(options: NodeOptions, world: Surroundings, ledger: Ledger, number: number) {
    this.options = options
    this.world = world
    this.disk = new SimDisk(() => this.nowUs(), ledger)
    const key = blake3(Buffer.from(`feed of ${options.name} ${number}`))
    this.feed = options.isWriter
      ? { key, writer: writerIdOf(key), durable: [], timesUs: [], blocks: [] }
      : undefined
    this.index = this.#open()
  }

  get rules(): Rules {
    return this.options.rules
  }

  /** This device's clock, which may be wrong. */
  nowUs(): number {
    return this.world.nowUs() + this.options.skewUs
  }

  readonly labelOf = (writer: WriterId): string => this.world.labelOf(writer)

  start(): void {
    this.index = this.#open()
    this.guard = new Guard()
    this.isUp = true
    this.fullScanDue = true
    this.isPublishing = false
    this.isNew = true
    this.inFlight.clear()
    if (this.feed !== undefined) this.#takeOverTail(this.feed)
    this.recovered = this.index.recovery.intents()
  }

  /** The process is gone between two steps: disk and database stay as they are. */
  crash(): void {
    this.#works.clear()
    this.isUp = false
    this.crashes++
  }

  /** The database is gone, too: it is a projection, so nothing may be lost with it. */
  forget(): void {
    this.crash()
    this.database = new MemoryDatabase()
    this.isAmnesiac = true
  }

  isBusy(work: WorkName): boolean {
    return this.#works.has(work)
  }

  /** Takes one step of a piece of work, beginning it if need be. */
  step(name: WorkName): void {
    let work = this.#works.get(name)
    if (work === undefined) {
      work = WORKS[name](this)
      this.#works.set(name, work)
    }
    if (work.next().done) this.#works.delete(name)
  }

  /** Finishes what is under way. */
  drain(): void {
    for (const name of ['checkpoint', 'apply', 'settle', 'scan'] as const) this.finish(name)
  }

  /** Runs a piece of work to its end, beginning it if need be; the others go on in between if it waits for them. */
  finish(name: WorkName): void {
    if (this.#works.has(name)) this.#runOut(name)
  }

  whole(name: WorkName): void {
    this.finish(name)
    this.step(name)
    this.finish(name)
  }

  #runOut(name: WorkName): void {
    for (let i = 0; this.#works.has(name); i++) {
      invariant(i < 10_000, 'simulated work ends')
      this.step(name)
      // It may wait for another one to have published.
      if (i % 50 === 49) for (const other of this.#works.keys()) if (other !== name) this.step(other)
    }
  }

  /** Takes over the next record of a feed that is so long where it can be had, or who is far behind, its newest checkpoint. */
  receive(feed: SimFeed, length: number = feed.durable.length): boolean {
    const known = this.index.feeds.byWriter(feed.writer)!
    if (known.next >= length || feed === this.feed) return false
    const isFar = length - known.next >= FAR_BEHIND
    const newest = isFar ? (feed.durable[length - 1]!.header.checkpoint ?? 0) : 0
    const next = Math.max(known.next, newest)
    this.world.log(this, () => `takes over record ${next} of ${this.labelOf(feed.writer)}`)
    this.ingest(feed, this.decoded(feed, next), next + 1)
    this.progress++
    return true
  }

  /** Takes over a record of any feed in a transaction of its own. */
  ingest(feed: SimFeed, record: FeedRecord, next: number, onDisk?: OnDisk): void {
    this.index.transaction(() => this.#ingest(feed, record, next, onDisk))
  }

  #ingest(feed: SimFeed, record: FeedRecord, next: number, onDisk?: OnDisk): void {
    const entries = record.entries.flatMap(
      (entry) => this.rules.ingested(entry, this.index.heads(entry.path)) ?? [],
    )
    const row = this.index.feeds.byWriter(feed.writer)!
    const refusals = this.index.ingest(row, { ...record, entries }, next, onDisk)
    for (const { path, detail } of refusals) this.world.violation(this, `refused ${path}: ${detail}`)
  }

  encoded(feed: SimFeed, record: FeedRecord): Buffer {
    const index = feed.durable.length
    const nonce = Buffer.alloc(24)
    nonce.writeUInt32LE(index)
    return encodeRecord(record, { entryKey: ENTRY_KEY, feedKey: feed.key, index, nonce })
  }

  decoded(feed: SimFeed, index: number): FeedRecord {
    const block = feed.blocks[index]
    if (block === undefined) return feed.durable[index]!
    const decoded = decodeRecord(block, {
      entryKey: ENTRY_KEY,
      feedKey: feed.key,
      index,
      author: feed.writer,
    })
    invariant(decoded.type === 'ok', 'a simulated record decodes')
    return decoded.value
  }

  /** Whether the disk holds a chunk, where the index says, untouched (P2, P3). */
  holds(piece: PieceInfo): boolean {
    const place = this.index.placeOf(piece)
    if (place === undefined) return false
    const inode = this.disk.tree.get(place.path)
    return (
      inode?.type === 'file' &&
      inode.stat.ctimeMs === place.stat?.ctimeMs &&
      inode.content!.pieces.some(({ id }) => id.equals(piece.id))
    )
  }

  /** As the archive's keeper does it. */
  prune(): void {
    this.disk.archive.clear()
    this.index.transaction(() => this.index.forgetArchived(() => false))
  }

  /** Whether the archive holds a chunk where the index says. */
  holdsArchived(id: Buffer): boolean {
    const place = this.index.archivedPlaceOf(id)
    const inode = place === undefined ? undefined : this.disk.archive.get(place.path)
    return inode?.content?.pieces.some((piece) => piece.id.equals(id)) ?? false
  }

  #takeOverTail(feed: SimFeed): void {
    const { next } = this.index.feeds.byWriter(feed.writer)!
    for (let i = next; i < feed.durable.length; i++) {
      this.world.log(this, () => `takes over record ${i} of its own tail`)
      const record = this.decoded(feed, i)
      this.index.transaction(() => {
        this.#ingest(feed, record, i + 1)
        if (this.rules.recoversTail) this.index.recovery.noteOwnTail(i + 1, record.entries)
      })
    }
  }

  #open(): ShareIndex {
    const index = new ShareIndex(this.database, '', {
      overwriteDrift: this.options.overwritesDrift,
      isIgnored: () => false,
    })
    index.transaction(() => {
      for (const feed of this.world.feeds()) {
        const { key, writer } = feed
        const row = {
          writer,
          key,
          device: 'simulated' as DeviceId,
          deviceName: this.world.labelOf(writer),
          epoch: 0,
          certificate: key,
        }
        index.feeds.add(row, feed === this.feed ? feed.durable.length : 0)
      }
    })
    return index
  }
}

export function tokenOf(path: RelPath, content: Content): string {
  return `${path}\0${content.key}`
}
