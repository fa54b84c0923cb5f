// The swarm's own messages, byte for byte. Integers are varints of core/bytes.ts; everything is bounded before anything
// is allocated for it (F7). What decodes re-encodes to the same bytes, a device name with control characters aside.
//
//   gate      version u8 = 1, proof 32                                   first frame of either side, before any channel
//   hello     version u8 = 1, instance 16, port uint, name text <= 64    second frame of either side
//   offers    count uint <= 64, that many ids of 32                      channel shoal/link/1, message 0
//   clock     milliseconds since 1970, uint                              channel shoal/link/1, message 1
//   ping      kind u8 (0 asks, 1 answers), number u32 BE               channel shoal/link/1, message 2
//   buffers   count uint <= 256, that many byte strings                  channel shoal/share/1, messages 0, 1, 3, 6, 7
//   addresses count uint <= 64, that many of: device 32, host text <= 45 (an IP literal), port uint
//                                                                        channel shoal/share/1, message 2
import { isIP } from 'node:net'
import { ByteReader, ByteWriter } from '../core/bytes.js'
import { type DeviceId, deviceIdFromKey } from '../core/ids.js'
import { MAX_TIME_MS } from '../core/record-public.js'
import { type Decoded, decoding, Malformed } from '../core/violation.js'
import { PROOF_BYTES } from './proof.js'

export const PROTOCOL_VERSION = 1
export const INSTANCE_BYTES = 16
export const MAX_NAME_BYTES = 64
export const MAX_OFFERS = 64
export const MAX_ADDRESSES = 64
/** Longest text of an IP address: IPv6 with an embedded IPv4 part. */
const MAX_HOST_BYTES = 45
export const MAX_BUFFERS = 256

/** What a device says of itself once both sides have proved a secret. */
export interface Hello {
  /** 16 random bytes per process, hex. */
  readonly instance: string
  readonly name: string
  /** TCP port it accepts connections on, 0 if none. */
  readonly port: number
}

/** Where a device can be reached, as somebody saw it. */
export interface DeviceAddress {
  readonly device: DeviceId
  readonly host: string
  readonly port: number
}

export function encodeGate(proof: Buffer): Buffer {
  return new ByteWriter(64).u8(PROTOCOL_VERSION).raw(proof).finish()
}

export function decodeGate(bytes: Buffer): Decoded<Buffer> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    readVersion(reader)
    const proof = reader.take(PROOF_BYTES)
    reader.end()
    return proof
  })
}

export function encodeHello(hello: Hello): Buffer {
  return new ByteWriter(128)
    .u8(PROTOCOL_VERSION)
    .raw(Buffer.from(hello.instance, 'hex'))
    .uint(hello.port)
    .text(clipName(hello.name))
    .finish()
}

export function decodeHello(bytes: Buffer): Decoded<Hello> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    readVersion(reader)
    const instance = reader.take(INSTANCE_BYTES).toString('hex')
    const port = reader.uintUpTo(65535, 'port')
    // Cleaned rather than refused: which characters count as control or format grows with Unicode.
    const name = clipName(reader.text(MAX_NAME_BYTES, 'device name'))
    reader.end()
    return { instance, name, port }
  })
}

/** A device name as it may be sent and shown: no control or format characters, at most 64 bytes. */
export function clipName(name: string): string {
  let clipped = ''
  let length = 0
  for (const char of name.toWellFormed().replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')) {
    length += Buffer.byteLength(char)
    if (length > MAX_NAME_BYTES) break
    clipped += char
  }
  return clipped
}

export function encodeOffers(ids: readonly Buffer[]): Buffer {
  if (ids.length > MAX_OFFERS) throw new RangeError(`${ids.length} offers in one message`)
  const writer = new ByteWriter(8 + ids.length * PROOF_BYTES).uint(ids.length)
  for (const id of ids) writer.raw(id)
  return writer.finish()
}

export function decodeOffers(bytes: Buffer): Decoded<Buffer[]> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const count = reader.uintUpTo(MAX_OFFERS, 'count of offers')
    const ids: Buffer[] = []
    for (let i = 0; i < count; i++) ids.push(reader.take(PROOF_BYTES))
    reader.end()
    return ids
  })
}

/** What the sender's clock says; a time before 1970 goes as 1970. */
export function encodeClock(nowMs: number): Buffer {
  return new ByteWriter(8).uint(Math.min(MAX_TIME_MS, Math.max(0, Math.floor(nowMs)))).finish()
}

export function decodeClock(bytes: Buffer): Decoded<number> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const nowMs = reader.uintUpTo(MAX_TIME_MS, 'time')
    reader.end()
    return nowMs
  })
}

/** A question to be answered at once with the same number, so that the way there and back can be timed. */
export interface Ping {
  readonly kind: 'ask' | 'answer'
  /** Unsigned, 32 bits. */
  readonly number: number
}

export const PING_BYTES = 5

export function encodePing({ kind, number }: Ping): Buffer {
  const bytes = Buffer.alloc(PING_BYTES)
  bytes.writeUInt8(kind === 'ask' ? 0 : 1)
  bytes.writeUInt32BE(number, 1)
  return bytes
}

export function decodePing(bytes: Buffer): Decoded<Ping> {
  return decoding(() => {
    if (bytes.length !== PING_BYTES || bytes[0]! > 1)
      throw new Malformed('bad-ping', `ping of ${bytes.length} bytes and kind ${bytes[0]}`)
    return { kind: bytes[0] === 0 ? 'ask' : 'answer', number: bytes.readUInt32BE(1) }
  })
}

/** One message; the caller sees to the bounds (see splitBuffers). */
export function encodeBuffers(list: readonly Buffer[]): Buffer {
  const writer = new ByteWriter(16 + list.reduce((sum, bytes) => sum + bytes.length + 4, 0)).uint(list.length)
  for (const bytes of list) writer.bytes(bytes)
  return writer.finish()
}

export function decodeBuffers(bytes: Buffer, maxBytesEach: number, what: string): Decoded<Buffer[]> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const count = reader.uintUpTo(MAX_BUFFERS, `count of ${what}`)
    const list: Buffer[] = []
    for (let i = 0; i < count; i++) list.push(reader.bytes(maxBytesEach, what))
    reader.end()
    return list
  })
}

/** Cuts a list into messages of at most `maxMessageBytes`; RangeError if one item is above `maxBytesEach`. */
export function splitBuffers(
  list: readonly Buffer[],
  maxBytesEach: number,
  maxMessageBytes: number,
): Buffer[][] {
  const messages: Buffer[][] = []
  let current: Buffer[] = []
  let length = 8
  for (const bytes of list) {
    if (bytes.length > maxBytesEach)
      throw new RangeError(`item of ${bytes.length} bytes, at most ${maxBytesEach}`)
    if (current.length === MAX_BUFFERS || length + bytes.length + 4 > maxMessageBytes) {
      messages.push(current)
      current = []
      length = 8
    }
    current.push(bytes)
    length += bytes.length + 4
  }
  if (current.length > 0) messages.push(current)
  return messages
}

export function encodeAddresses(list: readonly DeviceAddress[]): Buffer {
  if (list.length > MAX_ADDRESSES) throw new RangeError(`${list.length} addresses in one message`)
  const writer = new ByteWriter(8 + list.length * 64).uint(list.length)
  for (const { device, host, port } of list) writer.raw(Buffer.from(device, 'hex')).text(host).uint(port)
  return writer.finish()
}

export function decodeAddresses(bytes: Buffer): Decoded<DeviceAddress[]> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const count = reader.uintUpTo(MAX_ADDRESSES, 'count of addresses')
    const list: DeviceAddress[] = []
    for (let i = 0; i < count; i++) {
      const device = deviceIdFromKey(reader.take(32))
      const host = reader.text(MAX_HOST_BYTES, 'host')
      if (isIP(host) === 0) throw new Malformed('bad-host', 'host is not an IP address')
      const port = reader.uintUpTo(65535, 'port')
      if (port === 0) throw new Malformed('bad-port', 'port 0')
      list.push({ device, host, port })
    }
    reader.end()
    return list
  })
}

function readVersion(reader: ByteReader): void {
  const version = reader.u8()
  if (version !== PROTOCOL_VERSION) throw new Malformed('bad-version', `protocol version ${version}`)
}
