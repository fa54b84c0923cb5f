// X5: two connections to one device collapse into one. Both ends judging alike is not enough, because they may know
// different connections at the moment of judging; so one end judges for both: the device with the lower id is the
// chooser, keeps one connection and closes the others, and the other end goes along with what it opened. Pure.
//
//   D1  Exactly one of two devices is the chooser, and both know which.
//   D2  A connection that works is not given up for another of the same kind: transfers are not interrupted.
//   D3  TCP replaces UDX, never the other way while the TCP connection is alive.
//   D4  A new process of the other device replaces the connection of its old one at once.
import type { DeviceId } from '../core/ids.js'

export type Transport = 'tcp' | 'udx'

/** What is known about a proven connection. Instants are of one monotonic clock. */
export interface LinkFacts {
  readonly transport: Transport
  /** The other side's process. */
  readonly instance: string
  /** When its last byte arrived. */
  readonly lastHeardMs: number
}

/** Silence after which a connection counts as lost: two keepalives of 5 s missed, and some slack. */
export const SILENT_MS = 12_000

/** Whether our end decides between connections to `other` (D1). */
export function isChooser(own: DeviceId, other: DeviceId): boolean {
  return own < other
}

/** Whether the chooser gives up `current` for `candidate`. */
export function replaces(current: LinkFacts, candidate: LinkFacts, nowMs: number): boolean {
  if (candidate.instance !== current.instance) return true
  if (nowMs - current.lastHeardMs > SILENT_MS) return true
  return candidate.transport === 'tcp' && current.transport === 'udx'
}
