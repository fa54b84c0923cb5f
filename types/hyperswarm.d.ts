// What Shoal uses of hyperswarm 4.17.
declare module 'hyperswarm' {
  import type { EventEmitter } from 'node:events'
  import type NoiseSecretStream from '@hyperswarm/secret-stream'
  import type { NoiseKeyPair } from '@hyperswarm/secret-stream'
  import type HyperDHT from 'hyperdht'

  export interface PeerInfo {
    readonly publicKey: Buffer
    /** Topics that led to this peer, if we dialled. */
    readonly topics: readonly Buffer[]
    readonly banned: boolean
    /** Neither dials the peer nor accepts it until set back. */
    ban(banned: boolean): void
  }

  export interface DiscoverySession {
    refresh(options?: { server?: boolean; client?: boolean }): Promise<unknown>
    destroy(): Promise<void>
  }

  export default class Hyperswarm extends EventEmitter<{
    connection: [stream: NoiseSecretStream, peer: PeerInfo]
  }> {
    constructor(options: { dht: HyperDHT; keyPair: NoiseKeyPair; maxPeers?: number })
    readonly peers: ReadonlyMap<string, PeerInfo>
    join(topic: Buffer, options?: { server?: boolean; client?: boolean }): DiscoverySession
    /** Dials a device now, and for ever again until left. */
    joinPeer(publicKey: Buffer): void
    leavePeer(publicKey: Buffer): void
    destroy(options?: { force?: boolean }): Promise<void>
  }
}
