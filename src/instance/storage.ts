// The storage path: the device's keys and the control socket lie there, so it must be its user's alone (0700). Root makes
// it where only root can, and gives it away; anywhere else the daemon makes it itself, with no more rights than its own.
// Promises: what was there already is never given to anybody, opened or closed: it is refused with what to do.
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { octal, reason } from '../config/open.js'
import { ShoalError } from '../core/error.js'
import { shellWord } from '../core/shell-word.js'
import { changeable, exchangeable, type Place, placeOf, type Step } from './place.js'

/** Whose storage it is to be. */
export interface StorageOwner {
  readonly user: string
  readonly uid: number
  readonly gid: number
}

/**
 * As root: makes the storage path, or another folder of the user's, with its missing parents, if all above it is root's
 * alone, without any link, so that nobody can put something in the way. Otherwise does nothing, as the user can try with
 * its own rights.
 */
export function makeStorage(path: string, { uid, gid }: StorageOwner, mode = 0o700): void {
  const { steps, end } = placeOf(path)
  if (end !== undefined || !isRootsPlace(steps)) return
  const missing: string[] = []
  for (let at = path; lstatSync(at, { throwIfNoEntry: false }) === undefined; at = dirname(at))
    missing.unshift(at)
  for (const at of missing) {
    mkdirSync(at, { mode: 0o700 })
    // The umask took something off, or a setgid parent put something on.
    chmodSync(at, at === path ? mode : 0o755)
  }
  chownSync(path, uid, gid)
}

/**
 * Refuses a storage path that is not its user's alone, or that others could put another in the place of. `isRoot`:
 * whether it was root that was told to use it. Throws FILE_EXPOSED.
 */
export function checkStorage(path: string, owner: StorageOwner, isRoot: boolean): void {
  const stat = ifAllowed(() => statSync(path, { throwIfNoEntry: false }))
  if (path === '/') throw exposed('storage_path is the root folder, expected a folder of its own')
  const place: Place | undefined = ifAllowed(() => placeOf(path))
  const change = place === undefined ? undefined : exchangeable(place, owner.uid, isRoot)
  if (change !== undefined) throw exposed(`storage_path ${path} can be exchanged by other users: ${change}`)
  // Missing: the daemon makes it. A file, or out of reach: the daemon says so.
  if (stat === undefined || !stat.isDirectory()) return
  const give = `chown -R ${owner.user}: ${shellWord(path)}`
  if (stat.uid !== owner.uid)
    throw exposed(
      `storage_path ${path} belongs to another user (uid ${stat.uid}), expected ${owner.user}: ${give}`,
    )
  if ((stat.mode & 0o077) !== 0)
    throw exposed(
      `storage_path ${path} can be read or written by other users (mode ${octal(stat.mode & 0o7777)}), expected mode 0700: chmod 700 ${shellWord(path)}`,
    )
  for (const name of namesIn(path)) {
    const inside = lstatSync(join(path, name), { throwIfNoEntry: false })
    if (inside !== undefined && inside.uid !== owner.uid)
      throw exposed(
        `${basename(path)}/${name} in storage_path ${path} belongs to another user (uid ${inside.uid}), expected ${owner.user}: ${give}`,
      )
  }
}

/**
 * Why a storage path that is missing will not be made, with what to do; undefined: it is there, or somebody can make it.
 * `isRoots`: what root thinks of the configuration that names it (place.ts). `startedByRoot`: so makeStorage is asked, too.
 * Before this process is that user, the mode bits tell what it may; where they leave a doubt it is taken to be able.
 */
export function missingStorageFault(
  path: string,
  owner: StorageOwner,
  { isRoots, startedByRoot }: { readonly isRoots: boolean; readonly startedByRoot: boolean },
): string | undefined {
  // Where who asks may not look, the daemon says what is wrong.
  const place = ifAllowed(() => placeOf(path))
  if (place === undefined) return undefined
  const { steps, end } = place
  const above = steps.at(-1)!
  if (end !== undefined || owner.uid === 0 || above.type !== 'folder') return undefined
  if (startedByRoot && isRoots && isRootsPlace(steps)) return undefined
  if (mayWrite(above, owner)) return undefined
  const why = !startedByRoot
    ? ''
    : isRoots
      ? " (root makes it only where all folders above are root's, without links)"
      : ` (root makes it only for a configuration that is root's, not one that ${owner.user} could have written)`
  return `storage_path ${path} is missing, and ${owner.user} has no right to make it in ${above.path}${why}: install -d -o ${owner.user} -m 700 ${path}`
}

function mayWrite({ path, uid, mode }: Step, owner: StorageOwner): boolean {
  if (process.geteuid!() !== owner.uid)
    // Bits of the group also stand for rights that a list beside them (ACL) may give.
    return (mode & (uid === owner.uid ? 0o200 : 0o022)) !== 0
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Whether nobody but root can put something in the way below these. */
function isRootsPlace(steps: readonly Step[]): boolean {
  return steps.every(
    (step, at) =>
      step.type === 'folder' &&
      step.uid === 0 &&
      changeable(step, 0) === undefined &&
      // In a sticky folder others can make things, but not move what is root's.
      (at < steps.length - 1 || (step.mode & 0o002) === 0),
  )
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (cause) {
    throw new ShoalError('STORAGE_UNUSABLE', `cannot use storage path ${path}: ${reason(cause)}`, { cause })
  }
}

/** Undefined where the user may not look. */
function ifAllowed<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (error instanceof ShoalError) throw error
    return undefined
  }
}

function exposed(message: string): ShoalError {
  return new ShoalError('FILE_EXPOSED', message)
}
