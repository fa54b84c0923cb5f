// A disk and feeds in memory for tests of the parts of one share: the real index, publisher and guard around a folder
// pool that a test controls. Nothing here waits or touches a file.

import { EventEmitter } from 'node:events'
import { NO_EXTRA } from '../../../src/core/entry.js'
import type { Fact } from '../../../src/core/fact.js'
import { deviceIdFromKey, type WriterId, writerIdOf } from '../../../src/core/ids.js'
import type { Metadata } from '../../../src/core/metadata.js'
import { nameOf, parentOf, type RelPath } from '../../../src/core/path.js'
import { encodeRecord, type FeedRecord } from '../../../src/core/record.js'
import { type DiskStat, packStat, STAT_FIELDS } from '../../../src/core/stat.js'
import type { ShareContext } from '../../../src/daemon/share/context.js'
import { DiskGuard } from '../../../src/daemon/share/disk-guard.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { type Publication, Publisher } from '../../../src/daemon/share/publisher.js'
import type { HashJob, HashResult } from '../../../src/folder/hash.js'
import type { ScanFault, ScannedDirectory } from '../../../src/folder/scan.js'
import { silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { ShareIndex } from '../../../src/store/share-index.js'
import { contentOf } from '../../sim/contents.js'
import { metadataOf } from '../../support/metadata.js'

export const ENTRY_KEY: Buffer = Buffer.alloc(32, 2)
export const KEYS: readonly Buffer[] = [1, 2].map((n) => Buffer.alloc(32, n))
/** The own writer and another one. */
export const ME: WriterId = writerIdOf(KEYS[0]!)
export const OTHER: WriterId = writerIdOf(KEYS[1]!)
/** Long before now, so that no file counts as fresh (A8). */
const LONG_AGO_MS = 1_600_000_000_000

export function at(text: string): RelPath {
  return text as RelPath
}

/** A feed in memory. */
export class Blocks extends EventEmitter {
  readonly key: Buffer
  readonly blocks: Buffer[] = []
  /** Awaited before an append is durable. */
  beforeAppend: () => Promise<void> | void = () => undefined

  constructor(key: Buffer) {
    super()
    this.key = key
  }

  get length(): number {
    return this.blocks.length
  }

  async append(blocks: readonly Buffer[]): Promise<number> {
    await this.beforeAppend()
    this.blocks.push(...blocks)
    return this.blocks.length
  }

  add(record: FeedRecord): void {
    const place = { entryKey: ENTRY_KEY, feedKey: this.key, index: this.length, nonce: Buffer.alloc(24, 4) }
    this.blocks.push(encodeRecord(record, place))
    this.emit('length')
  }

  async *read(from: number, to: number): AsyncGenerator<{ index: number; block: Buffer }> {
    for (let index = from; index < to; index++) yield { index, block: this.blocks[index]! }
  }
}

export function newIndex(): ShareIndex {
  const database = new MemoryDatabase()
  const index = new ShareIndex(database, 's:', { overwriteDrift: false, isIgnored: () => false })
  for (const [n, key] of KEYS.entries()) {
    index.feeds.add({
      writer: writerIdOf(key),
      key,
      device: deviceIdFromKey(Buffer.alloc(32, 10 + n)),
      deviceName: `box ${n}`,
      epoch: 0,
      certificate: Buffer.alloc(0),
    })
  }
  return index
}

/** A fact of a file made of these chunks. */
export function fileFact(
  chunks: readonly number[],
  mtimeUs: number = LONG_AGO_MS * 1000,
): Fact & { type: 'file' } {
  const { size, id } = contentOf(chunks)
  return { type: 'file', mode: 0o644, mtimeUs, size, content: id, extra: NO_EXTRA }
}

interface Node {
  readonly type: DiskStat['type']
  readonly stat: DiskStat
  readonly chunks: readonly number[]
}

/** The disk that a test makes, and a pool that reads it. */
export class FakeDisk {
  readonly nodes: Map<string, Node> = new Map()
  readonly faults: Map<string, ScanFault[]> = new Map()
  /** Answers given instead of a file's content. */
  readonly refuse: Map<string, 'busy' | 'changed'> = new Map()
  /** Paths whose absence cannot be confirmed. */
  readonly unsure: Set<string> = new Set()
  readonly hashed: HashJob[] = []
  beforeHash: () => Promise<void> | void = () => undefined
  beforeScan: () => Promise<void> | void = () => undefined
  #ino = 1

  file(path: string, chunks: readonly number[], over: Partial<DiskStat> = {}): void {
    this.#put(path, 'file', chunks, { size: contentOf(chunks).size, ...over })
  }

  directory(path: string, over: Partial<DiskStat> = {}): void {
    this.#put(path, 'directory', [], { mode: 0o755, ...over })
  }

  remove(path: string): void {
    for (const name of [...this.nodes.keys()])
      if (name === path || name.startsWith(`${path}/`)) this.nodes.delete(name)
  }

  /** As rename(2) does to a free name. */
  move(from: string, to: string): void {
    const { type, stat, chunks } = this.nodes.get(from)!
    this.nodes.delete(from)
    this.#put(to, type, chunks, { ...stat, ctimeMs: LONG_AGO_MS + this.#ino })
  }

  stat(path: string): DiskStat {
    return this.nodes.get(path)!.stat
  }

  #put(path: string, type: DiskStat['type'], chunks: readonly number[], over: Partial<DiskStat>): void {
    const times = { mtimeMs: LONG_AGO_MS, ctimeMs: LONG_AGO_MS + this.#ino }
    const stat = {
      type,
      mode: 0o644,
      size: 0,
      ...times,
      ino: this.#ino++,
      dev: 1,
      nlink: 1,
      uid: 0,
      gid: 0,
      ...over,
    }
    this.nodes.set(path, { type, stat, chunks })
  }

  async scan(_root: string, directories: readonly string[]): Promise<ScannedDirectory[]> {
    const found = directories.map((path): ScannedDirectory => {
      const self = this.nodes.get(path)
      const names: string[] = []
      const empty = { path: path as RelPath, names, stats: new Float64Array(0), faults: [] }
      if (path !== '' && self?.type !== 'directory') return { ...empty, status: 'gone' }
      const inside = [...this.nodes].filter(([name]) => parentOf(name as RelPath) === path)
      const stats = new Float64Array(inside.length * STAT_FIELDS)
      for (const [i, [name, node]] of inside.entries()) {
        names.push(nameOf(name as RelPath))
        packStat(stats, i, node.stat)
      }
      const own = self?.stat ?? { ...EMPTY_STAT, type: 'directory' as const }
      return { ...empty, status: 'ok', stat: own, stats, faults: this.faults.get(path) ?? [] }
    })
    await this.beforeScan()
    return found
  }

  async hash(_root: string, _keys: unknown, jobs: readonly HashJob[]): Promise<HashResult[]> {
    this.hashed.push(...jobs)
    await this.beforeHash()
    return jobs.map(({ path }): HashResult => {
      const node = this.nodes.get(path)
      if (node === undefined) return { status: 'gone' }
      const refused = this.refuse.get(path)
      if (refused !== undefined) {
        this.refuse.delete(path)
        return { status: refused }
      }
      const { id, pieces } = contentOf(node.chunks)
      const ids = Buffer.concat(pieces.map((piece) => piece.id))
      const lengths = Uint32Array.from(pieces, ({ length }) => length)
      return { status: 'ok', stat: node.stat, content: id, pieces: ids, lengths }
    })
  }

  async confirmMissing(_root: string, paths: readonly string[]): Promise<boolean[]> {
    return paths.map((path) => !this.nodes.has(path) && !this.unsure.has(path))
  }
}

const EMPTY_STAT = { mode: 0o755, size: 0, mtimeMs: 0, ctimeMs: 0, ino: 0, dev: 1, nlink: 1, uid: 0, gid: 0 }

export interface Bench {
  readonly context: ShareContext
  readonly index: ShareIndex
  readonly disk: FakeDisk
  readonly feed: Blocks
  readonly problems: ProblemBook
  /** All that was given to publish, in order; the empty notices left out. */
  readonly published: Publication[]
  /** What hooks hear of, as "share a". */
  readonly changed: string[]
  /** How often somebody was told that there may be news without anything to publish. */
  notices: number
  halted: string | undefined
  /** What checkRoot answers. */
  rootFault: string | undefined
  /** What the context was told that the system has none left of. */
  readonly shortages: string[]
  postponed: RelPath[]
  /** Called when a whole look has ended, whatever was put off to a later one. */
  onFullScan: () => void
  /** What another writer's feed says. */
  tell(path: string, fact: Fact, base?: Publication['draft']['base']): Promise<void>
}

export function newBench(
  o: {
    isWriter?: boolean
    index?: ShareIndex
    isIgnored?: ShareContext['isIgnored']
    metadata?: Metadata
    dressesAnew?: ShareContext['dressesAnew']
  } = {},
): Bench {
  const index = o.index ?? newIndex()
  const disk = new FakeDisk()
  const feed = new Blocks(KEYS[0]!)
  const problems = new ProblemBook(() => 0)
  const options = { index, entryKey: ENTRY_KEY, nowMs: () => 1, nonce: () => Buffer.alloc(24, 4) }
  const common = { ...options, labelOf: () => 'box', onPublished: () => undefined }
  const own = new Publisher(index.feeds.byWriter(ME)!, {
    ...common,
    feed,
    onOwnChange: (path) => bench.changed.push(`user ${path}`),
    onPostponed: (path) => bench.postponed.push(path),
  })
  const theirs = new Publisher(index.feeds.byWriter(OTHER)!, {
    ...common,
    feed: new Blocks(KEYS[1]!),
    onPostponed: () => undefined,
  })
  const context: ShareContext = {
    root: '/root',
    index,
    pool: disk as unknown as ShareContext['pool'],
    guard: new DiskGuard(),
    problems,
    log: silentLog,
    pieceKeys: { sivKey: Buffer.alloc(32), pieceKey: Buffer.alloc(32) },
    isWriter: o.isWriter ?? true,
    hardLinks: true,
    archive: true,
    sparse: true,
    padding: 'follow',
    maxVersionedBytes: () => Number.POSITIVE_INFINITY,
    useArchive: async () => () => undefined,
    onDriftEnded: () => undefined,
    noteChange: (path, by) => bench.changed.push(`${by} ${path}`),
    metadata: o.metadata ?? metadataOf(),
    isOwn: (writer) => writer === ME,
    dressesAnew: o.dressesAnew ?? (() => 'nothing'),
    isIgnored: o.isIgnored ?? (() => false),
    onIgnoreRules: () => undefined,
    publish: async (list) => {
      if (list.length === 0) bench.notices++
      bench.published.push(...list)
      await own.publish(list)
    },
    watch: async () => undefined,
    hear: async () => true,
    rootIdentity: () => undefined,
    checkRoot: async () => bench.rootFault,
    noteShortage: (code) => bench.shortages.push(code),
    halt: (reason) => {
      bench.halted = reason
    },
    haltReason: () => bench.halted,
    onFullScan: () => bench.onFullScan(),
    fail: (thrown) => {
      throw thrown
    },
  }
  const bench: Bench = {
    context,
    index,
    disk,
    feed,
    problems,
    published: [],
    changed: [],
    notices: 0,
    halted: undefined,
    rootFault: undefined,
    shortages: [],
    postponed: [],
    onFullScan: () => undefined,
    tell: async (path, fact, base) => {
      const draft = { path: at(path), base: base ?? index.effective(at(path)).version, fact }
      const chunks = fact.type === 'file' ? TOLD.get(fact.content.toString('hex')) : undefined
      const pieces = chunks === undefined ? [] : contentOf(chunks).pieces
      const whole = { ...draft, origin: undefined, was: undefined }
      await theirs.publish([{ draft: whole, pieces, disk: undefined }])
    },
  }
  return bench
}

/** Chunks by content id: of the contents with up to two of the chunks 1 to 9. */
const TOLD: ReadonlyMap<string, readonly number[]> = new Map(
  [1, 2, 3, 4, 5, 6, 7, 8, 9]
    .flatMap((a) => [[a], ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((b) => [a, b])])
    .map((chunks) => [contentOf(chunks).id.toString('hex'), chunks]),
)
