// Whether shared folders lie in one another in truth: parseConfig compares their paths as they are written, here links
// are followed, and folders that exist are told by device and inode, which a second mount shows too. A folder within
// another would be in two shares at once, and each would take the other's changes and its .shoal for the user's.
// Nothing is made or changed. What cannot be looked at counts as apart: starting the share will say what is wrong.
import { realpath, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Config } from './config.js'
import type { Problem } from './json.js'

/** Where a folder is in truth. */
export interface Place {
  /** The folder itself and all above it, nearest first, each as "device:inode"; empty for what is not there. */
  readonly above: readonly string[]
  /** The path with all links followed; of what does not exist yet, as it would be. */
  readonly real: string
}

/** Shared folders that are one folder, lie in one another, or hold the storage path. */
export async function folderOverlaps({
  shares,
  storagePath,
}: Pick<Config, 'shares' | 'storagePath'>): Promise<Problem[]> {
  const problems: Problem[] = []
  const storage = await placeOf(storagePath)
  const places = await Promise.all(shares.map(({ dir }) => placeOf(dir)))
  for (const [at, place] of places.entries()) {
    const add = (message: string): void => {
      problems.push({ position: shares[at]!.position, key: `shared_folders[${at}].dir`, message })
    }
    if (isIn(storage, place))
      add('contains storage_path, with links followed; expected a folder apart from it')
    for (const [otherAt, other] of places.entries()) {
      if (otherAt === at || !isIn(place, other)) continue
      const isSame = isIn(other, place)
      if (isSame && otherAt < at)
        add(`is, with links followed, also the folder of shared_folders[${otherAt}], expected one share each`)
      else if (!isSame)
        add(`lies, with links followed, in the folder of shared_folders[${otherAt}], expected folders apart`)
    }
  }
  return problems
}

/** Whether a place is the other or lies in it. */
export function isIn(place: Place, folder: Place): boolean {
  const way = relative(folder.real, place.real)
  if (way === '' || (way !== '..' && !way.startsWith('../'))) return true
  const [self] = folder.above
  return self !== undefined && self !== '' && place.above.includes(self)
}

/** Looks a path up. Never throws. */
export async function placeOf(dir: string): Promise<Place> {
  const missing: string[] = []
  let existing = dir
  let real = await resolved(existing)
  while (real === undefined && existing !== dirname(existing)) {
    missing.unshift(existing.slice(dirname(existing).length).replace(/^\//, ''))
    existing = dirname(existing)
    real = await resolved(existing)
  }
  const above: string[] = missing.length > 0 ? [''] : []
  for (let folder = real ?? existing; ; folder = dirname(folder)) {
    above.push(await identityOf(folder))
    if (folder === dirname(folder)) break
  }
  return { above, real: join(real ?? existing, ...missing) }
}

async function resolved(path: string): Promise<string | undefined> {
  // Missing, or not to be entered: for comparing, its parent does.
  return realpath(path).catch(() => undefined)
}

/** Empty if it cannot be looked at. */
async function identityOf(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined)
  return found === undefined ? '' : `${found.dev}:${found.ino}`
}
