// Sees to it that the names of one file here are of one link group, whoever said what of each: two people who linked on two
// nodes at once have made two groups of what is one file on both. All writers choose the same, the least id, so that it
// comes to an end (V3, V5). And looks for the names of a file that has more links than the index knows names of it.
import { groupOf, inGroup, leastGroup, newGroup } from '../../core/link-group.js'
import { parentOf, type RelPath } from '../../core/path.js'
import { isInReleases } from '../../core/release.js'
import { unpackLayout } from '../../store/pieces.js'
import type { ShareContext } from './context.js'
import { wornBy } from './link-watch.js'
import type { Publication } from './publisher.js'

/** What comes in is looked at together after this long. */
const QUIET_MS = 200
/** Inodes seen to between two turns of the event loop, and rows walked over. */
const INODES = 128
const ROWS = 2048
/** Searched inodes remembered; beyond that, all are forgotten and searched once more. */
const MAX_SOUGHT = 65_536

export interface LinkKeeperOptions {
  readonly context: Pick<ShareContext, 'index' | 'isWriter' | 'hardLinks' | 'publish' | 'fail'>
  /** Whether the disk was looked through since the start, and is not being looked through now. */
  readonly mayPublish: () => boolean
  readonly rescan: (directories: readonly (RelPath | '')[]) => void
}

export class LinkKeeper {
  readonly #options: LinkKeeperOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #stopped = false
  /** Every inode with several names has been seen to since the start. */
  #hasSeenAll = false
  /** Inodes whose names were looked for, and how many links they had. */
  readonly #sought = new Map<number, number>()

  constructor(options: LinkKeeperOptions) {
    this.#options = options
  }

  /** Whether nothing is being seen to, or about to be. */
  get isIdle(): boolean {
    const { isWriter, hardLinks, index } = this.#options.context
    const isDue = isWriter && hardLinks && index.links.hasDirty
    return this.#timer === undefined && this.#running === undefined && !isDue
  }

  /** There may be something to do; call it with everything that changes in the index. */
  soon(): void {
    const { context, mayPublish } = this.#options
    if (!context.isWriter || !context.hardLinks || this.#stopped || this.#timer !== undefined) return
    if (this.#hasSeenAll && !context.index.links.hasDirty) return
    if (!mayPublish()) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.settle().catch(context.fail)
    }, QUIET_MS)
  }

  /** Sees to all that has changed; resolves when it is published. */
  async settle(): Promise<void> {
    const { context, mayPublish } = this.#options
    if (!context.isWriter || !context.hardLinks) return
    while (this.#running !== undefined) await this.#running
    if (!mayPublish() || this.#stopped) return
    this.#running = this.#settle().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async #settle(): Promise<void> {
    const { links } = this.#options.context.index
    const dirty = links.takeDirty()
    await this.#seeTo([...dirty])
    if (!this.#hasSeenAll) {
      for (let after: number | undefined; !this.#stopped; ) {
        const inodes = links.inodes(after, INODES)
        await this.#seeTo(inodes)
        after = inodes.at(-1)
        if (inodes.length < INODES) break
      }
      this.#hasSeenAll = true
    }
    await this.#seek(dirty)
  }

  async #seeTo(inodes: readonly number[]): Promise<void> {
    const { context, mayPublish } = this.#options
    for (let at = 0; at < inodes.length && !this.#stopped; at += INODES) {
      const list = inodes.slice(at, at + INODES).flatMap((ino) => this.#unify(ino))
      if (!mayPublish()) return
      if (list.length > 0) await context.publish(list)
      else await nextTurn()
    }
  }

  /** What makes all names of an inode that are untouched members of one group. */
  #unify(ino: number): Publication[] {
    const { index } = this.#options.context
    const names = index.links.names(ino)
    // What releases share is each node's own matter.
    if (names.length < 2 || names.some(({ path }) => isInReleases(path))) return []
    const stated = names.map(({ group }) => group).filter((group) => group !== undefined)
    const isOne = stated.length === names.length && stated.every((group) => group.equals(stated[0]!))
    if (isOne) return []
    // What waits to be changed here is not of this mind any more, and a stale row has to be looked at first.
    const current = names.filter(
      ({ path }) => index.links.isUpToDate(index.disk(path)) && !index.isWanted(path),
    )
    if (current.length < 2) return []
    let group = leastGroup(stated)
    return current.flatMap(({ path }): Publication[] => {
      const row = index.disk(path)!
      const { applied, stat, drift } = row
      const { fact, version } = applied
      if (fact.type !== 'file' || stat === undefined || drift !== undefined) return []
      group ??= newGroup(path, ino, fact.content)
      if (groupOf(fact)?.equals(group)) return []
      const layout = index.layout(path)
      const pieces = layout === undefined ? [] : unpackLayout(layout)
      const draft = { path, base: version, fact: inGroup(fact, group), origin: undefined, was: undefined }
      return [{ draft, pieces, disk: wornBy(row) }]
    })
  }

  /** Names that a look does not come upon: of files without content, and of those that many others are copies of. */
  async #seek(inodes: Iterable<number>): Promise<void> {
    const { context, rescan } = this.#options
    const { index } = context
    const sought = new Set<number>()
    for (const ino of inodes) {
      const links = index.links.countOf(ino)
      if (links <= index.links.names(ino, links).length || this.#sought.get(ino) === links) continue
      if (this.#sought.size >= MAX_SOUGHT) this.#sought.clear()
      this.#sought.set(ino, links)
      sought.add(ino)
    }
    if (sought.size === 0) return
    for (const paths of index.singleNames(sought, ROWS)) {
      if (this.#stopped) return
      if (paths.length > 0) rescan([...new Set(paths.map(parentOf))])
      await nextTurn()
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
