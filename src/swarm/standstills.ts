// Ways by TCP that carry small messages and nothing large. A path can drop packets over some size without telling anybody (an
// MTU black hole): TCP connects, what is large never passes, and the connection dies and is made again for ever. UDX, which
// probes what passes, or a relay may do better. Pure: instants come in.
//
//   W1  A connection stands still when what waits to be sent is not taken, or nothing is heard, for half the time after which
//       it counts as dead (LinkClocks), having carried next to nothing that way.
//   W2  After it has stood still once, a device is dialled with small segments (small-segments.ts).
//   W3  When the next one stands still too, TCP to addresses of that scope is the worst way to the device (wayRank) for a
//       while. It stays so as long as it goes on; tried again and no better, it stays so for twice as long.
//   W4  Both ends count, and tell each other what they have counted: who sends sees what is not taken, who receives the
//       silence, and each message passes one way only. The chooser decides as ever (dedupe.ts).
import { ByteReader, ByteWriter } from '../core/bytes.js'
import type { DeviceId } from '../core/ids.js'
import { type Decoded, decoding, Malformed } from '../core/violation.js'
import { SCOPES, type Scope } from './endpoint.js'

/** What one end tells the other: TCP between them, to addresses of this scope, has stood still so often in a row. */
export interface StandstillMessage {
  readonly scope: Scope
  /** 1 to 255. */
  readonly times: number
}

/** Scope u8 (its place in SCOPES), times u8: channel shoal/link/1, message 4. Earlier versions pass over it. */
export const STANDSTILL_BYTES = 2
/** Once may be a cable that was pulled. */
const TIMES = 2
/** A connection that dies so is made again within seconds, and stands still again when it is asked for what it was. */
const ROW_MS = 120_000
/** How long TCP is the worst way: the first time, and at most. */
const WORSE_MS = 600_000
const MAX_WORSE_MS = 8 * WORSE_MS
/** How long small segments are dialled with after a standstill. */
const SMALL_MS = 600_000

interface Standing {
  times: number
  lastMs: number
  /** TCP is the worst way until then; 0: it never was. */
  untilMs: number
  forMs: number
}

export class Standstills {
  readonly #devices = new Map<DeviceId, Map<Scope, Standing>>()

  /** A connection stood still. Tells how often in a row that was, for the other end. */
  stood(device: DeviceId, scope: Scope, nowMs: number): StandstillMessage {
    const before = this.#devices.get(device)?.get(scope)
    const isInRow = before !== undefined && nowMs - before.lastMs <= ROW_MS
    const isAgain = before !== undefined && before.untilMs > 0 && nowMs - before.untilMs <= before.forMs
    const times = before !== undefined && (isInRow || isAgain) ? Math.min(255, before.times + 1) : 1
    this.#note(device, scope, times, nowMs)
    return { scope, times }
  }

  /** The other end has counted that. */
  told(device: DeviceId, { scope, times }: StandstillMessage, nowMs: number): void {
    const before = this.#devices.get(device)?.get(scope)
    // Most often it speaks of what we have seen ourselves.
    const own = before !== undefined && nowMs - before.lastMs <= ROW_MS ? before.times : 0
    if (times > own) this.#note(device, scope, times, nowMs)
  }

  /** Whether TCP to addresses of that scope is the worst way to the device. */
  isWorst(device: DeviceId, scope: Scope, nowMs: number): boolean {
    return (this.#devices.get(device)?.get(scope)?.untilMs ?? 0) > nowMs
  }

  /** Whether the device is to be dialled with small segments. */
  wantsSmall(device: DeviceId, nowMs: number): boolean {
    const scopes = [...(this.#devices.get(device)?.values() ?? [])]
    return scopes.some(({ lastMs }) => nowMs - lastMs <= SMALL_MS)
  }

  /** What is worth telling the other end of a new connection. */
  toTell(device: DeviceId, nowMs: number): StandstillMessage[] {
    const scopes = [...(this.#devices.get(device) ?? [])]
    return scopes
      .filter(([, { lastMs, untilMs }]) => nowMs - lastMs <= ROW_MS || untilMs > nowMs)
      .map(([scope, { times }]) => ({ scope, times }))
  }

  /** To how many devices TCP is the worst way, to addresses of some scope. */
  countWorst(nowMs: number): number {
    const devices = [...this.#devices.values()]
    return devices.filter((scopes) => [...scopes.values()].some(({ untilMs }) => untilMs > nowMs)).length
  }

  /** When TCP is no longer the worst way to some device; undefined: it is for none. */
  endsAtMs(nowMs: number): number | undefined {
    let soonest: number | undefined
    for (const scopes of this.#devices.values())
      for (const { untilMs } of scopes.values())
        if (untilMs > nowMs) soonest = Math.min(soonest ?? untilMs, untilMs)
    return soonest
  }

  #note(device: DeviceId, scope: Scope, times: number, nowMs: number): void {
    const scopes = this.#devices.get(device) ?? new Map<Scope, Standing>()
    this.#devices.set(device, scopes)
    const before = scopes.get(scope)
    let { untilMs, forMs } = before ?? { untilMs: 0, forMs: 0 }
    if (times >= TIMES) {
      const isAgain = untilMs > 0 && untilMs <= nowMs && nowMs - untilMs <= forMs
      if (untilMs <= nowMs) forMs = isAgain ? Math.min(MAX_WORSE_MS, forMs * 2) : WORSE_MS
      untilMs = nowMs + forMs
    }
    scopes.set(scope, { times, lastMs: nowMs, untilMs, forMs })
  }
}

export function encodeStandstill({ scope, times }: StandstillMessage): Buffer {
  return new ByteWriter(STANDSTILL_BYTES).u8(SCOPES.indexOf(scope)).u8(times).finish()
}

export function decodeStandstill(bytes: Buffer): Decoded<StandstillMessage> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const scope = SCOPES[reader.u8()]
    const times = reader.u8()
    reader.end()
    if (scope === undefined) throw new Malformed('bad-scope', 'unknown scope')
    if (times === 0) throw new Malformed('bad-times', 'no times')
    return { scope, times }
  })
}
