// The inviting side of one conversation, after the guest's proof held: offer, take, secret, done. Anything else ends it.
import type { GuestLink, GuestTalk } from '../swarm/guest.js'
import { decodeInviteStep, encodeInviteOffer, type InviteOffer } from './messages.js'

export interface HostTalkCalls {
  /** The frame with the secret; undefined if the invite is over by now. */
  take(): Buffer | undefined
  /** The guest has it. */
  done(): void
  /** It was sent, and the guest never said that it has it. */
  lost(): void
}

export class HostTalk implements GuestTalk {
  readonly #link: GuestLink
  readonly #calls: HostTalkCalls
  #stage: 'offered' | 'sent' | 'done' = 'offered'

  constructor(link: GuestLink, offer: InviteOffer, calls: HostTalkCalls) {
    this.#link = link
    this.#calls = calls
    link.send(encodeInviteOffer(offer))
  }

  onFrame(frame: Buffer): void {
    if (decodeInviteStep(frame).type === 'violation') {
      this.#link.close('bad step of an invite')
      return
    }
    if (this.#stage === 'offered') this.#onTake()
    else if (this.#stage === 'sent') {
      this.#stage = 'done'
      this.#calls.done()
      this.#link.close('invite done')
    }
  }

  onClose(): void {
    if (this.#stage === 'sent') this.#calls.lost()
  }

  #onTake(): void {
    const secret = this.#calls.take()
    if (secret === undefined) {
      this.#link.close('invite is over')
      return
    }
    this.#stage = 'sent'
    this.#link.send(secret)
  }
}
