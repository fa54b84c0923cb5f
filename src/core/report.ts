// A device's signed report to all members (docs/design.md, "Report v1"): what would be too long for its state. Like a
// state it travels through all members; whoever holds any grade can check who made one and which is the newest, only the
// read grade can read it.
//
// An envelope (envelope.ts) of magic "SR" and format version 1, sealed under stateKey.
//
// The body: time (varint, milliseconds since 1970); count of sections (at most 64), each: tag (varint), length, value;
// ascending by tag. Tag 1 is drift (drift-section.ts), 2 releases (releases-section.ts), 3 what was verified
// (scrub-section.ts). What is in a section of another tag is of a later version: it is kept and passed on as it is.
import { type ByteReader, ByteWriter } from './bytes.js'
import { type DriftSection, driftBytes, readDrift } from './drift-section.js'
import { type EnvelopeHeader, envelopeHeader, envelopeKind, openEnvelope, sealEnvelope } from './envelope.js'
import { invariant } from './error.js'
import type { DeviceId, ShareId } from './ids.js'
import { MAX_TIME_MS } from './record-public.js'
import { type ReleasesSection, readReleases, releasesBytes } from './releases-section.js'
import { readScrub, type ScrubSection, scrubBytes } from './scrub-section.js'
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

const FORMAT = 1
const KIND = envelopeKind({
  noun: 'report',
  magic: 'SR',
  formats: [FORMAT],
  maxBytes: MAX_REPORT_BYTES,
  sealLabel: 'shoal 2026-11 v1 device report seal',
  signLabel: 'shoal 2026-11 v1 device report',
})
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
  const { device, sequence } = report
  const envelope = { device, sequence, format: FORMAT, body: bodyOf(report) }
  return sealEnvelope(KIND, envelope, { shareId, sealKey: stateKey, deviceSecretKey }, nonce)
}

/** Checks and reads a report, all sections that this version knows. */
export function openReport(bytes: Buffer, stateKey: Buffer, shareId: ShareId): Decoded<Report> {
  return decoding(() => {
    const { header, body } = openEnvelope(KIND, bytes, { shareId, sealKey: stateKey })
    return readBody(body, header)
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

/** Who made a report and which of theirs it is, the signature checked. Needs no key, so any grade can forward the newest. */
export function reportHeader(bytes: Buffer, shareId: ShareId): Decoded<EnvelopeHeader> {
  return decoding(() => envelopeHeader(KIND, bytes, shareId))
}

function bodyOf(report: Report): Buffer {
  invariant(report.timeMs <= MAX_TIME_MS, 'the time of a report is at most MAX_TIME_MS')
  return new ByteWriter(1024).uint(report.timeMs).raw(sectionsBytes(report)).finish()
}

function readBody(reader: ByteReader, header: EnvelopeHeader): Report {
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
