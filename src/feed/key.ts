// From a writer's key pair to its feed key. A feed key is the hash of a manifest that names the one signer, never the
// public key itself; the manifest's shape is therefore part of our format and frozen by a test.
import Hypercore, { type Manifest } from 'hypercore'

/** The manifest of a feed with one Ed25519 signer. Version 1: version 2 only adds fields that we do not use. */
export function manifestOf(publicKey: Buffer): Manifest {
  return { version: 1, signers: [{ publicKey }] }
}

/** The Hypercore key (32 bytes) of the feed that `publicKey` (Ed25519, 32 bytes) signs. */
export function feedKeyOf(publicKey: Buffer): Buffer {
  return Hypercore.key(manifestOf(publicKey))
}

/** What the two ends of a connection call a feed before either has proved that it knows the key. 32 bytes. */
export function discoveryKeyOf(feedKey: Buffer): Buffer {
  return Hypercore.discoveryKey(feedKey)
}
