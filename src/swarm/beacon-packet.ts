// The LAN beacon's datagram (X6): 35 bytes that say "a member of a share you know listens on this port", to those who
// hold at least the blind secret, and nothing to anybody else. The tag changes with every datagram, so a listener
// without the secret can neither recognise a share again nor link two devices. Pure.
//
//   version u8 = 1, nonce 16 (random), port u16 big-endian, tag 16
//   tag = first 16 bytes of keyed BLAKE3 (ShareKeys.beaconKey) over "shoal beacon v1" NUL, nonce, port, slot u64 big-endian
//   slot = floor(Unix time in seconds / 600); the receiver tries its own and both neighbours, for clocks that differ
//
// A datagram recorded by an eavesdropper can be sent again from elsewhere for half an hour. That only makes us dial its
// sender once, who then fails at the gate.
import { timingSafeEqual } from 'node:crypto'
import { keyedBlake3 } from '../core/hash.js'

export const BEACON_BYTES = 35
export const NONCE_BYTES = 16
const TAG_BYTES = 16
const SLOT_MS = 600_000
const VERSION = 1
const LABEL = Buffer.from('shoal beacon v1\0')

export interface Beacon {
  readonly nonce: Buffer
  readonly port: number
  readonly tag: Buffer
}

/** @param nonce 16 random bytes, fresh for every datagram. @param timeMs milliseconds since 1970. */
export function encodeBeacon(beaconKey: Buffer, port: number, nonce: Buffer, timeMs: number): Buffer {
  const packet = Buffer.alloc(BEACON_BYTES)
  packet[0] = VERSION
  nonce.copy(packet, 1)
  packet.writeUInt16BE(port, 1 + NONCE_BYTES)
  tagOf(beaconKey, packet.subarray(1, 3 + NONCE_BYTES), slotOf(timeMs)).copy(packet, 3 + NONCE_BYTES)
  return packet
}

/** Undefined if it is no beacon of this version. */
export function decodeBeacon(packet: Buffer): Beacon | undefined {
  if (packet.length !== BEACON_BYTES || packet[0] !== VERSION) return undefined
  const port = packet.readUInt16BE(1 + NONCE_BYTES)
  if (port === 0) return undefined
  return { nonce: packet.subarray(1, 1 + NONCE_BYTES), port, tag: packet.subarray(3 + NONCE_BYTES) }
}

/** Whether the beacon was made with this share's key about now. */
export function isFrom(beacon: Beacon, beaconKey: Buffer, timeMs: number): boolean {
  const body = Buffer.alloc(NONCE_BYTES + 2)
  beacon.nonce.copy(body)
  body.writeUInt16BE(beacon.port, NONCE_BYTES)
  const slot = slotOf(timeMs)
  return [slot, slot - 1n, slot + 1n].some((one) => timingSafeEqual(tagOf(beaconKey, body, one), beacon.tag))
}

function slotOf(timeMs: number): bigint {
  return BigInt(Math.floor(timeMs / SLOT_MS))
}

function tagOf(beaconKey: Buffer, body: Uint8Array, slot: bigint): Buffer {
  const slotBytes = Buffer.alloc(8)
  // A clock that stands before 1970 has slots too.
  slotBytes.writeBigUInt64BE(BigInt.asUintN(64, slot))
  return keyedBlake3(beaconKey, [LABEL, body, slotBytes]).subarray(0, TAG_BYTES)
}
