// What happens in a daemon, as GET /v1/events tells it while it happens (server-sent events). An event tells of a batch,
// never of each file. Ids grow by one within one run of a daemon. A reader passes over types that it does not know.
import { z } from 'zod'
import { type ShareState, shareState } from './schema.js'
import { count } from './schema-parts.js'

/** The newest events that a daemon keeps. */
export const EVENTS_KEPT = 1000
/** Paths that an event names of those it tells of. */
export const EVENT_PATHS = 5

/** What an event says besides when and where. */
export type EventFact =
  /** Entries of the share have changed. `from`: whose change it was; null: made on this disk. */
  | {
      readonly type: 'changed'
      readonly count: number
      /** Some of them, at most EVENT_PATHS. */
      readonly paths: readonly string[]
      readonly from: string | null
    }
  /** They are on this disk now. */
  | {
      readonly type: 'applied'
      readonly count: number
      readonly paths: readonly string[]
      /** Of the content of files that were written. */
      readonly bytes: number
    }
  /** Two members have changed a path without knowing of each other: the losing version lies at `copy`. */
  | { readonly type: 'conflict'; readonly path: string; readonly copy: string }
  /** Paths of this reader differ from the share; `open`: how many nobody has acknowledged. */
  | {
      readonly type: 'drift'
      readonly count: number
      readonly paths: readonly string[]
      readonly open: number
    }
  | {
      readonly type: 'problem' | 'problem-gone'
      readonly path: string
      readonly code: string
      readonly detail: string
    }
  | {
      /** 'peer-moved': another connection carries the share, most often by a better way, and it was never gone. */
      readonly type: 'peer-connected' | 'peer-moved'
      readonly device: string
      readonly name: string
      readonly transport: string
      readonly address: string
    }
  | {
      readonly type: 'peer-left'
      readonly device: string
      readonly name: string
      readonly reason: string
    }
  | { readonly type: 'state'; readonly state: ShareState; readonly before: ShareState }
  /** A release is shown now. */
  | { readonly type: 'release'; readonly name: string }
  /** The promise of copies (`copies`) is kept again, or is not: pieces that are short of copies, and their bytes. */
  | { readonly type: 'copies'; readonly kept: boolean; readonly pieces: number; readonly bytes: number }
  /** A hook has run. `hook`: its program; `outcome`: how it ended, in words. */
  | { readonly type: 'hook'; readonly hook: string; readonly outcome: string }
  /** All that this disk holds was read again; so many files were not what they had been. */
  | { readonly type: 'verified'; readonly files: number; readonly bytes: number; readonly damaged: number }
  | { readonly type: 'paused' | 'resumed' }
  /** The configuration file was changed and cannot be used, and why; and: one that was read after that is. */
  | { readonly type: 'config-refused'; readonly problems: readonly string[] }
  | { readonly type: 'config-used' }
  /** Events before this one cannot be told any more: they are too old, or of an earlier run of the daemon. */
  | { readonly type: 'gap' }

export type EventType = EventFact['type']

/** An event as it is told. */
export type EventReport = EventFact & {
  /** From 1. */
  readonly id: number
  /** ISO 8601. */
  readonly at: string
  /** The share's directory; null: of the daemon. */
  readonly dir: string | null
}

const batch = { count, paths: z.array(z.string()) }
const facts = {
  changed: z.looseObject({ ...batch, from: z.string().nullable() }),
  applied: z.looseObject({ ...batch, bytes: count }),
  conflict: z.looseObject({ path: z.string(), copy: z.string() }),
  drift: z.looseObject({ ...batch, open: count }),
  problem: z.looseObject({ path: z.string(), code: z.string(), detail: z.string() }),
  'problem-gone': z.looseObject({ path: z.string(), code: z.string(), detail: z.string() }),
  'peer-connected': z.looseObject({
    device: z.string(),
    name: z.string(),
    transport: z.string(),
    address: z.string(),
  }),
  'peer-moved': z.looseObject({
    device: z.string(),
    name: z.string(),
    transport: z.string(),
    address: z.string(),
  }),
  'peer-left': z.looseObject({ device: z.string(), name: z.string(), reason: z.string() }),
  state: z.looseObject({ state: shareState, before: shareState }),
  release: z.looseObject({ name: z.string() }),
  copies: z.looseObject({ kept: z.boolean(), pieces: count, bytes: count }),
  hook: z.looseObject({ hook: z.string(), outcome: z.string() }),
  verified: z.looseObject({ files: count, bytes: count, damaged: count }),
  paused: z.looseObject({}),
  resumed: z.looseObject({}),
  'config-refused': z.looseObject({ problems: z.array(z.string()) }),
  'config-used': z.looseObject({}),
  gap: z.looseObject({}),
} satisfies Record<EventType, z.ZodType>

const common = z.looseObject({
  id: count,
  at: z.string(),
  dir: z.string().nullable(),
  type: z.string(),
})

/** Undefined: of a type that this version does not know, or not an event. */
export function eventOf(value: unknown): EventReport | undefined {
  const { success, data } = common.safeParse(value)
  if (!success || !Object.hasOwn(facts, data.type)) return undefined
  return facts[data.type as EventType].safeParse(data).success ? (data as unknown as EventReport) : undefined
}
