// A simulated look at the disk, in the daemon's order: list directories one after the other, compare each listing with
// the index as it is by then, read what changed, judge, and publish. Everything may change between any two steps.
import { ABSENT, type Fact } from '../../src/core/fact.js'
import { judge, NOTHING_APPLIED } from '../../src/core/local.js'
import { lookedAt } from '../../src/core/metadata-look.js'
import { parentOf, type RelPath } from '../../src/core/path.js'
import { type DiskStat, sameStat } from '../../src/core/stat.js'
import type { DiskRow } from '../../src/store/rows.js'
import type { Content } from './contents.js'
import { factOfInode, type Inode, noted } from './disk.js'
import type { SimNode, Work } from './node.js'
import { type Publication, publish } from './publish.js'
import { attributesSeen } from './wardrobe.js'

type Directory = RelPath | ''

/** A path as it was at one moment. */
interface Sight {
  readonly path: RelPath
  readonly fact: Fact
  readonly stat: DiskStat | undefined
  readonly inode: Inode | undefined
  /** Whether a user had changed it since the agent last knew it, for the verdict. */
  readonly isNews: boolean
  readonly content: Content | undefined
  /** As the agent reads them, with the stat. */
  readonly attributes: Buffer | undefined
  readonly touched: ReadonlySet<string>
}

interface Candidate {
  readonly path: RelPath
  readonly seen: DiskStat | undefined
}

/** Looks at everything when that is due, else sometimes at a few directories only. */
export function* scanOnce(node: SimNode): Work {
  const { random } = node.world
  const full = node.fullScanDue || random.chance(0.5)
  if (full) node.fullScanDue = false
  const look = new Look(node, full)
  node.world.log(node, () => (full ? 'looks at everything' : 'looks at a directory'))
  // Only what the index knows of is watched.
  const directories = [...node.disk.tree.keys()].filter((path) => {
    return node.disk.isDirectory(path) && node.index.applied(path).fact.type === 'directory'
  })
  yield* look.run(full ? [''] : [random.pick<Directory>(['', ...directories])!])
  if (full) node.index.transaction(() => node.index.noteLooked())
  if (full && !node.fullScanDue && node.isNew && look.wasWhole) {
    node.isNew = false
    node.world.log(node, () => 'forgets what it was about to do before it started')
    node.recovered = new Map()
    node.index.transaction(() => node.index.recovery.useUp())
  }
}

class Look {
  /** False once a path had to be left to the next look. */
  wasWhole = true
  readonly #node: SimNode
  readonly #full: boolean
  readonly #moment: number
  readonly #found: Publication[] = []
  readonly #candidates: Candidate[] = []
  readonly #missing = new Set<RelPath>()
  readonly #listed = new Set<Directory>()

  constructor(node: SimNode, full: boolean) {
    this.#node = node
    this.#full = full
    this.#moment = node.guard.moment()
  }

  *run(directories: readonly Directory[]): Work {
    const { random } = this.#node.world
    const queue = [...directories]
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { tree } = this.#node.disk
      if (!this.#node.disk.isDirectory(next)) continue
      this.#listed.add(next)
      const listing = this.#node.disk.children(next).map((path): Sight => {
        const inode = tree.get(path)!
        return this.#sightOf(path, inode)
      })
      if (random.chance(0.3)) yield
      this.#node.index.transaction(() => queue.push(...this.#compare(next, listing)))
    }
    if (this.#full) this.#noteOrphans()
    for (const candidate of this.#candidates) yield* this.#read(candidate)
    if (this.#missing.size > 0) {
      if (random.chance(0.3)) yield
      this.#judgeMissing()
    }
    if (this.#found.length > 0) yield* publish(this.#node, this.#found)
  }

  #compare(directory: Directory, listing: readonly Sight[]): Directory[] {
    const { index } = this.#node
    const rows = new Map(index.diskChildren(directory).map(({ path, row }) => [path, row]))
    const below: Directory[] = []
    for (const sight of listing) {
      const { path, fact, stat } = sight
      const row = rows.get(path)
      rows.delete(path)
      const isDirectory = fact.type === 'directory'
      if (isDirectory && (this.#full || currentFact(row).type !== 'directory')) below.push(path)
      if (row?.stat !== undefined && sameStat(row.stat, stat!)) continue
      if (this.#isDisturbed(path)) continue
      // What lay in a directory went with it, although nothing is missing from this listing.
      if (!isDirectory) for (const child of index.diskChildren(path)) this.#noteMissing(child.path)
      if (isDirectory) this.#judge({ ...sight, content: undefined })
      else this.#candidates.push({ path, seen: row?.stat })
    }
    for (const [path, row] of rows) {
      if (currentFact(row).type !== 'absent' && !this.#isDisturbed(path)) this.#noteMissing(path)
    }
    return below
  }

  #sightOf(path: RelPath, inode: Inode): Sight {
    const { stat, content, isTouched: isNews } = inode
    const attributes = attributesSeen(this.#node.options.wardrobe, inode)
    const touched = new Set(inode.touched)
    return { path, fact: factOfInode(inode), stat, inode, isNews, content, attributes, touched }
  }

  #isDisturbed(path: RelPath): boolean {
    if (!this.#node.guard.isDisturbed(path, this.#moment)) return false
    this.#again()
    return true
  }

  #again(): void {
    this.#node.fullScanDue = true
    this.wasWhole = false
  }

  /** Rows of paths in directories that are none any more; a crash may have come before their turn. */
  #noteOrphans(): void {
    for (const { path, row } of this.#node.index.diskRows()) {
      if (currentFact(row).type !== 'absent' && !this.#listed.has(parentOf(path))) this.#missing.add(path)
    }
  }

  #noteMissing(path: RelPath): void {
    const row = this.#node.index.disk(path)
    const fact = currentFact(row)
    if (fact.type === 'absent') return
    this.#missing.add(path)
    if (fact.type === 'directory')
      for (const child of this.#node.index.diskChildren(path)) this.#noteMissing(child.path)
  }

  *#read({ path, seen }: Candidate): Work {
    const { disk, index, world } = this.#node
    const inode = disk.tree.get(path)
    if (inode === undefined || inode.type === 'directory') return this.#again()
    const sight = this.#sightOf(path, inode)
    if (world.random.chance(0.3)) yield
    const row = index.disk(path)?.stat
    const rowIsNew = seen === undefined ? row !== undefined : row === undefined || !sameStat(row, seen)
    if (rowIsNew) return this.#again()
    if (this.#isDisturbed(path)) return
    index.transaction(() => this.#judge(sight))
  }

  #judgeMissing(): void {
    const { disk, index } = this.#node
    index.transaction(() => {
      for (const path of this.#missing) {
        if (disk.tree.has(path)) this.#dropAbove(path)
        if (disk.tree.has(path) || this.#isDisturbed(path)) continue
        const isNews = disk.removedByUser.has(path)
        const gone = { stat: undefined, inode: undefined, content: undefined, attributes: undefined }
        this.#judge({ path, fact: ABSENT, isNews, ...gone, touched: new Set() })
      }
    })
  }

  /**
   * What had taken the place of a directory is none of it any more, since what lay in that is there again. In the daemon it
   * is not even read before all of that is announced as gone.
   */
  #dropAbove(path: RelPath): void {
    const isAbove = ({ draft }: Publication): boolean =>
      path.startsWith(`${draft.path}/`) && (draft.fact.type === 'file' || draft.fact.type === 'symlink')
    for (const one of this.#found.filter(isAbove)) {
      this.#found.splice(this.#found.indexOf(one), 1)
      this.#node.inFlight.delete(one.draft.path)
      this.#again()
    }
  }

  #judge({ path, fact, stat, inode, isNews, content, attributes, touched }: Sight): void {
    const { index, world } = this.#node
    const row = index.disk(path)
    const applied = row?.applied ?? NOTHING_APPLIED
    const share = index.effective(path)
    const { wardrobe, isWriter } = this.#node.options
    const { metadata } = wardrobe
    const intents = this.#node.recovered.get(path) ?? []
    const isOurs = share.entry !== undefined && share.entry.origin === this.#node.feed?.writer
    const now = stat === undefined ? undefined : { stat, attributes }
    const looked =
      fact.type === 'absent' || now === undefined
        ? undefined
        : lookedAt(metadata, {
            ...{ seen: fact, now, share, intents, isWriter, isOurs, applied: applied.fact },
            held: currentFact(row),
            was: { stat: row?.stat, shown: row?.shown },
          })
    const observed = looked?.observed ?? fact
    const dressed = (of: Fact): Pick<DiskRow, 'shown' | 'lacks'> =>
      now === undefined ? {} : { shown: metadata.shownOf(now), lacks: metadata.lacks(of, now) }
    const outcome = judge({
      path,
      observed,
      ...(looked === undefined ? {} : { seenAs: looked.seenAs }),
      applied,
      share,
      intents,
      writer: isWriter,
    })
    this.#node.recovered.delete(path)
    if (outcome.type === 'publish') {
      const draft = this.#node.rules.judged(outcome.draft, share)
      this.#node.inFlight.add(path)
      this.#found.push({
        draft,
        pieces: content?.pieces ?? [],
        found: {
          ...{ ...dressed(outcome.draft.fact), stat, inode, isNews, touched },
          meant: intents.map((intent) => intent.fact),
        },
      })
      return
    }
    world.log(this.#node, () => `finds ${path} (${fact.type}): ${outcome.type}`)
    if (inode !== undefined && inode.stat === stat && this.#node.disk.tree.get(path) === inode) noted(inode)
    const drift =
      outcome.type === 'drift'
        ? { kinds: outcome.kinds, sinceMs: row?.drift?.sinceMs ?? 1, fact: observed }
        : undefined
    const is = outcome.type === 'adopt' ? outcome.applied : applied
    index.setDisk(
      path,
      { applied: is, stat, drift, ...dressed(drift === undefined ? is.fact : ABSENT) },
      content?.layout,
    )
  }
}

/** What a row says the disk holds. */
export function currentFact(row: DiskRow | undefined): Fact {
  return row === undefined ? ABSENT : (row.drift?.fact ?? row.applied.fact)
}
