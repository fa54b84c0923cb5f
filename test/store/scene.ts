// An index with random feeds and a random disk around it, and a model of what must follow: for the tests of the index.
import assert from 'node:assert/strict'
import { type Entry, isLive } from '../../src/core/entry.js'
import { ABSENT, type Fact, factOf, sameFact } from '../../src/core/fact.js'
import type { DeviceId, WriterId } from '../../src/core/ids.js'
import { type Heads, mergeEntry, NO_HEADS, viewOf } from '../../src/core/merge.js'
import type { RelPath } from '../../src/core/path.js'
import type { PieceInfo } from '../../src/core/piece.js'
import type { FeedRecord } from '../../src/core/record.js'
import type { DiskStat } from '../../src/core/stat.js'
import { advance, joinVersions, NO_VERSION, type Version } from '../../src/core/version.js'
import { type HeldRow, ShareIndex } from '../../src/store/share-index.js'
import type { Database } from '../../src/store/tables.js'
import { type Content, contentOf } from '../sim/contents.js'
import { Random } from '../sim/random.js'
import { path, writer } from '../support/arbitraries.js'

/** The paths that everything happens at. */
export const PATHS: readonly RelPath[] = ['a', 'b', 'd', 'd/a', 'd/b', 'd/d', 'd/d/a'].map(path)
export const NEVER = (): boolean => false

/** Feeds that announce pieces and say random things, and a disk that does, too; with a model of what must follow. */
export class Scene {
  readonly random: Random
  readonly database: Database
  index: ShareIndex
  isIgnored: (path: RelPath) => boolean = NEVER
  readonly heads: Map<RelPath, Heads> = new Map()
  /** What peers would believe that this node holds, going by drain() alone. */
  readonly held: Map<string, boolean> = new Map()
  /** Paths where a reader's change is to be undone. */
  readonly #undone: Set<RelPath>
  readonly #counters = new Map<WriterId, number>()
  readonly #numbers = new Map<string, number>()
  readonly #next = new Map<WriterId, number>()
  #records: { readonly by: WriterId; readonly record: FeedRecord }[] = []
  #ticks = 0

  constructor(seed: number, database: Database) {
    this.random = new Random(seed)
    this.database = database
    this.#undone = new Set(PATHS.filter(() => this.random.chance(0.5)))
    this.index = this.open()
    for (const n of [1, 2, 3]) {
      this.index.feeds.add({
        writer: writer(n),
        key: Buffer.alloc(32, n),
        device: 'device' as DeviceId,
        deviceName: `box ${n}`,
        epoch: 0,
        certificate: Buffer.alloc(0),
      })
    }
  }

  open(): ShareIndex {
    const options = {
      overwriteDrift: (at: RelPath) => this.#undone.has(at),
      isIgnored: (at: RelPath) => this.isIgnored(at),
    }
    return new ShareIndex(this.database, 'x-', options)
  }

  act(): void {
    const what = this.random.weighted({
      ingest: 6,
      disk: 5,
      drift: 2,
      forget: 1,
      ignore: 0.3,
      policy: 1,
      again: 0.5,
      fail: 0.5,
    })
    if (what === 'ingest') this.#ingest()
    else if (what === 'again') this.#again()
    else if (what === 'fail') this.#fail()
    else if (what === 'policy') this.#turn()
    else if (what === 'ignore') {
      const left = this.random.chance(0.5) ? this.random.pick(PATHS) : undefined
      this.isIgnored = (at) => left !== undefined && (at === left || at.startsWith(`${left}/`))
      this.index.transaction(() => this.index.setIgnored((at) => this.isIgnored(at)))
    } else {
      const at = this.random.pick(PATHS)!
      this.index.transaction(() =>
        what === 'forget' ? this.index.forgetDisk(at) : this.#setDisk(at, what === 'drift'),
      )
    }
    this.#drain()
  }

  /** What is done about a reader's changes of a path becomes another. */
  #turn(): void {
    const at = this.random.pick(PATHS)!
    if (!this.#undone.delete(at)) this.#undone.add(at)
    this.index.transaction(() => this.index.refreshDrift([at]))
  }

  /** A transaction that throws: what it did to the tables is undone, and the index is opened anew, as after a crash. */
  #fail(): void {
    const at = this.random.pick(PATHS)!
    assert.throws(() =>
      this.index.transaction(() => {
        this.#setDisk(at, false)
        throw new Error('crash')
      }),
    )
    this.index = this.open()
  }

  #drain(): void {
    for (const [feed, changes] of this.index.drain().held) {
      for (const [number, is] of changes) this.held.set(`${feed}/${number}`, is)
    }
  }

  #ingest(): void {
    const by = writer(1 + this.random.below(3))
    const entries: Entry[] = []
    const fresh: PieceInfo[] = []
    const feed = this.index.feeds.byWriter(by)!
    for (let i = 1 + this.random.below(3); i > 0; i--) entries.push(this.#entry(by, feed.pieceCount, fresh))
    const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
    const announcements = fresh.length === 0 ? [] : [{ first: feed.pieceCount, pieces: fresh }]
    const record: FeedRecord = { header, announcements, entries }
    this.#take(by, record)
    this.#records.push({ by, record })
    for (const entry of entries) {
      this.heads.set(entry.path, mergeEntry(this.heads.get(entry.path) ?? NO_HEADS, entry))
    }
  }

  /** The same record once more changes nothing. */
  #again(): void {
    const one = this.random.pick(this.#records)
    if (one === undefined) return
    const { next } = this.index.feeds.byWriter(one.by)!
    this.index.transaction(() => this.index.ingest(this.index.feeds.byWriter(one.by)!, one.record, next))
  }

  #take(by: WriterId, record: FeedRecord): void {
    const next = (this.#next.get(by) ?? 0) + 1
    this.#next.set(by, next)
    const isHeld = this.random.chance(0.3)
    const onDisk = (at: RelPath): HeldRow | undefined =>
      isHeld ? this.#heldAs(record.entries.find((entry) => entry.path === at)!) : undefined
    const refusals = this.index.transaction(() =>
      this.index.ingest(this.index.feeds.byWriter(by)!, record, next, onDisk),
    )
    assert.deepEqual(refusals, [])
  }

  /** The disk holds just what an entry says. */
  #heldAs(entry: Entry): HeldRow {
    const { version } = entry
    const fact = isLive(entry) ? factOf(entry) : ABSENT
    const layout = entry.type === 'file' ? contentLayout(this.index.piecesOf(entry)!) : undefined
    const stat = fact.type === 'absent' ? undefined : this.#stat(fact)
    return { row: { applied: { version, fact }, stat, drift: undefined }, layout }
  }

  #entry(by: WriterId, firstFresh: number, fresh: PieceInfo[]): Entry {
    const at = this.random.pick(PATHS)!
    const counter = (this.#counters.get(by) ?? 0) + 1
    this.#counters.set(by, counter)
    const heads = this.heads.get(at) ?? NO_HEADS
    const base: Version = this.random.chance(0.6)
      ? viewOf(heads).version
      : heads.slice(0, 1).reduce((joined, head) => joinVersions(joined, head.version), NO_VERSION)
    const common = { path: at, version: advance(base, by, counter), author: by, origin: by, extra: [] }
    const mtimeUs = 1000 * this.random.below(3)
    const type = this.random.weighted({ file: 5, directory: 3, symlink: 1, tombstone: 4 })
    if (type === 'tombstone') return { ...common, type, mtimeUs, was: undefined }
    if (type === 'directory') return { ...common, type, mtimeUs, mode: 0o755 }
    if (type === 'symlink') return { ...common, type, mtimeUs, target: `to ${this.random.below(3)}` }
    const content = this.#content()
    const runs = content.pieces.map((piece) => {
      const key = `${by} ${piece.id.toString('hex')}`
      let number = this.#numbers.get(key)
      if (number === undefined) {
        number = firstFresh + fresh.length
        fresh.push(piece)
        this.#numbers.set(key, number)
      }
      return { first: number, count: 1 }
    })
    return { ...common, type, mtimeUs, mode: 0o644, size: content.size, content: content.id, pieces: runs }
  }

  #content(): Content {
    return contentOf(Array.from({ length: this.random.below(4) }, () => 1 + this.random.below(6)))
  }

  #setDisk(at: RelPath, drifts: boolean): void {
    const share = this.index.effective(at)
    const content = this.#content()
    const own: Fact = this.random.chance(0.3)
      ? ABSENT
      : this.random.chance(0.3)
        ? { type: 'directory', mode: 0o755, mtimeUs: 1, extra: [] }
        : { type: 'file', mode: 0o600, mtimeUs: 1, size: content.size, content: content.id, extra: [] }
    const takesShare = !drifts && this.random.chance(0.6)
    const fact = takesShare ? share.fact : own
    const pieces =
      fact.type !== 'file'
        ? undefined
        : takesShare
          ? this.index.piecesOfContent(at, fact.content)!
          : content.pieces
    const layout = pieces === undefined ? undefined : contentLayout(pieces)
    const stat = fact.type === 'absent' ? undefined : this.#stat(fact)
    const applied = drifts
      ? this.index.applied(at)
      : { version: takesShare ? share.version : NO_VERSION, fact }
    const drift =
      drifts && !sameFact(fact, applied.fact) ? { kinds: ['content'] as const, sinceMs: 1, fact } : undefined
    this.index.setDisk(at, { applied, stat, drift }, layout)
  }

  #stat(fact: Fact & { type: 'file' | 'directory' | 'symlink' }): DiskStat {
    const size = fact.type === 'file' ? fact.size : 0
    return {
      type: fact.type,
      mode: 0o644,
      size,
      mtimeMs: 1,
      ctimeMs: ++this.#ticks,
      ino: 1,
      dev: 1,
      nlink: 1,
      uid: 0,
      gid: 0,
    }
  }
}

function contentLayout(pieces: readonly PieceInfo[]): Buffer {
  return contentOf(pieces.map(({ id }) => Number(chunkNumber(id)))).layout
}

function chunkNumber(id: Buffer): number {
  for (let chunk = 1; chunk <= 6; chunk++) if (contentOf([chunk]).pieces[0]!.id.equals(id)) return chunk
  throw new Error('a piece that no test made')
}
