// Answers challenges of members (core/audit.ts) by reading the pieces they name, as if they were to be served. Whoever may ask
// may fetch the pieces as well, so nothing is given away; but a question is short and its answer costs reading, so all
// questions of all peers are answered one after the other, at a pace (F7).
import { Allowance } from '../../core/allowance.js'
import { auditHasher } from '../../core/audit.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import type { PieceSource } from '../../exchange/exchange.js'
import type { Log } from '../../ports/log.js'
import type { ChallengeAnswer, ChallengeMessage, ProvedPiece } from '../../swarm/audit-messages.js'

/** What a challenge comes from and its answer goes to; SharePeer fits. */
export interface ChallengingPeer {
  readonly device: DeviceId
  on(event: 'challenge', listener: (challenge: ChallengeMessage) => void): unknown
  on(event: 'close', listener: () => void): unknown
  sendChallengeAnswer(answer: ChallengeAnswer): void
}

export interface AuditeeOptions {
  readonly source: PieceSource
  readonly own: DeviceId
  readonly shareId: ShareId
  readonly log: Pick<Log, 'warn'>
  readonly fail: (thrown: unknown) => void
  /** Milliseconds of a clock that never goes back. Default: this machine's. */
  readonly monotonicMs?: () => number
}

/** Of one peer that wait; an honest one has one under way. More are answered with "not now". */
const MAX_WAITING = 4
/** Pieces read at a time: with the longest ones that is 128 MiB, with ordinary ones 4. */
const PIECES_AT_ONCE = 8
/** Read in a burst, and how fast that grows back: 256 MiB, and 32 MiB a second. */
const BURST_MIB = 256
const REFILL_MS = 1000 / 32
const MIB = 1 << 20

export class Auditee {
  readonly #o: AuditeeOptions
  readonly #nowMs: () => number
  readonly #allowance = new Allowance(BURST_MIB, REFILL_MS)
  readonly #waiting = new Map<ChallengingPeer, number>()
  #line: Promise<void> = Promise.resolve()
  #pause: { readonly timer: NodeJS.Timeout; readonly end: () => void } | undefined
  #stopped = false

  constructor(options: AuditeeOptions) {
    this.#o = options
    this.#nowMs = options.monotonicMs ?? (() => performance.now())
  }

  /** Answers a peer from now on. */
  attach(peer: ChallengingPeer): void {
    this.#waiting.set(peer, 0)
    peer.on('close', () => this.#waiting.delete(peer))
    peer.on('challenge', (challenge) => this.#take(peer, challenge))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting.clear()
    this.#pause?.end()
    await this.#line
  }

  #take(peer: ChallengingPeer, challenge: ChallengeMessage): void {
    const waiting = this.#waiting.get(peer)
    if (waiting === undefined) return
    const { nonce, pieces } = challenge
    if (waiting >= MAX_WAITING) {
      peer.sendChallengeAnswer({ nonce, pieces: pieces.map(() => 'not-now') })
      return
    }
    this.#waiting.set(peer, waiting + 1)
    this.#line = this.#line.then(() => this.#answer(peer, challenge)).catch(this.#o.fail)
  }

  async #answer(peer: ChallengingPeer, { nonce, pieces }: ChallengeMessage): Promise<void> {
    const { own, shareId, source, log } = this.#o
    const hash = auditHasher({ nonce, shareId, verifier: peer.device, prover: own })
    const proved: ProvedPiece[] = []
    for (let at = 0; at < pieces.length; at += PIECES_AT_ONCE) {
      await this.#rest()
      if (this.#stopped || !this.#waiting.has(peer)) return
      const some = pieces.slice(at, at + PIECES_AT_ONCE)
      let read: readonly (Buffer | null)[]
      try {
        read = await source.read(some)
      } catch (err) {
        // A disk or a bucket that fails now; what else needs it says so, and it proves nothing about the pieces.
        log.warn({ err, peer: peer.device }, 'cannot answer a challenge now')
        for (const _ of some) proved.push('not-now')
        continue
      }
      const bytes = read.reduce((sum, piece) => sum + (piece?.length ?? 0), 0)
      this.#allowance.spend(bytes / MIB, this.#nowMs())
      for (const piece of read) proved.push(piece === null ? 'not-here' : hash(piece))
      source.release?.(read)
    }
    const waiting = this.#waiting.get(peer)
    if (this.#stopped || waiting === undefined) return
    this.#waiting.set(peer, waiting - 1)
    peer.sendChallengeAnswer({ nonce, pieces: proved })
  }

  async #rest(): Promise<void> {
    const waitMs = this.#allowance.waitMs(this.#nowMs())
    if (waitMs === 0 || this.#stopped) return
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#pause = undefined
        resolve()
      }
      const timer = setTimeout(end, waitMs)
      this.#pause = { timer, end }
    })
  }
}
