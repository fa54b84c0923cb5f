// Our own folder at a share's root: `.shoal` with marker, staging area and archive. The marker says that this directory
// is the share and that its file system is mounted; a share whose marker is missing, or another's, or on another file
// system than before, halts and announces nothing (A5), since an empty mount point would look like "all deleted".
//
//   .shoal/marker.json    { "format": 1, "shareId": 64 hex digits, "created": ISO 8601 }
//   .shoal/staging/       TOKEN: a file being put together; link-*, dir-*: a symlink or directory about to get its
//                         name; tree-*: a release; held-*: what a commit displaced while it checks it, when nothing is
//                         archived
//   .shoal/archive/       YYYY-MM-DD/path: what was replaced or deleted (archive.ts); recovered/: held-* after a crash
import fs from 'node:fs'
import { ShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import { OWN_DIR } from '../core/path.js'
import { isShortage, shortageWords } from '../core/shortage.js'
import { suffixedName } from './archive-name.js'
import { Dresser } from './dress.js'
import { removeTree } from './remove-tree.js'
import { codeOf, type Fault, faultOf, isUnsupported, PathFault, SafeRoot } from './safefs.js'

export const STAGING_DIR: string = `${OWN_DIR}/staging`
export const ARCHIVE_DIR: string = `${OWN_DIR}/archive`
/** Names in the staging area of what a commit displaced; never simply removed, since it may be a user's last edit. */
export const HELD_PREFIX = 'held-'
/** Names in the staging area of symlinks on their way. */
export const LINK_PREFIX = 'link-'
/** The same of directories. */
export const DIRECTORY_PREFIX = 'dir-'
/** Names in the staging area of releases that are built or removed. */
export const TREE_PREFIX = 'tree-'

const MARKER_FILE = `${OWN_DIR}/marker.json`
const NEW_MARKER_FILE = `${OWN_DIR}/marker.json.new`
const RECOVERED_DIR = `${ARCHIVE_DIR}/recovered`
const OWN_MODE = 0o700
const MARKER_FORMAT = 1
/** Ours has about 140 bytes; anything much longer is not ours and is not read into memory. */
const MAX_MARKER_BYTES = 4096

/** Where a share's root is, to be kept and given back as `known` at the next start. */
export interface RootIdentity {
  readonly dev: number
  readonly ino: number
  /** Inode of the marker file; tells a disk with a new number from a copy on another disk. */
  readonly markerIno: number
}

export type MarkerState =
  /** No marker, and none known: a share that begins here. Its identity has no marker yet (markerIno 0). */
  | { readonly state: 'fresh'; readonly identity: RootIdentity }
  | { readonly state: 'ours'; readonly identity: RootIdentity }
  /** There was a marker once: the file system may not be mounted, or somebody emptied the directory. Halt. */
  | { readonly state: 'missing'; readonly detail: string }
  /** The marker is of another share, or cannot be understood. Halt. */
  | { readonly state: 'foreign'; readonly detail: string }
  /** The same marker on another file system than before: a copy. Halt. */
  | { readonly state: 'elsewhere'; readonly detail: string; readonly identity: RootIdentity }
  /** The root does not exist, is no directory or cannot be opened. Halt. */
  | { readonly state: 'root-gone'; readonly detail: string }
  /** `.shoal` is a symlink or no directory. Halt. */
  | { readonly state: 'own-dir-unsafe'; readonly detail: string }
  /** The system has no means left to look (core/shortage.ts), which says nothing of the root. Look again later. */
  | { readonly state: 'short'; readonly code: string; readonly detail: string }

/** What was found at a root; the facts that judgeMarker decides on. */
export type MarkerFound =
  | { readonly type: 'root-gone'; readonly detail: string }
  | { readonly type: 'own-dir-unsafe'; readonly detail: string }
  | { readonly type: 'short'; readonly code: string }
  | { readonly type: 'absent'; readonly dev: number; readonly ino: number }
  | { readonly type: 'garbled'; readonly detail: string }
  | { readonly type: 'present'; readonly shareId: string; readonly identity: RootIdentity }

/** The decision of A5: a pure function of what was found, whose share it should be and where it was last time. */
export function judgeMarker(
  found: MarkerFound,
  shareId: ShareId,
  known: RootIdentity | undefined,
): MarkerState {
  switch (found.type) {
    case 'root-gone':
    case 'own-dir-unsafe':
      return { state: found.type, detail: found.detail }
    case 'short':
      return { state: 'short', code: found.code, detail: shortageWords(found.code) }
    case 'garbled':
      return { state: 'foreign', detail: found.detail }
    case 'absent':
      if (known !== undefined)
        return { state: 'missing', detail: `there is no ${MARKER_FILE} any more; is the disk mounted?` }
      return { state: 'fresh', identity: { dev: found.dev, ino: found.ino, markerIno: 0 } }
    case 'present': {
      const { identity } = found
      if (found.shareId !== shareId) return { state: 'foreign', detail: `${MARKER_FILE} names another share` }
      if (known !== undefined && !isSameFileSystem(known, identity))
        return { state: 'elsewhere', detail: 'the directory is on another file system than before', identity }
      return { state: 'ours', identity }
    }
  }
}

// A device number may change from boot to boot, so it alone proves nothing; a copy has other inodes. The root of a file
// system has the same inode everywhere, which is why the marker's is compared too.
function isSameFileSystem(known: RootIdentity, now: RootIdentity): boolean {
  return known.dev === now.dev || (known.ino === now.ino && known.markerIno === now.markerIno)
}

/** Looks at a root and decides (A5). Throws nothing for what it finds there. */
export function readMarker(rootPath: string, shareId: ShareId, known: RootIdentity | undefined): MarkerState {
  return judgeMarker(findMarker(rootPath), shareId, known)
}

/** Only looks. */
export function findMarker(rootPath: string): MarkerFound {
  let root: SafeRoot
  try {
    root = new SafeRoot(rootPath)
  } catch (thrown) {
    const { code, detail } = faultOf(thrown)
    if (isShortage(code)) return { type: 'short', code }
    // The reason of a halt, and the first that somebody reads of a disk that is not mounted.
    const said =
      code === 'ENOENT'
        ? 'the folder is not there; is its disk mounted?'
        : `the folder cannot be opened: ${detail}`
    return { type: 'root-gone', detail: said }
  }
  try {
    return findMarkerBelow(root)
  } catch (thrown) {
    const { code, detail } = faultOf(thrown)
    if (isShortage(code)) return { type: 'short', code }
    // A marker that cannot be read (EACCES, EIO) must halt the share, whatever the reason.
    return { type: 'garbled', detail: `${MARKER_FILE} cannot be read: ${detail}` }
  } finally {
    root.close()
  }
}

function findMarkerBelow(root: SafeRoot): MarkerFound {
  const { dev, ino } = root.rootStat()
  const ownDir = root.lstat(OWN_DIR)
  if (ownDir === undefined) return { type: 'absent', dev, ino }
  if (ownDir.type !== 'directory')
    return { type: 'own-dir-unsafe', detail: `${OWN_DIR} is a ${ownDir.type}, not a directory` }
  const marker = root.lstat(MARKER_FILE)
  if (marker === undefined) return { type: 'absent', dev, ino }
  if (marker.type !== 'file' || marker.size > MAX_MARKER_BYTES)
    return { type: 'garbled', detail: `${MARKER_FILE} is not a marker` }
  const fd = root.open(MARKER_FILE)
  try {
    const shareId = shareIdIn(fs.readFileSync(fd, 'utf8'))
    if (shareId === undefined) return { type: 'garbled', detail: `${MARKER_FILE} is not a marker` }
    return { type: 'present', shareId, identity: { dev, ino, markerIno: fs.fstatSync(fd).ino } }
  } finally {
    fs.closeSync(fd)
  }
}

function shareIdIn(text: string): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Not JSON: the caller says so.
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (!('format' in value) || value.format !== MARKER_FORMAT) return undefined
  return 'shareId' in value && typeof value.shareId === 'string' ? value.shareId : undefined
}

/**
 * Makes `.shoal`, staging area and archive, readable by nobody else; under root they are root's, whoever made them. Throws ShoalError SHARE_UNUSABLE if one of them is
 * a symlink, no directory, on another file system than the root (files could not be renamed from it), or cannot be made.
 */
export function prepareOwnDir(rootPath: string): void {
  withRoot(rootPath, (root) => {
    for (const path of [OWN_DIR, STAGING_DIR, ARCHIVE_DIR]) makeOwn(root, path)
    const { dev } = root.rootStat()
    for (const path of [OWN_DIR, STAGING_DIR, ARCHIVE_DIR]) {
      if (root.lstat(path)?.dev === dev) continue
      throw new PathFault('NOT_A_DIRECTORY', `"${path}" is on another file system than the share`)
    }
  })
}

function makeOwn(root: SafeRoot, path: string): void {
  try {
    root.mkdir(path, OWN_MODE)
  } catch (thrown) {
    if (codeOf(thrown) !== 'EEXIST') throw thrown
  }
  const handle = root.directory(path)
  // Without the ACLs that it may have got from above: what is made in it would get them, too. What a user's daemon made
  // here once would let that user read all that passes through it, and exchange it.
  const owner = process.geteuid?.() === 0 ? { uid: 0, gid: process.getegid!() } : {}
  dresser.dress(
    { fd: handle, isHandle: true, isSeen: false },
    { mode: OWN_MODE, dress: { ...owner, attributes: NONE } },
  )
}

const dresser = new Dresser({ acls: true, xattrs: [] })
const NONE = Buffer.alloc(0)

/**
 * Writes the marker, durably; prepareOwnDir must have run. What it returns is to be kept as `known` for the next start.
 * Throws ShoalError SHARE_UNUSABLE.
 */
export function writeMarker(rootPath: string, shareId: ShareId, createdMs: number): RootIdentity {
  return withRoot(rootPath, (root) => {
    const created = new Date(createdMs).toISOString()
    const text = `${JSON.stringify({ format: MARKER_FORMAT, shareId, created })}\n`
    unlinkIfThere(root, NEW_MARKER_FILE)
    const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants
    const fd = root.open(NEW_MARKER_FILE, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    let markerIno: number
    try {
      fs.writeFileSync(fd, text)
      fs.fsyncSync(fd)
      markerIno = fs.fstatSync(fd).ino
    } finally {
      fs.closeSync(fd)
    }
    root.rename(NEW_MARKER_FILE, MARKER_FILE)
    for (const directory of [OWN_DIR, '']) syncDirectory(root, directory)
    const { dev, ino } = root.rootStat()
    return { dev, ino, markerIno }
  })
}

/** The staging area's path for a token. Throws PathFault BAD_PATH if it is not 32 lower-case hex digits. */
export function stagedPath(token: string): string {
  if (!/^[0-9a-f]{32}$/.test(token)) throw new PathFault('BAD_PATH', 'token is not 32 hex digits')
  return `${STAGING_DIR}/${token}`
}

export interface StagingCleaning {
  readonly root: string
  /** Staged files that are still wanted. */
  readonly keepTokens: readonly string[]
}

export interface StagingCleaned {
  readonly removed: number
  /** What a crashed commit had displaced and not yet checked, now in the archive; paths relative to it. */
  readonly recovered: readonly string[]
  /** What could not be done; the rest was. */
  readonly faults: readonly Fault[]
}

/**
 * Empties the staging area but for the tokens to keep (A4). For the start: before anything is staged or committed, and
 * before the first scan, since a leftover may be a second name of a file in the tree, whose ctime its removal changes.
 */
export function cleanStaging(cleaning: StagingCleaning): StagingCleaned {
  const keep = new Set(cleaning.keepTokens)
  const recovered: string[] = []
  const faults: Fault[] = []
  let removed = 0
  withRoot(cleaning.root, (root) => {
    for (const bytes of root.readdir(STAGING_DIR)) {
      const name = bytes.toString()
      if (keep.has(name)) continue
      try {
        if (name.startsWith(HELD_PREFIX) && isWorthKeeping(root, name)) recovered.push(recover(root, name))
        else if (name.startsWith(DIRECTORY_PREFIX)) root.rmdir(`${STAGING_DIR}/${name}`)
        else if (name.startsWith(TREE_PREFIX)) removeTree(root, `${STAGING_DIR}/${name}`)
        else root.unlink(`${STAGING_DIR}/${name}`)
        removed++
      } catch (thrown) {
        faults.push(faultOf(thrown))
      }
    }
    if (recovered.length > 0)
      for (const directory of [ARCHIVE_DIR, RECOVERED_DIR]) syncDirectory(root, directory)
  })
  return { removed, recovered, faults }
}

/** An empty file is what a commit reserves the name with. */
function isWorthKeeping(root: SafeRoot, name: string): boolean {
  const stat = root.lstat(`${STAGING_DIR}/${name}`)
  return stat !== undefined && !(stat.type === 'file' && stat.size === 0)
}

function recover(root: SafeRoot, name: string): string {
  makeOwn(root, RECOVERED_DIR)
  for (let count = 1; ; count++) {
    const target = `${RECOVERED_DIR}/${suffixedName(name, count)}`
    if (root.lstat(target) !== undefined) continue
    root.rename(`${STAGING_DIR}/${name}`, target)
    return target.slice(ARCHIVE_DIR.length + 1)
  }
}

function withRoot<T>(rootPath: string, body: (root: SafeRoot) => T): T {
  let root: SafeRoot | undefined
  try {
    root = new SafeRoot(rootPath)
    return body(root)
  } catch (cause) {
    const { code, detail } = faultOf(cause)
    throw new ShoalError('SHARE_UNUSABLE', `cannot use the folder of the share: ${detail}`, {
      cause,
      details: { code },
    })
  } finally {
    root?.close()
  }
}

function unlinkIfThere(root: SafeRoot, path: string): void {
  try {
    root.unlink(path)
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown
  }
}

function syncDirectory(root: SafeRoot, path: string): void {
  const fd = root.openDirectory(path)
  try {
    fs.fsyncSync(fd)
  } catch (thrown) {
    // Some network file systems have nothing to do for a directory.
    if (!isUnsupported(thrown)) throw thrown
  } finally {
    fs.closeSync(fd)
  }
}
