// The reports of a share's members (core/report.ts): this device's own, signed anew when what it says has changed, and the
// newest of each member. They survive restarts.
import type { DriftSection } from '../../core/drift-section.js'
import type { DeviceId } from '../../core/ids.js'
import type { ReleasesSection } from '../../core/releases-section.js'
import type { Report } from '../../core/report.js'

/** The newest report of one member. */
export interface HeldReport {
  readonly device: DeviceId
  /** What people call the device. */
  readonly name: string
  readonly report: Report
  /** Whether the member is connected and has nothing newer to say. */
  readonly isCurrent: boolean
  /** When the report was surely true last, milliseconds since 1970 by this device's clock. */
  readonly asOfMs: number
}

/** What this device can report: a value, or how to get it at the time of signing; undefined says nothing. */
export interface OwnSections {
  readonly drift: DriftSection
  readonly releases: ReleasesSection
}

export class Reports {
  readonly #listeners = new Set<(device: DeviceId) => void>()

  /** Says so from now on, to all members, soon. */
  setOwn<K extends keyof OwnSections>(_section: K, _value: OwnSections[K] | undefined): void {}

  /** The newest reports of all members but this device. */
  all(): HeldReport[] {
    return []
  }

  /** The newest report of a member; undefined: it has sent none, or is no member. */
  of(_device: DeviceId): HeldReport | undefined {
    return undefined
  }

  /** Calls `listener` with each member whose report is new, or of another age. Returns how to end that. */
  subscribe(listener: (device: DeviceId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
