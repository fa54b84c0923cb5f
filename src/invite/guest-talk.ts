// The guest's side of one conversation with a device that may be the inviting one: says the invite's name and proof,
// checks the proof that comes back, asks whether to go on, and takes the secret. Whoever does not know the code learns the
// name and a proof that is worth nothing elsewhere. What arrives is bounded as in link.ts.
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import type { InviteKeys } from '../core/invite.js'
import { parseSecret } from '../core/secret.js'
import type { Decoded } from '../core/violation.js'
import type { Transport } from '../swarm/dedupe.js'
import { FrameGuard } from '../swarm/frame-guard.js'
import { inviteProof, sameProof } from '../swarm/proof.js'
import {
  decodeInviteOffer,
  decodeInviteSecret,
  encodeInviteGate,
  encodeInviteStep,
  type InviteOffer,
} from './messages.js'

export type GuestOutcome =
  | { readonly type: 'redeemed'; readonly offer: InviteOffer; readonly secret: string }
  /** It ended after Noise and before its proof: the other end knows no such invite. */
  | { readonly type: 'refused' }
  /** It ended otherwise; `taken`: after the invite was taken, so it is used up. */
  | { readonly type: 'broken'; readonly taken: boolean; readonly reason: string }

export interface GuestTalkOptions {
  readonly stream: NoiseSecretStream
  readonly transport: Transport
  readonly keys: InviteKeys
  /** Whether this conversation may take the invite: only one does. */
  readonly mayTake: () => boolean
  readonly timeoutMs: number
}

/** For the host to read the last frame and hang up. */
const PARTING_MS = 1_000

type Stage = 'noise' | 'gate' | 'taken' | 'parting'

/** Speaks on a stream that was made in this same tick; resolves when the stream is closed. Never rejects. */
export function talkAsGuest(options: GuestTalkOptions): Promise<GuestOutcome> {
  return new Promise((resolve) => new Conversation(options, resolve).start())
}

class Conversation {
  readonly #options: GuestTalkOptions
  readonly #resolve: (outcome: GuestOutcome) => void
  readonly #guard: FrameGuard
  #stage: Stage = 'noise'
  #offer: InviteOffer | undefined
  #outcome: GuestOutcome | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: GuestTalkOptions, resolve: (outcome: GuestOutcome) => void) {
    this.#options = options
    this.#resolve = resolve
    this.#guard = new FrameGuard(options.transport === 'udx' ? 1 : 2)
  }

  start(): void {
    const { stream, timeoutMs } = this.#options
    stream.on('error', (error: Error) => this.#onGone(error.message))
    stream.on('close', () => this.#onClose())
    stream.on('data', (frame: Buffer) => this.#onFrame(frame))
    stream.rawStream.prependListener('data', (chunk: Uint8Array) => {
      const fault = this.#guard.push(chunk)
      if (fault !== undefined) this.#end(fault)
    })
    this.#timer = setTimeout(() => this.#end('timed out'), timeoutMs)
    if (stream.connected) this.#onNoise()
    else stream.once('connect', () => this.#onNoise())
  }

  #onNoise(): void {
    if (this.#stage !== 'noise') return
    this.#stage = 'gate'
    const { stream, keys } = this.#options
    const proof = inviteProof(keys.authKey, 'initiator', stream.handshakeHash!)
    stream.write(encodeInviteGate({ name: keys.name, proof }))
  }

  #onFrame(frame: Buffer): void {
    // An empty frame is a keepalive.
    if (frame.length === 0 || this.#outcome !== undefined) return
    if (this.#stage === 'gate') this.#onOffer(decodeInviteOffer(frame))
    else if (this.#stage === 'taken') this.#onSecret(frame)
    else this.#end('a frame out of turn')
  }

  #onOffer(offer: Decoded<InviteOffer>): void {
    const { stream, keys, mayTake } = this.#options
    if (offer.type === 'violation') return this.#end(`bad offer: ${offer.detail}`)
    if (!sameProof(inviteProof(keys.authKey, 'responder', stream.handshakeHash!), offer.value.proof))
      return this.#end('the other end does not know the invite')
    if (!mayTake()) return this.#end('another connection takes the invite')
    this.#offer = offer.value
    this.#stage = 'taken'
    stream.write(encodeInviteStep())
  }

  #onSecret(frame: Buffer): void {
    const { stream, keys } = this.#options
    const offer = this.#offer!
    const secret = decodeInviteSecret(frame, keys.sealKey, stream.handshakeHash!)
    if (secret.type === 'violation') return this.#end(`bad secret: ${secret.detail}`)
    if (!isSecretOf(secret.value, offer)) return this.#end('what came is no secret of the grade offered')
    this.#outcome = { type: 'redeemed', offer, secret: secret.value }
    this.#stage = 'parting'
    stream.write(encodeInviteStep())
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => stream.destroy(), PARTING_MS)
  }

  #onClose(): void {
    this.#onGone('connection closed')
    clearTimeout(this.#timer)
    this.#resolve(this.#outcome!)
  }

  /** The other end hung up, politely or not. */
  #onGone(reason: string): void {
    if (this.#stage === 'gate') this.#outcome ??= { type: 'refused' }
    this.#end(reason)
  }

  #end(reason: string): void {
    this.#outcome ??= { type: 'broken', taken: this.#stage === 'taken', reason }
    this.#options.stream.destroy()
  }
}

function isSecretOf(text: string, { grade }: InviteOffer): boolean {
  try {
    return parseSecret(text).grade === grade
  } catch {
    // Whatever is wrong with it: it is none.
    return false
  }
}
