// Parts of hypercore 11.37 that src/feed uses by themselves: opening Hypercore takes a tenth of a second and brings a database.
// test/feed fails if an update changes what they do.
declare module 'hypercore/lib/verifier.js' {
  import type { Manifest } from 'hypercore'

  export default class Verifier {
    static createManifest(manifest: Manifest): Manifest
    /** The Hypercore key of a manifest. */
    static manifestHash(manifest: Manifest): Buffer
    constructor(feedKey: Buffer, manifest: Manifest)
    verify(
      batch: {
        readonly length: number
        readonly fork: number
        hash(): Buffer
        signable(manifestHash: Buffer): Buffer
      },
      signature: Buffer,
    ): boolean
  }
}

declare module 'hypercore/lib/default-encryption.js' {
  export default class DefaultEncryption {
    static readonly PADDING: number
    constructor(key: Buffer, feedKey: Buffer, options: { readonly block: boolean; readonly compat: boolean })
    /** In place; the first PADDING bytes are none of the block's. */
    decrypt(index: number, block: Buffer, core: { readonly compat: boolean }): void
  }
}

declare module 'hypercore/lib/caps.js' {
  const caps: {
    treeSignable(manifestHash: Buffer, treeHash: Buffer, length: number, fork: number): Buffer
  }
  export default caps
}
