// The user's hard links, as looks at the disk find them: which link group a name is in (core/link-group.ts), which other
// name has to be told so with it, and whose content need not be read again because another name of the file was just read.

import type { Fact, FileFact, LiveFact } from '../../core/fact.js'
import { groupOf, inGroup, type LinkLook, observedGroup } from '../../core/link-group.js'
import type { Looked } from '../../core/metadata-look.js'
import type { RelPath } from '../../core/path.js'
import { isInReleases } from '../../core/release.js'
import { type DiskStat, sameStat } from '../../core/stat.js'
import type { Effective } from '../../core/tree.js'
import { isShared } from '../../store/links.js'
import type { Layout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { ShareContext } from './context.js'
import { currentFact } from './current-fact.js'
import type { Publication } from './publisher.js'

/** Names of one inode, and files of one content, looked at for one path. Where there are more, the keeper sees to it. */
const MAX_NAMES = 16
const MAX_PLACES = 64

type Context = Pick<ShareContext, 'index' | 'isWriter' | 'hardLinks'>

/** What was looked at, with what is to be said of its group. */
export function withGroups(
  { index, isWriter, hardLinks }: Context,
  path: RelPath,
  looked: Looked,
  stat: DiskStat | undefined,
  row: DiskRow | undefined,
  known: { readonly intents: readonly Fact[]; readonly share: Effective },
): Looked {
  const { observed, seenAs } = looked
  if (observed.type !== 'file' || stat === undefined) return looked
  const held = currentFact(row)
  const isSameInode = row?.stat?.ino === stat.ino
  const names = isShared(stat) ? index.links.names(stat.ino, MAX_NAMES) : []
  const look: LinkLook = {
    path,
    observed,
    seenAs,
    ino: stat.ino,
    nlink: stat.nlink,
    held,
    isSameInode,
    intents: known.intents,
    share: known.share.fact,
    siblings: names.filter((name) => name.path !== path).map(({ group }) => group),
    wasLinked: !isSameInode && wasLinked(index, path, held, row),
    // What releases share is each node's own matter.
    states: isWriter && hardLinks && !isInReleases(path),
  }
  const group = observedGroup(look)
  const grouped = (fact: LiveFact): LiveFact => (fact.type === 'file' ? inGroup(fact, group) : fact)
  return { observed: grouped(observed), seenAs: (fact, isPut) => grouped(seenAs(fact, isPut)) }
}

function wasLinked(index: ShareIndex, path: RelPath, held: Fact, row: DiskRow | undefined): boolean {
  const group = groupOf(held)
  if (group === undefined || !isShared(row?.stat)) return false
  const { ino } = row.stat
  if (index.links.names(ino).some((name) => name.path !== path && name.group?.equals(group))) return true
  // The other name may have been looked at just now, and have no more links.
  return index.links.inGroup(group).some((name) => name !== path && index.disk(name)?.stat?.ino === ino)
}

/**
 * The name that a file had before it got a second one in the share, if it is in no group yet: it joins this one in the
 * same breath, so that others give their file another name instead of having two.
 */
export function joining({ index }: Context, { draft, disk, pieces }: Publication): Publication[] {
  const group = groupOf(draft.fact)
  const stat = disk?.stat
  if (group === undefined || !isShared(stat) || pieces.length === 0) return []
  const content = (draft.fact as FileFact).content
  return index.pieces.placesOf(pieces[0]!.id, MAX_PLACES).flatMap(({ path }): Publication[] => {
    const row = path === draft.path ? undefined : index.disk(path)
    if (row?.stat?.ino !== stat.ino || row.drift !== undefined) return []
    const { fact, version } = row.applied
    if (fact.type !== 'file' || !fact.content.equals(content) || index.isWanted(path)) return []
    if (groupOf(fact) !== undefined) return []
    const joined = { path, base: version, fact: inGroup(fact, group), origin: undefined, was: undefined }
    return [{ draft: joined, pieces, disk: wornBy(row) }]
  })
}

/** What another name of an inode that looks exactly like this is known to hold. */
export function twinOf(
  index: ShareIndex,
  path: RelPath,
  stat: DiskStat,
): { readonly fact: FileFact; readonly layout: Layout } | undefined {
  if (!isShared(stat)) return undefined
  const name = index.links.freshName(stat.ino)
  const row = name === undefined || name === path ? undefined : index.disk(name)
  const fact = currentFact(row)
  if (row?.stat === undefined || fact.type !== 'file' || !sameStat(row.stat, stat)) return undefined
  const layout = index.layout(name!)
  return layout === undefined && fact.size > 0 ? undefined : { fact, layout: layout ?? Buffer.alloc(0) }
}

/** What a row says beside what the path is to hold. */
export function wornBy({ stat, shown, lacks }: DiskRow): NonNullable<Publication['disk']> {
  return { stat, ...(shown === undefined ? {} : { shown }), ...(lacks === undefined ? {} : { lacks }) }
}
