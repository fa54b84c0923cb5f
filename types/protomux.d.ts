// What Shoal uses of protomux 3.12 (channels over one Noise stream). Names with an underscore are not public there; the
// guarded multiplexer (src/swarm/mux.ts) overrides them, because the package has no limits of its own.
declare module 'protomux' {
  import type NoiseSecretStream from '@hyperswarm/secret-stream'

  export interface EncodingState {
    start: number
    end: number
    buffer: Uint8Array | null
  }

  /** compact-encoding's shape. */
  export interface Encoding<T> {
    preencode(state: EncodingState, value: T): void
    encode(state: EncodingState, value: T): void
    decode(state: EncodingState): T
  }

  export interface Message<T> {
    readonly type: number
    /** False: wait for 'ondrain'; also false when the channel is closed. */
    send(value: T): boolean
  }

  export interface MessageOptions<T> {
    encoding: Encoding<T>
    onmessage?: (value: T, channel: Channel) => void | Promise<void>
    /** Default true. */
    autoBatch?: boolean
  }

  export interface ChannelKey {
    protocol: string
    id?: Buffer | null
  }

  export interface ChannelOptions<H> extends ChannelKey {
    userData?: unknown
    aliases?: string[]
    /** Default true: createChannel answers null if one is open already. */
    unique?: boolean
    handshake?: Encoding<H> | null
    messages?: (MessageOptions<never> | null)[]
    onopen?: (handshake: H, channel: Channel<H>) => void | Promise<void>
    onclose?: (isRemote: boolean, channel: Channel<H>) => void | Promise<void>
    ondestroy?: (channel: Channel<H>) => void | Promise<void>
    ondrain?: (channel: Channel<H>) => void | Promise<void>
  }

  export interface Channel<H = unknown> {
    userData: unknown
    readonly protocol: string
    readonly id: Buffer | null
    readonly handshake: H | null
    readonly opened: boolean
    readonly closed: boolean
    readonly destroyed: boolean
    /** Whether the connection's write buffer is below its mark. */
    readonly drained: boolean
    readonly messages: readonly Message<unknown>[]
    open(handshake?: H): void
    close(): void
    cork(): void
    uncork(): void
    addMessage<T>(options: MessageOptions<T>): Message<T>
    fullyOpened(): Promise<boolean>
    fullyClosed(): Promise<void>
  }

  export default class Protomux {
    constructor(stream: NoiseSecretStream, options?: { alloc?: (length: number) => Uint8Array })
    /** The multiplexer in stream.userData, or a new one. */
    static from(stream: NoiseSecretStream): Protomux
    static isProtomux(value: unknown): value is Protomux

    readonly isProtomux: true
    readonly stream: NoiseSecretStream
    /** Set after every write: whether the stream is below its mark. */
    get drained(): boolean
    set drained(isBelow: boolean)
    [Symbol.iterator](): Iterator<Channel>
    cork(): void
    uncork(): void
    /** `notify` runs when the other side opens a channel that we have not created; create and open it there. */
    pair(key: ChannelKey, notify: (id: Buffer | null) => void | Promise<void>): void
    unpair(key: ChannelKey): void
    opened(key: ChannelKey): boolean
    /** Null if the stream is gone or, unless unique is false, such a channel is open. */
    createChannel<H = null>(options: ChannelOptions<H>): Channel<H> | null
    destroy(error?: Error | null): void

    protected _remote: (unknown | null)[]
    protected _decode(remoteId: number, state: EncodingState): unknown
    protected _ondata(frame: Buffer): void
    protected _onbatch(state: EncodingState): void
    protected _onopensession(state: EncodingState): unknown
    protected _safeDestroy(error: Error): void
  }
}
