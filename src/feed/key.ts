// From a writer's key pair to its feed key. A feed key is the hash of a manifest that names the one signer, never the
// public key itself; the manifest's shape is therefore part of our format and frozen by a test.
import type { Manifest } from 'hypercore'
import Verifier from 'hypercore/lib/verifier.js'

/** The manifest of a feed with one Ed25519 signer. Version 1: version 2 only adds fields that we do not use. */
export function manifestOf(publicKey: Buffer): Manifest {
  return { version: 1, signers: [{ publicKey }] }
}

/** The Hypercore key (32 bytes) of the feed that `publicKey` (Ed25519, 32 bytes) signs. */
export function feedKeyOf(publicKey: Buffer): Buffer {
  return Verifier.manifestHash(Verifier.createManifest(manifestOf(publicKey)))
}
