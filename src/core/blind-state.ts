// A blind node's signed statement of what it keeps (docs/design.md, "Blind state v1"). It travels with the device states to
// all members through all members; everybody who holds at least the blind secret can read it, for a blind node cannot seal
// for readers what it has no key for, and others of its grade show it too.
//
// An envelope (envelope.ts) of magic "SB" and format version 1, sealed under blindStateKey.
//
// The body: length, device name; length, instance; time; count of feeds, each writer id (8) and length, ascending by writer id:
// how much of each feed is in its vault; pieces and bytes it should hold for that much of the share to be whole, and how
// many of them it lacks; pieces and bytes it holds beside them, for the past; problems; flags (u8: 1 off-site).
import { type ByteReader, ByteWriter } from './bytes.js'
import { cleanDeviceName, readDeviceName } from './certificate.js'
import { type EnvelopeHeader, envelopeKind, isOfKind, openEnvelope, sealEnvelope } from './envelope.js'
import { invariant } from './error.js'
import type { DeviceId, ShareId } from './ids.js'
import { readInstance, soundInstance } from './instance.js'
import { type FeedView, MAX_TIME_MS, readView, writeView } from './record-public.js'
import { MAX_STATE_BYTES } from './state.js'
import { type Decoded, decoding, Malformed } from './violation.js'

export interface BlindState {
  readonly device: DeviceId
  /** What people call the device; see cleanDeviceName. */
  readonly name: string
  /** Names one run of the daemon; see instance.ts. */
  readonly instance: string
  /** Grows with every state of the device, across runs: the highest is the newest. */
  readonly sequence: number
  /** When it was made, by the device's clock. */
  readonly timeMs: number
  /** How much of each feed is in its vault. */
  readonly feeds: FeedView
  /** What the share as of `feeds` is made of: sealed pieces and their bytes, and those of them that it lacks. */
  readonly pieces: number
  readonly bytes: number
  readonly missingPieces: number
  readonly missingBytes: number
  /** What it holds beside that, for the past. */
  readonly pastPieces: number
  readonly pastBytes: number
  readonly problems: number
  /** Whether its owner says that it stands somewhere else. */
  readonly offsite: boolean
}

const FORMAT = 1
const OFFSITE = 1
const KIND = envelopeKind({
  noun: 'blind state',
  magic: 'SB',
  formats: [FORMAT],
  maxBytes: MAX_STATE_BYTES,
  sealLabel: 'shoal 2026-11 v1 blind state seal',
  signLabel: 'shoal 2026-11 v1 blind state',
})
const COUNTS = [
  'pieces',
  'bytes',
  'missingPieces',
  'missingBytes',
  'pastPieces',
  'pastBytes',
  'problems',
] as const

/** Whether bytes claim to be a blind node's state; others among the states of a message are of those who read. */
export function isBlindState(bytes: Buffer): boolean {
  return isOfKind(KIND, bytes)
}

/** Seals and signs a state; `nonce` is 24 random bytes, fresh for every call. The name is cleaned first. */
export function sealBlindState(
  state: BlindState,
  deviceSecretKey: Buffer,
  blindStateKey: Buffer,
  shareId: ShareId,
  nonce: Buffer,
): Buffer {
  const { device, sequence } = state
  const envelope = { device, sequence, format: FORMAT, body: bodyOf(state) }
  return sealEnvelope(KIND, envelope, { shareId, sealKey: blindStateKey, deviceSecretKey }, nonce)
}

/** Checks and reads a state. */
export function openBlindState(bytes: Buffer, blindStateKey: Buffer, shareId: ShareId): Decoded<BlindState> {
  return decoding(() => {
    const { header, body } = openEnvelope(KIND, bytes, { shareId, sealKey: blindStateKey })
    return readBody(body, header)
  })
}

function bodyOf(state: BlindState): Buffer {
  invariant(state.timeMs <= MAX_TIME_MS, 'the time of a state is at most MAX_TIME_MS')
  const writer = new ByteWriter()
    .text(cleanDeviceName(state.name))
    .text(soundInstance(state.instance))
    .uint(state.timeMs)
  writeView(writer, state.feeds)
  for (const count of COUNTS) writer.uint(state[count])
  return writer.u8(state.offsite ? OFFSITE : 0).finish()
}

function readBody(reader: ByteReader, header: EnvelopeHeader): BlindState {
  const name = readDeviceName(reader)
  const instance = readInstance(reader)
  const timeMs = reader.uintUpTo(MAX_TIME_MS, 'time of a state')
  const feeds = readView(reader)
  const counts = Object.fromEntries(COUNTS.map((each) => [each, reader.uint()]))
  const flags = reader.u8()
  if (flags > OFFSITE) throw new Malformed('bad-flags', `blind state with flags ${flags}`)
  reader.end()
  const { missingPieces, missingBytes, pieces, bytes } = counts
  if (missingPieces! > pieces! || missingBytes! > bytes!)
    throw new Malformed('not-canonical', 'lacks more than there is')
  return {
    ...header,
    ...{ name, instance, timeMs, feeds },
    ...(counts as Pick<BlindState, (typeof COUNTS)[number]>),
    offsite: flags === OFFSITE,
  }
}
