// A device's signed report to all members (docs/design.md, "Report v1"): what would be too long for its state. Like a
// state it travels through all members; whoever holds any grade can check who made one and which is the newest, only the
// read grade can read it.
//
//   magic "SR" (2), format version 1 (1)
//   device (32): its Ed25519 public key
//   sequence (varint)
//   nonce (24), random
//   sealed body, XChaCha20-Poly1305 under stateKey; associated data is label, share id (32) and all bytes before
//   signature (64), Ed25519 by the device over label, share id (32) and all bytes before
//
// The body: time (varint, milliseconds since 1970); count of sections (at most 64), each: tag (varint), length, value;
// ascending by tag. Tag 1 is drift (drift-section.ts), 2 releases (releases-section.ts), 3 what was verified
// (scrub-section.ts). What is in a section of another
// tag is of a later version: it is kept and passed on as it is.
import { ByteReader, ByteWriter } from './bytes.js'
import { type DriftSection, driftBytes, readDrift } from './drift-section.js'
import { invariant } from './error.js'
import { type DeviceId, deviceIdFromKey, HASH_BYTES, type ShareId } from './ids.js'
import { MAX_TIME_MS } from './record-public.js'
import { type ReleasesSection, readReleases, releasesBytes } from './releases-section.js'
import { readScrub, type ScrubSection, scrubBytes } from './scrub-section.js'
import { isSignedBy, labelBytes, NONCE_BYTES, SIGNATURE_BYTES, seal, sign, unseal } from './seal.js'
import { type Decoded, decoding, Malformed } from './violation.js'

/** No report is longer. */
export const MAX_REPORT_BYTES: number = 256 * 1024
const MAX_SECTIONS = 64

/** What a device says; a section that is not there says nothing. */
export interface ReportSections {
  readonly drift?: DriftSection | undefined
  readonly releases?: ReleasesSection | undefined
  readonly scrub?: ScrubSection | undefined
}

export interface Report extends ReportSections {
  readonly device: DeviceId
  /** Grows with every report of the device, across runs: the highest is the newest. */
  readonly sequence: number
  /** When it was made, by the device's clock. */
  readonly timeMs: number
  /** Sections of later versions: tag and value, ascending by tag, none that this version knows. */
  readonly other: readonly (readonly [tag: number, value: Buffer])[]
}

/** What every grade can tell of a report. */
export interface ReportHeader {
  readonly device: DeviceId
  readonly sequence: number
}

const MAGIC = Buffer.from('SR')
const FORMAT = 1
const SEAL_LABEL = labelBytes('shoal 2026-11 v1 device report seal')
const SIGN_LABEL = labelBytes('shoal 2026-11 v1 device report')
const DRIFT = 1
const RELEASES = 2
const SCRUB = 3

/** Seals and signs a report; `nonce` is 24 random bytes, fresh for every call. */
export function sealReport(
  report: Report,
  deviceSecretKey: Buffer,
  stateKey: Buffer,
  shareId: ShareId,
  nonce: Buffer,
): Buffer {
  invariant(nonce.length === NONCE_BYTES, 'the nonce of a report has 24 bytes')
  const before = new ByteWriter()
    .raw(MAGIC)
    .u8(FORMAT)
    .raw(Buffer.from(report.device, 'hex'))
    .uint(report.sequence)
    .raw(nonce)
    .finish()
  const sealed = seal(stateKey, nonce, bodyOf(report), Buffer.concat(bound(SEAL_LABEL, shareId, before)))
  const body = Buffer.concat([before, sealed])
  const bytes = Buffer.concat([body, sign(bound(SIGN_LABEL, shareId, body), deviceSecretKey)])
  invariant(bytes.length <= MAX_REPORT_BYTES, 'a report stays within MAX_REPORT_BYTES')
  return bytes
}

/** Checks and reads a report, all sections that this version knows. */
export function openReport(bytes: Buffer, stateKey: Buffer, shareId: ShareId): Decoded<Report> {
  return decoding(() => {
    const { header, nonce, before, sealed } = openOuter(bytes, shareId)
    const body = unseal(stateKey, nonce, sealed, Buffer.concat(bound(SEAL_LABEL, shareId, before)))
    if (body === undefined) throw new Malformed('bad-seal', 'report was not sealed for this share')
    return readBody(new ByteReader(body), header)
  })
}

/** What a report with these sections says beside its time: equal bytes say the same. */
export function sectionsBytes({
  drift,
  releases,
  scrub,
  other,
}: ReportSections & Pick<Report, 'other'>): Buffer {
  const sections: (readonly [tag: number, value: Buffer])[] = []
  if (drift !== undefined) sections.push([DRIFT, driftBytes(drift)])
  if (releases !== undefined) sections.push([RELEASES, releasesBytes(releases)])
  if (scrub !== undefined) sections.push([SCRUB, scrubBytes(scrub)])
  sections.push(...other)
  sections.sort(([a], [b]) => a - b)
  invariant(sections.length <= MAX_SECTIONS, 'a report has at most 64 sections')
  const writer = new ByteWriter(1024).uint(sections.length)
  let last = 0
  for (const [tag, value] of sections) {
    invariant(tag > last, 'the tags of a report ascend')
    last = tag
    writer.uint(tag).bytes(value)
  }
  return writer.finish()
}

/** Whose report the bytes claim to be, nothing checked: enough to see that they need no look. Undefined: nobody's. */
export function claimedReporter(bytes: Buffer): DeviceId | undefined {
  const start = MAGIC.length + 1
  return bytes.length < start + HASH_BYTES
    ? undefined
    : deviceIdFromKey(bytes.subarray(start, start + HASH_BYTES))
}

/** Who made a report and which of theirs it is, the signature checked. Needs no key, so any grade can forward the newest. */
export function reportHeader(bytes: Buffer, shareId: ShareId): Decoded<ReportHeader> {
  return decoding(() => openOuter(bytes, shareId).header)
}

interface Outer {
  readonly header: ReportHeader
  readonly nonce: Buffer
  readonly before: Buffer
  readonly sealed: Buffer
}

function openOuter(bytes: Buffer, shareId: ShareId): Outer {
  if (bytes.length > MAX_REPORT_BYTES) throw new Malformed('too-long', `report of ${bytes.length} bytes`)
  const reader = new ByteReader(bytes)
  if (!reader.take(MAGIC.length).equals(MAGIC)) throw new Malformed('bad-magic', 'not a report')
  const format = reader.u8()
  if (format !== FORMAT) throw new Malformed('bad-format', `report of format ${format}`)
  const publicKey = reader.take(HASH_BYTES)
  const sequence = reader.uint()
  const nonce = reader.take(NONCE_BYTES)
  const before = bytes.subarray(0, bytes.length - reader.left)
  if (reader.left < SIGNATURE_BYTES) throw new Malformed('truncated', 'no room for the signature')
  const sealed = reader.take(reader.left - SIGNATURE_BYTES)
  const body = bytes.subarray(0, bytes.length - SIGNATURE_BYTES)
  if (!isSignedBy(bound(SIGN_LABEL, shareId, body), reader.take(SIGNATURE_BYTES), publicKey))
    throw new Malformed('bad-signature', 'report is not signed by its device')
  return { header: { device: deviceIdFromKey(publicKey), sequence }, nonce, before, sealed }
}

function bodyOf(report: Report): Buffer {
  invariant(report.timeMs <= MAX_TIME_MS, 'the time of a report is at most MAX_TIME_MS')
  return new ByteWriter(1024).uint(report.timeMs).raw(sectionsBytes(report)).finish()
}

function readBody(reader: ByteReader, header: ReportHeader): Report {
  const timeMs = reader.uintUpTo(MAX_TIME_MS, 'time of a report')
  const count = reader.uintUpTo(MAX_SECTIONS, 'count of sections')
  const known: { drift?: DriftSection; releases?: ReleasesSection; scrub?: ScrubSection } = {}
  const other: [number, Buffer][] = []
  let last = 0
  for (let i = 0; i < count; i++) {
    const tag = reader.uint()
    if (tag <= last) throw new Malformed('not-canonical', 'the tags of a report do not ascend')
    last = tag
    const value = reader.bytes(MAX_REPORT_BYTES, 'section')
    if (tag === DRIFT) known.drift = readDrift(value)
    else if (tag === RELEASES) known.releases = readReleases(value)
    else if (tag === SCRUB) known.scrub = readScrub(value)
    else other.push([tag, Buffer.from(value)])
  }
  reader.end()
  return { ...header, timeMs, ...known, other }
}

function bound(label: Buffer, shareId: ShareId, bytes: Buffer): Buffer[] {
  return [label, Buffer.from(shareId, 'hex'), bytes]
}
