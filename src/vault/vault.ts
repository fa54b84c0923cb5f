// A vault: what a node that cannot read keeps of a share (docs/design.md, "Vault"). Sealed pieces and the blocks of feeds
// in append-only packs, and an index that says where each stands.
//
// Everything it answers with was proved when it was read; what does not hold is forgotten and told, and may be added
// again. The parts: tail.ts writes, frame-reader.ts reads, loading.ts opens, compaction.ts and check.ts go over packs.
import { ShoalError } from '../core/error.js'
import { HASH_BYTES, type ShareId, type WriterId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import type { Database } from '../store/tables.js'
import { Adds } from './adds.js'
import { Catalog, samePlace } from './catalog.js'
import { checkPacks } from './check.js'
import { type Compacting, compactPacks, deadBytesOf } from './compaction.js'
import { damagedOf, FRAME, FRAME_HEADER_BYTES, keyOfLeaves, keyOfPiece } from './frame.js'
import { FrameReader } from './frame-reader.js'
import type { KeyedPlace } from './frame-rows.js'
import { vaultIdOf } from './identity.js'
import { JournalRows } from './journal-rows.js'
import { KeyReader } from './key-reader.js'
import { type Loaded, loadPacks } from './loading.js'
import { checkIsThere, forgetGone } from './look.js'
import { MemoryRows } from './memory-rows.js'
import { checkBatch, newFrames } from './new-frames.js'
import { NumberedFrames } from './numbered-frames.js'
import { PACK_BYTES, type PackStorage, packName } from './pack-storage.js'
import { SmallFrames } from './small-frames.js'
import { isVaultFull, noRoom, readOnly } from './storage-error.js'
import type {
  CompactionOptions,
  CompactionReport,
  Damaged,
  PiecePlace,
  StoredBlock,
  StoredHead,
  StoredLeaves,
  VaultBatch,
  VaultStats,
  VerifyProgress,
  VerifyReport,
} from './stored.js'
import { Tail } from './tail.js'
import { ROWS_A_TURN, turn } from './turn.js'

export type {
  CompactionOptions,
  CompactionReport,
  Damaged,
  PiecePlace,
  StoredBlock,
  StoredHead,
  StoredLeaves,
  StoredPiece,
  VaultBatch,
  VaultStats,
  VerifyProgress,
  VerifyReport,
} from './stored.js'

export interface VaultOptions {
  readonly storage: PackStorage
  readonly shareId: ShareId
  /** Of the index. None: the index is in memory, and the vault is opened for reading alone. */
  readonly database?: Database
  /** Begins the names of its tables. Default `vault:` and the share id. */
  readonly prefix?: string
  readonly log: Log
  /** Called for what turns out not to be whole, once each; it is forgotten by then. */
  readonly onDamaged?: (damaged: Damaged) => void
  /** A pack is sealed at about this size. Default 64 MiB. */
  readonly packBytes?: number
  /** `add` leaves this much free (half of it if there are no pieces), so that compaction can work on a full disk. Default: one pack. */
  readonly reserveBytes?: number
  /** Ends opening, which rejects with its reason then: the vault is as it was, and can be opened again. */
  readonly signal?: AbortSignal
}

export class Vault {
  /** Packs that were there and could not be read when it was opened, a line for each. The rest of the vault is as it should be. */
  readonly unreadable: readonly string[]
  /** Bytes that did not hold then, in packs that were read as a whole: damage, or the torn end of a write. */
  readonly damagedBytes: number
  /** The newest pack that was there, where a newer one may be lost (loading.ts). */
  readonly fullNewest: number | undefined
  readonly #options: VaultOptions
  readonly #storage: PackStorage
  readonly #id: string
  readonly #catalog: Catalog
  readonly #keys: KeyReader
  readonly #small: SmallFrames
  readonly #numbered: NumberedFrames
  readonly #reserveBytes: number
  readonly #adds = new Adds((batches, within) => this.#write(batches, this.#reserveBytes, within))
  /** What has no pieces may use half of what is kept for compaction: only who has read all feeds knows what may go. */
  readonly #recordAdds = new Adds((batches, within) => this.#write(batches, this.#reserveBytes / 2, within))
  readonly #compacting: Compacting
  #compaction: Promise<unknown> = Promise.resolve()
  /** Ends when nothing writes. */
  #writing: Promise<unknown> = Promise.resolve()
  readonly #closing = new AbortController()
  /** Of the index, under way. */
  #shortening: Promise<void> | undefined
  #isClosed = false

  private constructor(
    options: VaultOptions,
    id: string,
    catalog: Catalog,
    tail: Tail,
    { unreadable, damagedBytes, fullNewest }: Omit<Loaded, 'tail' | 'damaged'>,
  ) {
    const { storage, shareId, packBytes = PACK_BYTES, reserveBytes = packBytes } = options
    this.#id = id
    this.unreadable = unreadable
    this.damagedBytes = damagedBytes
    this.fullNewest = fullNewest
    this.#options = options
    this.#storage = storage
    this.#catalog = catalog
    const reader = new FrameReader(storage, shareId)
    const forget = (rows: readonly KeyedPlace[]): Promise<Damaged[]> => this.#forget(rows)
    this.#keys = new KeyReader({ storage, catalog, reader, shareId, log: options.log, forget })
    this.#small = new SmallFrames(catalog, reader)
    this.#numbered = new NumberedFrames(catalog, (keys) => this.#keys.read(keys))
    this.#reserveBytes = reserveBytes
    this.#compacting = {
      storage,
      catalog,
      tail,
      shareId,
      reader,
      exclusive: (body) => this.#exclusive(body),
      forget,
    }
  }

  /**
   * Opens a vault, or makes one in an empty storage, in slices of a few milliseconds. SHARE_UNUSABLE if it is another share's, of a later format, or (for
   * reading alone) none at all; rejects as PackStorage does. The storage is
   * the vault's then, and closed with it; where opening failed it is the caller's to close.
   */
  static async open(options: VaultOptions): Promise<Vault> {
    const { storage, shareId, database, prefix = `vault:${shareId}:`, packBytes = PACK_BYTES, log } = options
    const { signal } = options
    if (database === undefined && !storage.isReadOnly)
      throw new ShoalError('INTERNAL', 'a vault that is written to needs a database for its index')
    const vaultId = await vaultIdOf(storage, shareId, log)
    const rows = database === undefined ? new MemoryRows() : await JournalRows.open(database, prefix, signal)
    const catalog = new Catalog(rows)
    catalog.belongTo(vaultId)
    const loaded = await loadPacks({ storage, catalog, shareId, log, signal })
    const tail = new Tail(storage, catalog, shareId, packBytes, loaded.tail)
    const vault = new Vault(options, vaultId, catalog, tail, loaded)
    await vault.#forget(await vault.#small.load())
    signal?.throwIfAborted()
    for (const key of loaded.damaged) options.onDamaged?.(damagedOf(key))
    return vault
  }

  /**
   * Verifies pieces against their ids (P1) where that is not done yet (VerifiedPiece), and resolves when all of the batch is durable; nothing of it is acknowledged
   * before. Several at once share a write. Nobody changes the bytes meanwhile. IO if it could not be written (isVaultFull:
   * for lack of room): what is here stays, and it can be tried again. `within` is called in the transaction that makes known
   * where the last of it stands, so that what is noted of it elsewhere needs no commit of its own; once for each try.
   */
  async add(batch: VaultBatch, within?: () => void): Promise<void> {
    this.#mayWrite()
    checkBatch(batch)
    const { pieces = [] } = batch
    await (pieces.length > 0 ? this.#adds : this.#recordAdds).add(batch, within)
  }

  has(id: Buffer): boolean {
    return id.length === HASH_BYTES && this.#catalog.hasPiece(id)
  }

  /** Sealed bytes of a piece that is here. */
  lengthOf(id: Buffer): number | undefined {
    return id.length === HASH_BYTES ? this.#catalog.get(keyOfPiece(id))?.length : undefined
  }

  /** Ids of all pieces that are here, ascending; what comes or goes meanwhile may be missed or seen. */
  *pieces(): Generator<{ readonly id: Buffer; readonly length: number }> {
    for (const rows of this.#catalog.chunks(FRAME.piece))
      for (const { key, place } of rows) yield { id: key.subarray(1), length: place.length }
  }

  /**
   * In the order asked; those near each other in a pack come by one read and share its memory. Null: not here, or damaged
   * (then forgotten, and told to onDamaged). IO if the storage fails.
   */
  async read(ids: readonly Buffer[]): Promise<(Buffer | null)[]> {
    const keys = ids.map((id) => (id.length === HASH_BYTES ? keyOfPiece(id) : undefined))
    return (await this.#keys.read(keys)).map((payload) => payload ?? null)
  }

  /**
   * Where the bytes of a piece stand; nothing of them is proved, and another process's compaction may have moved them by the
   * time they are read. Undefined: not here.
   */
  placeOf(id: Buffer): PiecePlace | undefined {
    const place = id.length === HASH_BYTES ? this.#catalog.get(keyOfPiece(id)) : undefined
    if (place === undefined) return undefined
    const { pack, offset, length } = place
    return { pack, offset: offset + FRAME_HEADER_BYTES, length }
  }

  /** A pack as a file of this machine; undefined: it lies elsewhere. */
  fileOf(pack: number): string | undefined {
    return this.#storage.fileOf?.(packName(pack))
  }

  /** Bytes of a pack as they stand, not proved. Rejects as PackStorage.read. */
  bytesOf(pack: number, offset: number, length: number): Promise<Buffer> {
    return this.#storage.read(packName(pack), offset, length)
  }

  /** These pieces may go; compaction brings the space back. Those that are not here are passed over. */
  async drop(ids: Iterable<Buffer>): Promise<void> {
    let some: Buffer[] = []
    const go = async (): Promise<void> => {
      this.#mayWrite()
      this.#catalog.transaction(() => {
        for (const id of some) this.#catalog.remove(keyOfPiece(id))
      })
      some = []
      await turn()
    }
    for (const id of ids) if (some.push(id) === ROWS_A_TURN) await go()
    await go()
    this.#shortenSoon()
  }

  /** Brings space back, pack by pack, one call after the other; adding and reading go on meanwhile. IO if the storage fails: nothing is lost. */
  async compact(options: CompactionOptions = {}): Promise<CompactionReport> {
    this.#mayWrite()
    const before = this.#compaction
    const compaction = before.then(() => compactPacks(this.#compacting, options))
    this.#compaction = compaction.catch(() => undefined)
    return compaction
  }

  certificates(): readonly Buffer[] {
    return this.#small.certificates()
  }

  heads(): readonly StoredHead[] {
    return this.#small.heads()
  }

  /** Ascending by index, from `from` (0) on; the newest of each. Damaged ones are left out. */
  blocks(writer: WriterId, from = 0): AsyncGenerator<StoredBlock> {
    return this.#numbered.read(FRAME.block, writer, from)
  }

  /** Numbers of the blocks that are here, ascending; nothing of them is read. */
  blockNumbers(writer: WriterId): Generator<number> {
    return this.#numbered.numbers(writer)
  }

  /** As blocks(), of what is kept beside them. */
  leaves(writer: WriterId): AsyncGenerator<StoredLeaves> {
    return this.#numbered.read(FRAME.leaves, writer, 0)
  }

  /** Of whom there is any block, ascending. */
  writers(): Generator<WriterId> {
    return this.#numbered.writers()
  }

  /** The pack in which leaves stand; undefined: they are not here. */
  packOfLeaves(writer: WriterId, index: number): number | undefined {
    return this.#catalog.get(keyOfLeaves({ writer, index }))?.pack
  }

  /** The pack that is written to now. */
  get tailPack(): number {
    return this.#compacting.tail.number
  }

  stats(): VaultStats {
    const stats = { pieces: 0, bytes: 0, packs: 0, deadBytes: 0 }
    const { tail } = this.#compacting
    for (const [number, row] of this.#catalog.packs()) {
      stats.pieces += row.pieces
      stats.bytes += row.pieceBytes
      stats.packs++
      // The tail has no contents yet.
      stats.deadBytes += deadBytesOf(number === tail.number ? tail.bytes : row.covered, row)
    }
    return stats
  }

  /** IO if it is not where it was: its folder is empty, gone or another's. A bucket is asked by look() alone. */
  async mustBeThere(): Promise<void> {
    if (this.#storage.fileOf === undefined) return
    await checkIsThere(this.#storage, this.#id)
  }

  /** The same, and forgets what stood in packs that went, or are shorter than they were; it is told to onDamaged. Rejects as PackStorage.look. */
  async look(): Promise<void> {
    await this.mustBeThere()
    await this.#storage.look?.()
    const { log } = this.#options
    this.#tell(await this.#exclusive(() => forgetGone({ ...this.#compacting, log })))
  }

  /** Reads and hashes every frame; what is damaged is forgotten and reported. `onProgress` is waited for: it sets the pace. */
  async verify(
    options: {
      readonly signal?: AbortSignal
      readonly onProgress?: (progress: VerifyProgress) => void | Promise<void>
    } = {},
  ): Promise<VerifyReport> {
    return checkPacks(this.#compacting, options)
  }

  /**
   * Waits for the write under way; what waits behind it, and what comes later, rejects with INTERNAL (who closes a vault
   * stops its writers first). Closes the storage, not the database, which nothing is written to from then on.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#closing.abort(new Error('the vault is closed'))
    await Promise.all([this.#writing, this.#shortening])
    await this.#storage.close()
  }

  async #write(batches: readonly VaultBatch[], reserveBytes: number, within: () => void): Promise<void> {
    await this.#exclusive(async () => {
      await this.mustBeThere()
      const frames = await newFrames(batches, this.#catalog, this.#small, (keys) => this.#keys.read(keys))
      if (frames.length === 0) return within()
      const bytes = frames.reduce((sum, { payload }) => sum + FRAME_HEADER_BYTES + payload.length, 0)
      const free = await this.#storage.freeBytes()
      if (free !== undefined && free < bytes + reserveBytes)
        throw noRoom(
          `cannot add ${mebibytes(bytes)} to the vault: ${mebibytes(free)} are free, of which ${mebibytes(reserveBytes)} are kept for compaction`,
        )
      try {
        await this.#compacting.tail.write(frames, undefined, within)
      } catch (thrown) {
        await this.#lookAfter(thrown)
        throw thrown
      }
      for (const frame of frames) this.#small.note(frame)
    })
  }

  /** A write has failed: if it was because a pack went, the next one begins another, and need not wait until somebody looks. */
  async #lookAfter(thrown: unknown): Promise<void> {
    if (this.#storage.fileOf === undefined || isVaultFull(thrown)) return
    const { log } = this.#options
    try {
      await this.mustBeThere()
      this.#tell(await forgetGone({ ...this.#compacting, log }))
    } catch (err) {
      log.debug({ err }, 'the vault cannot be looked at, either')
    }
  }

  /** Forgets frames that do not hold, where they still stand; tells of each. */
  async #forget(rows: readonly KeyedPlace[]): Promise<Damaged[]> {
    const still = (): KeyedPlace[] =>
      rows.filter(({ key, place }) => samePlace(this.#catalog.get(key), place))
    if (still().length === 0) return []
    await checkIsThere(this.#storage, this.#id)
    // The database may be closed as well by now; who opens the vault again finds the same.
    if (this.#isClosed) return []
    const gone = this.#catalog.transaction(() => {
      const found = still()
      for (const { key } of found) this.#catalog.remove(key)
      return found.map(({ key }) => damagedOf(key))
    })
    this.#tell(gone)
    return gone
  }

  #tell(gone: readonly Damaged[]): void {
    for (const damaged of gone) {
      this.#small.forget(damaged)
      this.#options.onDamaged?.(damaged)
    }
    if (gone.length > 0) this.#options.log.warn({ frames: gone.length }, 'parts of a vault are damaged')
  }

  /** Beside whatever else goes on: the index has got long. */
  #shortenSoon(): void {
    if (this.#isClosed || this.#shortening !== undefined || !this.#catalog.isLong) return
    const { signal } = this.#closing
    this.#shortening = this.#catalog
      .shorten(signal)
      .catch((err: unknown) => {
        if (!signal.aborted) this.#options.log.warn({ err }, 'cannot shorten the index of a vault now')
      })
      .finally(() => {
        this.#shortening = undefined
      })
  }

  #mayWrite(): void {
    if (this.#isClosed) throw new ShoalError('INTERNAL', 'the vault is closed')
    if (this.#storage.isReadOnly) throw readOnly('cannot change the vault')
  }

  /** One after the other. */
  #exclusive<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(() => {
      this.#mayWrite()
      return body()
    })
    // Its failure is told to whoever asked.
    this.#writing = result.then(
      () => this.#shortenSoon(),
      () => undefined,
    )
    return result
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`
}
