// Every connection of this node from its first byte on: puts Noise and the link on a socket, keeps strangers in the
// lobby until their proof holds, and knows all there are, so that stopping closes all.
import type { Socket } from 'node:net'
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import type { DeviceKeys } from '../core/device.js'
import { Link, type LinkOptions } from './link.js'
import { RoomyNoise } from './roomy-noise.js'
import { Lobby } from './tcp.js'

export interface ConnectionsOptions {
  readonly device: DeviceKeys
  /** What is the same for every link; asked for each, as shares and the port come later. */
  readonly common: () => Omit<LinkOptions, 'stream' | 'transport' | 'remote'>
  /** The proof of a link holds. */
  readonly onReady: (link: Link) => void
}

/** `onSettled` runs once, when the connection is ready or has failed. */
export type OpenOptions = Pick<LinkOptions, 'stream' | 'transport' | 'remote'> &
  Partial<LinkOptions> & { readonly onSettled?: (link: Link) => void }

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #lobby = new Lobby()
  readonly #links = new Set<Link>()
  #isClosed = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** Noise over a socket. */
  noise(isInitiator: boolean, socket: Socket): NoiseSecretStream {
    const { publicKey, secretKey } = this.#options.device
    return new RoomyNoise(isInitiator, socket, { keyPair: { publicKey, secretKey } })
  }

  open({ onSettled, ...options }: OpenOptions): void {
    const link = new Link({ ...this.#options.common(), ...options })
    this.#links.add(link)
    if (link.role === 'responder') this.#lobby.enter(link)
    link.on('ready', () => {
      this.#lobby.leave(link)
      this.#options.onReady(link)
      onSettled?.(link)
    })
    link.on('close', () => {
      this.#links.delete(link)
      this.#lobby.leave(link)
      if (link.readyMs === 0) onSettled?.(link)
    })
    link.start()
    if (this.#isClosed) link.close('stopped')
  }

  /** Closes all, and whatever is opened from now on. */
  close(): void {
    this.#isClosed = true
    for (const link of [...this.#links]) link.close('stopped')
  }
}
