// The calls about how many devices hold what, and what the status of a share tells of it.
import type { CopyCalls } from '../../control/calls-copies.js'
import type {
  CopiesReport,
  CountedCopies,
  StopFacts,
  StopReport,
  StopRequest,
} from '../../control/schema-copies.js'
import { reasonsToStay } from '../../control/stop-verdict.js'
import type { CopyCounts } from '../../core/copies.js'
import type { AnyShare } from '../any-share.js'
import type { StopCheck } from '../copies/stop-check.js'
import type { Share } from '../share/share.js'
import { anyShareAt, type DaemonView, isoTime, sharesOf } from './view.js'

const DEFAULT_TIMEOUT_MS = 30_000
/** Files named of those with pieces that are short. */
const MAX_PATHS = 5

export function copyCalls(view: DaemonView): CopyCalls {
  return {
    async safeToStop({ share: at, timeoutMs = DEFAULT_TIMEOUT_MS }: StopRequest = {}): Promise<StopReport[]> {
      const shares = await sharesOf(view)
      const chosen = at === undefined ? shares : [await anyShareAt(view, at)]
      return Promise.all(
        chosen.map(async (share) => {
          const facts = factsOf(share, await share.copies.check(timeoutMs))
          const reasons = reasonsToStay(facts)
          return {
            ...{ share: shares.indexOf(share), dir: share.dir, safe: reasons.length === 0, reasons },
            ...facts,
          }
        }),
      )
    },
  }
}

function factsOf(share: AnyShare, { promise, isLooked, members, ...check }: StopCheck): StopFacts {
  return {
    ...check,
    min: promise.min,
    offsite: promise.offsite,
    writes: share.grade === 'write',
    looked: isLooked,
    members: members.map(({ isOffsite, ...member }) => ({ ...member, offsite: isOffsite })),
  }
}

/** Null: the share promises nothing. */
export function copiesReport(share: Share): CopiesReport | null {
  const { promise, counted } = share.copies
  if (promise === undefined) return null
  return {
    ...promise,
    counted:
      counted === undefined
        ? null
        : { ...countsOf(counted.counts), at: isoTime(counted.atMs), paths: pathsOf(share, counted.counts) },
  }
}

function countsOf({ fewest, examples: _, ...counts }: CopyCounts): Omit<CountedCopies, 'at' | 'paths'> {
  return { ...counts, kept: counts.short.pieces === 0, fewest: fewest ?? null }
}

/** Those that are here. */
function pathsOf({ index }: Share, { examples }: CopyCounts): string[] {
  const paths = new Set<string>()
  for (const { writer, index: number } of examples) {
    const feed = index.feeds.byWriter(writer)
    const piece = feed === undefined ? undefined : index.pieces.at(feed.number, number)
    const place = piece === undefined ? undefined : index.pieces.placeOf(piece)
    if (place !== undefined) paths.add(place.path)
    if (paths.size === MAX_PATHS) break
  }
  return [...paths]
}
