// Connections over UDX that one end takes for open and the other never opened: where two devices dial each other at the
// same time, hyperswarm at times leaves such a one, and refuses for its sake what the other device dials. Both ends send
// a header at once, so that a live one is heard from within one round trip.
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import type { DeviceId } from '../core/ids.js'
import { Timers } from './timers.js'

/**
 * The first time for the other end to be heard: four round trips of 600 ms, or one after a packet that was lost and sent again.
 * It doubles with each silent connection to the device, for ways that are slower than anybody has measured.
 */
const FIRST_MS = 2_500
/** No longer than a proof may take, which ends the connection anyway. */
const MAX_MS = 10_000
/** Round trips, where UDX has measured one. */
const ROUND_TRIPS = 6
/** Until the device is dialled once more: the end whose dial hyperswarm prefers goes first, so that they do not cross again. */
const PREFERRED_AFTER_MS = 100
const OTHER_AFTER_MS = 800
/** What is added at most. */
const JITTER_MS = 200
/** Devices remembered; beyond that it is forgotten how often they were silent. */
const MAX_DEVICES = 1_000

export interface SilenceOptions {
  /** Dials a device now, if there is no connection to it. */
  readonly dial: (device: DeviceId) => void
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** From 0 to below 1. */
  readonly random: () => number
}

/** How long nothing may be heard: `silences` before this one, and the round trip as far as it is measured (0: not). */
export function silencePatienceMs(silences: number, rttMs: number): number {
  return Math.min(MAX_MS, Math.max(FIRST_MS * 2 ** silences, ROUND_TRIPS * rttMs))
}

export class SilenceWatch {
  readonly #options: SilenceOptions
  /** Silent connections in a row. */
  readonly #silences = new Map<DeviceId, number>()
  readonly #timers = new Timers()

  constructor(options: SilenceOptions) {
    this.#options = options
  }

  /** Ends an open connection over which nothing is heard in time, and dials the device once more if it was we who had. */
  watch(device: DeviceId, stream: NoiseSecretStream): void {
    if (stream.destroying) return
    const { now } = this.#options
    const startedMs = now()
    let timer: NodeJS.Timeout
    const look = (): void => {
      const silences = this.#silences.get(device) ?? 0
      const leftMs = startedMs + silencePatienceMs(silences, stream.rawStream.rtt ?? 0) - now()
      if (leftMs > 0) timer = this.#timers.after(leftMs, look)
      else this.#giveUp(device, stream)
    }
    timer = this.#timers.after(silencePatienceMs(this.#silences.get(device) ?? 0, 0), look)
    stream.once('close', () => this.#timers.clear(timer))
    stream.rawStream.once('data', () => {
      this.#timers.clear(timer)
      this.#silences.delete(device)
    })
  }

  close(): void {
    this.#timers.clearAll()
  }

  #giveUp(device: DeviceId, stream: NoiseSecretStream): void {
    const silences = this.#silences.get(device) ?? 0
    if (this.#silences.size >= MAX_DEVICES) this.#silences.clear()
    this.#silences.set(device, silences + 1)
    // Once, before hyperswarm's own back-off: 1 to 2, 5 and 15 s, then not until the device is found again.
    if (silences === 0 && stream.isInitiator) stream.once('close', () => this.#dialSoon(device, stream))
    stream.destroy(new Error('nothing heard in time'))
  }

  #dialSoon(device: DeviceId, { publicKey, remotePublicKey }: NoiseSecretStream): void {
    const isPreferred = remotePublicKey === null || Buffer.compare(publicKey, remotePublicKey) > 0
    const { random } = this.#options
    const afterMs = (isPreferred ? PREFERRED_AFTER_MS : OTHER_AFTER_MS) + JITTER_MS * random()
    this.#timers.after(afterMs, () => this.#options.dial(device))
  }
}
