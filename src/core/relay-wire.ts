// What a node and a relay say to each other (docs/relay.md, "On the wire"), version 1. Frames until a data connection is
// joined; after that every byte belongs to the two nodes.
//
//   frame      length of what follows (u16, big-endian, 1 to 4,096), kind (u8), body
//   relay      1 welcome     "shoal-relay" (11), version (u8), challenge (32): the first frame of every connection
//              2 accepted    pass (32): the node is here under its tag
//              3 refused     why (u8), pass (32)
//              4 here        pass (32), tags (16 each): others who are here, or have come
//              5 gone        pass (32), tags (16 each)
//              6 ticket      role (u8: 0 caller, 1 called), pass (32), the other's tag (16), ticket (16)
//              7 not-called  why (u8), pass (32), tag (16)
//              8 joined      the last frame of a data connection
//              9 pong
//   node       65 present    pass (32), tag (16), signature (64)
//              66 leave      pass (32)
//              67 call       pass (32), tag (16): connect me with this one
//              68 join       ticket (16), pass (32), signature (64): the only frame of a data connection
//              69 ping
//
// A relay's frames of kinds not known here are passed over. All bodies have one length, but for the lists of tags.
import { ByteReader } from './bytes.js'
import { KEY_BYTES } from './keys.js'
import { CHALLENGE_BYTES, TAG_BYTES, TICKET_BYTES } from './relay-pass.js'
import { SIGNATURE_BYTES } from './seal.js'
import { type Decoded, decoding, Malformed } from './violation.js'

export const RELAY_VERSION = 1
/** Longest length field of a frame; lists of tags are cut to fit. */
export const MAX_FRAME_BYTES = 4_096
/** No frame of a node is longer, length field included. */
export const MAX_NODE_FRAME_BYTES: number = 2 + 1 + KEY_BYTES + TICKET_BYTES + SIGNATURE_BYTES
const MAX_TAGS = 200
const MAGIC = Buffer.from('shoal-relay')

/** Why a relay does not take a pass, or not connect two nodes. */
export const REFUSALS = [
  /** Not among those that it serves. */
  'not-allowed',
  /** The signature is not right. */
  'not-proven',
  /** As much as it bears is going on already. */
  'busy',
  /** Another connection is here under the same tag, and came later. */
  'replaced',
  /** The other is not here. */
  'absent',
] as const
export type Refusal = (typeof REFUSALS)[number]

export type RelayMessage =
  | { readonly type: 'welcome'; readonly version: number; readonly challenge: Buffer }
  | { readonly type: 'accepted'; readonly pass: Buffer }
  | { readonly type: 'refused'; readonly why: Refusal; readonly pass: Buffer }
  | { readonly type: 'here'; readonly pass: Buffer; readonly tags: readonly Buffer[] }
  | { readonly type: 'gone'; readonly pass: Buffer; readonly tags: readonly Buffer[] }
  | {
      readonly type: 'ticket'
      readonly role: 'caller' | 'called'
      readonly pass: Buffer
      readonly tag: Buffer
      readonly ticket: Buffer
    }
  | { readonly type: 'not-called'; readonly why: Refusal; readonly pass: Buffer; readonly tag: Buffer }
  | { readonly type: 'joined' }
  | { readonly type: 'pong' }

export type NodeMessage =
  | { readonly type: 'present'; readonly pass: Buffer; readonly tag: Buffer; readonly signature: Buffer }
  | { readonly type: 'leave'; readonly pass: Buffer }
  | { readonly type: 'call'; readonly pass: Buffer; readonly tag: Buffer }
  | { readonly type: 'join'; readonly ticket: Buffer; readonly pass: Buffer; readonly signature: Buffer }
  | { readonly type: 'ping' }

const RELAY_KINDS = {
  welcome: 1,
  accepted: 2,
  refused: 3,
  here: 4,
  gone: 5,
  ticket: 6,
  'not-called': 7,
  joined: 8,
  pong: 9,
} as const
const NODE_KINDS = { present: 65, leave: 66, call: 67, join: 68, ping: 69 } as const

/** The next frame of what has arrived: kind and body, and how many bytes it took; undefined: more is needed. */
export function nextFrame(
  bytes: Buffer,
  maxBytes: number = MAX_FRAME_BYTES,
): Decoded<{ readonly frame: Buffer; readonly took: number } | undefined> {
  return decoding(() => {
    if (bytes.length < 2) return undefined
    const length = bytes.readUInt16BE(0)
    if (length === 0) throw new Malformed('empty', 'a frame without a kind')
    if (length > maxBytes) throw new Malformed('too-long', `a frame of ${length} bytes`)
    if (bytes.length < 2 + length) return undefined
    return { frame: bytes.subarray(2, 2 + length), took: 2 + length }
  })
}

/** One frame, or as many as a list of tags needs, ready to send. */
export function encodeRelayMessage(message: RelayMessage): Buffer {
  const kind = RELAY_KINDS[message.type]
  switch (message.type) {
    case 'welcome':
      return frame(kind, MAGIC, Buffer.of(message.version), message.challenge)
    case 'accepted':
      return frame(kind, message.pass)
    case 'refused':
      return frame(kind, Buffer.of(REFUSALS.indexOf(message.why)), message.pass)
    case 'here':
    case 'gone': {
      const frames: Buffer[] = []
      for (let at = 0; at < message.tags.length; at += MAX_TAGS)
        frames.push(frame(kind, message.pass, ...message.tags.slice(at, at + MAX_TAGS)))
      return Buffer.concat(frames)
    }
    case 'ticket':
      return frame(
        kind,
        Buffer.of(message.role === 'caller' ? 0 : 1),
        message.pass,
        message.tag,
        message.ticket,
      )
    case 'not-called':
      return frame(kind, Buffer.of(REFUSALS.indexOf(message.why)), message.pass, message.tag)
    case 'joined':
    case 'pong':
      return frame(kind)
  }
}

/** What a relay's frame says; the value is undefined for kinds that this version does not know. Buffers are copies. */
export function decodeRelayMessage(bytes: Buffer): Decoded<RelayMessage | undefined> {
  return decoding(() => {
    const reader = new ByteReader(Buffer.from(bytes))
    const message = readRelayMessage(reader.u8(), reader)
    if (message !== undefined) reader.end()
    return message
  })
}

export function encodeNodeMessage(message: NodeMessage): Buffer {
  const kind = NODE_KINDS[message.type]
  switch (message.type) {
    case 'present':
      return frame(kind, message.pass, message.tag, message.signature)
    case 'leave':
      return frame(kind, message.pass)
    case 'call':
      return frame(kind, message.pass, message.tag)
    case 'join':
      return frame(kind, message.ticket, message.pass, message.signature)
    case 'ping':
      return frame(kind)
  }
}

/** What a node's frame says. Buffers are copies. */
export function decodeNodeMessage(bytes: Buffer): Decoded<NodeMessage> {
  return decoding(() => {
    const reader = new ByteReader(Buffer.from(bytes))
    const message = readNodeMessage(reader.u8(), reader)
    reader.end()
    return message
  })
}

function readRelayMessage(kind: number, reader: ByteReader): RelayMessage | undefined {
  const pass = (): Buffer => reader.take(KEY_BYTES)
  switch (kind) {
    case RELAY_KINDS.welcome:
      return readWelcome(reader)
    case RELAY_KINDS.accepted:
      return { type: 'accepted', pass: pass() }
    case RELAY_KINDS.refused:
      return { type: 'refused', why: readRefusal(reader), pass: pass() }
    case RELAY_KINDS.here:
      return { type: 'here', pass: pass(), tags: readTags(reader) }
    case RELAY_KINDS.gone:
      return { type: 'gone', pass: pass(), tags: readTags(reader) }
    case RELAY_KINDS.ticket: {
      const role = reader.u8() === 0 ? 'caller' : 'called'
      return {
        type: 'ticket',
        role,
        pass: pass(),
        tag: reader.take(TAG_BYTES),
        ticket: reader.take(TICKET_BYTES),
      }
    }
    case RELAY_KINDS['not-called']:
      return { type: 'not-called', why: readRefusal(reader), pass: pass(), tag: reader.take(TAG_BYTES) }
    case RELAY_KINDS.joined:
      return { type: 'joined' }
    case RELAY_KINDS.pong:
      return { type: 'pong' }
    default:
      return undefined
  }
}

/** Of a later version only the number is understood. */
function readWelcome(reader: ByteReader): RelayMessage {
  if (!reader.take(MAGIC.length).equals(MAGIC)) throw new Malformed('bad-magic', 'no relay of Shoal')
  const version = reader.u8()
  const challenge = reader.take(CHALLENGE_BYTES)
  if (version !== RELAY_VERSION) reader.take(reader.left)
  return { type: 'welcome', version, challenge }
}

function readNodeMessage(kind: number, reader: ByteReader): NodeMessage {
  const pass = (): Buffer => reader.take(KEY_BYTES)
  switch (kind) {
    case NODE_KINDS.present:
      return {
        type: 'present',
        pass: pass(),
        tag: reader.take(TAG_BYTES),
        signature: reader.take(SIGNATURE_BYTES),
      }
    case NODE_KINDS.leave:
      return { type: 'leave', pass: pass() }
    case NODE_KINDS.call:
      return { type: 'call', pass: pass(), tag: reader.take(TAG_BYTES) }
    case NODE_KINDS.join:
      return {
        type: 'join',
        ticket: reader.take(TICKET_BYTES),
        pass: pass(),
        signature: reader.take(SIGNATURE_BYTES),
      }
    case NODE_KINDS.ping:
      return { type: 'ping' }
    default:
      throw new Malformed('unknown', `a frame of kind ${kind}`)
  }
}

/** A reason that a later version gives is one that may pass. */
function readRefusal(reader: ByteReader): Refusal {
  return REFUSALS[reader.u8()] ?? 'busy'
}

function readTags(reader: ByteReader): Buffer[] {
  if (reader.left % TAG_BYTES !== 0) throw new Malformed('truncated', 'a list that ends within a tag')
  const tags: Buffer[] = []
  while (reader.left > 0) tags.push(reader.take(TAG_BYTES))
  return tags
}

function frame(kind: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 1)
  const head = Buffer.alloc(3)
  head.writeUInt16BE(length, 0)
  head[2] = kind
  return Buffer.concat([head, ...parts])
}
