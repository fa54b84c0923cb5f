// One proven peer connection as the exchange sees it: a protomux channel per feed that both sides know, and in each a
// FeedWire. Output of all wires is collected and sent as few large messages, since every Noise frame costs; a message is
// written into the frame it is encrypted in, one copy.
// Promises: a channel opens when both sides know the feed, whichever learns of it last (X2); nothing is sent twice.
import type Protomux from 'protomux'
import type { Channel, EncodingState, Message } from 'protomux'
import type { DeviceId, WriterId } from '../core/ids.js'
import { FeedWire, type FeedWireEvents } from './feed-wire.js'

/** What the exchange needs of a connection; swarm's SharePeer fits. */
export interface PeerLink {
  readonly device: DeviceId
  /** "host:port", as far as it is known. */
  readonly address?: string
  /** 'tcp', 'udx' or 'relayed', as far as it is known. */
  readonly transport?: string
  /** `spend`: nobody looks any more at so many bytes of the frame that is being handled. */
  readonly mux: Protomux & { spend?(bytes: number): void }
  on(event: 'close', listener: (reason: string) => void): unknown
  close(reason: string): void
  ban(reason: string, forMs: number): void
}

/** What a link needs of a feed. */
export interface LinkedFeed {
  readonly writer: WriterId
  readonly discoveryKey: Buffer
  /** BEP 3's bitfield of what we hold, undefined if that is nothing. */
  heldBytes(): Buffer | undefined
}

export interface LinkEvents extends FeedWireEvents {
  /** The channel is gone, with all that was asked through it. */
  wireClosed(wire: FeedWire): void
  /** What was written has left; there is room for more. */
  drained(): void
  /** Whether what is sent to this peer waits for its turns, send(), but for small messages. */
  isPaced?(): boolean
}

const PROTOCOL = 'shoal/wire/1'
/** Longest message: of larger ones the other side holds more back before it sees the first byte. */
export const MAX_MESSAGE_BYTES: number = 512 * 1024
/** Under a limit, a wire with more than that to send has to wait for its turn; with less, it holds no block to speak of. */
const FREE_BYTES = 4096
/** Below this the output of several wires shares one Noise frame, at the price of one more copy. */
const SHARED_FRAME_BYTES = 32 * 1024

/** What a limit looks at: bytes that frames took on the connection. */
export interface Transport {
  readonly rawBytesRead: number
  readonly rawBytesWritten: number
}

export class Link {
  readonly peer: PeerLink
  readonly device: DeviceId
  /** By the feed's writer; only those whose channel is open on both sides. */
  readonly wires: Map<WriterId, FeedWire> = new Map()
  readonly #own: DeviceId
  readonly #events: LinkEvents
  readonly #channels = new Map<FeedWire, Message<readonly Uint8Array[]>>()
  readonly #open: Set<Channel> = new Set()
  readonly #paired: Buffer[] = []
  readonly #dirty = new Set<FeedWire>()
  #unchoked = false
  #closed = false

  constructor(own: DeviceId, peer: PeerLink, events: LinkEvents) {
    this.peer = peer
    this.device = peer.device
    this.#own = own
    this.#events = {
      ...events,
      output: (wire) => {
        this.#dirty.add(wire)
        events.output(wire)
      },
    }
  }

  /** What carries it, for other shares as well. */
  get connection(): Transport {
    return this.peer.mux.stream
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether more can be written without piling up. */
  get drained(): boolean {
    return this.peer.mux.drained
  }

  /** Bytes collected and not yet written. */
  get outBytes(): number {
    let bytes = 0
    for (const wire of this.#dirty) bytes += wire.outBytes
    return bytes
  }

  get unchoked(): boolean {
    return this.#unchoked
  }

  /** Serves the peer from now on. */
  unchoke(): void {
    this.#unchoked = true
    for (const wire of this.wires.values()) wire.unchoke()
  }

  /** Offers the feed, now and whenever the other side comes to know it. */
  addFeed(feed: LinkedFeed): void {
    if (this.#closed) return
    this.peer.mux.pair({ protocol: PROTOCOL, id: feed.discoveryKey }, () => this.#openChannel(feed))
    this.#paired.push(feed.discoveryKey)
    this.#openChannel(feed)
  }

  /** Writes everything collected; under a limit, what is small. */
  flush(): void {
    if (this.#closed || this.#dirty.size === 0) return
    if (this.#events.isPaced?.() === true) {
      for (const wire of this.#dirty) if (wire.outBytes <= FREE_BYTES) this.#send(wire, FREE_BYTES)
      return
    }
    const { mux } = this.peer
    const share = this.#dirty.size > 1 && this.outBytes <= SHARED_FRAME_BYTES
    if (share) mux.cork()
    for (const wire of this.#dirty) {
      const message = this.#channels.get(wire)
      while (message !== undefined && wire.outBytes > 0) message.send(wire.take(MAX_MESSAGE_BYTES))
    }
    this.#dirty.clear()
    if (share) mux.uncork()
  }

  /** Writes about so many bytes of what was collected, of the wire with the fewest first; how many they were. */
  send(maxBytes: number): number {
    if (this.#closed) return 0
    let sent = 0
    for (const wire of [...this.#dirty].sort((a, b) => a.outBytes - b.outBytes)) {
      if (sent >= maxBytes) break
      sent += this.#send(wire, maxBytes - sent)
    }
    return sent
  }

  #send(wire: FeedWire, maxBytes: number): number {
    const bytes = Math.min(maxBytes, wire.outBytes)
    if (bytes > 0) this.#channels.get(wire)?.send(wire.take(bytes))
    if (wire.outBytes === 0) this.#dirty.delete(wire)
    return bytes
  }

  /** Forgets the connection; closes the channels if it is still there. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const id of this.#paired) this.peer.mux.unpair({ protocol: PROTOCOL, id })
    for (const wire of this.wires.values()) wire.stop()
    this.wires.clear()
    this.#channels.clear()
    this.#dirty.clear()
    for (const channel of this.#open) channel.close()
    this.#open.clear()
  }

  #openChannel(feed: LinkedFeed): void {
    if (this.#closed) return
    const wire = new FeedWire({
      writer: feed.writer,
      discoveryKey: feed.discoveryKey,
      device: this.#own,
      remoteDevice: this.device,
      events: this.#events,
    })
    const channel: Channel<null> | null = this.peer.mux.createChannel<null>({
      protocol: PROTOCOL,
      id: feed.discoveryKey,
      onopen: () => {
        this.wires.set(feed.writer, wire)
        wire.start(
          () => feed.heldBytes(),
          () => this.#unchoked,
        )
      },
      onclose: () => this.#onChannelClose(channel, wire),
      ondrain: () => this.#events.drained(),
    })
    // Null: it is open already, or the connection is gone.
    if (channel === null) return
    const message = channel.addMessage({
      encoding: chunks,
      onmessage: (received: readonly Uint8Array[] | Buffer) => {
        const bytes = received as Buffer
        if (wire.receive(bytes)) this.peer.mux.spend?.(bytes.length)
      },
    })
    this.#channels.set(wire, message as unknown as Message<readonly Uint8Array[]>)
    this.#open.add(channel as Channel)
    channel.open()
  }

  #onChannelClose(channel: Channel<null> | null, wire: FeedWire): void {
    wire.stop()
    this.#channels.delete(wire)
    this.#dirty.delete(wire)
    if (channel !== null) this.#open.delete(channel as Channel)
    if (this.wires.get(wire.writer) !== wire) return
    this.wires.delete(wire.writer)
    if (!this.#closed) this.#events.wireClosed(wire)
  }
}

// Sends a list of chunks as one message and receives it as one buffer: raw bytes on the wire, no framing of its own.
const chunks = {
  preencode(state: EncodingState, list: readonly Uint8Array[] | Buffer): void {
    for (const chunk of list as readonly Uint8Array[]) state.end += chunk.length
  },
  encode(state: EncodingState, list: readonly Uint8Array[] | Buffer): void {
    for (const chunk of list as readonly Uint8Array[]) {
      state.buffer!.set(chunk, state.start)
      state.start += chunk.length
    }
  },
  decode(state: EncodingState): readonly Uint8Array[] | Buffer {
    const bytes = state.buffer!.subarray(state.start, state.end)
    state.start = state.end
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  },
}
