// Which reports there are and which are wanted: reports can be long, so only what somebody lacks is sent. In the manner of
// messages.ts, byte for byte.
//
//   sequences  count uint <= 1024, that many of: device 32, sequence uint   channel shoal/share/1, message 4
//   wants      count uint <= 1024, that many devices of 32                  channel shoal/share/1, message 5
import { ByteReader, ByteWriter } from '../core/bytes.js'
import { type DeviceId, deviceIdFromKey, HASH_BYTES } from '../core/ids.js'
import { type Decoded, decoding } from '../core/violation.js'

/** Devices in one message: all that a share remembers and the sender itself. */
export const MAX_REPORT_LIST = 1024

/** The newest report of a device that the sender has. */
export interface ReportSequence {
  readonly device: DeviceId
  readonly sequence: number
}

export function encodeSequences(list: readonly ReportSequence[]): Buffer {
  const writer = startList(list.length)
  for (const { device, sequence } of list) writer.raw(Buffer.from(device, 'hex')).uint(sequence)
  return writer.finish()
}

export function decodeSequences(bytes: Buffer): Decoded<ReportSequence[]> {
  return readList(bytes, (reader) => ({
    device: deviceIdFromKey(reader.take(HASH_BYTES)),
    sequence: reader.uint(),
  }))
}

export function encodeWants(list: readonly DeviceId[]): Buffer {
  const writer = startList(list.length)
  for (const device of list) writer.raw(Buffer.from(device, 'hex'))
  return writer.finish()
}

export function decodeWants(bytes: Buffer): Decoded<DeviceId[]> {
  return readList(bytes, (reader) => deviceIdFromKey(reader.take(HASH_BYTES)))
}

function startList(length: number): ByteWriter {
  if (length > MAX_REPORT_LIST) throw new RangeError(`${length} devices in one message`)
  return new ByteWriter(8 + length * (HASH_BYTES + 8)).uint(length)
}

function readList<T>(bytes: Buffer, read: (reader: ByteReader) => T): Decoded<T[]> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const count = reader.uintUpTo(MAX_REPORT_LIST, 'count of reports')
    const list: T[] = []
    for (let i = 0; i < count; i++) list.push(read(reader))
    reader.end()
    return list
  })
}
