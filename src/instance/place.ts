// Whether a file may be believed: who could change it, its name, or what its name leads to. A configuration says as whom
// a daemon runs and holds a secret, and root reads what the user could not; so what root reads must be root's or the
// user's own, all the way.
// Promises: nothing is changed, and links are followed one by one, never through the kernel, so that each is looked at.
import { lstatSync, readlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { exposure, type FileFacts, octal } from '../config/open.js'
import { ShoalError } from '../core/error.js'
import { shellWord } from '../core/shell-word.js'

/** What stands above and behind a path. */
export interface Place {
  /** Every folder and link from the root folder to the file, in the order they are passed. */
  readonly steps: readonly Step[]
  /** Of what the path leads to in the end; undefined: nothing is there. */
  readonly end: Step | undefined
}

export interface Step {
  readonly path: string
  readonly type: 'folder' | 'link' | 'other'
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** "device:inode". */
  readonly identity: string
}

const STICKY = 0o1000
const ENTER_BITS = 0o011
/** As the kernel: more is a circle. */
const MAX_LINKS = 40

/**
 * Refuses a configuration that others than root and `uid` can change, or read while it holds a secret. Whether only root
 * could have written and named it: then it may ask for what its user has no right to. Throws FILE_EXPOSED.
 */
export function checkConfigFile(
  file: FileFacts,
  uid: number,
  holdsSecret: boolean,
  isRoot: boolean,
): { readonly isRoots: boolean } {
  if (!file.isFile) {
    if (isRoot) throw exposed(`${file.path} is no regular file, expected one`)
    return { isRoots: false }
  }
  const fault = exposure(file, uid, holdsSecret)
  if (fault !== undefined) throw exposed(fault)
  const place = placeOf(file.path)
  if (place.end?.identity !== file.identity) throw exposed(`${file.path} was changed while it was read`)
  const change = exchangeable(place, uid, isRoot)
  if (change !== undefined) throw exposed(`${file.path} can be exchanged by other users: ${change}`)
  const isRootsPlace = file.links === 1 && place.steps.every((step) => step.uid === 0)
  // Through a link or a hard link of its own, a user could have root read a secret of root's for it.
  if (isRoot && uid !== 0 && file.uid === 0 && !isRootsPlace)
    throw exposed(
      `${file.path} belongs to root but lies where the user it runs as decides which file that is: chown ${uid} ${shellWord(file.path)}, or move it to a folder of root's`,
    )
  return { isRoots: isRootsPlace && file.uid === 0 }
}

/**
 * How others than root and `uid` could put something else at a path, with what to do; undefined: they cannot. Unless
 * `isRoot` only the folder it lies in counts: what lies further up is root's business, and open to an ordinary user as
 * it is.
 */
export function exchangeable({ steps }: Place, uid: number, isRoot: boolean): string | undefined {
  const folder = steps.findLast(({ type }) => type === 'folder')
  let isClosed = false
  for (const step of steps) {
    const change = isRoot || step === folder ? changeable(step, uid, isClosed) : undefined
    if (change !== undefined) return change
    // Below a folder that others cannot enter, what they may write is out of their reach; a link leads out again.
    isClosed = step.type !== 'link' && (isClosed || (step.mode & ENTER_BITS) === 0)
  }
  return undefined
}

/** Walks a path as the kernel would. Throws what the system says where it cannot be looked at. */
export function placeOf(path: string): Place {
  const steps: Step[] = [stepOf('/')!]
  const todo = partsOf(resolve(path))
  let links = 0
  let at = '/'
  while (todo.length > 0) {
    const next = join(at, todo.shift()!)
    const step = stepOf(next)
    if (step === undefined) return { steps, end: undefined }
    if (step.type === 'link') {
      if (++links > MAX_LINKS) throw exposed(`${path} leads in a circle`)
      const target = readlinkSync(next)
      if (target.startsWith('/')) at = '/'
      todo.unshift(...partsOf(target))
    } else at = next
    if (step.type === 'link' || todo.length > 0) steps.push(step)
  }
  return { steps, end: stepOf(at) }
}

/** ".." is left in: after links it is for the disk to say what lies above. */
function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

/**
 * How others than root and `uid` could put something else in its place, with what to do; undefined: they cannot.
 * `isClosed`: it lies in a folder that they cannot enter.
 */
export function changeable(step: Step, uid: number, isClosed = false): string | undefined {
  const { path, mode, gid } = step
  if (step.uid !== 0 && step.uid !== uid)
    return `${path} belongs to another user (uid ${step.uid}), expected root or uid ${uid}`
  if (isClosed || step.type !== 'folder' || (mode & STICKY) !== 0) return undefined
  // Folders of root's own group are common, and who is in it is as good as root.
  if ((mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0))
    return `${path} can be written by others (mode ${octal(mode)}): chmod go-w ${shellWord(path)}`
  return undefined
}

function stepOf(path: string): Step | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return undefined
  return {
    path,
    type: stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : 'other',
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mode: Number(stat.mode) & 0o7777,
    identity: `${stat.dev}:${stat.ino}`,
  }
}

function exposed(message: string): ShoalError {
  return new ShoalError('FILE_EXPOSED', message)
}
