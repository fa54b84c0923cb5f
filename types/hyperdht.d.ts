// What Shoal uses of hyperdht 6.34.
declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events'
  import type { NoiseKeyPair } from '@hyperswarm/secret-stream'

  interface DhtAddress {
    readonly host: string
    readonly port: number
  }

  interface DhtOptions {
    /** Left out, the public network is used: always give it. */
    bootstrap: readonly (DhtAddress | string)[]
    keyPair?: NoiseKeyPair
    /** IPv4 address to bind to, default all. */
    host?: string
    /** First of five ports to try, or a range; then any. 0 means 49737, [0, 0] any free one. */
    port?: number | readonly [number, number]
    /** False: fail if the port is taken. */
    anyPort?: boolean
    /** False: a node that others may rely on. */
    ephemeral?: boolean
    /** False: reachable by anybody, no test needed. */
    firewalled?: boolean
  }

  export default class HyperDHT extends EventEmitter {
    constructor(options: DhtOptions)
    /** A node that knows its own address from the start; `host` is an IPv4 literal, `port` not 0. */
    static bootstrapper(port: number, host: string, options?: Partial<DhtOptions>): HyperDHT
    /** Nodes of the public network: "address@name:port". */
    static readonly BOOTSTRAP: readonly string[]
    readonly destroyed: boolean
    /** Our address as the other nodes see it; null: not known, or they differ. */
    readonly host: string | null
    /** Our UDP port as they see it; 0: not known, or another one for each of them. */
    readonly port: number
    /** They see one host, and another port each. */
    readonly randomized: boolean
    /** True until it is shown that others reach us unasked. */
    readonly firewalled: boolean
    /** True until the node knows its own address and serves others. */
    readonly ephemeral: boolean
    /** Nodes in the table. */
    toArray(): DhtAddress[]
    /** Asks the bootstrap nodes and the table again, in the background. */
    refresh(): void
    /** Not public: becomes a lasting node if our address is known by now. The package tries this once, at start. */
    _updateNetworkState(): Promise<boolean>
    /** Resolves when the sockets are bound; rejects if they cannot be. */
    bind(): Promise<void>
    fullyBootstrapped(): Promise<void>
    address(): DhtAddress | null
    destroy(options?: { force?: boolean }): Promise<void>
  }
}
