// A device's signed statement of where it stands (docs/design.md, "Device state v1"; section "Convergence"). States
// travel to all members through all members: whoever holds any grade can check who made one and which is the newest,
// only the read grade can read it.
//
//   magic "ST" (2), format version (1): 1, or 2 where something is to be said of releases
//   device (32): its Ed25519 public key
//   sequence (varint)
//   nonce (24), random
//   sealed body, XChaCha20-Poly1305 under stateKey; associated data is label, share id (32) and all bytes before
//   signature (64), Ed25519 by the device over label, share id (32) and all bytes before
//
// The body: length, device name; grade (u8: 0 write, 1 read); length, instance; time; count of feeds, each writer id (8)
// and length, ascending by writer id; digest (32); files, bytes, needed files, needed bytes, drift, conflicts, problems.
// In format 2 there follow: scope (u8: 0 the whole share, 1 releases alone), digest of all that lies in `releases` (32). A
// device that holds the whole share and nothing in `releases` says it in format 1, which older versions understand.
import { ByteReader, ByteWriter } from './bytes.js'
import { cleanDeviceName, readDeviceName } from './certificate.js'
import { invariant } from './error.js'
import { type DeviceId, deviceIdFromKey, HASH_BYTES, type ShareId } from './ids.js'
import { type FeedView, MAX_TIME_MS, readView, writeView } from './record-public.js'
import { isSignedBy, labelBytes, NONCE_BYTES, SIGNATURE_BYTES, seal, sign, unseal } from './seal.js'
import { type Decoded, decoding, Malformed } from './violation.js'

/** No state is longer. */
export const MAX_STATE_BYTES: number = 32 * 1024
/** Longest instance, bytes of printable ASCII. */
export const MAX_INSTANCE_BYTES = 64

export interface DeviceState {
  readonly device: DeviceId
  /** What people call the device; see cleanDeviceName. */
  readonly name: string
  /** What the device says of itself; that it may write is proved by its certificates alone. */
  readonly grade: 'write' | 'read'
  /** Names one run of the daemon, so that two running copies of one device show (F4). Printable ASCII, not empty. */
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

/** What every grade can tell of a state. */
export interface StateHeader {
  readonly device: DeviceId
  readonly sequence: number
}

const MAGIC = Buffer.from('ST')
const FORMAT = 1
const RELEASES_FORMAT = 2
const SEAL_LABEL = labelBytes('shoal 2025 device state seal v1')
const SIGN_LABEL = labelBytes('shoal 2025 device state v1')
const INSTANCE = /^[\x21-\x7e]+$/
const COUNTS = ['files', 'bytes', 'needFiles', 'needBytes', 'drift', 'conflicts', 'problems'] as const

/** Seals and signs a state; `nonce` is 24 random bytes, fresh for every call. The name is cleaned first. */
export function sealState(
  state: DeviceState,
  deviceSecretKey: Buffer,
  stateKey: Buffer,
  shareId: ShareId,
  nonce: Buffer,
): Buffer {
  invariant(nonce.length === NONCE_BYTES, 'the nonce of a state has 24 bytes')
  const before = new ByteWriter()
    .raw(MAGIC)
    .u8(formatOf(state))
    .raw(Buffer.from(state.device, 'hex'))
    .uint(state.sequence)
    .raw(nonce)
    .finish()
  const sealed = seal(stateKey, nonce, bodyOf(state), Buffer.concat(bound(SEAL_LABEL, shareId, before)))
  const body = Buffer.concat([before, sealed])
  const bytes = Buffer.concat([body, sign(bound(SIGN_LABEL, shareId, body), deviceSecretKey)])
  invariant(bytes.length <= MAX_STATE_BYTES, 'a state stays within MAX_STATE_BYTES')
  return bytes
}

/** Checks and reads a state. */
export function openState(bytes: Buffer, stateKey: Buffer, shareId: ShareId): Decoded<DeviceState> {
  return decoding(() => {
    const { format, header, nonce, before, sealed } = openOuter(bytes, shareId)
    const body = unseal(stateKey, nonce, sealed, Buffer.concat(bound(SEAL_LABEL, shareId, before)))
    if (body === undefined) throw new Malformed('bad-seal', 'state was not sealed for this share')
    return readBody(new ByteReader(body), header, format)
  })
}

/** Who made a state and which of theirs it is, the signature checked. Needs no key, so any grade can forward the newest. */
export function stateHeader(bytes: Buffer, shareId: ShareId): Decoded<StateHeader> {
  return decoding(() => openOuter(bytes, shareId).header)
}

interface Outer {
  readonly format: number
  readonly header: StateHeader
  readonly nonce: Buffer
  readonly before: Buffer
  readonly sealed: Buffer
}

function openOuter(bytes: Buffer, shareId: ShareId): Outer {
  if (bytes.length > MAX_STATE_BYTES) throw new Malformed('too-long', `state of ${bytes.length} bytes`)
  const reader = new ByteReader(bytes)
  if (!reader.take(MAGIC.length).equals(MAGIC)) throw new Malformed('bad-magic', 'not a state')
  const format = reader.u8()
  if (format !== FORMAT && format !== RELEASES_FORMAT)
    throw new Malformed('bad-format', `state of format ${format}`)
  const publicKey = reader.take(HASH_BYTES)
  const sequence = reader.uint()
  const nonce = reader.take(NONCE_BYTES)
  const before = bytes.subarray(0, bytes.length - reader.left)
  if (reader.left < SIGNATURE_BYTES) throw new Malformed('truncated', 'no room for the signature')
  const sealed = reader.take(reader.left - SIGNATURE_BYTES)
  const body = bytes.subarray(0, bytes.length - SIGNATURE_BYTES)
  if (!isSignedBy(bound(SIGN_LABEL, shareId, body), reader.take(SIGNATURE_BYTES), publicKey))
    throw new Malformed('bad-signature', 'state is not signed by its device')
  return { format, header: { device: deviceIdFromKey(publicKey), sequence }, nonce, before, sealed }
}

function formatOf({ scope, releasesDigest }: DeviceState): number {
  return scope === 'all' && releasesDigest.equals(EMPTY_DIGEST) ? FORMAT : RELEASES_FORMAT
}

function bodyOf(state: DeviceState): Buffer {
  invariant(
    state.instance.length <= MAX_INSTANCE_BYTES && INSTANCE.test(state.instance),
    'an instance is 1 to 64 printable characters',
  )
  invariant(state.timeMs <= MAX_TIME_MS, 'the time of a state is at most MAX_TIME_MS')
  invariant(state.digest.length === HASH_BYTES, 'a digest has 32 bytes')
  const writer = new ByteWriter()
    .text(cleanDeviceName(state.name))
    .u8(state.grade === 'write' ? 0 : 1)
    .text(state.instance)
    .uint(state.timeMs)
  writeView(writer, state.feeds)
  writer.raw(state.digest)
  for (const count of COUNTS) writer.uint(state[count])
  if (formatOf(state) === RELEASES_FORMAT) writer.u8(state.scope === 'all' ? 0 : 1).raw(state.releasesDigest)
  return writer.finish()
}

function readBody(reader: ByteReader, header: StateHeader, format: number): DeviceState {
  const name = readDeviceName(reader)
  const grade = reader.u8()
  if (grade > 1) throw new Malformed('bad-grade', `state of grade ${grade}`)
  const instance = reader.text(MAX_INSTANCE_BYTES, 'instance')
  if (!INSTANCE.test(instance)) throw new Malformed('bad-instance', 'instance is not printable')
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

function bound(label: Buffer, shareId: ShareId, bytes: Buffer): Buffer[] {
  return [label, Buffer.from(shareId, 'hex'), bytes]
}
