// A guest is whoever opens a connection otherwise than with the proof for a share: with a gate of version 2, which names
// an invite and proves it (docs/design.md, "Invites"). What is said after it is up to the door that was put up for
// guests; the connection stays in the lobby, under its limits and its deadline, until it is closed.
import type { DeviceId } from '../core/ids.js'
import type { Endpoint } from './endpoint.js'

/** First byte of a guest's first frame. */
export const GUEST_GATE_VERSION = 2

/** The connection as a door sees it. */
export interface GuestLink {
  /** What Noise has shown of the other end; proves no more than that it holds this key. */
  readonly deviceSeen: DeviceId | undefined
  readonly remote: Endpoint
  /** `remote` as text. */
  readonly address: string
  /** 64 bytes; both ends have the same, and no other connection has it. */
  readonly handshakeHash: Buffer
  /** Sends one frame. */
  send(frame: Buffer): void
  /** Ends the connection; `reason` is for our own log. */
  close(reason: string): void
}

/** What goes on with one guest. */
export interface GuestTalk {
  onFrame(frame: Buffer): void
  /** Once, at the end, whoever closed. */
  onClose(): void
}

export interface GuestDoor {
  /** A guest's first frame, version byte included. Answers how to go on, or why not: a reason for our own log. */
  enter(frame: Buffer, link: GuestLink): GuestTalk | string
}
