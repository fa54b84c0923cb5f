// Where the configurations and the supervisor's own socket and lock are.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { octal } from '../config/open.js'
import { ShoalError } from '../core/error.js'
import { exchangeable, placeOf } from '../instance/place.js'

/** The folders of the package, and of what came before it. */
export const SYSTEM_FOLDERS: readonly string[] = ['/etc/shoal', '/etc/btsync']
/** Where AUTOSTART stands, for those. */
export const DEFAULTS_FILES: readonly string[] = ['/etc/default/shoal', '/etc/default/btsync']

/** The folder that is meant, absolute; by default the first of the system's that is there. NOT_FOUND if it is none. */
export function folderOf(given: string | undefined): string {
  const folders = given === undefined ? SYSTEM_FOLDERS : [path.resolve(given)]
  const found = folders.find(
    (folder) => fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true,
  )
  if (found !== undefined) return found
  throw new ShoalError('NOT_FOUND', `there is no folder of configurations ${folders.join(' or ')}`)
}

/**
 * The folder of the supervisor's lock and socket: the given one; else one for each folder of configurations, under
 * /run/shoal for root, under $XDG_RUNTIME_DIR/shoal for others, or where there is none `.up` in the folder itself.
 */
export function stateFolderOf(
  folder: string,
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (given !== undefined) return path.resolve(given)
  const real = fs.realpathSync(folder)
  const key = `up-${createHash('sha256').update(real).digest('hex').slice(0, 16)}`
  if (process.geteuid?.() === 0) return path.join('/run/shoal', key)
  const runtime = env.XDG_RUNTIME_DIR
  if (runtime !== undefined && path.isAbsolute(runtime)) return path.join(runtime, 'shoal', key)
  return path.join(real, '.up')
}

/** Why others than who runs this could use the socket in a state folder, or have the lock be another file. */
export function stateFault(folder: string): string | undefined {
  const uid = process.geteuid!()
  const stat = fs.statSync(folder)
  if (stat.uid !== uid) return `it belongs to another user (uid ${stat.uid})`
  if ((stat.mode & 0o077) !== 0)
    return `others have rights to it (mode ${octal(stat.mode & 0o7777)}): chmod 700 ${folder}`
  const change = exchangeable(placeOf(folder), uid, uid === 0)
  return change === undefined ? undefined : `others can exchange it: ${change}`
}

/** The file that AUTOSTART is read from; undefined: there is none, or the folder is nobody's but the caller's. */
export function defaultsFileOf(folder: string, given: string | undefined): string | undefined {
  if (given !== undefined) return given
  if (!SYSTEM_FOLDERS.includes(folder)) return undefined
  return DEFAULTS_FILES.find((file) => fs.existsSync(file))
}
