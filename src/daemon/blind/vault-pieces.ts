// Gives peers the pieces they ask for out of a vault: sealed as they lie there. Where the vault cannot be read for a while (a
// bucket that does not answer, a disk that has a bad moment), the exchange withdraws what was asked for, and peers believe
// that for as long as the connection lasts; so once the vault can be read again, it is told again.
import { toShoalError } from '../../core/error.js'
import type { WriterId } from '../../core/ids.js'
import type { PieceRequest, PieceSource } from '../../exchange/exchange.js'
import { TooManyBytes } from '../../exchange/too-many-bytes.js'
import type { BlindIndex } from '../../store/blind-index.js'
import type { ProblemBook } from '../share/problems.js'

/** The part of a vault (src/vault) that this needs. */
export interface ReadsPieces {
  has(id: Buffer): boolean
  /** Sealed bytes of a piece that is here. */
  lengthOf(id: Buffer): number | undefined
  read(ids: readonly Buffer[]): Promise<(Buffer | null)[]>
}

export interface VaultPiecesOptions {
  readonly index: Pick<BlindIndex, 'feeds' | 'at'>
  /** Undefined while nothing is served. */
  readonly vault: () => ReadsPieces | undefined
  readonly problems: Pick<ProblemBook, 'set' | 'clear'>
  /** These pieces were withdrawn, and can be served now. */
  readonly onServable: (writer: WriterId, numbers: readonly number[]) => void
  /** Between two tries to read again, at first; doubled up to the longest. */
  readonly retryMs?: number
}

const RETRY_MS = 1000
const LONGEST_RETRY_MS = 30_000

export class VaultPieces implements PieceSource {
  readonly #o: VaultPiecesOptions
  /** Could not be read, by writer and number; the one that is tried next is the first. */
  readonly #withdrawn = new Map<string, PieceRequest>()
  #timer: NodeJS.Timeout | undefined
  #waitMs: number
  #stopped = false

  constructor(options: VaultPiecesOptions) {
    this.#o = options
    this.#waitMs = options.retryMs ?? RETRY_MS
  }

  async read(requests: readonly PieceRequest[], maxBytes?: number): Promise<readonly (Buffer | null)[]> {
    const open = this.#o.vault()
    const answers: (Buffer | null)[] = new Array(requests.length).fill(null)
    if (open === undefined) return answers
    const ids: Buffer[] = []
    const places: number[] = []
    requests.forEach((request, place) => {
      const id = this.#idOf(request, open)
      if (id === undefined) return
      ids.push(id)
      places.push(place)
    })
    if (ids.length === 0) return answers
    if (maxBytes !== undefined) {
      const bytes = ids.reduce((sum, id) => sum + (open.lengthOf(id) ?? 0), 0)
      if (bytes > maxBytes) throw new TooManyBytes(bytes, maxBytes)
    }
    let pieces: readonly (Buffer | null)[]
    try {
      pieces = await open.read(ids)
    } catch (thrown) {
      for (const place of places) this.#withdraw(requests[place]!)
      this.#failed(thrown)
      throw thrown
    }
    pieces.forEach((piece, i) => {
      answers[places[i]!] = piece
    })
    return answers
  }

  lengthOf({ writer, index: number }: PieceRequest): number | undefined {
    const { index } = this.#o
    const feed = index.feeds.byWriter(writer)
    return feed === undefined ? undefined : index.at(feed.number, number)?.length
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Undefined too where the number was announced with a length that the piece does not have: that one, nobody has. */
  #idOf({ writer, index: number }: PieceRequest, open: ReadsPieces): Buffer | undefined {
    const { index } = this.#o
    const feed = index.feeds.byWriter(writer)
    const piece = feed === undefined ? undefined : index.at(feed.number, number)
    const held = piece === undefined ? undefined : open.lengthOf(piece.id)
    return held === undefined || held === piece?.length ? piece?.id : undefined
  }

  #withdraw(request: PieceRequest): void {
    this.#withdrawn.set(`${request.writer}:${request.index}`, request)
  }

  #failed(thrown: unknown): void {
    const { code, message } = toShoalError(thrown)
    this.#o.problems.set('vault', 'reading', code, `${message}; it is tried again`)
    if (this.#stopped) return
    // Not at once: the exchange withdraws with this answer, and would do so after what is told now.
    this.#timer ??= setTimeout(() => {
      void this.#again()
    }, this.#waitMs).unref()
  }

  /** One piece is tried: what else fails for a reason of its own is withdrawn again when somebody asks for it. */
  async #again(): Promise<void> {
    const [first] = this.#withdrawn
    const open = this.#o.vault()
    if (first === undefined || open === undefined) return this.#tellAll(open)
    const [key, request] = first
    const id = this.#idOf(request, open)
    try {
      if (id !== undefined) await open.read([id])
      this.#tellAll(this.#o.vault())
    } catch (thrown) {
      this.#timer = undefined
      // The next try is for another one: this one may lie in the only pack that cannot be read.
      this.#withdrawn.delete(key)
      this.#withdrawn.set(key, request)
      this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_RETRY_MS)
      this.#failed(thrown)
    }
  }

  #tellAll(open: ReadsPieces | undefined): void {
    const { problems, onServable, retryMs } = this.#o
    this.#timer = undefined
    this.#waitMs = retryMs ?? RETRY_MS
    if (this.#stopped) return
    problems.clear('vault', 'reading')
    const servable = new Map<WriterId, number[]>()
    for (const request of this.#withdrawn.values()) {
      const id = open === undefined ? undefined : this.#idOf(request, open)
      if (id === undefined || open?.has(id) !== true) continue
      const numbers = servable.get(request.writer)
      if (numbers === undefined) servable.set(request.writer, [request.index])
      else numbers.push(request.index)
    }
    this.#withdrawn.clear()
    for (const [writer, numbers] of servable) onServable(writer, numbers)
  }
}
