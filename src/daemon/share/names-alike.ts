// Which of several files of one content a new name comes from: the flags of a message stand at the end of its name.
import { nameOf, parentOf, type RelPath } from '../../core/path.js'

/** Of some paths, at least one, that with the most in common with `path` from the start of its name; then in its folder. */
export function closestName(path: RelPath, candidates: readonly RelPath[]): RelPath {
  const likeness = (other: RelPath): number =>
    2 * commonLength(nameOf(path), nameOf(other)) + (parentOf(path) === parentOf(other) ? 1 : 0)
  return candidates.reduce((best, other) => (likeness(other) > likeness(best) ? other : best))
}

function commonLength(one: string, other: string): number {
  let length = 0
  while (length < one.length && one[length] === other[length]) length++
  return length
}
