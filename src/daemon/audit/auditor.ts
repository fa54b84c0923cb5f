// Has a member prove that it holds a share's pieces: asks for hashes of a random sample of the pieces that this disk holds
// itself, under a nonce that was made a moment before, and compares them with its own (core/audit.ts says what that proves).
// What it cannot tell is whether the member has the pieces on its own disk, or fetched them from somebody in the time it
// took to answer; so answers have a time limit, and what the member fetched from this device meanwhile is told.
import { randomBytes } from 'node:crypto'
import { AUDIT_NONCE_BYTES, auditHasher } from '../../core/audit.js'
import { ShoalError } from '../../core/error.js'
import type { DeviceId, ShareId, WriterId } from '../../core/ids.js'
import type { PieceInfo } from '../../core/piece.js'
import type { PieceSource } from '../../exchange/exchange.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { ChallengeAnswer, ChallengeMessage, ProvedPiece } from '../../swarm/audit-messages.js'
import { MAX_CHALLENGED } from '../../swarm/audit-messages.js'
import type { DrawnPiece } from './sample.js'

/** Whom to ask; SharePeer fits. */
export interface AuditedPeer {
  readonly device: DeviceId
  on(event: 'challenge-answer', listener: (answer: ChallengeAnswer) => void): unknown
  on(event: 'close', listener: () => void): unknown
  off(event: 'challenge-answer', listener: (answer: ChallengeAnswer) => void): unknown
  off(event: 'close', listener: () => void): unknown
  sendChallenge(challenge: ChallengeMessage): void
}

export interface AuditorOptions {
  readonly peer: AuditedPeer
  readonly own: DeviceId
  readonly shareId: ShareId
  readonly index: Pick<ShareIndex, 'pieces' | 'feeds'>
  /** This device's own pieces. */
  readonly source: PieceSource
  readonly onProgress?: (checked: number) => void
  readonly signal?: AbortSignal
  /** How long a member may take for a challenge, and for each MiB of it. */
  readonly answerMs?: number
  readonly answerMsPerMib?: number
}

/** What became of a sample; the counts add up to its size, or to less where the member stopped answering. */
export interface AuditOutcome {
  readonly proved: number
  /** It says that it does not have them. */
  readonly missing: number
  /** It gave another hash than whoever has the piece would. */
  readonly wrong: number
  /** It did not answer in time. */
  readonly silent: number
  /** This device could not read its own copy: nothing is said of these. */
  readonly unchecked: number
  /** Sealed bytes of what was proved. */
  readonly bytes: number
  /** The slowest answer. */
  readonly slowestMs: number
  /** Some files with pieces that are missing or wrong. */
  readonly paths: readonly string[]
}

/** Of one challenge: the whole of it is read by the member before it answers. */
const CHALLENGE_BYTES = 32 << 20
const ANSWER_MS = 20_000
const ANSWER_MS_PER_MIB = 2000
/** Other numbers of a piece that are tried if the member does not know the first: it may never have heard of that. */
const MAX_TRIES = 4
/** A member that answers none of so many challenges one after the other is asked no more: each takes as long as its time limit. */
const UNANSWERED = 2
/** Tried again if it is busy with others. */
const BUSY_TRIES = 30
const BUSY_WAIT_MS = 1000
const MAX_PATHS = 20
/** Of its own, that this device has in memory at a time. */
const PIECES_AT_ONCE = 8

type Outcome = { -readonly [K in keyof AuditOutcome]: AuditOutcome[K] } & { paths: string[] }

type Verdict = 'proved' | 'missing' | 'wrong' | 'silent' | 'unchecked'

interface Ref {
  readonly writer: WriterId
  readonly index: number
}

export class Auditor {
  readonly #o: AuditorOptions
  /** Challenges since the last answer. */
  #unanswered = 0
  readonly #outcome: Outcome = {
    ...{ proved: 0, missing: 0, wrong: 0, silent: 0, unchecked: 0, bytes: 0, slowestMs: 0 },
    paths: [],
  }

  constructor(options: AuditorOptions) {
    this.#o = options
  }

  /** Asks for all of a sample. MEMBER_UNREACHABLE if the member leaves, and the signal's reason. */
  async audit(sample: readonly DrawnPiece[]): Promise<AuditOutcome> {
    let at = 0
    while (at < sample.length && this.#unanswered < UNANSWERED) {
      this.#o.signal?.throwIfAborted()
      const batch: DrawnPiece[] = []
      for (
        let bytes = 0;
        at < sample.length && batch.length < MAX_CHALLENGED && bytes < CHALLENGE_BYTES;
        at++
      ) {
        batch.push(sample[at]!)
        bytes += sample[at]!.length
      }
      await this.#check(batch)
      this.#o.onProgress?.(at)
    }
    return this.#outcome
  }

  async #check(batch: readonly DrawnPiece[]): Promise<void> {
    let open = batch.map((piece) => ({ piece, refs: this.#refsOf(piece) }))
    const known = open.filter(({ refs }) => refs.length > 0)
    this.#outcome.unchecked += open.length - known.length
    open = known
    for (let tried = 0; open.length > 0 && tried < MAX_TRIES; tried++) {
      const asked = open.map(({ refs }) => refs[Math.min(tried, refs.length - 1)]!)
      const verdicts = await this.#ask(
        asked,
        open.map(({ piece }) => piece),
      )
      const again: typeof open = []
      for (const [i, each] of open.entries()) {
        const verdict = verdicts[i]!
        if (verdict === 'missing' && tried + 1 < each.refs.length && tried + 1 < MAX_TRIES) again.push(each)
        else this.#count(each.piece, verdict)
      }
      open = again
    }
  }

  #count({ path, length }: DrawnPiece, verdict: Verdict): void {
    this.#outcome[verdict]++
    if (verdict === 'proved') this.#outcome.bytes += length
    else if (
      verdict !== 'unchecked' &&
      verdict !== 'silent' &&
      this.#outcome.paths.length < MAX_PATHS &&
      !this.#outcome.paths.includes(path)
    )
      this.#outcome.paths.push(path)
  }

  async #ask(pieces: readonly Ref[], drawn: readonly DrawnPiece[]): Promise<Verdict[]> {
    const { own, shareId, peer, source } = this.#o
    const bytes = drawn.reduce((sum, { length }) => sum + length, 0)
    for (let busy = 0; ; busy++) {
      const nonce = randomBytes(AUDIT_NONCE_BYTES)
      const startedMs = performance.now()
      const answer = await this.#challenge({ nonce, pieces }, bytes)
      if (answer === undefined) {
        this.#unanswered++
        return pieces.map(() => 'silent')
      }
      this.#unanswered = 0
      if (busy < BUSY_TRIES && answer.includes('not-now')) {
        await this.#pause()
        continue
      }
      this.#outcome.slowestMs = Math.max(this.#outcome.slowestMs, performance.now() - startedMs)
      // Read only now, so that this device's reading does not make the member's look slow.
      const hash = auditHasher({ nonce, shareId, verifier: own, prover: peer.device })
      const verdicts: Verdict[] = []
      for (let at = 0; at < pieces.length; at += PIECES_AT_ONCE) {
        const told = answer.slice(at, at + PIECES_AT_ONCE)
        const read = await source.read(pieces.slice(at, at + PIECES_AT_ONCE))
        for (const [i, sealed] of read.entries()) verdicts.push(verdictOf(told[i]!, sealed, hash))
        source.release?.(read)
      }
      return verdicts
    }
  }

  /** Undefined: none came in time, or not of these pieces. */
  #challenge(challenge: ChallengeMessage, bytes: number): Promise<readonly ProvedPiece[] | undefined> {
    const { peer, signal, answerMs = ANSWER_MS, answerMsPerMib = ANSWER_MS_PER_MIB } = this.#o
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        peer.off('challenge-answer', onAnswer)
        peer.off('close', onClose)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAnswer = ({ nonce, pieces }: ChallengeAnswer): void => {
        // An answer to an earlier challenge, which came too late.
        if (!nonce.equals(challenge.nonce)) return
        end()
        resolve(pieces.length === challenge.pieces.length ? pieces : undefined)
      }
      const onClose = (): void => {
        end()
        reject(new ShoalError('MEMBER_UNREACHABLE', 'the member has left while it was audited'))
      }
      const onAbort = (): void => {
        end()
        reject(signal!.reason)
      }
      const timer = setTimeout(
        () => {
          end()
          resolve(undefined)
        },
        answerMs + (bytes / (1 << 20)) * answerMsPerMib,
      )
      peer.on('challenge-answer', onAnswer)
      peer.on('close', onClose)
      signal?.addEventListener('abort', onAbort)
      peer.sendChallenge(challenge)
    })
  }

  /** All numbers of a piece, those told last first: whoever came late may know no others (F3). */
  #refsOf(piece: PieceInfo): Ref[] {
    const { pieces, feeds } = this.#o.index
    return pieces
      .refsOf(piece)
      .flatMap(({ feed, index }) => {
        const known = feeds.byNumber(feed)
        return known === undefined ? [] : [{ writer: known.writer, index }]
      })
      .reverse()
  }

  async #pause(): Promise<void> {
    this.#o.signal?.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT_MS))
  }
}

function verdictOf(told: ProvedPiece, sealed: Buffer | null, hash: (sealed: Uint8Array) => Buffer): Verdict {
  if (told === 'not-here') return 'missing'
  if (told === 'not-now') return 'silent'
  if (sealed === null) return 'unchecked'
  return hash(sealed).equals(told) ? 'proved' : 'wrong'
}
