// What a look at the disk means (V1, A4, A9): the step from "this is what the path holds now" to "nothing new", "this is
// the share's own version", "publish this" or "drift". Pure: the scan brings the fact, the store brings the rest.
import { isMixtureOf } from './attribute-mix.js'
import { type DriftKind, driftKinds } from './drift.js'
import { sameExtra } from './entry.js'
import { ABSENT, type Fact, type LiveFact, sameFact, sameFactContent } from './fact.js'
import type { RelPath } from './path.js'
import type { Draft, Effective } from './tree.js'
import { NO_VERSION, type Version } from './version.js'

/** What this device last knew of its own disk at a path: what it held, and which version of the share that was. */
export interface Applied {
  readonly version: Version
  readonly fact: Fact
}

export const NOTHING_APPLIED: Applied = { version: NO_VERSION, fact: ABSENT }

/**
 * An apply that had been started when the process died: what it was going to put there, and as which version. It holds
 * until the path has been looked at, or changed by us, for the first time since.
 */
export interface Intent {
  readonly version: Version
  readonly fact: Fact
}

export interface LocalLook {
  readonly path: RelPath
  readonly observed: Fact
  /**
   * The same in the words of a fact that it may be (core/metadata.ts); by default as it is. `isPut`: the fact may have been
   * put there since the last look, with what this disk cannot hold, or must not, left out.
   */
  readonly seenAs?: ((fact: LiveFact, isPut: boolean) => Fact) | undefined
  readonly applied: Applied
  readonly share: Effective
  readonly intents: readonly Intent[]
  /** Whether this device may publish. */
  readonly writer: boolean
}

export type LocalOutcome =
  /** The disk holds what it held; only its stat may be new. */
  | { readonly type: 'unchanged' }
  /** The disk holds a version the share knows: remember it as that one, publish nothing (A4). */
  | { readonly type: 'adopt'; readonly applied: Applied }
  /** A change made here by the user: publish it. `applied` is what to remember once it is published. */
  | { readonly type: 'publish'; readonly draft: Draft }
  /** A reader's disk holds what the share does not say. */
  | { readonly type: 'drift'; readonly kinds: readonly DriftKind[] }

/** Decides what a look at the disk means. */
export function judge(look: LocalLook): LocalOutcome {
  const { observed, applied, share } = look
  if (sameFact(observed, applied.fact)) return { type: 'unchanged' }
  const known = adoptable(look)
  if (known !== undefined) return { type: 'adopt', applied: known }
  if (!look.writer) return readerOutcome(observed, applied, share.fact)
  return {
    type: 'publish',
    draft: {
      path: look.path,
      base: applied.version,
      fact: observed,
      origin: undefined,
      was:
        observed.type === 'absent' && applied.fact.type === 'directory'
          ? { mode: applied.fact.mode, mtimeUs: applied.fact.mtimeUs, extra: applied.fact.extra }
          : undefined,
    },
  }
}

function readerOutcome(observed: Fact, { version, fact }: Applied, share: Fact): LocalOutcome {
  const local = driftKinds(observed, fact)
  // Times of a directory change with every file made in it; on a reader they are the share's to keep.
  if (local.length === 0 && observed.type === 'directory')
    return { type: 'adopt', applied: { version, fact: observed } }
  // Something that does not count as drift, such as metadata that the share has not stated.
  if (local.length === 0) return { type: 'unchanged' }
  const kinds = share.type === 'absent' ? [] : driftKinds(observed, share)
  return { type: 'drift', kinds: kinds.length === 0 ? local : kinds }
}

/** What this is, if the share or an interrupted apply says so. */
function adoptable(look: LocalLook): Applied | undefined {
  const { observed, applied, share, intents, writer } = look
  const seenAs = (fact: Fact, isPut: boolean): Fact =>
    fact.type === 'absent' ? observed : (look.seenAs?.(fact, isPut) ?? observed)
  // Versions are not compared: what is applied may have been taken for a newer one without a look at the disk, when it
  // seemed to hold that already (plan.ts, 'adopt').
  for (const { version, fact } of intents) {
    const seen = seenAs(fact, true)
    if (sameFact(seen, fact)) return { version, fact: seen }
    // The time comes last.
    const timed = 'mtimeUs' in fact && 'mtimeUs' in observed ? { ...fact, mtimeUs: observed.mtimeUs } : fact
    if (isBetween(withModeOf(observed, seenAs(timed, true)), applied.fact, fact))
      return { version, fact: sameFactContent(observed, applied.fact) ? observed : seen }
  }
  // A directory that only its children hold up in the share says nothing about one that the user made instead of what
  // was there; taking it for that one would bring back what he replaced, as a conflict copy.
  const isImplied = share.fact.type === 'directory' && share.entry === undefined
  if (isImplied && writer && applied.fact.type !== 'absent' && applied.fact.type !== 'directory')
    return undefined
  const seen = seenAs(share.fact, false)
  const known = { version: share.version, fact: seen }
  if (sameFact(seen, share.fact)) return known
  // Metadata changed by the user on a version that is already applied here is a change, not an adoption.
  const contentIsNew = !sameFactContent(observed, applied.fact)
  return contentIsNew && observed.type !== 'absent' && sameFactContent(observed, share.fact)
    ? known
    : undefined
}

function withModeOf(observed: Fact, seen: Fact): Fact {
  return 'mode' in observed && 'mode' in seen ? { ...observed, mode: seen.mode } : observed
}

/**
 * Whether an apply that was cut off somewhere on its way from one fact to another can have left this. Contents are put
 * in place whole, with the time that says so; but owners, ACLs, permissions and times one after the other where the content
 * stays, and times of directories move with every child.
 */
function isBetween(observed: Fact, from: Fact, to: Fact): boolean {
  if (sameFact(observed, to)) return true
  // A directory cannot be exchanged for something else in one step: in between, there is nothing.
  if (observed.type === 'absent' && from.type !== 'absent' && to.type !== 'absent')
    return from.type !== to.type && (from.type === 'directory' || to.type === 'directory')
  if (observed.type === 'absent' || to.type === 'absent' || !sameFactContent(observed, to)) return false
  const isNew = !sameFactContent(observed, from)
  if (observed.type === 'directory' && (isNew || from.type !== 'directory')) return true
  // Put there whole, by us; what of its metadata could not be set is not the user's doing.
  if (isNew) return observed.type !== 'directory' && observed.mtimeUs === to.mtimeUs
  if (from.type === 'absent' || !isMixtureOf(observed.extra, from.extra, to.extra)) return false
  const modeOf = (fact: Fact): number => ('mode' in fact ? fact.mode : 0)
  const [mode, before, after] = [modeOf(observed), modeOf(from), modeOf(to)]
  // On its way to another owner or ACL, a file loses set-id bits and its group's bits become the mask (chown(2), acl(5)).
  const isLoose = !sameExtra(from.extra, to.extra)
  const moving = isLoose ? SETID_BITS | GROUP_BITS : 0
  const isMode =
    mode === before ||
    mode === after ||
    ([before, after].some((other) => ((mode ^ other) & ~moving) === 0) &&
      (mode & SETID_BITS & ~(before | after)) === 0)
  const isTime = observed.mtimeUs === from.mtimeUs || observed.mtimeUs === to.mtimeUs
  return isMode && (isTime || observed.type === 'directory')
}

const SETID_BITS = 0o6000
const GROUP_BITS = 0o070
