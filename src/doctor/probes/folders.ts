// Looks at storage and shared folders with the rights of this process. Changes nothing.
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { ARCHIVE_DIR, HELD_PREFIX, STAGING_DIR } from '../../folder/marker.js'
import type { FolderFacts, LeftoverFacts, SpaceFacts, StorageFacts } from '../checks/folders.js'

const HOUR_MS = 3_600_000
/** As mkdtemp makes them: where others may put names of their choice, no other is ours. */
const PREVIEW = /^shoal-preview-[0-9A-Za-z]{6}$/
/** What of the storage holds keys, or lets others in. */
const PRIVATE_FILES = ['identity.json', 'shoal.sock', 'lock'] as const

export function folderFacts(path: string): FolderFacts {
  const none = { path, mayRead: false, mayWrite: false }
  try {
    if (!fs.statSync(path).isDirectory()) return { ...none, state: 'no-folder' }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    return {
      ...none,
      state: code === 'ENOENT' ? 'missing' : code === 'ENOTDIR' ? 'no-folder' : 'unreachable',
    }
  }
  const { R_OK, W_OK, X_OK } = fs.constants
  return { path, state: 'there', mayRead: may(path, R_OK | X_OK), mayWrite: may(path, W_OK | X_OK) }
}

export function storageFacts(path: string, nowMs: number): StorageFacts {
  const folder = folderFacts(path)
  if (folder.state !== 'there' || !folder.mayRead) return { folder, exposed: [], halfWritten: [] }
  const exposed = ['', ...PRIVATE_FILES].flatMap((name) => {
    const file = name === '' ? path : join(path, name)
    const stat = fs.statSync(file, { throwIfNoEntry: false })
    return stat !== undefined && (stat.mode & 0o077) !== 0 ? [{ path: file, mode: stat.mode & 0o7777 }] : []
  })
  const halfWritten = fs.readdirSync(path).flatMap((name) => {
    const file = join(path, name)
    const stat = fs.lstatSync(file, { throwIfNoEntry: false })
    return name.endsWith('.new') && stat !== undefined && nowMs - stat.mtimeMs > HOUR_MS ? [file] : []
  })
  return { folder, exposed, halfWritten }
}

export function leftoverFacts(dir: string, nowMs: number): LeftoverFacts {
  const recoveredPath = join(dir, ARCHIVE_DIR, 'recovered')
  const staging = join(dir, STAGING_DIR)
  const facts = { staged: 0, stagedBytes: 0, held: 0 }
  let oldestAtMs = Number.POSITIVE_INFINITY
  for (const name of namesIn(staging)) {
    const stat = fs.lstatSync(join(staging, name), { throwIfNoEntry: false })
    if (stat === undefined) continue
    if (name.startsWith(HELD_PREFIX)) {
      if (stat.size > 0 || !stat.isFile()) facts.held++
      continue
    }
    facts.staged++
    facts.stagedBytes += stat.isFile() ? stat.size : 0
    oldestAtMs = Math.min(oldestAtMs, stat.mtimeMs)
  }
  const oldestMs = facts.staged === 0 ? undefined : Math.max(0, nowMs - oldestAtMs)
  return { ...facts, oldestMs, recovered: namesIn(recoveredPath).length, recoveredPath }
}

/** Of the disk that a path, or the nearest folder above it, lies on. `device` tells one disk from another. */
export function spaceFacts(
  path: string,
): (Omit<SpaceFacts, 'needBytes' | 'reserveBytes'> & { readonly device: number }) | undefined {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { bsize, bavail, blocks, ffree, files } = fs.statfsSync(at)
      const counted =
        files > 0 ? { freeFiles: ffree, totalFiles: files } : { freeFiles: undefined, totalFiles: undefined }
      return {
        path,
        freeBytes: bavail * bsize,
        totalBytes: blocks * bsize,
        ...counted,
        device: fs.statSync(at).dev,
      }
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException
      if (code !== 'ENOENT' || at === dirname(at)) return undefined
    }
  }
}

/** Directories below some folders, at most so many; what cannot be read is left out, and so is our own. */
export async function countDirectories(
  folders: readonly string[],
  most: number,
  onCounted: (count: number) => void,
): Promise<{ readonly directories: number; readonly isMore: boolean }> {
  let directories = 0
  const todo = [...folders]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const names = await fs.promises.readdir(next, { withFileTypes: true }).catch(() => undefined)
    if (names === undefined) continue
    directories++
    if (directories % 1000 === 0) onCounted(directories)
    if (directories >= most) return { directories, isMore: true }
    for (const entry of names)
      if (entry.isDirectory() && entry.name !== '.shoal') todo.push(join(next, entry.name))
  }
  return { directories, isMore: false }
}

/** Folders of previews that were killed; those of other users are not ours to remove. */
export function oldPreviews(temporary: string, uid: number, nowMs: number): readonly string[] {
  return namesIn(temporary).flatMap((name) => {
    if (!PREVIEW.test(name)) return []
    const path = join(temporary, name)
    const stat = fs.lstatSync(path, { throwIfNoEntry: false })
    const isOld = stat?.isDirectory() === true && nowMs - stat.mtimeMs > 24 * HOUR_MS
    return isOld && (uid === 0 || stat.uid === uid) ? [path] : []
  })
}

function succeeds(step: () => void): boolean {
  try {
    step()
    return true
  } catch {
    return false
  }
}

function may(path: string, mode: number): boolean {
  return succeeds(() => fs.accessSync(path, mode))
}

function namesIn(folder: string): readonly string[] {
  try {
    return fs.readdirSync(folder)
  } catch {
    // Not there, or not ours.
    return []
  }
}
