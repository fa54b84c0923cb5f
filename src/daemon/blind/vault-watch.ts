// Whether a blind share's vault is still where it was. Nobody but the daemon changes a vault, but its disk may come loose, and
// somebody may move or clean up its folder, or its bucket. Looked at now and then, and by whoever is about to say what is held;
// while it is away that is a problem, and nothing is said to be safe. Nothing is forgotten for it: it may come back.
// A bucket that cannot be reached is not away: the node goes on with its spool, and its health is told elsewhere.
import { toShoalError } from '../../core/error.js'
import type { ProblemBook } from '../share/problems.js'

/** The part of a vault (src/vault) that this needs. */
export interface MayGo {
  mustBeThere(): Promise<void>
  look(): Promise<void>
}

export interface VaultWatchOptions {
  readonly vault: MayGo
  readonly problems: Pick<ProblemBook, 'set' | 'clear'>
  /** It went, or is back. */
  readonly onChange: () => void
  readonly everyMs?: number
}

const EVERY_MS = 60_000
/** Every so many times all packs are looked at: one small file tells that a disk is away, not that a pack is. */
const ALL_EVERY = 60

export class VaultWatch {
  readonly #o: VaultWatchOptions
  readonly #timer: NodeJS.Timeout
  #ticks = 0
  #isAway = false
  #isStopped = false
  #last: Promise<unknown> = Promise.resolve()
  /** Waits for its turn. */
  #next: Promise<void> | undefined

  constructor(options: VaultWatchOptions) {
    this.#o = options
    this.#timer = setInterval(() => this.#tick(), options.everyMs ?? EVERY_MS).unref()
  }

  /** Whether it was away when it was looked at last. */
  get isAway(): boolean {
    return this.#isAway
  }

  /** Looks at all of it, after this call; several at once share a look. IO if it is away. */
  look(): Promise<void> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined
      return this.#noted(() => this.#o.vault.look())
    })
    this.#last = this.#next.catch(() => undefined)
    return this.#next
  }

  /** The same; a bucket that cannot be reached counts as it was when it could. */
  async lookIfReachable(): Promise<void> {
    try {
      await this.look()
    } catch (thrown) {
      if (!isUnreachable(thrown) || this.#isAway) throw thrown
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#last
  }

  #tick(): void {
    const isForAll = ++this.#ticks % ALL_EVERY === 0 || this.#isAway
    const looked = isForAll ? this.look() : this.#noted(() => this.#o.vault.mustBeThere())
    // It is told as a problem.
    looked.catch(() => undefined)
  }

  async #noted(body: () => Promise<void>): Promise<void> {
    const { problems, onChange } = this.#o
    const wasAway = this.#isAway
    try {
      await body()
      this.#isAway = false
      problems.clear('vault', 'away')
    } catch (thrown) {
      // A vault that is closed is not away.
      if (this.#isStopped) return
      if (isUnreachable(thrown)) throw thrown
      this.#isAway = true
      const { code, message } = toShoalError(thrown)
      problems.set('vault', 'away', code, `${message}; it goes on by itself once it is back`)
      throw thrown
    } finally {
      if (this.#isAway !== wasAway) onChange()
    }
  }
}

function isUnreachable(thrown: unknown): boolean {
  return toShoalError(thrown).code === 'BUCKET_UNREACHABLE'
}
