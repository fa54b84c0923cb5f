// Which paths of a share are restored: all, or those that were named with what is below them, and the directories above.
import type { RelPath } from '../../core/path.js'
import { withAncestors } from '../../core/tree.js'

/** Whether a path is left out. `paths`: the named ones; empty: all are restored. */
export function leftOutOf(paths: readonly RelPath[]): (path: RelPath, isDirectory: boolean) => boolean {
  const above = new Set(paths.flatMap((path) => withAncestors(path).filter((at) => at !== path)))
  return (path, isDirectory) => {
    if (paths.length === 0 || (above.has(path) && isDirectory)) return false
    return !paths.some((wanted) => path === wanted || path.startsWith(`${wanted}/`))
  }
}
