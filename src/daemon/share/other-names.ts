// Where else a look has to go because of a file's other names: of what is done to the file through one of them, only that
// one's directory hears.
import { parentOf, type RelPath } from '../../core/path.js'
import type { DiskStat } from '../../core/stat.js'
import { isShared } from '../../store/links.js'
import type { ShareIndex } from '../../store/share-index.js'

/**
 * Files of which one look has another name looked at because a name went. When whole trees of links go, the others are
 * left to the next look at all of them, which reads each file once.
 */
const MAX_LEFT_BEHIND = 64

export class OtherNames {
  readonly #index: ShareIndex
  /** Directories of the look, and inodes whose names it has gone after. */
  readonly #directories = new Set<RelPath | ''>()
  readonly #inodes = new Set<number>()

  constructor(index: ShareIndex) {
    this.#index = index
  }

  /** The directories that the look begins with. */
  start(directories: readonly (RelPath | '')[]): void {
    for (const directory of directories) this.#directories.add(directory)
  }

  /** Directories with other names of a file that has changed: what is done to all at once should be said of all at once. */
  of(stat: DiskStat): (RelPath | '')[] {
    if (!isShared(stat) || this.#inodes.has(stat.ino)) return []
    this.#inodes.add(stat.ino)
    const directories: (RelPath | '')[] = []
    for (const { path } of this.#index.links.names(stat.ino)) {
      const directory = parentOf(path)
      if (this.#directories.has(directory)) continue
      this.#directories.add(directory)
      directories.push(directory)
    }
    return directories
  }

  /** The directory of another name of a file that has lost this one, and with it its stat: one name tells for all. */
  leftBehind(path: RelPath): RelPath | '' | undefined {
    const stat = this.#index.disk(path)?.stat
    if (!isShared(stat) || this.#inodes.size >= MAX_LEFT_BEHIND || this.#inodes.has(stat.ino))
      return undefined
    this.#inodes.add(stat.ino)
    const other = this.#index.links.names(stat.ino, 2).find((name) => name.path !== path)
    return other === undefined ? undefined : parentOf(other.path)
  }
}
