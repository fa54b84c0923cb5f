// A device's signed statement of where it stands (docs/design.md, "Device state v1"; section "Convergence"). States
// travel to all members through all members: whoever holds any grade can check who made one and which is the newest,
// only the read grade can read it.
//
// An envelope (envelope.ts) of magic "ST" and format version 1, or 2 where something is to be said of releases, sealed
// under stateKey.
//
// The body: length, device name; grade (u8: 0 write, 1 read); length, instance; time; count of feeds, each writer id (8)
// and length, ascending by writer id; digest (32); files, bytes, needed files, needed bytes, drift, conflicts, problems.
// In format 2 there follow: scope (u8: 0 the whole share, 1 releases alone), digest of all that lies in `releases` (32). A
// device that holds the whole share and nothing in `releases` says it in format 1, which older versions understand.
import { type ByteReader, ByteWriter } from './bytes.js'
import { cleanDeviceName, readDeviceName } from './certificate.js'
import { type EnvelopeHeader, envelopeHeader, envelopeKind, openEnvelope, sealEnvelope } from './envelope.js'
import { invariant } from './error.js'
import { type DeviceId, HASH_BYTES, type ShareId } from './ids.js'
import { readInstance, soundInstance } from './instance.js'
import { type FeedView, MAX_TIME_MS, readView, writeView } from './record-public.js'
import { type Decoded, decoding, Malformed } from './violation.js'

/** No state is longer. */
export const MAX_STATE_BYTES: number = 32 * 1024

export interface DeviceState {
  readonly device: DeviceId
  /** What people call the device; see cleanDeviceName. */
  readonly name: string
  /** What the device says of itself; that it may write is proved by its certificates alone. */
  readonly grade: 'write' | 'read'
  /** Names one run of the daemon; see instance.ts. */
  readonly instance: string
  /** Grows with every state of the device, across runs: the highest is the newest. */
  readonly sequence: number
  /** When it was made, by the device's clock. */
  readonly timeMs: number
  /** How much of each feed it has applied. */
  readonly feeds: FeedView
  /** What of the share it holds: all, or its releases alone (core/release.ts). */
  readonly scope: StateScope
  /** Of its live tree, 32 bytes. */
  readonly digest: Buffer
  /** Of what lies in `releases`, 32 bytes; all zero if there is nothing. */
  readonly releasesDigest: Buffer
  readonly files: number
  readonly bytes: number
  readonly needFiles: number
  readonly needBytes: number
  readonly drift: number
  readonly conflicts: number
  readonly problems: number
}

export type StateScope = 'all' | 'releases'

/** What two devices compare of what they hold. */
export type Holding = Pick<DeviceState, 'scope' | 'digest' | 'releasesDigest'>

/** Signed until the disk was looked through once since the start: equals nobody's. */
export const UNKNOWN_DIGEST: Buffer = Buffer.alloc(HASH_BYTES, 0xff)
/** Of nothing. */
export const EMPTY_DIGEST: Buffer = Buffer.alloc(HASH_BYTES)

/** Whether two devices hold the same, as far as both are to hold it. */
export function holdsSame(a: Holding, b: Holding): boolean {
  if (a.scope === 'all' && b.scope === 'all') return a.digest.equals(b.digest)
  const isKnown = !a.digest.equals(UNKNOWN_DIGEST) && !b.digest.equals(UNKNOWN_DIGEST)
  return isKnown && a.releasesDigest.equals(b.releasesDigest)
}

const FORMAT = 1
const RELEASES_FORMAT = 2
const KIND = envelopeKind({
  noun: 'state',
  magic: 'ST',
  formats: [FORMAT, RELEASES_FORMAT],
  maxBytes: MAX_STATE_BYTES,
  sealLabel: 'shoal 2025 device state seal v1',
  signLabel: 'shoal 2025 device state v1',
})
const COUNTS = ['files', 'bytes', 'needFiles', 'needBytes', 'drift', 'conflicts', 'problems'] as const

/** Seals and signs a state; `nonce` is 24 random bytes, fresh for every call. The name is cleaned first. */
export function sealState(
  state: DeviceState,
  deviceSecretKey: Buffer,
  stateKey: Buffer,
  shareId: ShareId,
  nonce: Buffer,
): Buffer {
  const { device, sequence } = state
  const envelope = { device, sequence, format: formatOf(state), body: bodyOf(state) }
  return sealEnvelope(KIND, envelope, { shareId, sealKey: stateKey, deviceSecretKey }, nonce)
}

/** Checks and reads a state. */
export function openState(bytes: Buffer, stateKey: Buffer, shareId: ShareId): Decoded<DeviceState> {
  return decoding(() => {
    const { header, format, body } = openEnvelope(KIND, bytes, { shareId, sealKey: stateKey })
    return readBody(body, header, format)
  })
}

/** Who made a state and which of theirs it is, the signature checked. Needs no key, so any grade can forward the newest. */
export function stateHeader(bytes: Buffer, shareId: ShareId): Decoded<EnvelopeHeader> {
  return decoding(() => envelopeHeader(KIND, bytes, shareId))
}

function formatOf({ scope, releasesDigest }: DeviceState): number {
  return scope === 'all' && releasesDigest.equals(EMPTY_DIGEST) ? FORMAT : RELEASES_FORMAT
}

function bodyOf(state: DeviceState): Buffer {
  invariant(state.timeMs <= MAX_TIME_MS, 'the time of a state is at most MAX_TIME_MS')
  invariant(state.digest.length === HASH_BYTES, 'a digest has 32 bytes')
  const writer = new ByteWriter()
    .text(cleanDeviceName(state.name))
    .u8(state.grade === 'write' ? 0 : 1)
    .text(soundInstance(state.instance))
    .uint(state.timeMs)
  writeView(writer, state.feeds)
  writer.raw(state.digest)
  for (const count of COUNTS) writer.uint(state[count])
  if (formatOf(state) === RELEASES_FORMAT) writer.u8(state.scope === 'all' ? 0 : 1).raw(state.releasesDigest)
  return writer.finish()
}

function readBody(reader: ByteReader, header: EnvelopeHeader, format: number): DeviceState {
  const name = readDeviceName(reader)
  const grade = reader.u8()
  if (grade > 1) throw new Malformed('bad-grade', `state of grade ${grade}`)
  const instance = readInstance(reader)
  const timeMs = reader.uintUpTo(MAX_TIME_MS, 'time of a state')
  const feeds = readView(reader)
  const digest = Buffer.from(reader.take(HASH_BYTES))
  const [files, bytes, needFiles, needBytes, drift, conflicts, problems] = COUNTS.map(() => reader.uint())
  const held = format === FORMAT ? WHOLE : readScope(reader)
  reader.end()
  return {
    ...header,
    name,
    grade: grade === 0 ? 'write' : 'read',
    instance,
    timeMs,
    feeds,
    ...held,
    digest,
    files: files!,
    bytes: bytes!,
    needFiles: needFiles!,
    needBytes: needBytes!,
    drift: drift!,
    conflicts: conflicts!,
    problems: problems!,
  }
}

const WHOLE = { scope: 'all', releasesDigest: EMPTY_DIGEST } as const

function readScope(reader: ByteReader): Pick<DeviceState, 'scope' | 'releasesDigest'> {
  const scope = reader.u8()
  if (scope > 1) throw new Malformed('bad-scope', `state of scope ${scope}`)
  const releasesDigest = Buffer.from(reader.take(HASH_BYTES))
  if (scope === 0 && releasesDigest.equals(EMPTY_DIGEST))
    throw new Malformed('not-canonical', 'a state of format 2 says what format 1 can say')
  return { scope: scope === 0 ? 'all' : 'releases', releasesDigest }
}
