// A blind share at work on its open vault: feeds come in and are followed, what is missing is fetched, what may go goes, and
// all of it is told to peers once it is durable (B1).
import { Bitfield } from '../../core/bitfield.js'
import { blake3 } from '../../core/hash.js'
import type { WriterId } from '../../core/ids.js'
import type { Retention } from '../../core/retention.js'
import type { ShareKeys } from '../../core/secret.js'
import type { Exchange } from '../../exchange/exchange.js'
import type { FeedStore } from '../../feed/store.js'
import type { Log } from '../../ports/log.js'
import type { BlindIndex } from '../../store/blind-index.js'
import type { Database } from '../../store/tables.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { PackStorage } from '../../vault/pack-storage.js'
import { isVaultFull } from '../../vault/storage-error.js'
import { turn } from '../../vault/turn.js'
import { type Damaged, Vault } from '../../vault/vault.js'
import type { VerifiedPiece } from '../../vault/verified-piece.js'
import type { ShareMeta } from '../share/meta.js'
import type { ProblemBook } from '../share/problems.js'
import { BlindBook } from './blind-book.js'
import { BlindFeeds } from './blind-feeds.js'
import { BlindFetcher, type StoredNumbers } from './blind-fetcher.js'
import { BlindKeeper } from './blind-keeper.js'
import { Mending } from './mending.js'
import { VaultGate } from './vault-gate.js'
import { VaultWatch } from './vault-watch.js'

export interface KeepingOptions {
  readonly keys: ShareKeys
  readonly storage: PackStorage
  readonly database: Database
  /** What the names of the vault's tables begin with. */
  readonly vaultPrefix: string
  readonly store: FeedStore
  readonly index: BlindIndex
  readonly exchange: Exchange
  readonly meta: Pick<ShareMeta, 'hasLosses'>
  readonly problems: ProblemBook
  readonly log: Log
  readonly policy: () => Retention
  readonly nowMs: () => number
  readonly peers: () => Iterable<SharePeer>
  /** What is held or known is another. */
  readonly onChange: () => void
  /** So many frames more were found damaged, so many are back. */
  readonly countDamage: (found: number, repaired: number) => void
  readonly fail: (thrown: unknown) => void
  /** Ends opening, which rejects with its reason then. */
  readonly signal: AbortSignal
}

export class Keeping {
  readonly vault: Vault
  readonly feeds: BlindFeeds
  readonly book: BlindBook
  readonly keeper: BlindKeeper
  readonly watch: VaultWatch
  readonly mending: Mending
  readonly #o: KeepingOptions
  readonly #gate: VaultGate
  readonly #fetcher: BlindFetcher
  readonly #noted: Damaged[] = []

  /**
   * Opens a vault, takes over what it knows and the database does not (B3), and looks through all of it. SHARE_UNUSABLE if
   * it is another share's. The storage is closed in the end, also if this fails.
   */
  static async open(options: KeepingOptions): Promise<Keeping> {
    const { storage, database, keys, log, vaultPrefix, signal } = options
    let keeping: Keeping | undefined
    const early: Damaged[] = []
    const onDamaged = (damaged: Damaged): void => {
      if (keeping === undefined) early.push(damaged)
      else keeping.#note(damaged)
    }
    const vault = await Vault.open({
      ...{ storage, shareId: keys.shareId, database, prefix: vaultPrefix, log, onDamaged, signal },
    }).catch(async (thrown: unknown) => {
      await storage.close()
      throw thrown
    })
    const leave = (): void => keeping?.book.stop()
    signal.addEventListener('abort', leave)
    try {
      keeping = new Keeping(options, vault)
      await keeping.#start()
      keeping.mending.resume()
      keeping.#damaged(early)
      keeping.#tellUnreadable()
      return keeping
    } catch (thrown) {
      await keeping?.stop()
      throw thrown
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  private constructor(options: KeepingOptions, vault: Vault) {
    this.#o = options
    this.vault = vault
    const { keys, store, index, exchange, problems, log, policy, nowMs, peers, onChange, fail } = options
    this.watch = new VaultWatch({ vault, problems, onChange })
    this.mending = new Mending({
      problems,
      isAwaited: (damaged) => this.#isAwaited(damaged),
      count: options.countDamage,
      meta: options.meta,
      knowsRecords: () => this.knowsRecords,
      isWhole: () => this.knowsRecords && !this.feeds.isBehind && this.book.counts.missing.pieces === 0,
    })
    this.book = new BlindBook({ index, vault, policy, nowMs })
    this.#gate = new VaultGate({
      ...{ vault, problems, log },
      isFull: isVaultFull,
      onStuck: (isStuck) => {
        this.#fetcher.isPaused = isStuck
        // On a full disk, letting go is what makes room.
        this.keeper.renew()
        onChange()
      },
    })
    this.#fetcher = new BlindFetcher({
      ...{ index, exchange, fail },
      store: (pieces) => this.#store(pieces),
      onStored: (pieces, stored) => {
        for (const [writer, numbers] of stored) exchange.have(writer, numbers)
        this.mending.stored(pieces.map(({ id }) => id))
        onChange()
      },
    })
    this.keeper = new BlindKeeper({
      ...{ book: this.book, vault, log, fail },
      onChange: () => {
        this.mending.look()
        onChange()
      },
      isCaughtUp: () => !this.feeds.isBehind,
      isShort: () => this.#gate.isStuck,
      onHeldBack: (isHeldBack) => {
        const detail =
          'nothing was heard for more than a week, or the clock here has leapt ahead: nothing of the past is let go for a day'
        if (isHeldBack) problems.set('vault', 'clock', 'CLOCK_LEAPT', detail)
        else problems.clear('vault', 'clock')
      },
      onDropping: (dead) => this.#tellLost(this.book.numbersOf(dead)),
    })
    this.feeds = new BlindFeeds({
      ...{ keys, store, index, vault, exchange, problems, log, peers, fail },
      takeOver: (feed, at, part) => {
        const { held, wants, contradictions } = this.book.takeOver(feed, at, part)
        if (contradictions > 0)
          log.warn(
            { writer: feed.writer, block: at, contradictions },
            'pieces announced twice and differently',
          )
        exchange.grow(feed.writer, index.feeds.byWriter(feed.writer)!.pieceCount)
        exchange.have(feed.writer, held)
        if (wants) this.#fetcher.look()
        this.keeper.look()
      },
      keep: (batch) => this.#gate.add(batch),
      onProgress: () => {
        this.keeper.look()
        if (!this.feeds.isBehind) this.mending.look()
        onChange()
      },
    })
  }

  /** Whether a record of the share is here, or known to be somewhere. */
  get knowsRecords(): boolean {
    return this.feeds.isBehind || this.feeds.view.some(([, length]) => length > 0)
  }

  /**
   * Whether nothing is left to read, count, fetch or write, as far as anybody who is connected has it. Not before the first writer
   * is known: who knows of nothing lacks nothing that he knows of. Nor before the first record, where what the vault held is lost:
   * a writer's certificate, which may be left of it, does not tell what.
   */
  get isAtRest(): boolean {
    if (this.#o.index.feeds.all().length === 0 || this.mending.isAllLost) return false
    const isWorking = this.feeds.isBehind || !this.keeper.isAtRest || !this.#gate.isIdle || this.watch.isAway
    return !isWorking && this.book.counts.missing.pieces === 0
  }

  /** Whether nothing can be written to the vault now. */
  get isStuck(): boolean {
    return this.#gate.isStuck
  }

  /** Pieces turned out to be damaged: they are fetched again. */
  lost(ids: readonly Buffer[]): void {
    this.#tellLost(this.book.lost(ids))
    this.#fetcher.look()
    this.#o.onChange()
  }

  async stop(): Promise<void> {
    this.#gate.stop()
    await Promise.all([this.watch.stop(), this.keeper.stop(), this.#fetcher.stop(), this.feeds.stop()])
    await this.feeds.close()
    await this.vault.close()
  }

  async #start(): Promise<void> {
    const { index, log, signal } = this.#o
    await index.load(() => turn(signal))
    await this.feeds.readopt(signal)
    signal.throwIfAborted()
    const held = new Map<number, Bitfield>()
    await this.book.survey((feed, number) => {
      let field = held.get(feed)
      if (field === undefined) {
        field = new Bitfield(index.feeds.byNumber(feed)?.pieceCount)
        held.set(feed, field)
      }
      field.set(number)
    })
    signal.throwIfAborted()
    await this.feeds.start(held)
    const certified = new Set(this.vault.certificates().map((bytes) => bytes.toString('latin1')))
    if (index.feeds.all().some(({ certificate }) => !certified.has(certificate.toString('latin1'))))
      this.#keepCertificates()
    this.#fetcher.look()
    this.keeper.renew()
    const { fullNewest } = this.vault
    if (fullNewest !== undefined)
      log.warn(
        { pack: fullNewest },
        'the newest pack of the vault may be lost: the last one here is full; what was in it is fetched from whoever has it',
      )
    const { pieces, bytes, packs } = this.vault.stats()
    log.info({ pieces, bytes, packs }, 'the vault is open')
  }

  /** Those that are told one after the other are dealt with together. */
  #note(damaged: Damaged): void {
    if (this.#noted.push(damaged) > 1) return
    void Promise.resolve()
      .then(() => this.#damaged(this.#noted.splice(0)))
      .catch((thrown: unknown) => this.#o.fail(thrown))
  }

  #damaged(list: readonly Damaged[]): void {
    if (list.length === 0) return
    this.#o.log.warn({ frames: list.length }, 'parts of the vault are damaged or gone')
    this.lost(list.flatMap((damaged) => (damaged.type === 'piece' ? [damaged.id] : [])))
    for (const damaged of list)
      if (damaged.type === 'block') this.feeds.lost(damaged.writer, damaged.index)
      else if (damaged.type === 'head') this.feeds.lost(damaged.writer, 0)
      else if (damaged.type === 'leaves') this.feeds.lostLeaves(damaged.writer)
    if (list.some(({ type }) => type === 'certificate')) this.#keepCertificates()
    this.mending.found(list)
  }

  /** Those that are there still are passed over. */
  #keepCertificates(): void {
    const certificates = this.#o.index.feeds.all().map(({ certificate }) => certificate)
    void this.#gate.add({ certificates }).then(
      () => this.mending.look(),
      (err: unknown) => this.#o.log.debug({ err }, 'stopped'),
    )
  }

  /** Makes pieces durable, and notes in the same transaction that they are. By feed, the numbers under which peers know them. */
  async #store(pieces: readonly VerifiedPiece[]): Promise<StoredNumbers> {
    const known = pieces.map(({ id, bytes }) => ({ id, length: bytes.length }))
    const note = this.book.storing(known)
    let stored: StoredNumbers | undefined
    await this.#gate.add({ pieces }, () => {
      stored = note()
    })
    return stored ?? note()
  }

  #isAwaited(damaged: Damaged): boolean {
    switch (damaged.type) {
      case 'piece':
        return this.book.isMissing(damaged.id)
      case 'block':
        return this.feeds.lacks(damaged.writer, damaged.index)
      case 'leaves':
        return this.feeds.lacksLeaves(damaged.writer, damaged.index)
      case 'head':
        return !this.vault.heads().some(({ writer }) => writer === damaged.writer)
      case 'certificate':
        return !this.vault.certificates().some((bytes) => blake3(bytes).equals(damaged.digest))
    }
  }

  /** Packs that something is wrong with that may be put right: what is in them is fetched again meanwhile. */
  #tellUnreadable(): void {
    const { problems } = this.#o
    const [first, ...others] = this.vault.unreadable
    if (first === undefined) return problems.clear('vault', 'packs')
    const more = others.length === 0 ? '' : `, and ${others.length} more`
    const detail = `${first}${more}: what is there is fetched again; put it right and restart the daemon`
    problems.set('vault', 'packs', 'VAULT_DAMAGED', detail)
  }

  #tellLost(numbers: ReadonlyMap<WriterId, readonly number[]>): void {
    for (const [writer, list] of numbers) this.#o.exchange.lost(writer, list)
  }
}
