// A vault: what a node that cannot read keeps of a share, in append-only packs (docs/design.md, "Vault").
import { ShoalError } from '../core/error.js'
import type { ShareId, WriterId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import type { Database } from '../store/tables.js'
import type { PackStorage } from './pack-storage.js'
import type {
  CompactionOptions,
  CompactionReport,
  Damaged,
  StoredBlock,
  StoredHead,
  VaultBatch,
  VaultStats,
  VerifyProgress,
  VerifyReport,
} from './stored.js'

export type {
  CompactionOptions,
  CompactionReport,
  Damaged,
  StoredBlock,
  StoredHead,
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
  /** `add` leaves this much free, so that compaction can work on a full disk. Default: one pack. */
  readonly reserveBytes?: number
}

export class Vault {
  private constructor() {}

  /**
   * Opens a vault, or makes one in an empty storage. SHARE_UNUSABLE if it is another share's, of a later format, or (for
   * reading alone) none at all.
   */
  static async open(_options: VaultOptions): Promise<Vault> {
    throw notYet()
  }

  /**
   * Verifies pieces against their ids (P1), and resolves when all of the batch is durable; nothing of it is acknowledged
   * before. Several at once share a write. IO if it could not be written (isVaultFull: for lack of room): what is here
   * stays, and it can be tried again.
   */
  async add(_batch: VaultBatch): Promise<void> {
    throw notYet()
  }

  has(_id: Buffer): boolean {
    throw notYet()
  }

  /** Sealed bytes of a piece that is here. */
  lengthOf(_id: Buffer): number | undefined {
    throw notYet()
  }

  /** Ids of all pieces that are here, ascending; what comes or goes meanwhile may be missed or seen. */
  *pieces(): Generator<{ readonly id: Buffer; readonly length: number }> {
    yield* []
    throw notYet()
  }

  /** In the order asked. Null: not here, or damaged (then forgotten, and told to onDamaged). IO if the storage fails. */
  async read(_ids: readonly Buffer[]): Promise<(Buffer | null)[]> {
    throw notYet()
  }

  /** These pieces may go; compaction brings the space back. Those that are not here are passed over. */
  async drop(_ids: Iterable<Buffer>): Promise<void> {
    throw notYet()
  }

  async compact(_options: CompactionOptions = {}): Promise<CompactionReport> {
    throw notYet()
  }

  certificates(): readonly Buffer[] {
    throw notYet()
  }

  heads(): readonly StoredHead[] {
    throw notYet()
  }

  /** Ascending by index, from `from` (0) on; the newest of each. Damaged ones are left out. */
  async *blocks(_writer: WriterId, _from = 0): AsyncGenerator<StoredBlock> {
    yield* []
    throw notYet()
  }

  stats(): VaultStats {
    throw notYet()
  }

  /** Reads and hashes every frame; what is damaged is forgotten and reported. `onProgress` is waited for: it sets the pace. */
  async verify(
    _options: {
      readonly signal?: AbortSignal
      readonly onProgress?: (progress: VerifyProgress) => void | Promise<void>
    } = {},
  ): Promise<VerifyReport> {
    throw notYet()
  }

  /** Waits for what is being written; later calls reject. The database stays open. */
  async close(): Promise<void> {
    throw notYet()
  }
}

function notYet(): ShoalError {
  return new ShoalError('NOT_YET', 'vaults are not built yet')
}
