// The part of hypercore 11.37 that src/feed uses, public and (marked "internal") not. The package ships no types.
// Internals are used where the public surface cannot keep F4 and F5; docs/decisions/0010-durable-append.md says why,
// and test/feed fails if an update changes what they do.
declare module 'hypercore' {
  import type { EventEmitter } from 'node:events'
  import type CoreStorage from 'hypercore-storage'
  import type { Atom } from 'hypercore-storage'

  export interface KeyPair {
    readonly publicKey: Buffer
    readonly secretKey: Buffer
  }

  export interface Manifest {
    readonly version: number
    readonly signers: readonly { readonly publicKey: Buffer }[]
  }

  /** Collects the pending requests of one reader, so that they can be cancelled together. */
  export type Requests = unknown[]

  /** internal: the other side of one replicated core. */
  export interface Peer {
    readonly stream: { destroy(error?: Error): void }
    readonly channel: { close(): void }
    readonly remoteRequests: Map<number, unknown>
    readonly remoteLength: number
    /** What it says that it has: all blocks below this one, and those. */
    readonly remoteContiguousLength: number
    /** -1: none from there on. */
    readonly remoteBitfield: { firstSet(from: number): number }
    onrequest(message: object): Promise<void>
    onsync(message: { length: number; remoteLength: number }): Promise<void>
    onrange(message: { start: number; length: number }): Promise<void>
    onbitfield(message: { start: number; bitfield: Uint32Array }): void
  }

  /** internal: an upgrade whose signature has been verified. */
  export interface VerifiedBatch {
    readonly upgraded: boolean
    readonly length: number
    readonly fork: number
  }

  /** internal: what a peer sent to prove blocks or a length. */
  export interface Proof {
    readonly fork: number
    readonly block: { readonly index: number; readonly value: Buffer | null } | null
  }

  /** internal: a node of the Merkle tree, numbered flat and in order. */
  export interface TreeNode {
    readonly index: number
    readonly size: number
    readonly hash: Buffer
  }

  /** internal: the tree as it stands, or as it would be with these roots. */
  export interface TreeBatch {
    roots: readonly TreeNode[]
    length: number
    byteLength: number
    fork: number
    hash(): Buffer
  }

  /** internal: the rows of one core. */
  export interface CoreStorageOfOne {
    read(): { getTreeNode(index: number): Promise<TreeNode | null>; tryFlush(): void }
    write(): {
      putBlock(index: number, block: Buffer): void
      /** -1: to the end. */
      deleteBlockRange(from: number, to: number): void
      putTreeNode(node: TreeNode): void
      deleteTreeNodeRange(from: number, to: number): void
      putBitfieldPage(page: number, bits: Buffer): void
      setHead(head: {
        readonly fork: number
        readonly length: number
        readonly rootHash: Buffer
        readonly signature: Buffer
        readonly timestamp: number
      }): void
      setHints(hints: { readonly contiguousLength: number; readonly remoteContiguousLength: number }): void
      flush(): Promise<unknown>
    }
    createBlockStream(range?: {
      readonly gte: number
      readonly lt: number
    }): AsyncIterable<{ readonly index: number; readonly value: Buffer }>
  }

  /** internal: the one core behind all sessions. */
  export interface Core {
    readonly opened: boolean
    readonly closed: boolean
    readonly state: {
      readonly length: number
      readonly fork: number
      readonly signature: Buffer | null
      readonly roots: readonly TreeNode[]
      createTreeBatch(): TreeBatch
      readonly storage: CoreStorageOfOne
    }
    readonly key: Buffer
    readonly discoveryKey: Buffer
    /** Null until a peer has told it. */
    readonly manifest: Manifest | null
    /** Blocks that are here. -1: none from there on. */
    readonly bitfield: { firstSet(from: number): number; firstUnset(from: number): number }
    readonly verifier: { verify(batch: TreeBatch, signature: Buffer | null): boolean } | null
    readonly replicator: {
      readonly peers: readonly Peer[]
      attached(mux: unknown): boolean
      attachTo(mux: unknown): void
      setPushOnly(pushOnly: boolean): void
      destroy(): void
    }
    preupdate: ((batch: VerifiedBatch, key: Buffer) => Promise<void>) | null
    verify(proof: Proof, from: Peer): Promise<boolean>
    verifyReorg(proof: Proof): Promise<VerifiedBatch>
    ready(): Promise<void>
    close(): Promise<void>
  }

  export interface CoreOptions {
    readonly key: Buffer
    readonly discoveryKey: Buffer
    readonly manifest?: Manifest
    readonly compat: false
    readonly eagerUpgrade: boolean
  }

  export interface SessionOptions {
    readonly core?: Core
    readonly keyPair?: KeyPair | null
    readonly encryption?: { readonly key: Buffer; readonly block: boolean }
    readonly atom?: Atom
  }

  export interface Download {
    done(): Promise<unknown>
    destroy(): void
  }

  export default class Hypercore extends EventEmitter {
    constructor(storage: null, key: null, options: SessionOptions)
    static key(manifest: Manifest): Buffer
    static discoveryKey(key: Buffer): Buffer
    static createCore(storage: CoreStorage, options: CoreOptions): Core
    static destroyRequests(requests: Requests, error: Error): void
    readonly core: Core
    readonly key: Buffer
    readonly discoveryKey: Buffer
    readonly length: number
    readonly fork: number
    readonly closing: Promise<void> | null
    readonly peers: readonly Peer[]
    ready(): Promise<void>
    close(): Promise<void>
    session(options: SessionOptions): Hypercore
    append(blocks: readonly Buffer[], options: { readonly keyPair: KeyPair }): Promise<{ length: number }>
    get(
      index: number,
      options: { readonly activeRequests: Requests; readonly wait?: boolean },
    ): Promise<Buffer | null>
    has(start: number, end: number): Promise<boolean>
    clear(start: number, end: number): Promise<unknown>
    download(range: {
      readonly start: number
      readonly end: number
      readonly linear: boolean
      readonly activeRequests: Requests
    }): Download
  }
}
