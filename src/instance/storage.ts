// The storage path: the device's keys and the control socket lie there, so it must be its user's alone (0700). Root makes
// it where only root can, and gives it away; anywhere else the daemon makes it itself, with no more rights than its own.
// Promises: what was there already is never given to anybody, opened or closed: it is refused with what to do.
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { octal } from '../config/open.js'
import { ShoalError } from '../core/error.js'
import { changeable, placeOf, type Step } from './place.js'

/** Whose storage it is to be. */
export interface StorageOwner {
  readonly user: string
  readonly uid: number
  readonly gid: number
}

/**
 * As root: makes the storage path with its missing parents, if all above it is root's alone, without any link, so that
 * nobody can put something in the way. Otherwise does nothing, as the user can try with its own rights.
 */
export function makeStorage(path: string, { uid, gid }: StorageOwner): void {
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
    chmodSync(at, at === path ? 0o700 : 0o755)
  }
  chownSync(path, uid, gid)
}

/** Refuses a storage path that exists and is not its user's alone. Throws FILE_EXPOSED. */
export function checkStorage(path: string, owner: StorageOwner): void {
  const stat = statIfAllowed(path)
  if (path === '/') throw exposed('storage_path is the root folder, expected a folder of its own')
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
  for (const name of readdirSync(path)) {
    const inside = lstatSync(join(path, name), { throwIfNoEntry: false })
    if (inside !== undefined && inside.uid !== owner.uid)
      throw exposed(
        `${basename(path)}/${name} in storage_path ${path} belongs to another user (uid ${inside.uid}), expected ${owner.user}: ${give}`,
      )
  }
}

function statIfAllowed(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

function exposed(message: string): ShoalError {
  return new ShoalError('FILE_EXPOSED', message)
}
