// The folder that a restore writes into: a new or empty one, or that of the same restore which did not finish. What it
// needs for itself lies in `.shoal` there and goes when all is restored:
//
//   .shoal/restore.json    { "format": 1, "shareId", "at": milliseconds or null, "paths": [...] }
//   .shoal/restore/        the index and the feeds
import fs from 'node:fs'
import path from 'node:path'
import { isWithin } from '../../config/checks.js'
import { isBucketPlace } from '../../core/bucket-place.js'
import { ShoalError } from '../../core/error.js'
import type { ShareId } from '../../core/ids.js'
import { OWN_DIR, type RelPath } from '../../core/path.js'
import { ARCHIVE_DIR, prepareOwnDir } from '../../folder/marker.js'
import { realPlace } from '../free-folder.js'
import { lockDirectory, type StorageLock } from '../lock.js'

/** What is being restored: a folder is gone on with for the same alone. */
export interface RestoreTask {
  readonly shareId: ShareId
  readonly atMs: number | undefined
  readonly paths: readonly RelPath[]
}

export interface RestorePlace {
  readonly dir: string
  /** For the index and the feeds. */
  readonly scratch: string
  readonly isResumed: boolean
  /** Nothing is in it but what is ours. */
  readonly isEmpty: boolean
  /** Whether the folder was there before. */
  readonly wasThere: boolean
  readonly lock: StorageLock | undefined
}

const TASK_FILE = `${OWN_DIR}/restore.json`
const SCRATCH_DIR = `${OWN_DIR}/restore`
const FORMAT = 1
/** What the index of a small share takes; of larger ones the disk has to hold far more in any case. */
const INDEX_BYTES = 16 << 20
const MAX_TASK_BYTES = 16 << 20

/** What is restored is readable, and a vault's folder is to hold nothing that is. SHARE_UNUSABLE. */
export function checkApart(from: string, to: string): void {
  if (isBucketPlace(from)) return
  const [vault, target] = [from, to].map((each) => realPlace(path.resolve(each))) as [string, string]
  if (isWithin(target, vault))
    throw new ShoalError(
      'SHARE_UNUSABLE',
      `cannot restore into ${to}: it lies in the vault; name a folder apart from it`,
    )
}

/**
 * Makes the folder ready. EXISTS for one that holds anything but an unfinished restore of the same; SHARE_UNUSABLE for one
 * that cannot be used, or that another process restores into.
 */
export function takePlace(directory: string, task: RestoreTask): RestorePlace {
  const dir = path.resolve(directory)
  const wasThere = makeFolder(dir)
  const text = JSON.stringify({
    format: FORMAT,
    shareId: task.shareId,
    at: task.atMs ?? null,
    paths: task.paths,
  })
  const found = readTask(dir)
  const others = fs.readdirSync(dir).filter((name) => name !== OWN_DIR)
  if (found === undefined && (others.length > 0 || hasOwnFiles(dir)))
    throw new ShoalError(
      'EXISTS',
      `cannot restore into ${dir}: it is not empty; name a folder that is not there yet, and move things afterwards`,
    )
  if (found !== undefined && found.trim() !== text)
    throw new ShoalError(
      'EXISTS',
      `cannot restore into ${dir}: another restore into it is unfinished; repeat that one, or name another folder`,
    )
  refuseForeign(dir)
  prepareOwnDir(dir)
  const lock = lockDirectory(dir)
  const scratch = path.join(dir, SCRATCH_DIR)
  try {
    // Written first: whatever is in the folder afterwards is known for what it is.
    if (found === undefined) {
      // Without a task nothing in it is ours.
      fs.rmSync(scratch, { recursive: true, force: true })
      writeTask(dir, text)
    }
    fs.mkdirSync(scratch, { recursive: true, mode: 0o700 })
    if (!fs.lstatSync(scratch).isDirectory())
      throw new ShoalError(
        'SHARE_UNUSABLE',
        `cannot restore into ${dir}: ${SCRATCH_DIR} in it is no directory`,
      )
  } catch (thrown) {
    lock?.release()
    throw isNoRoom(thrown) ? noRoomIn(dir) : thrown
  }
  return { dir, scratch, isResumed: found !== undefined, isEmpty: others.length === 0, wasThere, lock }
}

/** All is restored: nothing of ours stays, but what was in the way and put aside. Whether there is such. */
export function leavePlace({ dir, scratch, lock }: RestorePlace): boolean {
  fs.rmSync(scratch, { recursive: true, force: true })
  const archive = path.join(dir, ARCHIVE_DIR)
  const hasArchive = fs.existsSync(archive) && fs.readdirSync(archive).length > 0
  if (!hasArchive) fs.rmSync(path.join(dir, OWN_DIR), { recursive: true, force: true })
  else fs.rmSync(path.join(dir, TASK_FILE), { force: true })
  lock?.release()
  return hasArchive
}

/** Nothing was restored, and the command as it was cannot be repeated to any use: the folder is as it was before. */
export function abandonPlace(place: RestorePlace): void {
  leavePlace(place)
  if (!place.wasThere && fs.readdirSync(place.dir).length === 0) fs.rmdirSync(place.dir)
}

/** What is said when the disk of the folder is full. */
export function noRoomIn(dir: string): ShoalError {
  return new ShoalError(
    'IO',
    `cannot go on with ${dir}: there is no room left on the disk; make room and repeat the same command, which keeps what is there`,
  )
}

/** lmdb says it in words alone. */
const NO_ROOM_WORDS = /no space left on device|disk quota exceeded/i

/** Whether something failed because the disk is full; an index says so in its own way. */
export function isNoRoom(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  const { code } = thrown as NodeJS.ErrnoException
  return (
    code === 'ENOSPC' || code === 'EDQUOT' || NO_ROOM_WORDS.test(thrown.message) || isNoRoom(thrown.cause)
  )
}

/** IO if there is too little room for an index, so that it need not be found out in the middle of it. */
export function checkRoom({ dir }: RestorePlace): void {
  const { bavail, bsize } = fs.statfsSync(dir)
  if (bavail * bsize < INDEX_BYTES) throw noRoomIn(dir)
}

/** Whether it was there. */
function makeFolder(dir: string): boolean {
  try {
    const found = fs.lstatSync(dir, { throwIfNoEntry: false })
    // What was readable by few is not to be readable by all: whoever wants that opens it.
    if (found === undefined) fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
    else if (!found.isDirectory())
      throw new ShoalError(
        'SHARE_UNUSABLE',
        `cannot restore into ${dir}: it is ${found.isSymbolicLink() ? 'a symbolic link' : 'no directory'}`,
      )
    return found !== undefined
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause
    throw new ShoalError('SHARE_UNUSABLE', `cannot restore into ${dir}: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/**
 * What lies in a folder of ours is believed: an index, half files, where to write. EXISTS if that of the target is another
 * user's, who could have laid it there for us.
 */
function refuseForeign(dir: string): void {
  const me = process.geteuid?.()
  const found = fs.lstatSync(path.join(dir, OWN_DIR), { throwIfNoEntry: false })
  if (me === undefined || found === undefined || found.uid === me) return
  // On some file systems all belongs to one user, whoever made it.
  const probe = fs.mkdtempSync(path.join(dir, `${OWN_DIR}-`))
  const { uid } = fs.lstatSync(probe)
  fs.rmdirSync(probe)
  if (found.uid === uid) return
  throw new ShoalError(
    'EXISTS',
    `cannot restore into ${dir}: ${OWN_DIR} in it is another user's; name a folder that is not there yet`,
  )
}

/** A folder of ours that a share uses, or used. An empty one is left by a restore that died at once. */
function hasOwnFiles(dir: string): boolean {
  const own = path.join(dir, OWN_DIR)
  const found = fs.lstatSync(own, { throwIfNoEntry: false })
  if (found === undefined) return false
  return !found.isDirectory() || fs.existsSync(path.join(own, 'marker.json'))
}

function readTask(dir: string): string | undefined {
  const file = path.join(dir, TASK_FILE)
  const found = fs.lstatSync(file, { throwIfNoEntry: false })
  if (found === undefined || !found.isFile() || found.size > MAX_TASK_BYTES) return undefined
  return fs.readFileSync(file, 'utf8')
}

function writeTask(dir: string, text: string): void {
  const part = path.join(dir, `${TASK_FILE}.part`)
  // A link that lies there is not written through.
  fs.rmSync(part, { force: true })
  const fd = fs.openSync(part, 'wx', 0o600)
  try {
    fs.writeFileSync(fd, `${text}\n`)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(part, path.join(dir, TASK_FILE))
}
