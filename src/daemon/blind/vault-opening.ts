// The way to a blind share's open vault: opened beside whatever else goes on, halted where it is not the vault that was
// there before (B2), and tried again where a bucket does not answer. What peers told before it is open waits here.
import { toShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { PackStorage } from '../../vault/pack-storage.js'
import type { ShareMeta } from '../share/meta.js'
import type { ProblemBook } from '../share/problems.js'
import type { EarlyCertificates } from './early-certificates.js'
import type { Keeping } from './keeping.js'

const VAULT_META = 'vault.json'
/** May pass by itself, or be put right while it is tried again. */
const PASSING: ReadonlySet<string> = new Set(['BUCKET_UNREACHABLE', 'BUCKET_REFUSED', 'NOT_FOUND'])
/** Between two tries to open a vault whose bucket does not answer. */
const OPEN_AGAIN_MS = 30_000

export interface VaultOpeningOptions {
  /** Opens where the packs lie. STORAGE_LOCKED, IO. */
  readonly openStorage: () => Promise<PackStorage>
  /** Opens the vault there. SHARE_UNUSABLE. */
  readonly open: (storage: PackStorage) => Promise<Keeping>
  /** Whether the index knew nothing of the share when it was started: it was not kept here before, or the index was lost. */
  readonly isNew: boolean
  readonly early: EarlyCertificates<SharePeer>
  readonly meta: Pick<ShareMeta, 'hasVault'>
  readonly problems: ProblemBook
  readonly log: Log
  readonly isHalted: () => boolean
  readonly halt: (reason: string) => void
  readonly onOpen: () => void
  /** Something that should not happen has ended it. */
  readonly onFatal: (thrown: unknown) => void
}

export class VaultOpening {
  readonly #o: VaultOpeningOptions
  #keeping: Keeping | undefined
  #opening: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #stopping = new AbortController()
  /** Whether a vault was there when it was looked for first. */
  #wasThere: boolean | undefined

  constructor(options: VaultOpeningOptions) {
    this.#o = options
  }

  /** Undefined until it is open. */
  get keeping(): Keeping | undefined {
    return this.#keeping
  }

  /** Aborts when nothing is to be opened any more. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  /** Begins to open it, if nothing speaks against that. */
  soon(): void {
    if (this.#o.isHalted() || this.#opening !== undefined || this.signal.aborted) return
    this.#opening = this.#open()
      .catch((thrown: unknown) => {
        if (this.signal.aborted)
          return this.#o.log.debug({ err: thrown }, 'stopped while the vault was opened')
        const { code, message } = toShoalError(thrown)
        if (code === 'SHARE_UNUSABLE' || code === 'STORAGE_LOCKED' || code === 'IO') this.#o.halt(message)
        // NOT_FOUND: a pack went, or the folder's disk, between two looks.
        else if (PASSING.has(code)) this.#later(code, message)
        else this.#o.onFatal(thrown)
      })
      .finally(() => {
        this.#opening = undefined
      })
  }

  /** Resolves when what is under way has ended, well or not. */
  async settled(): Promise<void> {
    await this.#opening
  }

  /** A peer sent certificates. */
  receive(peer: SharePeer, list: readonly Buffer[]): void {
    if (this.#keeping !== undefined) return this.#keeping.feeds.receive(peer, list)
    this.#o.early.add(peer, list)
  }

  /** A peer is gone. */
  left(peer: SharePeer): void {
    this.#o.early.delete(peer)
  }

  /** Nothing is opened any more. */
  stop(): void {
    this.#stopping.abort(new Error('the share stops'))
    clearTimeout(this.#timer)
  }

  /** Closes what was opened, after stop(). */
  async close(): Promise<void> {
    await this.#opening
    await this.#keeping?.stop()
  }

  /** A bucket may answer again, and its owner may put right what is wrong with it. */
  #later(code: string, message: string): void {
    if (this.signal.aborted) return
    this.#o.problems.set('vault', '', code, `${message}; it is tried again`)
    this.#o.log.warn({ code, reason: message }, 'cannot open the vault yet')
    this.#timer = setTimeout(() => this.soon(), OPEN_AGAIN_MS).unref()
  }

  async #open(): Promise<void> {
    const storage = await this.#o.openStorage()
    try {
      await this.#openIn(storage)
    } catch (thrown) {
      // Whoever tries again opens it anew.
      await storage.close()
      throw thrown
    }
  }

  async #openIn(storage: PackStorage): Promise<void> {
    const { meta, open, halt, problems, onOpen, isNew } = this.#o
    const isThere = (await storage.getMeta(VAULT_META)) !== undefined
    this.#wasThere ??= isThere
    // Without it, what peers lack would be fetched again as if this were a new vault, and nobody would know that it is not.
    if (meta.hasVault && !isThere) {
      await storage.close()
      return halt(`there is no ${VAULT_META} any more; is the disk mounted?`)
    }
    const keeping = await open(storage)
    problems.clear('vault', '')
    if (isNew && this.#wasThere && !keeping.knowsRecords) keeping.mending.lostAll()
    meta.hasVault = true
    this.#keeping = keeping
    for (const [peer, list] of this.#o.early.take()) keeping.feeds.receive(peer, list)
    onOpen()
  }
}
