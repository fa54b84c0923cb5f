// Both halves of a rename are said in one breath: a file that a look has found under a new name, and its old name, which
// is gone. Others can then give their own file the new name (moves.ts) instead of having it twice, or not at all, for as
// long as a missing name is held back (missing.ts). It is a rename when the very inode, with the content that the index
// knows of it, has the new name, and the old name is confirmed to be missing.
import type { Fact } from '../../core/fact.js'
import { IGNORE_FILE, type RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import type { DiskStat } from '../../core/stat.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { ShareContext } from './context.js'
import type { Moment } from './disk-guard.js'
import type { Missing } from './missing.js'
import { closestName } from './names-alike.js'
import type { Publication } from './publisher.js'

/** Files of one content looked at; more of them are no mail. */
const MAX_PLACES = 8

export interface Renames {
  /** What was found, with the removals of old names, each right behind the new one. */
  readonly publications: readonly Publication[]
  /** What has no longer the new name either: it is on its way to yet another one, or back. */
  readonly movedOn: readonly Publication[]
}

/** Looks for the old names of what a look has found. If the share has to halt, nothing is to be published. */
export async function withOldNames(
  context: ShareContext,
  missing: Missing,
  found: readonly Publication[],
  moment: Moment,
): Promise<Renames> {
  const oldNames = found.map((publication) => oldNamesOf(context, publication, moment))
  const renamed = found.flatMap(({ draft }, i) => (oldNames[i]!.length > 0 ? [draft.path] : []))
  if (renamed.length === 0) return { publications: found, movedOn: [] }
  const { pool, root, index, guard } = context
  // New names come last: one that is there then was there, or not yet, when the old one was looked for.
  const paths = [...new Set([...oldNames.flat(), ...renamed])]
  const answers = await pool.confirmMissing(root, paths, context.rootIdentity())
  const halt = await context.checkRoot()
  if (halt !== undefined) {
    context.halt(halt)
    return { publications: [], movedOn: [] }
  }
  const gone = new Set(paths.filter((_, i) => answers[i]))
  const movedOn: Publication[] = []
  const publications = index.transaction(() =>
    found.flatMap((publication, i) => {
      const { path } = publication.draft
      if (gone.has(path) && oldNames[i]!.length > 0) {
        movedOn.push(publication)
        return []
      }
      const left = oldNames[i]!.filter((name) => gone.has(name) && !guard.isDisturbed(name, moment))
      if (left.length === 0) return [publication]
      const oldName = closestName(path, left)
      gone.delete(oldName)
      const removal = missing.take(oldName)
      return removal === undefined ? [publication] : [publication, { ...removal, followsNewName: true }]
    }),
  )
  return { publications, movedOn }
}

/** Paths that held this very file when the index last knew. */
function oldNamesOf(
  context: ShareContext,
  { draft, disk, pieces }: Publication,
  moment: Moment,
): readonly RelPath[] {
  const { guard, isIgnored } = context
  const names = namesOfInode(context.index, draft.path, draft.fact, disk?.stat, pieces)
  return names.filter(
    (path) => path !== IGNORE_FILE && !isIgnored(path, false) && !guard.isDisturbed(path, moment),
  )
}

/** Other paths that hold a file's very inode with its content `pieces`, as far as the index knows. */
export function namesOfInode(
  index: ShareIndex,
  newName: RelPath,
  fact: Fact,
  stat: DiskStat | undefined,
  pieces: readonly PieceInfo[],
): readonly RelPath[] {
  if (fact.type !== 'file' || stat === undefined || pieces.length === 0) return []
  return index.pieces.placesOf(pieces[0]!.id, MAX_PLACES).flatMap(({ path }) => {
    const row = path === newName ? undefined : index.disk(path)
    if (row?.stat?.ino !== stat.ino || row.drift !== undefined) return []
    return row.applied.fact.type === 'file' && row.applied.fact.content.equals(fact.content) ? [path] : []
  })
}
