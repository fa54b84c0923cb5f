// Asking all members where they stand now, and their signed answers (docs/design.md, "Inquiry v1", "Answer v1"). A state
// says what a device held when it signed it; whether its user has changed something since, it cannot say. An inquiry is a random
// number that was not known to anybody before: an answer to it was made after it, and who says in it to be at rest has since
// then looked at all that had changed on its disk, published it, and done all there was to do. Both travel to all
// members through all members; any grade can check and forward them.
//
//   inquiry   format version 1 (1), id (16) random, round (varint)
//   answer    format version 1 (1), device (32), inquiry (16), number (varint), sequence (varint), standing (1),
//             signature (64), Ed25519 by the device over label, share id (32) and all bytes before
//
// Whoever asks repeats its inquiry with the next round for as long as it wants to know. Of a device's answers the one with the
// highest number is the newest. `sequence` is that of the device's state (state.ts) which held when it answered.
import { ByteReader, ByteWriter } from './bytes.js'
import { type DeviceId, deviceIdFromKey, HASH_BYTES, type ShareId } from './ids.js'
import { isSignedBy, labelBytes, SIGNATURE_BYTES, sign } from './seal.js'
import { type Decoded, decoding, Malformed } from './violation.js'

export const INQUIRY_ID_BYTES = 16
/** No inquiry is longer. */
export const MAX_INQUIRY_BYTES: number = 1 + INQUIRY_ID_BYTES + 8
/** No answer is longer. */
export const MAX_ANSWER_BYTES: number = 1 + HASH_BYTES + INQUIRY_ID_BYTES + 8 + 8 + 1 + SIGNATURE_BYTES

export interface Inquiry {
  /** 32 hex digits. */
  readonly id: string
  readonly round: number
}

/**
 * Where a device stands: something is still to do; nothing is; nothing is, but some of its disk cannot be read or looked
 * at; it does nothing until somebody approves (A5); it takes no part for now.
 */
export type Standing = 'working' | 'at-rest' | 'unread' | 'halted' | 'paused'

export interface InquiryAnswer {
  readonly device: DeviceId
  readonly inquiry: string
  readonly number: number
  readonly sequence: number
  readonly standing: Standing
}

const FORMAT = 1
const LABEL = labelBytes('shoal 2026-11 v1 inquiry answer')
const STANDINGS: readonly Standing[] = ['working', 'at-rest', 'unread', 'halted', 'paused']

export function encodeInquiry({ id, round }: Inquiry): Buffer {
  return new ByteWriter(MAX_INQUIRY_BYTES).u8(FORMAT).raw(Buffer.from(id, 'hex')).uint(round).finish()
}

export function decodeInquiry(bytes: Buffer): Decoded<Inquiry> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    readFormat(reader)
    const id = reader.take(INQUIRY_ID_BYTES).toString('hex')
    const round = reader.uint()
    reader.end()
    return { id, round }
  })
}

export function signAnswer(answer: InquiryAnswer, deviceSecretKey: Buffer, shareId: ShareId): Buffer {
  const body = new ByteWriter(MAX_ANSWER_BYTES)
    .u8(FORMAT)
    .raw(Buffer.from(answer.device, 'hex'))
    .raw(Buffer.from(answer.inquiry, 'hex'))
    .uint(answer.number)
    .uint(answer.sequence)
    .u8(STANDINGS.indexOf(answer.standing))
    .finish()
  return Buffer.concat([body, sign([LABEL, Buffer.from(shareId, 'hex'), body], deviceSecretKey)])
}

/** What an answer says, its signature not checked: enough to see whether it is news. */
export function readAnswer(bytes: Buffer): Decoded<InquiryAnswer> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    readFormat(reader)
    const device = deviceIdFromKey(reader.take(HASH_BYTES))
    const inquiry = reader.take(INQUIRY_ID_BYTES).toString('hex')
    const [number, sequence] = [reader.uint(), reader.uint()]
    const standing = STANDINGS[reader.u8()]
    if (standing === undefined) throw new Malformed('bad-standing', 'answer of an unknown standing')
    reader.take(SIGNATURE_BYTES)
    reader.end()
    return { device, inquiry, number, sequence, standing }
  })
}

/** Whether the device that an answer names has signed it for this share. Of what readAnswer reads. */
export function isAnswerSigned(bytes: Buffer, shareId: ShareId): boolean {
  const body = bytes.subarray(0, bytes.length - SIGNATURE_BYTES)
  const signature = bytes.subarray(bytes.length - SIGNATURE_BYTES)
  const key = bytes.subarray(1, 1 + HASH_BYTES)
  return isSignedBy([LABEL, Buffer.from(shareId, 'hex'), body], signature, key)
}

function readFormat(reader: ByteReader): void {
  const format = reader.u8()
  if (format !== FORMAT) throw new Malformed('bad-format', `inquiry or answer of format ${format}`)
}
