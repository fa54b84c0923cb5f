// Keys of a device (K4). One master seed, 32 random bytes kept in a file of mode 0600, gives the device's own Ed25519
// pair (its identity and its Noise static key) and one pair for each feed it writes. A feed key depends on the share
// and on the epoch: a device whose storage was restored or copied takes the next epoch and so another feed (F4).
import { invariant } from './error.js'
import { type DeviceId, deviceIdFromKey, type ShareId } from './ids.js'
import { derive, guarded, KEY_BYTES, type SigningKeyPair, signingKeyPairOf } from './keys.js'

/** A device's identity. Prints as "[device keys]" wherever it is logged. */
export interface DeviceKeys {
  /** The public key in hex. */
  readonly device: DeviceId
  /** Ed25519, 32 bytes. */
  readonly publicKey: Buffer
  /** Ed25519 in libsodium's layout, 64 bytes. */
  readonly secretKey: Buffer
}

/** The device keys of a master seed (32 bytes). */
export function deviceKeysOf(masterSeed: Buffer): DeviceKeys {
  checkSeed(masterSeed)
  const { publicKey, secretKey } = signingKeyPairOf(derive('deviceSeed', masterSeed))
  return guarded('[device keys]', { device: deviceIdFromKey(publicKey), publicKey, secretKey })
}

/** The pair that signs this device's feed in a share. `epoch` counts from 0 and never goes back (F4). */
export function feedKeyPairOf(masterSeed: Buffer, shareId: ShareId, epoch: number): SigningKeyPair {
  checkSeed(masterSeed)
  invariant(Number.isSafeInteger(epoch) && epoch >= 0, 'a feed epoch is a whole number from 0')
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64LE(BigInt(epoch))
  const seed = derive('feedSeed', masterSeed, Buffer.from(shareId, 'hex'), counter)
  return guarded('[feed keys]', signingKeyPairOf(seed))
}

function checkSeed(masterSeed: Buffer): void {
  invariant(masterSeed.length === KEY_BYTES, `a master seed has ${KEY_BYTES} bytes`)
}
