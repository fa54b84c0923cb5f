// Looks at storage and shared folders with the rights of this process. Promises: nothing that is synced is touched. What a
// file system can do is tried in a folder of our own in the share's staging area, under a name that the next start clears
// away should this be killed.
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { supportedScope } from '../../folder/attributes.js'
import { renameToFree } from '../../folder/free-rename.js'
import { ARCHIVE_DIR, HELD_PREFIX, STAGING_DIR, TREE_PREFIX } from '../../folder/marker.js'
import type {
  FileSystemFacts,
  FolderFacts,
  LeftoverFacts,
  SpaceFacts,
  StorageFacts,
} from '../checks/folders.js'
import { mountOf } from './kernel.js'

const HOUR_MS = 3_600_000
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

export function fileSystemFacts(
  dir: string,
  wants: { readonly acls: boolean; readonly xattrs: boolean },
): FileSystemFacts {
  const mount = mountOf(dir)
  return {
    path: dir,
    type: mount?.type,
    isReadOnly: mount?.isReadOnly ?? false,
    ...tried(dir),
    ...attributesOf(dir),
    wantsAcls: wants.acls,
    wantsXattrs: wants.xattrs,
  }
}

/** Of the disk that a path, or the nearest folder above it, lies on. `device` tells one disk from another. */
export function spaceFacts(
  path: string,
): (Omit<SpaceFacts, 'needBytes'> & { readonly device: number }) | undefined {
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
    if (!name.startsWith('shoal-preview-')) return []
    const path = join(temporary, name)
    const stat = fs.lstatSync(path, { throwIfNoEntry: false })
    const isOld = stat !== undefined && nowMs - stat.mtimeMs > 24 * HOUR_MS
    return isOld && (uid === 0 || stat.uid === uid) ? [path] : []
  })
}

type Tried = Pick<FileSystemFacts, 'freeRename' | 'hardLinks' | 'tellsCase'>

const UNTRIED: Tried = { freeRename: undefined, hardLinks: undefined, tellsCase: undefined }

function tried(dir: string): Tried {
  const staging = join(dir, STAGING_DIR)
  // Somebody else's, or a link: whatever is made there could land anywhere.
  if (!isOwn(join(dir, '.shoal')) || !isOwn(staging)) return UNTRIED
  let own: string | undefined
  try {
    own = fs.mkdtempSync(join(staging, `${TREE_PREFIX}doctor-`))
    const at = (name: string): string => join(own!, name)
    fs.writeFileSync(at('a'), '')
    const tellsCase = fs.lstatSync(at('A'), { throwIfNoEntry: false }) === undefined
    return {
      tellsCase,
      hardLinks: succeeds(() => fs.linkSync(at('a'), at('link'))),
      freeRename: succeeds(() => renameToFree(at('a'), at('b'))),
    }
  } catch {
    // A full or read-only disk, or cleared away by a daemon that starts: other checks say what is wrong.
    return UNTRIED
  } finally {
    if (own !== undefined) fs.rmSync(own, { recursive: true, force: true })
  }
}

function attributesOf(dir: string): Pick<FileSystemFacts, 'xattrs' | 'acls'> {
  try {
    const { acls, xattrs } = supportedScope(dir, { acls: true, xattrs: ['user.*'] })
    return { acls, xattrs: xattrs.length > 0 }
  } catch {
    // Not to be opened, which the check of the folder says.
    return { acls: undefined, xattrs: undefined }
  }
}

function isOwn(path: string): boolean {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  return stat?.isDirectory() === true && stat.uid === process.geteuid?.()
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
