// Publishes what settles conflicts (V4, V5, V6). Every writer may, and all of them agree; but two that settle before they
// have read the same make two copies of one version, so it waits until nothing has come in for a moment.
import type { WriterId } from '../../core/ids.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import type { PieceRef } from '../../store/pieces.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { Publication } from './publisher.js'

const QUIET_MS = 150
/** However much comes in, nobody waits longer than this for a conflict to be settled. */
const LATEST_MS = 3000
/** Who does not hold what a conflict copy is made of leaves it to those who do for this long. */
const FOR_OTHERS_MS = 5000
/** Conflicts settled in one go. */
const BATCH = 256

export interface SettlerOptions {
  readonly index: ShareIndex
  readonly labelOf: (writer: WriterId) => string
  readonly publish: (list: readonly Publication[]) => Promise<void>
  /** Whether some connected peer has a piece of these refs. */
  readonly isAvailable: (refs: readonly PieceRef[]) => boolean
  /** Whether there is a feed to publish in. */
  readonly mayPublish: () => boolean
  readonly fail: (thrown: unknown) => void
}

export class Settler {
  readonly #options: SettlerOptions
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #forOthersTimer: NodeJS.Timeout | undefined
  #latestMs = Number.POSITIVE_INFINITY
  #stopped = false

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  /** There may be something to settle; call it with everything that comes in. */
  soon(): void {
    const { index, mayPublish, fail } = this.#options
    if (this.#stopped || !index.hasUnsettled || !mayPublish()) return
    const now = performance.now()
    this.#latestMs = Math.min(this.#latestMs, now + LATEST_MS)
    clearTimeout(this.#timer)
    const waitMs = Math.max(0, Math.min(QUIET_MS, this.#latestMs - now))
    this.#timer = setTimeout(() => {
      this.#latestMs = Number.POSITIVE_INFINITY
      void this.settle().catch(fail)
    }, waitMs)
    this.#forOthersTimer ??= setTimeout(() => {
      this.#forOthersTimer = undefined
      void this.settle(true).then(() => this.soon(), fail)
    }, FOR_OTHERS_MS)
  }

  /** Settles all that this device holds the contents of, or also what others hold; resolves when it is published. */
  async settle(forOthers = false): Promise<void> {
    if (this.#running !== undefined || !this.#options.mayPublish()) return this.#running
    this.#running = this.#settleAll(forOthers).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Resolves when what is being settled is published. */
  async settled(): Promise<void> {
    await this.#running
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearTimeout(this.#forOthersTimer)
  }

  async #settleAll(forOthers: boolean): Promise<void> {
    const { index, labelOf, publish, mayPublish } = this.#options
    for (;;) {
      const list: Publication[] = []
      const taken = new Set<RelPath>()
      for (const path of index.unsettled().slice(0, BATCH)) {
        const drafts = index.settlement(path, labelOf)
        // Two names that were shortened alike: the second would bury the first, so it has to see it first.
        if (drafts.some((draft) => taken.has(draft.path))) continue
        for (const draft of drafts) taken.add(draft.path)
        const settled = drafts.flatMap((draft): Publication[] => {
          const pieces = draft.fact.type === 'file' ? index.piecesOfContent(path, draft.fact.content) : []
          const canCopy = draft.path === path || this.#canCopy(pieces ?? [], forOthers)
          return pieces === undefined || !canCopy ? [] : [{ draft, pieces, disk: undefined, settles: path }]
        })
        // All of it or nothing: without its copies, the entry that settles would bury them.
        if (settled.length === drafts.length) list.push(...settled)
      }
      if (list.length === 0 || !mayPublish() || this.#stopped) return
      await publish(list)
    }
  }

  /**
   * Whether a conflict copy can be made of these pieces. Preferably by who holds them: when their user deletes that
   * version at this very moment, there is no conflict any more, instead of a copy that nobody can ever fetch.
   */
  #canCopy(pieces: readonly PieceInfo[], forOthers: boolean): boolean {
    const { index, isAvailable } = this.#options
    return pieces.every(({ id }) => {
      const { isHeld, refs } = index.pieces.look(id)
      return isHeld || index.archivedPlaceOf(id) !== undefined || (forOthers && isAvailable(refs))
    })
  }
}
