// What Shoal uses of bittorrent-protocol 5.0 (BEP 3, 6 and 10 over a byte stream). `push`, `_write` and `_debug` are the
// three places where src/exchange/quiet-wire.ts takes the stream machinery and the debug texts out of the way.
declare module 'bittorrent-protocol' {
  import type { EventEmitter } from 'node:events'

  export interface ExtensionHandler {
    onHandshake?(infoHash: string, peerId: string, extensions: unknown): void
    onExtendedHandshake?(handshake: Record<string, unknown>): void
    onMessage?(payload: Uint8Array): void
  }

  /** Registered by the `name` on its prototype. */
  export interface ExtensionClass {
    new (wire: Wire): ExtensionHandler
    readonly prototype: { readonly name: string }
  }

  /**
   * Events: 'handshake', 'choke', 'unchoke', 'have' (index), 'bitfield' (field), 'have-none',
   * 'request' (index, offset, length, respond), 'cancel' (index, offset, length), 'piece' (index, offset, block),
   * 'reject' (index, offset, length), 'extended' (name, payload).
   */
  export default class Wire extends EventEmitter {
    constructor(type?: string)
    readonly amChoking: boolean
    readonly amInterested: boolean
    readonly peerChoking: boolean
    readonly hasFast: boolean
    /** Requests we wait for. */
    readonly requests: readonly unknown[]
    /** Requests the peer waits for. */
    readonly peerRequests: readonly unknown[]
    peerPieces: unknown
    readonly peerExtensions: { readonly fast?: boolean; readonly extended?: boolean }
    readonly peerExtendedMapping: Readonly<Record<string, number>>
    readonly peerExtendedHandshake: Readonly<Record<string, unknown>>
    extendedHandshake: Record<string, unknown>
    uploadSpeed: (bytes: number) => number
    downloadSpeed: (bytes: number) => number

    use(extension: ExtensionClass): void
    handshake(infoHash: Uint8Array, peerId: Uint8Array, extensions: { fast: boolean }): void
    choke(): void
    unchoke(): void
    interested(): void
    have(index: number): void
    bitfield(bytes: Uint8Array): void
    haveNone(): void
    request(index: number, offset: number, length: number, callback?: (error: Error | null) => void): void
    cancel(index: number, offset: number, length: number): void
    reject(index: number, offset: number, length: number): void
    extended(name: string, payload: Uint8Array): void

    push(chunk: Uint8Array | null): boolean
    _write(chunk: Uint8Array, done: (error: Error | null) => void): void
    _debug(...values: unknown[]): void
  }
}
