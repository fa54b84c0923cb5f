// Certificates of peers that are met before the vault is open, which may take for ever: a bucket does not answer, or the share
// is halted. Each once, few of each peer, and only those that hold (K5): what anybody sends is not to fill the memory.
import { openCertificate } from '../../core/certificate.js'
import type { ShareId } from '../../core/ids.js'

/** Peers that are listened to. */
const MAX_PEERS = 64
/** Of one peer: a share of 1,000 writers. Some 300 KiB. */
const MAX_OF_PEER = 1024

export class EarlyCertificates<Peer> {
  readonly #shareId: ShareId
  readonly #publicKey: Buffer
  readonly #lists = new Map<Peer, Map<string, Buffer>>()

  constructor(shareId: ShareId, publicKey: Buffer) {
    this.#shareId = shareId
    this.#publicKey = publicKey
  }

  add(peer: Peer, certificates: readonly Buffer[]): void {
    let list = this.#lists.get(peer)
    if (list === undefined) {
      if (this.#lists.size >= MAX_PEERS) return
      list = new Map()
      this.#lists.set(peer, list)
    }
    for (const bytes of certificates) {
      if (list.size >= MAX_OF_PEER) return
      const opened = openCertificate(bytes, this.#shareId, this.#publicKey)
      if (opened.type === 'ok') list.set(opened.value.writer, Buffer.from(bytes))
    }
  }

  delete(peer: Peer): void {
    this.#lists.delete(peer)
  }

  /** All of them, by peer; they are forgotten. */
  take(): [Peer, readonly Buffer[]][] {
    const all = [...this.#lists].map(([peer, list]): [Peer, readonly Buffer[]] => [peer, [...list.values()]])
    this.#lists.clear()
    return all
  }
}
