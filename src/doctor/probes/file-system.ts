// What the file system of a shared folder can do. Promises: nothing that is synced is touched. What is only known by trying is
// tried in an empty folder in the share's own staging area, under a name that the next start clears away should this be
// killed; never through a link, and only where that area is this user's, since who could exchange it could have root write
// elsewhere.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { OWN_DIR } from '../../core/path.js'
import { supportedScope } from '../../folder/attributes.js'
import { STAGING_DIR, TREE_PREFIX } from '../../folder/marker.js'
import { SafeRoot } from '../../folder/safefs.js'
import type { FileSystemFacts } from '../checks/folders.js'
import { mountOf } from './kernel.js'

type Tried = Pick<FileSystemFacts, 'freeRename' | 'hardLinks' | 'tellsCase'>

const UNTRIED: Tried = { freeRename: undefined, hardLinks: undefined, tellsCase: undefined }
const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants

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

function tried(dir: string): Tried {
  let root: SafeRoot
  try {
    root = new SafeRoot(dir)
  } catch {
    // Not there, or not to be opened, which the check of the folder says.
    return UNTRIED
  }
  try {
    return isOwn(root, OWN_DIR) && isOwn(root, STAGING_DIR) ? tryIn(root) : UNTRIED
  } catch {
    // A share that has not begun, a link, a full or read-only disk, or cleared away by a daemon that starts.
    return UNTRIED
  } finally {
    root.close()
  }
}

function tryIn(root: SafeRoot): Tried {
  const own = `${STAGING_DIR}/${TREE_PREFIX}doctor-${randomBytes(8).toString('hex')}`
  root.mkdir(own, 0o700)
  try {
    fs.closeSync(root.open(`${own}/a`, O_WRONLY | O_CREAT | O_EXCL))
    const tellsCase = root.lstat(`${own}/A`) === undefined
    const hardLinks = succeeds(() => root.link(`${own}/a`, `${own}/c`))
    const freeRename = succeeds(() => root.renameToFree(`${own}/a`, `${own}/b`))
    return { tellsCase, hardLinks, freeRename }
  } finally {
    for (const name of ['a', 'b', 'c']) succeeds(() => root.unlink(`${own}/${name}`))
    root.rmdir(own)
  }
}

function isOwn(root: SafeRoot, path: string): boolean {
  return fs.fstatSync(root.directory(path)).uid === process.geteuid?.()
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

function succeeds(step: () => void): boolean {
  try {
    step()
    return true
  } catch {
    return false
  }
}
