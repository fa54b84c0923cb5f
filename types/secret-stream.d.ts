// What Shoal uses of @hyperswarm/secret-stream 6.9 (a Noise connection; a streamx Duplex, not a node stream).
declare module '@hyperswarm/secret-stream' {
  import type { EventEmitter } from 'node:events'

  export interface NoiseKeyPair {
    readonly publicKey: Buffer
    readonly secretKey: Buffer
  }

  export interface NoiseStreamOptions {
    keyPair?: NoiseKeyPair
    pattern?: 'XX' | 'IK'
    remotePublicKey?: Buffer
    keepAlive?: number
    enableSend?: boolean
  }

  /** One direction of the connection: sodium-secretstream's Push and Pull. */
  export interface SecretPush {
    /** libsodium's, 52 bytes. */
    readonly state: Buffer
    /** Fills `sealed`, 17 bytes longer, and returns it. */
    next(message: Buffer, sealed: Buffer): Buffer
  }

  export interface SecretPull {
    readonly state: Buffer
    /** Whether the last one was marked as the last of all. */
    final: boolean
    /** Fills `message`, and returns it; throws where the MAC does not hold. */
    next(sealed: Buffer, message: Buffer): Buffer
  }

  /** Events: 'connect', 'open', 'data' (Buffer), 'drain', 'error' (Error), 'close', 'end'. */
  export default class NoiseSecretStream extends EventEmitter {
    /** A rawStream of null makes a bridge: pipe `stream.rawStream` to the other side. */
    constructor(isInitiator: boolean, rawStream?: unknown, options?: NoiseStreamOptions)
    static keyPair(seed?: Buffer): NoiseKeyPair

    readonly noiseStream: this
    readonly isInitiator: boolean
    /** The transport: a net.Socket, or a UDX stream. */
    readonly rawStream: EventEmitter & {
      pipe?(target: unknown): unknown
      destroy(error?: Error | null): void
      readonly remoteHost?: string | null
      readonly remotePort?: number
      /** UDX: the round trip, milliseconds; 0: nothing acknowledged yet. */
      readonly rtt?: number
    }
    readonly publicKey: Buffer
    /** Null until the handshake is done. */
    readonly remotePublicKey: Buffer | null
    /** 64 bytes, null until the handshake is done. */
    readonly handshakeHash: Buffer | null
    readonly connected: boolean
    readonly destroying: boolean
    readonly destroyed: boolean
    /** Resolves with false if the stream closed before the handshake was done. */
    readonly opened: Promise<boolean>
    /** The Protomux, once there is one. */
    userData: unknown
    /** Encrypted bytes of frames, the handshake's aside. */
    readonly rawBytesRead: number
    readonly rawBytesWritten: number

    /** One frame, at most 16 MiB - 18 bytes; false: wait for 'drain'. */
    write(frame: Uint8Array): boolean
    /** A buffer to fill and write, which saves a copy. */
    alloc(length: number): Buffer
    end(): void
    destroy(error?: Error | null): void
    pause(): this
    resume(): this
    /** Destroys the stream when nothing has arrived for so long. 0: never. */
    setTimeout(timeoutMs: number): void
    /** Sends an empty frame when nothing was written for so long. 0: never. */
    setKeepAlive(intervalMs: number): void

    // Its own, seen in the source of 6.9.1: what a class that extends it works with.
    /** 0: the length prefix is read, 1: the frame. */
    protected _state: number
    protected _len: number
    /** Of the prefix the weight of the next byte, of the frame how many bytes are there. */
    protected _tmp: number
    protected _message: Buffer | null
    protected _timeoutTimer: { refresh(): void } | null
    /** What alloc() gave last: to be filled, and with what stands around it. */
    protected _outgoingPlain: Buffer | null
    protected _outgoingWrapped: Buffer | null
    /** Both null until the handshake is done. */
    protected _encrypt: SecretPush | null
    protected _decrypt: SecretPull | null
    /** Makes both, of the keys that the handshake has given. */
    protected _setupSecretStream(
      tx: Buffer,
      rx: Buffer,
      handshakeHash: Buffer,
      publicKey: Buffer,
      remotePublicKey: Buffer,
    ): void
    /** The transport has given something. */
    protected _onrawdata(data: Buffer): void
    /** The transport has sent all. */
    protected _onrawdrain(): void
    /** A frame is whole. */
    protected _incoming(): void
    protected _write(data: Buffer, done: (error?: Error | null) => void): void
  }
}
