// The storage path: the device's keys and the control socket lie there, so it must be its user's alone (0700). Root makes
// it where only root can, and gives it away; anywhere else the daemon makes it itself, with no more rights than its own.
// Promises: what was there already is never given to anybody, opened or closed: it is refused with what to do.
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { octal, reason } from '../config/open.js'
import { ShoalError } from '../core/error.js'
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
  if (end !== undefined) return
  // In a sticky folder others can make things, but not move what is root's.
  const isSafe = (step: Step, at: number): boolean =>
    step.type === 'folder' &&
    step.uid === 0 &&
    changeable(step, 0) === undefined &&
    (at < steps.length - 1 || (step.mode & 0o002) === 0)
  if (!steps.every(isSafe)) return
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
  const give = `chown -R ${owner.user}: ${path}`
  if (stat.uid !== owner.uid)
    throw exposed(
      `storage_path ${path} belongs to another user (uid ${stat.uid}), expected ${owner.user}: ${give}`,
    )
  if ((stat.mode & 0o077) !== 0)
    throw exposed(
      `storage_path ${path} can be read or written by other users (mode ${octal(stat.mode & 0o7777)}), expected mode 0700: chmod 700 ${path}`,
    )
  for (const name of namesIn(path)) {
    const inside = lstatSync(join(path, name), { throwIfNoEntry: false })
    if (inside !== undefined && inside.uid !== owner.uid)
      throw exposed(
        `${basename(path)}/${name} in storage_path ${path} belongs to another user (uid ${inside.uid}), expected ${owner.user}: ${give}`,
      )
  }
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
