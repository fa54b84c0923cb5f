// K1: every key derivation of Shoal in one table, so that no two can share a label, and the few functions that use it.
// All are BLAKE3 in derive_key mode: the label is the context, the input the key material, the output 32 bytes. Inputs
// of several parts are concatenated; every part has a fixed length, so the split is unambiguous. Keys below the write
// grade take the public key P in as well: a secret that was stitched together from one share's P and another's read
// key then meets neither share. Labels never change; a new format takes a new label.
import sodium from 'sodium-native'
import { deriveKey } from './hash.js'

/** Bytes of a seed and of every derived key. */
export const KEY_BYTES = 32

/** Label of each derivation: name -> BLAKE3 context. The comment says input -> output. */
export const LABELS = {
  /** 20 bytes of a BitTorrent Sync A or D secret -> W. */
  btsyncSeed: 'shoal 2026-11 v1 write seed from a bittorrent sync secret',
  /** W -> Ed25519 seed of the share's signing key; its public half is P. */
  signingSeed: 'shoal 2026-11 v1 share signing key seed',
  /** P -> share id. */
  shareId: 'shoal 2026-11 v1 share id',
  /** W -> R. */
  readKey: 'shoal 2026-11 v1 read key',
  /** R, P -> B. */
  blindKey: 'shoal 2026-11 v1 blind key',
  /** B, P -> what the DHT is asked for. */
  topic: 'shoal 2026-11 v1 discovery topic',
  /** B, P -> key of the proofs that a peer holds the secret (X1). */
  authKey: 'shoal 2026-11 v1 peer authentication key',
  /** B, P -> key of the LAN beacon's tags (X6). */
  beaconKey: 'shoal 2026-11 v1 lan beacon key',
  /** B, P -> Hypercore's block encryption. */
  feedBlockKey: 'shoal 2026-11 v1 feed block key',
  /** B, P -> cipher key of what blind nodes say of themselves. */
  blindStateKey: 'shoal 2026-11 v1 blind state key',
  /** B, P -> Ed25519 seed of the pair whose public half is the share's relay pass. */
  relayPassSeed: 'shoal 2026-11 v1 relay pass seed',
  /** B, P -> key of the hash by which relays tell devices of the share apart. */
  relayTagKey: 'shoal 2026-11 v1 relay tag key',
  /** R, P -> key of the hash that names a piece's nonce (section 6). */
  sivKey: 'shoal 2026-11 v1 piece siv key',
  /** R, P -> cipher key of pieces. */
  pieceKey: 'shoal 2026-11 v1 piece sealing key',
  /** R, P -> cipher key of the entries in a record. */
  entryKey: 'shoal 2026-11 v1 entry sealing key',
  /** R, P -> cipher key of device states (section 10). */
  stateKey: 'shoal 2026-11 v1 device state key',
  /** Master seed -> Ed25519 seed of the device (K4). */
  deviceSeed: 'shoal 2026-11 v1 device key seed',
  /** Master seed, share id, epoch as u64 little-endian -> Ed25519 seed of one feed (K4, F4). */
  feedSeed: 'shoal 2026-11 v1 feed key seed',
  /** The 15 bytes of an invite -> what the DHT is asked for (I1). */
  inviteTopic: 'shoal 2026-11 v1 invite topic',
  /** The same -> key of the LAN beacon's tags. */
  inviteBeaconKey: 'shoal 2026-11 v1 invite beacon key',
  /** The same -> key of the proofs that a peer knows the code (I2). */
  inviteAuthKey: 'shoal 2026-11 v1 invite authentication key',
  /** The same -> cipher key of the secret on its way. */
  inviteSealKey: 'shoal 2026-11 v1 invite sealing key',
  /** W or R, P -> cipher key of what the inviting device keeps of an open invite (I6). */
  inviteStoreKey: 'shoal 2026-11 v1 invite store key',
  /** Share id -> what BitTorrent Sync's API calls the share by, in place of a secret. */
  folderHandle: 'shoal 2026-11 v1 folder handle',
} as const

/** A key from its label and its input, whose parts have fixed lengths. 32 bytes. */
export function derive(label: keyof typeof LABELS, ...input: readonly Buffer[]): Buffer {
  return deriveKey(LABELS[label], input.length === 1 ? input[0]! : Buffer.concat(input))
}

/** An Ed25519 pair as libsodium lays it out: the secret key (64 bytes) ends with the public key (32 bytes). */
export interface SigningKeyPair {
  readonly publicKey: Buffer
  readonly secretKey: Buffer
}

/** The Ed25519 pair of a 32-byte seed. */
export function signingKeyPairOf(seed: Buffer): SigningKeyPair {
  const publicKey = Buffer.alloc(sodium.crypto_sign_PUBLICKEYBYTES)
  const secretKey = Buffer.alloc(sodium.crypto_sign_SECRETKEYBYTES)
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed)
  return { publicKey, secretKey }
}

/**
 * Makes an object that holds keys print as `label` in JSON, logs and the inspector. Its fields stay as they are, and the
 * guard does not travel with a copy: it is the last line of defence, not leave to log keys.
 */
export function guarded<T extends object>(label: string, keys: T): Readonly<T> {
  const print = { value: () => label, enumerable: false }
  Object.defineProperties(keys, { toJSON: print, [Symbol.for('nodejs.util.inspect.custom')]: print })
  return Object.freeze(keys)
}
