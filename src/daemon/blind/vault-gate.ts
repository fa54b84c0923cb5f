// The one way into a share's vault: batches are written one after the other, and what cannot be written (the disk is full,
// the storage fails) is tried again until it can be. Nothing is acknowledged before it is durable, and nothing that was
// handed in is forgotten while the daemon runs.
import { setTimeout as delay } from 'node:timers/promises'
import { meaningOf, toShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'
import type { VaultBatch } from '../../vault/stored.js'
import type { ProblemBook } from '../share/problems.js'

/** The part of a vault (src/vault) that this needs. */
export interface TakesBatches {
  add(batch: VaultBatch, within?: () => void): Promise<void>
}

export interface VaultGateOptions {
  readonly vault: TakesBatches
  readonly problems: Pick<ProblemBook, 'set' | 'clear'>
  readonly log: Log
  /** Whether an error means that there is no room. */
  readonly isFull: (thrown: unknown) => boolean
  /** It is stuck, or goes on. */
  readonly onStuck: (isStuck: boolean) => void
  readonly retryMs?: number
}

/** Between two tries: somebody has to make room first. */
const RETRY_MS = 5000

export class VaultGate {
  readonly #o: VaultGateOptions
  readonly #abort = new AbortController()
  /** By what; undefined: it is not. What has no pieces may still find room where these do not. */
  #stuckBy: 'pieces' | 'records' | undefined
  #waiting = 0

  constructor(options: VaultGateOptions) {
    this.#o = options
  }

  /** Whether what is handed in cannot be written now. */
  get isStuck(): boolean {
    return this.#stuckBy !== undefined
  }

  /** Whether nothing is on its way. */
  get isIdle(): boolean {
    return this.#waiting === 0
  }

  /** Resolves when all of it is durable; rejects once stopped. `within` as Vault.add's. */
  async add(batch: VaultBatch, within?: () => void): Promise<void> {
    this.#waiting++
    const kind = (batch.pieces?.length ?? 0) > 0 ? 'pieces' : 'records'
    try {
      for (;;) {
        this.#abort.signal.throwIfAborted()
        try {
          await this.#o.vault.add(batch, within)
          if (kind === 'pieces' || this.#stuckBy === kind) this.#setStuck(undefined, undefined)
          return
        } catch (thrown) {
          // A vault that closes refuses what waits: nothing is wrong with it.
          this.#abort.signal.throwIfAborted()
          this.#setStuck(this.#stuckBy ?? kind, thrown)
        }
        await delay(this.#o.retryMs ?? RETRY_MS, undefined, { signal: this.#abort.signal })
      }
    } finally {
      this.#waiting--
    }
  }

  stop(): void {
    this.#abort.abort(new Error('the share stops'))
  }

  #setStuck(by: 'pieces' | 'records' | undefined, thrown: unknown): void {
    const isStuck = by !== undefined
    const wasStuck = this.#stuckBy !== undefined
    const { problems, log, isFull, onStuck } = this.#o
    if (isStuck) {
      const { code, message } = toShoalError(thrown)
      if (isFull(thrown))
        problems.set('vault', '', 'DISK_FULL', `${message}; it goes on by itself once there is room`)
      else problems.set('vault', '', code, `${message}; it is tried again${hintOf(thrown)}`)
      if (!wasStuck) log.error({ err: thrown }, 'cannot write to the vault')
    } else if (wasStuck) {
      problems.clear('vault', '')
      log.info({}, 'the vault can be written to again')
    }
    this.#stuckBy = by
    if (isStuck !== wasStuck) onStuck(isStuck)
  }
}

function hintOf(thrown: unknown): string {
  const { hint } = meaningOf(toShoalError(thrown).code)
  return hint === '' ? '' : ` (${hint})`
}
