// What is to be written where nothing is: directories, files in the order in which their content stands in packs, symbolic
// links, further names of files. Of each path no more is kept than its name and that place: a share may have millions.
import type { LiveEntry } from '../../core/entry.js'
import { type FileFact, fingerprint } from '../../core/fact.js'
import { groupOf } from '../../core/link-group.js'
import { depthOf, parentOf, type RelPath } from '../../core/path.js'
import { isInReleases } from '../../core/release.js'
import type { PiecePlace } from '../../vault/vault.js'
import type { PastTree } from './past-tree.js'

export interface FillPlan {
  /** Each after the one it lies in. */
  readonly directories: readonly RelPath[]
  /** In the order of the first piece of each. */
  readonly files: readonly PlannedFile[]
  readonly symlinks: readonly RelPath[]
  /** Names that become links to one of `files`. */
  readonly links: readonly { readonly path: RelPath; readonly from: RelPath }[]
  /** Of all files, further names too. */
  readonly fileCount: number
  readonly bytes: number
  /** False: there is something among it that only the ordinary way knows how to write, or content that is not here. */
  readonly isPlain: boolean
}

export interface PlannedFile {
  readonly path: RelPath
  /** Where its first piece stands, as a number that grows with pack and offset. */
  readonly at: number
  readonly size: number
  readonly mtimeUs: number
  /** Where it takes no room of its own (PastTree.holdsEntries). */
  readonly entry?: LiveEntry
}

/** The place that a planned file's `at` stands for, of a piece of so many bytes. */
export function startOf({ at }: PlannedFile, length: number): PiecePlace {
  return { pack: Math.floor(at / PACK_SPAN), offset: at % PACK_SPAN, length }
}

/** One above the greatest offset in a pack. */
const PACK_SPAN = 2 ** 33

/** Plans a tree. `isLeftOut`: paths that are not wanted; `placeOf`: where a piece stands, undefined if nowhere. */
export function planFill(
  tree: PastTree,
  options: {
    readonly isLeftOut: (path: RelPath, isDirectory: boolean) => boolean
    readonly placeOf: (id: Buffer) => PiecePlace | undefined
    readonly hardLinks: boolean
  },
): FillPlan {
  const { isLeftOut, placeOf, hardLinks } = options
  const directories = new Set<RelPath>()
  const files: PlannedFile[] = []
  const symlinks: RelPath[] = []
  const links: { path: RelPath; from: RelPath }[] = []
  /** The first name of each file that has several. */
  const leaders = new Map<string, RelPath>()
  let bytes = 0
  let isPlain = true
  const addDirectory = (path: RelPath): void => {
    if (directories.has(path)) return
    const parent = parentOf(path)
    if (parent !== '') addDirectory(parent)
    directories.add(path)
  }
  const addFile = (path: RelPath, fact: FileFact, entry: LiveEntry | undefined): void => {
    bytes += fact.size
    if (hardLinks && groupOf(fact) !== undefined) {
      const key = fingerprint('' as RelPath, fact).toString('latin1')
      const from = leaders.get(key)
      if (from !== undefined) {
        links.push({ path, from })
        return
      }
      leaders.set(key, path)
    }
    const places = entry === undefined ? undefined : tree.piecesOf(entry)?.map(({ id }) => placeOf(id))
    if (places === undefined || places.includes(undefined)) isPlain = false
    const place = places?.[0]
    const { size, mtimeUs } = fact
    const at = place === undefined ? 0 : place.pack * PACK_SPAN + place.offset
    // Several heads may have made its extra.
    const isKept = tree.holdsEntries && entry?.extra === fact.extra
    files.push({ path, size, mtimeUs, at, ...(isKept ? { entry: entry! } : {}) })
  }
  for (const { path, share } of tree.allEffective()) {
    const { fact, entry } = share
    if (fact.type === 'absent' || isLeftOut(path, fact.type === 'directory')) continue
    // Releases share the inodes of what is the same in them.
    if (hardLinks && isInReleases(path)) isPlain = false
    if (fact.type === 'directory') addDirectory(path)
    else {
      const parent = parentOf(path)
      if (parent !== '') addDirectory(parent)
      if (fact.type === 'file') addFile(path, fact, entry)
      else symlinks.push(path)
    }
  }
  files.sort((a, b) => a.at - b.at)
  return {
    directories: [...directories].sort((a, b) => depthOf(a) - depthOf(b)),
    files,
    symlinks,
    links,
    fileCount: files.length + links.length,
    bytes,
    isPlain,
  }
}
