// X5: two connections to one device collapse into one. Both ends judging alike is not enough, because they may know
// different connections at the moment of judging; so one end judges for both: the device with the lower id is the
// chooser, keeps one connection and closes the others, and the other end goes along with what it opened. Pure.
//
//   D1  Exactly one of two devices is the chooser, and both know which.
//   D2  A connection that works is not given up for another of the same kind: transfers are not interrupted.
//   D3  A better way (wayRank) replaces a worse one, never the other way while the better one is alive. TCP that carries
//       nothing large is the worst (standstills.ts).
//   D4  A new process of the other device replaces the connection of its old one at once.
//   D5  Who dials although there is a connection may know that it is dead: one that has said nothing since the other was
//       begun is asked, and given up if it does not answer.
import { assertNever } from '../core/error.js'
import type { DeviceId } from '../core/ids.js'
import type { Scope } from './endpoint.js'

/** What carries a connection: TCP dialled or accepted, UDX through holes in NATs, or a relay that forwards for both. */
export type Transport = 'tcp' | 'udx' | 'relayed'

/** A way is what carries a connection, and how far that reaches. */
export interface Way {
  readonly transport: Transport
  /** Of the other end's address. */
  readonly scope: Scope
  /** TCP: what is large does not pass (standstills.ts). Default false. */
  readonly isStill?: boolean
}

/** The order of ways, the best 0: TCP on one network, TCP, UDX, relayed, and TCP that stands still. */
export function wayRank({ transport, scope, isStill }: Way): number {
  switch (transport) {
    case 'tcp':
      if (isStill) return scope === 'public' ? 5 : 4
      return scope === 'public' ? 1 : 0
    case 'udx':
      return 2
    case 'relayed':
      return 3
    default:
      return assertNever(transport)
  }
}

/** What is known about a proven connection. Instants are of one monotonic clock. */
export interface LinkFacts extends Way {
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

/** Whether `current` has to show that it is alive, now that another connection was begun at `startedMs` (D5). */
export function isDoubtful(current: LinkFacts, startedMs: number): boolean {
  return current.lastHeardMs < startedMs
}

/** Whether the chooser gives up `current` for `candidate`. */
export function replaces(current: LinkFacts, candidate: LinkFacts, nowMs: number): boolean {
  if (candidate.instance !== current.instance) return true
  if (nowMs - current.lastHeardMs > SILENT_MS) return true
  return wayRank(candidate) < wayRank(current)
}
