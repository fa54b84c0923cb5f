// Publishes what settles conflicts (V4, V5, V6). Every writer may, and all of them agree; but two that settle before they
// have read the same make two copies of one version, so it waits until nothing has come in for a moment.
import type { FileFact } from '../../core/fact.js'
import type { WriterId } from '../../core/ids.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import type { Draft } from '../../core/tree.js'
import { goneVersion } from '../../store/gone.js'
import type { PieceRef } from '../../store/pieces.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { Publication } from './publisher.js'

const QUIET_MS = 150
/** However much comes in, nobody waits longer than this for a conflict to be settled. */
const LATEST_MS = 3000
/** Who does not hold what a conflict copy is made of leaves it to those who do for this long. */
const FOR_OTHERS_MS = 5000
/** A content of ours that nobody has any more is taken back after it was looked for this long. */
const TAKE_BACK_MS = 10_000
const TAKE_BACK_CHECK_MS = 2500
/** Wanted paths looked at in one check; the others come next. While a backlog is on its way, there is no hurry. */
const TAKE_BACK_PATHS = 256
/** Conflicts settled in one go. */
const BATCH = 256

export interface SettlerOptions {
  readonly index: ShareIndex
  readonly labelOf: (writer: WriterId) => string
  readonly publish: (list: readonly Publication[]) => Promise<void>
  /** Whether some connected peer has a piece of these refs. */
  readonly isAvailable: (refs: readonly PieceRef[]) => boolean
  /** Whether a piece of what a path is to hold is in the staging area, or may be. */
  readonly isStaged: (path: RelPath, wanted: FileFact, piece: Buffer) => boolean
  /** The writer that this device is now. */
  readonly ownWriter: () => WriterId | undefined
  /** Whether the disk was looked through since the start and is not being looked through now. */
  readonly isDiskKnown: () => boolean
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
  /** Versions of ours that are wanted and that nobody here or connected holds, and since when. */
  readonly #gone = new Map<RelPath, number>()
  #goneCursor: RelPath | undefined
  /** Copies of ours, yet to be published, that nobody here or connected holds, and since when. */
  readonly #impossible = new Map<RelPath, number>()
  readonly #takeBackTimer: NodeJS.Timeout

  constructor(options: SettlerOptions) {
    this.#options = options
    this.#takeBackTimer = setInterval(() => {
      void this.#takeBack().catch(options.fail)
    }, TAKE_BACK_CHECK_MS).unref()
  }

  /** There may be something to settle; call it with everything that comes in. */
  soon(): void {
    const { index, mayPublish, fail } = this.#options
    if (this.#stopped || index.conflicts.unsettled.size === 0 || !mayPublish()) return
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
    clearInterval(this.#takeBackTimer)
  }

  /**
   * A user can remove a content before anybody has fetched it while the share still names it: a conflict copy of a version
   * that was written over, a version that another writer let win just then, one that was announced and deleted while the
   * daemon was dead. Everybody would want it for ever. The device whose user that was, and nobody else, knows that it was
   * done on purpose; it says what it has there now.
   */
  async #takeBack(): Promise<void> {
    const { index, publish, mayPublish, ownWriter, isAvailable, isStaged, isDiskKnown } = this.#options
    const own = ownWriter()
    for (const path of this.#gone.keys()) if (!index.isWanted(path)) this.#gone.delete(path)
    if (own === undefined || !mayPublish() || this.#stopped) return
    if (!isDiskKnown()) return this.#gone.clear()
    const paths = index.wantedAfter(this.#goneCursor, TAKE_BACK_PATHS)
    this.#goneCursor = paths.length < TAKE_BACK_PATHS ? undefined : paths.at(-1)
    const list: Publication[] = []
    for (const path of paths) {
      const gone = goneVersion(index, path, own)
      const canGet = (piece: PieceInfo): boolean =>
        isAvailable(index.pieces.refsOf(piece)) || isStaged(path, gone!.wanted, piece.id)
      if (gone === undefined || gone.missing.every(canGet)) {
        this.#gone.delete(path)
        continue
      }
      const sinceMs = this.#gone.get(path) ?? performance.now()
      this.#gone.set(path, sinceMs)
      if (performance.now() - sinceMs < TAKE_BACK_MS) continue
      this.#gone.delete(path)
      list.push({ draft: gone.draft, pieces: gone.pieces, disk: undefined })
    }
    if (list.length > 0) await publish(list)
  }

  /** Whether a conflict copy was impossible to make for long. */
  #isReplaced({ path }: Pick<Draft, 'path'>): boolean {
    const sinceMs = this.#impossible.get(path)
    return sinceMs !== undefined && performance.now() - sinceMs >= TAKE_BACK_MS
  }

  #noteImpossible({ path, origin }: Pick<Draft, 'path' | 'origin'>, pieces: readonly PieceInfo[]): void {
    if (origin === undefined || origin !== this.#options.ownWriter() || this.#canEverCopy(pieces))
      this.#impossible.delete(path)
    else if (!this.#impossible.has(path)) this.#impossible.set(path, performance.now())
  }

  #canEverCopy(pieces: readonly PieceInfo[]): boolean {
    const { index, isAvailable } = this.#options
    return pieces.every((piece) => {
      const { place, refs } = index.pieces.look(piece)
      return place !== undefined || index.archivedPlaceOf(piece.id) !== undefined || isAvailable(refs)
    })
  }

  async #settleAll(forOthers: boolean): Promise<void> {
    const { index, labelOf, publish, mayPublish } = this.#options
    for (;;) {
      const list: Publication[] = []
      const taken = new Set<RelPath>()
      for (const path of [...index.conflicts.unsettled].slice(0, BATCH)) {
        const drafts = index.conflicts.settlement(path, labelOf)
        // Two names that were shortened alike: the second would bury the first, so it has to see it first.
        if (drafts.some((draft) => taken.has(draft.path))) continue
        for (const draft of drafts) taken.add(draft.path)
        const wanted = drafts.filter((draft) => draft.path === path || !this.#isReplaced(draft))
        const settled = wanted.flatMap((draft): Publication[] => {
          const pieces = draft.fact.type === 'file' ? index.piecesOfContent(path, draft.fact.content) : []
          const canCopy = draft.path === path || this.#canCopy(pieces ?? [], forOthers)
          if (draft.path !== path) this.#noteImpossible(draft, pieces ?? [])
          return pieces === undefined || !canCopy ? [] : [{ draft, pieces, disk: undefined, settles: path }]
        })
        // All of it or nothing: without its copies, the entry that settles would bury them.
        if (settled.length === wanted.length) list.push(...settled)
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
    return pieces.every((piece) => {
      const { place, refs } = index.pieces.look(piece)
      const isHere = place !== undefined || index.archivedPlaceOf(piece.id) !== undefined
      return isHere || (forOthers && isAvailable(refs))
    })
  }
}
