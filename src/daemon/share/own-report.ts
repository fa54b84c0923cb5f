// This device's own report (core/report.ts): put together from what its parts have to say, signed when that has changed,
// and not more often than others can bear. What changes all the time is told less often the longer it is.

import { Allowance } from '../../core/allowance.js'
import type { DriftSection } from '../../core/drift-section.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import type { ReleasesSection } from '../../core/releases-section.js'
import { type Report, sealReport, sectionsBytes } from '../../core/report.js'
import type { ScrubSection } from '../../core/scrub-section.js'

/** What this device can report. */
export interface OwnSections {
  readonly drift: DriftSection
  readonly releases: ReleasesSection
  readonly scrub: ScrubSection
}

type Parts = { [K in keyof OwnSections]?: () => OwnSections[K] | undefined }

export interface OwnReportOptions {
  readonly own: { readonly device: DeviceId; readonly secretKey: Buffer }
  readonly shareId: ShareId
  readonly stateKey: Buffer
  readonly nowMs: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number
  readonly nonce: () => Buffer
  /** Whether what the parts say is true already: after the first look at the disk. */
  readonly isReady: () => boolean
  /** A new report is signed. */
  readonly onSigned: (bytes: Buffer, report: Report) => void
}

/** What changes together is told together. */
const PAUSE_MS = 100
/** So many reports in a burst, then one every so often; each stands for one, and one more for so many bytes of it. */
const BURST = 8
const REFILL_MS = 5000
const BYTES_PER_REPORT = 32 * 1024
/** What has not changed is signed again after so long, so that who hears of it by others sees that it is not old. */
const RENEW_MS = 3_600_000

export class OwnReport {
  readonly #o: OwnReportOptions
  readonly #parts: Parts = {}
  readonly #allowance = new Allowance(BURST, REFILL_MS)
  #sequence: number
  #said: Buffer | undefined
  #timer: NodeJS.Timeout | undefined
  #renewTimer: NodeJS.Timeout | undefined
  #stopped = false

  /** `lastSequence` is that of its newest report of earlier runs. */
  constructor(options: OwnReportOptions, lastSequence: number | undefined) {
    this.#o = options
    this.#sequence = lastSequence ?? 0
  }

  get sequence(): number {
    return this.#sequence
  }

  /** From where a section is taken when a report is signed; undefined: it says nothing of this. */
  provide<K extends keyof OwnSections>(section: K, part: () => OwnSections[K] | undefined): void {
    this.#parts[section] = part as Parts[K]
  }

  /** What a part says may have changed. */
  changed(): void {
    if (this.#timer !== undefined || this.#stopped) return
    const waitMs = Math.max(PAUSE_MS, this.#allowance.waitMs(this.#o.monotonicMs()))
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#publish()
    }, waitMs)
  }

  /** Another process with this device's key has signed a later report: others would go by that one. */
  outbid(sequence: number): void {
    if (sequence < this.#sequence) return
    this.#sequence = sequence
    this.#said = undefined
    this.changed()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearTimeout(this.#renewTimer)
    this.#timer = undefined
  }

  #publish(): void {
    const { own, shareId, stateKey, nowMs, monotonicMs, nonce, isReady, onSigned } = this.#o
    if (this.#stopped || !isReady()) return
    const { drift, releases, scrub } = this.#parts
    const sections = { drift: drift?.(), releases: releases?.(), scrub: scrub?.(), other: [] }
    const said = sectionsBytes(sections)
    if (this.#said?.equals(said) === true) return
    this.#said = said
    this.#sequence = Math.max(this.#sequence + 1, nowMs())
    const report: Report = {
      device: own.device,
      sequence: this.#sequence,
      timeMs: Math.max(0, nowMs()),
      ...sections,
    }
    const bytes = sealReport(report, own.secretKey, stateKey, shareId, nonce())
    this.#allowance.spend(1 + bytes.length / BYTES_PER_REPORT, monotonicMs())
    this.#renewTimer ??= setTimeout(() => this.#renew(), RENEW_MS)
    onSigned(bytes, report)
  }

  #renew(): void {
    this.#renewTimer = undefined
    this.#said = undefined
    this.changed()
  }
}
