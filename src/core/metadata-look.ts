// A look at a path that is there, as what the core judges (local.ts): what it is, going by what it was to be, and what it
// would be in the words of another fact.
import { tagOf, withTag } from './attributes.js'
import { type Fact, type LiveFact, sameFactContent } from './fact.js'
import type { Intent } from './local.js'
import type { Metadata, Observation, Shown, Stating } from './metadata.js'
import type { Effective } from './tree.js'

export interface MetadataLook {
  /** As the stat and the content say. */
  readonly seen: LiveFact
  readonly now: Observation
  /** What the path was to hold when it was dressed or looked at last, and what it showed then. */
  readonly held: Fact
  readonly was: Shown
  /** What the share said of it when that was applied: without a drift, the same as `held`. */
  readonly applied: Fact
  readonly share: Effective
  readonly intents: readonly Intent[]
  readonly isWriter: boolean
  /** Whether the content that the share has was made here. */
  readonly isOurs: boolean
}

export interface Looked {
  readonly observed: LiveFact
  /** `isPut`: it may have been put there since the last look. */
  readonly seenAs: (fact: LiveFact, isPut: boolean) => LiveFact
}

export function lookedAt(metadata: Metadata, look: MetadataLook): Looked {
  const { seen, now, held, was, applied, share, intents, isWriter, isOurs } = look
  const isOther = !sameFactContent(seen, held)
  // Who made the content knows how it is meant to look; others may have been given anything by their own system. What an
  // apply that was cut off has left need not be anybody's doing: nothing is filled in on its account (A4).
  const fillsIn = isOther || (isOurs && intents.length === 0)
  const stating: Stating = !isWriter ? 'stated' : fillsIn ? 'all' : 'changed'
  const known = [...intents.map(({ fact }) => fact), share.fact, applied]
  const isNew = isOther || was.stat === undefined
  const observed = metadata.merged(seen, now, held, was, stating, known)
  // What is stated anew is more than any fact without it says.
  const fresh = observed.extra.filter(([tag]) => !isNew && !isStated(held, tag))
  return {
    observed,
    seenAs: (fact, isPut) => {
      const as = metadata.as(seen, now, fact, isNew, isNew || isPut)
      let { extra } = as
      for (const [tag, value] of fresh)
        if (tagOf(extra, tag) === undefined) extra = withTag(extra, tag, value)
      return extra === as.extra ? as : { ...as, extra }
    },
  }
}

function isStated(fact: Fact, tag: number): boolean {
  return fact.type !== 'absent' && tagOf(fact.extra, tag) !== undefined
}
