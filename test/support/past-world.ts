// Writers of one share around one real directory and a clock that a test turns: each step changes the directory, and what
// changed is published by one of the writers through the real publisher into a real feed. No daemon, no peer; what a vault
// would hold is kept in memory.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { signCertificate } from '../../src/core/certificate.js'
import { chunkPlanFor, keyedGear, nextCut } from '../../src/core/chunker.js'
import { deviceKeysOf, feedKeyPairOf } from '../../src/core/device.js'
import { NO_EXTRA } from '../../src/core/entry.js'
import { ABSENT, type Fact, sameFact } from '../../src/core/fact.js'
import type { WriterId } from '../../src/core/ids.js'
import type { RelPath } from '../../src/core/path.js'
import { contentIdOf, type PieceInfo, pieceIdOf, sealPiece } from '../../src/core/piece.js'
import { keysOf, type Secret, writeSecretOf } from '../../src/core/secret.js'
import { mtimeUsOf, statOf } from '../../src/core/stat.js'
import type { Version } from '../../src/core/version.js'
import { LeafKeeper } from '../../src/daemon/blind/leaf-keeper.js'
import type { RestorableVault } from '../../src/daemon/restore/from-vault.js'
import { type Publication, Publisher } from '../../src/daemon/share/publisher.js'
import type { OwnFeed } from '../../src/feed/own.js'
import type { PortableBlock, PortableHead } from '../../src/feed/portable.js'
import { FeedStore } from '../../src/feed/store.js'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { ShareIndex } from '../../src/store/share-index.js'
import { FolderStorage } from '../../src/vault/folder-storage.js'
import { Vault } from '../../src/vault/vault.js'

interface Writer {
  readonly feed: OwnFeed
  readonly publisher: Publisher
  readonly certificate: Buffer
}

export class PastWorld {
  readonly secret: Secret
  readonly dir: string
  /** Of the writers, milliseconds since 1970. */
  nowMs: number = Date.UTC(2026, 10, 20, 12)
  readonly pieces: Map<string, Buffer> = new Map()
  readonly writers: Writer[] = []
  readonly index: ShareIndex
  readonly #keys: ReturnType<typeof keysOf>
  readonly #store: FeedStore
  /** Whether content is padded before it is sealed: of every second seed. */
  readonly #isPadded: boolean
  #facts = new Map<string, Fact>()
  #nonce = 0

  private constructor(seed: number, base: string, store: FeedStore) {
    this.secret = writeSecretOf(Buffer.alloc(32, seed % 251))
    this.dir = path.join(base, 'tree')
    fs.mkdirSync(this.dir)
    this.#keys = keysOf(this.secret)
    this.#store = store
    this.#isPadded = seed % 2 === 0
    this.index = new ShareIndex(new MemoryDatabase(), 's:', { overwriteDrift: false, isIgnored: () => false })
  }

  /** Below `base`, an empty folder. */
  static async make(seed: number, base: string, writers: number): Promise<PastWorld> {
    const { store } = await FeedStore.open(path.join(base, 'cores'), { log: silentLog })
    const world = new PastWorld(seed, base, store)
    for (let i = 0; i < writers; i++) await world.#addWriter(seed, i)
    return world
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** Publishes what has changed in the directory since the last time, as one of the writers. */
  async publish(by: number): Promise<void> {
    const now = this.#scan()
    const changes: Publication[] = []
    for (const [at, { fact, pieces, stat }] of now) {
      const before = this.#facts.get(at)
      if (before !== undefined && sameFact(before, fact)) continue
      changes.push(this.#change(at, fact, pieces, stat))
    }
    const gone = [...this.#facts].filter(([at]) => !now.has(at)).reverse()
    for (const [at, was] of gone) changes.push(this.#change(at, ABSENT, [], undefined, was))
    this.#facts = new Map([...now].map(([at, { fact }]) => [at, fact]))
    await this.writers[by]!.publisher.publish(changes)
  }

  /** Publishes a content for a path as if it was made of `base`, whatever the directory holds. */
  async say(by: number, at: string, text: string, base: Version): Promise<void> {
    const { fact, pieces } = this.#fileOf(Buffer.from(text), 0o644, this.nowMs * 1000)
    const draft = { path: at as RelPath, base, fact, origin: undefined, was: undefined }
    await this.writers[by]!.publisher.publish([{ draft, pieces, disk: undefined }])
  }

  /** All that a vault would hold by now. */
  async vault(): Promise<RestorableVault & { readonly asked: Buffer[] }> {
    const heads: PortableHead[] = []
    const blocks = new Map<WriterId, PortableBlock[]>()
    for (const { feed } of this.writers) {
      const exported = await feed.export()
      if (exported === undefined) continue
      heads.push(exported.head)
      const list: PortableBlock[] = []
      for await (const block of exported.blocks) list.push(block)
      blocks.set(feed.writer, list)
    }
    const { pieces, writers } = this
    const asked: Buffer[] = []
    return {
      asked,
      has: (id) => pieces.has(id.toString('hex')),
      read: async (ids) => {
        asked.push(...ids)
        return ids.map((id) => pieces.get(id.toString('hex')) ?? null)
      },
      certificates: () => writers.map(({ certificate }) => certificate),
      heads: () => heads,
      async *blocks(writer) {
        yield* blocks.get(writer) ?? []
      },
    }
  }

  /** Writes all of it into a vault in a folder, as a blind node would; again for what has come since. */
  async writeVault(folder: string): Promise<void> {
    const held = await this.vault()
    const database = new MemoryDatabase()
    const { shareId } = this.#keys
    const storage = await FolderStorage.open(folder)
    const vault = await Vault.open({ storage, shareId, database, log: silentLog })
    const blocks: PortableBlock[] = []
    for (const { feed } of this.writers)
      for await (const block of held.blocks(feed.writer)) blocks.push(block)
    await vault.add({
      pieces: [...this.pieces].map(([id, bytes]) => ({ id: Buffer.from(id, 'hex'), bytes })),
      certificates: held.certificates(),
      blocks,
      heads: held.heads(),
    })
    for (const { feed, certificate } of this.writers) {
      const head = held.heads().find(({ writer }) => writer === feed.writer)
      if (head === undefined) continue
      const keeper = new LeafKeeper({ writer: feed.writer, certificate, feed, vault })
      for await (const leaves of keeper.due(head, true)) await vault.add({ leaves })
    }
    await vault.close()
  }

  async #addWriter(seed: number, number: number): Promise<void> {
    const { shareId, write, feedBlockKey, read } = this.#keys
    const master = createHash('sha256').update(`writer ${seed} ${number}`).digest()
    const keyPair = feedKeyPairOf(master, shareId, 0)
    const feed = await this.#store.openOwn({ keyPair, blockKey: feedBlockKey })
    const deviceName = `server-${number}`
    const { device } = deviceKeysOf(master)
    const certificate = signCertificate(
      { shareId, feedKey: feed.key, device, deviceName, epoch: 0 },
      write!.signingSecretKey,
    )
    const { writer, key } = feed
    const row = this.index.feeds.add({ writer, key, device, deviceName, epoch: 0, certificate })
    const publisher = new Publisher(row, {
      index: this.index,
      feed,
      entryKey: read!.entryKey,
      nowMs: () => this.nowMs,
      nonce: () =>
        createHash('sha256')
          .update(`${seed} ${number} ${this.#nonce++}`)
          .digest()
          .subarray(0, 24),
      labelOf: () => deviceName,
      onPostponed: (at) => {
        throw new Error(`${at} was postponed`)
      },
      onPublished: () => undefined,
    })
    this.writers.push({ feed, publisher, certificate })
  }

  #change(
    at: string,
    fact: Fact,
    pieces: readonly PieceInfo[],
    stat: fs.Stats | undefined,
    was?: Fact,
  ): Publication {
    const base = this.index.applied(at as RelPath).version
    const memory = was?.type === 'directory' ? { mode: was.mode, mtimeUs: was.mtimeUs } : undefined
    return {
      draft: { path: at as RelPath, base, fact, origin: undefined, was: memory },
      pieces,
      disk: stat === undefined ? { stat: undefined } : { stat: statOf(stat) },
    }
  }

  #scan(): Map<string, { fact: Fact; pieces: readonly PieceInfo[]; stat: fs.Stats }> {
    const found = new Map<string, { fact: Fact; pieces: readonly PieceInfo[]; stat: fs.Stats }>()
    const walk = (directory: string, prefix: string): void => {
      for (const name of fs.readdirSync(directory).sort()) {
        const full = path.join(directory, name)
        const at = `${prefix}${name}`
        const stat = fs.lstatSync(full)
        const mtimeUs = mtimeUsOf(statOf(stat))
        const mode = stat.mode & 0o7777
        if (stat.isDirectory()) {
          found.set(at, { fact: { type: 'directory', mode, mtimeUs, extra: NO_EXTRA }, pieces: [], stat })
          walk(full, `${at}/`)
        } else if (stat.isSymbolicLink()) {
          const target = fs.readlinkSync(full)
          found.set(at, { fact: { type: 'symlink', mtimeUs, target, extra: NO_EXTRA }, pieces: [], stat })
        } else found.set(at, { ...this.#fileOf(fs.readFileSync(full), mode, mtimeUs), stat })
      }
    }
    walk(this.dir, '')
    return found
  }

  #fileOf(bytes: Buffer, mode: number, mtimeUs: number): { fact: Fact; pieces: PieceInfo[] } {
    const pieces: PieceInfo[] = []
    const plan = chunkPlanFor(bytes.length)
    const gear = this.#isPadded ? keyedGear(this.#keys.read!.sivKey) : undefined
    for (let start = 0, length = 0; start < bytes.length; start += length) {
      length = nextCut(bytes, start, bytes.length, plan, gear)
      const sealed = sealPiece(this.#keys.read!, bytes.subarray(start, start + length), this.#isPadded)
      const id = pieceIdOf(sealed)
      this.pieces.set(id.toString('hex'), sealed)
      pieces.push({ id, length: sealed.length, ...(this.#isPadded ? { plain: length } : {}) })
    }
    const content = contentIdOf(pieces.map(({ id }) => id))
    return { fact: { type: 'file', mode, mtimeUs, size: bytes.length, content, extra: NO_EXTRA }, pieces }
  }
}
