// Both halves of a rename are said in one breath: a file that a look has found under a new name, and its old name, which
// is gone. Others can then give their own file the new name (moves.ts) instead of having it twice, or not at all, for as
// long as a missing name is held back (missing.ts). It is a rename when the very inode, with the content that the index
// knows of it, has the new name, and the old name is confirmed to be missing.
import { IGNORE_FILE, type RelPath } from '../../core/path.js'
import type { ShareContext } from './context.js'
import type { Moment } from './disk-guard.js'
import type { Missing } from './missing.js'
import { closestName } from './names-alike.js'
import type { Publication } from './publisher.js'

/** Files of one content looked at; more of them are no mail. */
const MAX_PLACES = 8

/** `found` with the removals of old names, each right behind the new one. What is halted meanwhile gets none. */
export async function withOldNames(
  context: ShareContext,
  missing: Missing,
  found: readonly Publication[],
  moment: Moment,
): Promise<Publication[]> {
  const candidates = found.map((publication) => oldNamesOf(context, publication, moment))
  const paths = [...new Set(candidates.flat())]
  if (paths.length === 0) return [...found]
  const { pool, root, index } = context
  const answers = await pool.confirmMissing(root, paths, context.rootIdentity())
  const halt = await context.checkRoot()
  if (halt !== undefined) {
    context.halt(halt)
    return []
  }
  const gone = new Set(paths.filter((path, i) => answers[i] && !context.guard.isDisturbed(path, moment)))
  return index.transaction(() =>
    found.flatMap((publication, i) => {
      const left = candidates[i]!.filter((path) => gone.has(path))
      if (left.length === 0) return [publication]
      const oldName = closestName(publication.draft.path, left)
      gone.delete(oldName)
      const removal = missing.take(oldName)
      return removal === undefined ? [publication] : [publication, { ...removal, followsNewName: true }]
    }),
  )
}

/** Paths that held this very file when the index last knew. */
function oldNamesOf(
  { index, guard, isIgnored }: ShareContext,
  { draft, disk, pieces }: Publication,
  moment: Moment,
): RelPath[] {
  const { fact, path: newName } = draft
  const stat = disk?.stat
  if (fact.type !== 'file' || stat === undefined || pieces.length === 0) return []
  return index.pieces.placesOf(pieces[0]!.id, MAX_PLACES).flatMap(({ path }) => {
    if (path === newName || path === IGNORE_FILE) return []
    const row = index.disk(path)
    if (row?.stat?.ino !== stat.ino || row.drift !== undefined) return []
    if (row.applied.fact.type !== 'file' || !row.applied.fact.content.equals(fact.content)) return []
    return isIgnored(path, false) || guard.isDisturbed(path, moment) ? [] : [path]
  })
}
