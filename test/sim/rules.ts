// The rules that a simulated node follows where it is not src's own code that decides, and wrong ones to plant: each
// must be caught, or the simulator proves nothing.
import type { Entry } from '../../src/core/entry.js'
import { isLive } from '../../src/core/entry.js'
import type { Heads } from '../../src/core/merge.js'
import type { Draft, Effective } from '../../src/core/tree.js'
import { compareVersions, includes, joinVersions } from '../../src/core/version.js'

export interface Rules {
  /** What the node takes an entry of a feed for; undefined to drop it. */
  ingested(entry: Entry, heads: Heads): Entry | undefined
  /** What it publishes to settle a conflict. */
  settled(drafts: readonly Draft[]): readonly Draft[]
  /** What it publishes for a change on its disk. */
  judged(draft: Draft, share: Effective): Draft
  /** Whether it notes what a batch is about to do (A4). */
  readonly notesIntents: boolean
  /** Whether it says of what was made here that it is gone when nobody has it any more. */
  readonly takesBack: boolean
  /** Whether it remembers what its own lost tail said (A4). */
  readonly recoversTail: boolean
  /** Whether it makes sure, before it touches the disk, that the share still says what it has staged. */
  readonly plansAgain: boolean
  /** Whether it looks at a path before it replaces it (A3). */
  readonly checksDisk: boolean
  /** Whether it looks at a file and at its new name before it moves it (A3). */
  readonly checksMoved: boolean
  /** Whether it keeps what a new version would bury (V1, V5). */
  readonly rescues: boolean
  /** Whether it waits before it destroys content that another path still needs (P3, V5). */
  readonly waitsForContent: boolean
  /** Whether what the newest checkpoint left out is announced anew when it comes back (F1). */
  readonly announcesAnew: boolean
  /** Whether a blind node waits for what replaced the pieces that a checkpoint left out. */
  readonly looksAtViews: boolean
  /** Whether deletions of a directory's contents are announced before what becomes of the directory itself (V4, V6). */
  readonly announcesInOrder: boolean
}

export const TRUE_RULES: Rules = {
  ingested: (entry) => entry,
  settled: (drafts) => drafts,
  judged: (draft) => draft,
  notesIntents: true,
  takesBack: true,
  recoversTail: true,
  plansAgain: true,
  checksDisk: true,
  checksMoved: true,
  rescues: true,
  waitsForContent: true,
  announcesInOrder: true,
  announcesAnew: true,
  looksAtViews: true,
}

export const PLANTS: Readonly<Record<string, Rules>> = {
  /** V4 turned round: a deletion takes a concurrent edit with it. */
  'delete-wins': {
    ...TRUE_RULES,
    ingested(entry, heads) {
      if (isLive(entry)) {
        const isDeleted = heads.some(
          (head) => !isLive(head) && compareVersions(head.version, entry.version) === 'concurrent',
        )
        return isDeleted ? undefined : entry
      }
      const version = heads.reduce((joined, head) => joinVersions(joined, head.version), entry.version)
      return { ...entry, version }
    },
  },
  /** V5 cut short: the winner takes the path, nobody keeps the loser. */
  'newest-overwrites': { ...TRUE_RULES, settled: (drafts) => drafts.slice(-1) },
  /**
   * V1 broken: an edit counts as made on top of whatever the index has heard of. Alone it is not enough to lose
   * anything, since what it buries is rescued.
   */
  'base-is-newest': {
    ...TRUE_RULES,
    judged: (draft, share) =>
      includes(share.version, draft.base) ? { ...draft, base: share.version } : draft,
    rescues: false,
  },
  'no-intents': { ...TRUE_RULES, notesIntents: false },
  'no-recovery': { ...TRUE_RULES, recoversTail: false },
  'no-taking-back': { ...TRUE_RULES, takesBack: false },
  'no-disk-check': { ...TRUE_RULES, checksDisk: false },
  'move-unseen': { ...TRUE_RULES, checksMoved: false },
  'stale-plan': { ...TRUE_RULES, plansAgain: false },
  'no-rescue': { ...TRUE_RULES, rescues: false },
  'no-waiting': { ...TRUE_RULES, waitsForContent: false },
  'old-numbers': { ...TRUE_RULES, announcesAnew: false },
  'views-unseen': { ...TRUE_RULES, looksAtViews: false },
  'no-order': { ...TRUE_RULES, announcesInOrder: false },
}
