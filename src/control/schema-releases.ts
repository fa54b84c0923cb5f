// What the control API tells and takes about releases (schema.ts).
import { z } from 'zod'
import type { SwitchWhen } from '../core/release.js'
import { count } from './schema-parts.js'

/** GET /v1/releases: one for each share, in the order of the configuration file. */
export interface ReleasesReport {
  readonly dir: string
  /** Whether this node holds releases alone and shows one as `current`. */
  readonly follows: boolean
  /** The release that is to be shown, and who said so; null: none. */
  readonly order: SwitchReport | null
  /** What this node waits for before it shows that, or what is wrong; null: nothing. */
  readonly waitsFor: string | null
  /** Oldest first. */
  readonly releases: readonly ReleaseReport[]
  /** This device first. */
  readonly nodes: readonly ReleaseNodeReport[]
}

export interface ReleaseReport {
  readonly name: string
  /** ISO 8601; null: it is not finished, or its manifest is not here yet. */
  readonly created: string | null
  /** Name of the device that made it; null as above. */
  readonly by: string | null
  readonly files: number | null
  readonly bytes: number | null
  /** How far it is on this disk; 'changed' and 'drifted': it is not as its manifest says, by the share or by this disk. */
  readonly hold: 'complete' | 'partial' | 'changed' | 'drifted'
  /** Ids of the devices that say that they show it, and that they hold all of it. */
  readonly shownBy: readonly string[]
  readonly heldBy: readonly string[]
}

export interface ReleaseNodeReport {
  readonly device: string
  readonly name: string
  readonly follows: boolean
  readonly connected: boolean
  /** What it shows; null: nothing, or it does not follow. */
  readonly current: string | null
}

export interface SwitchReport {
  readonly name: string
  readonly when: SwitchWhen
  readonly by: string
  /** ISO 8601. */
  readonly time: string
  /** Grows with each order. */
  readonly sequence: number
}

/** POST /v1/releases: what was made. */
export interface NewReleaseReport {
  readonly name: string
  readonly files: number
  readonly bytes: number
  /** Names of releases that were removed, as too old. */
  readonly removed: readonly string[]
}

/** POST /v1/releases: make a release of the live tree of a share, by its place in the configuration. */
export interface ReleaseRequest {
  readonly share: number
  readonly name?: string | undefined
  readonly keep?: number | undefined
  /** When nodes are to show it; null: not before they are told to. */
  readonly when: SwitchWhen | null
}

/** POST /v1/releases/switch */
export interface SwitchRequest {
  readonly share: number
  readonly name: string
  readonly when: SwitchWhen
}

/** POST /v1/releases/rollback */
export interface RollbackRequest {
  readonly share: number
}

/** POST /v1/releases/remove */
export interface RemoveReleaseRequest {
  readonly share: number
  readonly name: string
}

const when: z.ZodType<SwitchWhen> = z.union([z.enum(['now', 'all']), z.int().min(1).max(1000)])

const switchShape = { name: z.string(), when, by: z.string(), time: z.string(), sequence: count }

export const switchReport: z.ZodType<SwitchReport> = z.looseObject(switchShape)

export const releasesReports: z.ZodType<readonly ReleasesReport[]> = z.array(
  z.looseObject({
    dir: z.string(),
    follows: z.boolean(),
    order: switchReport.nullable(),
    waitsFor: z.string().nullable(),
    releases: z.array(
      z.looseObject({
        name: z.string(),
        created: z.string().nullable(),
        by: z.string().nullable(),
        files: count.nullable(),
        bytes: count.nullable(),
        hold: z.enum(['complete', 'partial', 'changed', 'drifted']),
        shownBy: z.array(z.string()),
        heldBy: z.array(z.string()),
      }),
    ),
    nodes: z.array(
      z.looseObject({
        device: z.string(),
        name: z.string(),
        follows: z.boolean(),
        connected: z.boolean(),
        current: z.string().nullable(),
      }),
    ),
  }),
)

export const newReleaseReport: z.ZodType<NewReleaseReport> = z.looseObject({
  name: z.string(),
  files: count,
  bytes: count,
  removed: z.array(z.string()),
})

const place = z.int().nonnegative()
const releaseName = z.string().max(200)

export const releaseRequest: z.ZodType<ReleaseRequest> = z.strictObject({
  share: place,
  name: releaseName.optional(),
  keep: z.int().min(1).max(256).optional(),
  when: when.nullable(),
})

export const switchRequest: z.ZodType<SwitchRequest> = z.strictObject({
  share: place,
  name: releaseName,
  when,
})

export const rollbackRequest: z.ZodType<RollbackRequest> = z.strictObject({ share: place })

export const removeReleaseRequest: z.ZodType<RemoveReleaseRequest> = z.strictObject({
  share: place,
  name: releaseName,
})
