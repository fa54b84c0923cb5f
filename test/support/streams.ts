// Real connections for tests: two Noise secret-streams over loopback TCP, each with its Protomux, wrapped as what a shell
// sees of a proven peer. Everything is torn down by closing one end.
import { EventEmitter } from 'node:events'
import net from 'node:net'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import Protomux from 'protomux'
import { type DeviceId, deviceIdFromKey } from '../../src/core/ids.js'

export interface KeyPair {
  readonly publicKey: Buffer
  readonly secretKey: Buffer
}

/** A device key pair that is the same for the same number. */
export function testKeyPair(seed: number): KeyPair {
  return NoiseSecretStream.keyPair(Buffer.alloc(32, seed))
}

export function testDevice(seed: number): DeviceId {
  return deviceIdFromKey(testKeyPair(seed).publicKey)
}

/** One end of a connection. Emits 'close' (reason) once. */
export class TestPeer extends EventEmitter {
  readonly device: DeviceId
  readonly stream: NoiseSecretStream
  readonly mux: Protomux
  /** Reasons and times of ban(). */
  readonly bans: { readonly reason: string; readonly forMs: number }[] = []
  #reason: string | undefined
  #closed = false

  constructor(stream: NoiseSecretStream) {
    super()
    this.stream = stream
    this.mux = Protomux.from(stream)
    this.device = deviceIdFromKey(stream.remotePublicKey!)
    stream.on('close', () => {
      if (this.#closed) return
      this.#closed = true
      this.emit('close', this.#reason ?? 'remote')
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  close(reason: string): void {
    this.#reason ??= reason
    this.stream.destroy()
  }

  ban(reason: string, forMs: number): void {
    this.bans.push({ reason, forMs })
    this.close(reason)
  }

  /** Resolves with the reason when the connection is closed. */
  async whenClosed(): Promise<string> {
    if (this.#closed) return this.#reason ?? 'remote'
    return new Promise((resolve) => this.once('close', resolve))
  }
}

/** Connects two devices: [the first's end, the second's end]. */
export async function connect(first: KeyPair, second: KeyPair): Promise<[TestPeer, TestPeer]> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve))
  const { port } = server.address() as net.AddressInfo
  const dialled = net.connect(port, '127.0.0.1')
  const socket = await accepted
  server.close()
  const streams = [wrap(true, dialled, first), wrap(false, socket, second)] as const
  await Promise.all(streams.map((stream) => stream.opened))
  return [new TestPeer(streams[0]), new TestPeer(streams[1])]
}

function wrap(isInitiator: boolean, socket: net.Socket, keyPair: KeyPair): NoiseSecretStream {
  socket.setNoDelay(true)
  const stream = new NoiseSecretStream(isInitiator, socket, { keyPair })
  stream.on('error', () => {}) // 'close' follows, and tells
  return stream
}
