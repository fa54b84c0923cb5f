// Storage path and folders of a configuration: whether they can be used, what their file systems can do, and what earlier
// runs left in them. Pure: facts in, findings out.
import { shellWord } from '../../core/shell-word.js'
import { type Finding, fail, ok, warn } from '../finding.js'
import { bytesText, countText, timeText } from '../sizes.js'

/** A folder as the daemon's user sees it. */
export interface FolderFacts {
  readonly path: string
  readonly state: 'there' | 'missing' | 'no-folder' | 'unreachable'
  readonly mayRead: boolean
  readonly mayWrite: boolean
}

export interface StorageFacts {
  readonly folder: FolderFacts
  /** Files in it that only the daemon may read and others can: names with their modes. */
  readonly exposed: readonly { readonly path: string; readonly mode: number }[]
  /** Half-written files that a crash left, older than an hour. */
  readonly halfWritten: readonly string[]
}

export function checkStorageFolder({ folder, exposed, halfWritten }: StorageFacts): Finding[] {
  const { path } = folder
  const findings: Finding[] = []
  if (folder.state === 'missing') return [ok('storage', `${path} is not there yet; the first run makes it`)]
  const fault = faultOf(folder)
  if (fault !== undefined)
    findings.push(
      fail('storage', `storage_path ${path} ${fault}`, 'give it to the user that the daemon runs as'),
    )
  for (const { path: file, mode } of exposed)
    findings.push(
      fail(
        'storage',
        `${file} can be used by other users (mode ${mode.toString(8).padStart(4, '0')})`,
        `chmod ${mode & 0o100 ? '700' : '600'} ${shellWord(file)}`,
      ),
    )
  if (halfWritten.length > 0)
    findings.push(
      warn(
        'leftovers',
        `${countText(halfWritten.length, 'half-written file')} in ${path}`,
        `harmless; while the daemon does not run: rm ${halfWritten.slice(0, 5).map(shellWord).join(' ')}`,
      ),
    )
  return findings.some(({ check }) => check === 'storage')
    ? findings
    : [ok('storage', `${path} is its user's alone`), ...findings]
}

export interface ShareFacts {
  readonly folder: FolderFacts
  readonly grade: 'write' | 'read' | 'blind'
  /** By the marker in it (A5): 'none' is a share that begins here. */
  readonly marker: { readonly state: 'ours' | 'none' } | { readonly state: 'wrong'; readonly detail: string }
  readonly leftovers: LeftoverFacts
}

/** What lies in the staging area and in what a crash had displaced. */
export interface LeftoverFacts {
  /** Files being put together. */
  readonly staged: number
  readonly stagedBytes: number
  /** How long the oldest was not touched; undefined: none is there. */
  readonly oldestMs: number | undefined
  /** What a commit had displaced when it was killed. */
  readonly held: number
  /** What was put aside of that at a later start; path of the folder. */
  readonly recovered: number
  readonly recoveredPath: string
}

/** What a download without a peer may take. */
const OLD_MS = 7 * 86_400_000

/** `hasRun`: the storage is of a daemon that ran, so that a folder without a marker may be a disk that is not mounted. */
export function checkShareFolder(
  { folder, marker, grade }: ShareFacts,
  isRunning: boolean,
  hasRun = false,
): Finding[] {
  const { path, state } = folder
  const lost = 'of a new share, nothing: the next run makes it; else, is its disk mounted?'
  if (state === 'missing') {
    if (marker.state === 'none' && !isRunning && hasRun) return [warn('folder', `${path} is not there`, lost)]
    if (marker.state === 'none' && !isRunning)
      return [ok('folder', `${path} is not there yet; the first run makes it`)]
    return [
      fail(
        'folder',
        `${path} is not there`,
        'is its disk mounted? else make it again, then: shoal approve CONFIG',
      ),
    ]
  }
  const fault = faultOf(folder)
  if (fault !== undefined) {
    const todo = 'give the user that the daemon runs as the right to read and write it'
    return [fail('folder', `${path} ${fault}`, todo)]
  }
  if (marker.state === 'wrong')
    return [
      fail(
        'folder',
        `${path}: ${marker.detail}`,
        'see that the right disk is mounted there and the right folder is named; then: shoal approve CONFIG',
      ),
    ]
  if (marker.state === 'none' && hasRun) return [warn('folder', `${path} has no marker of its share`, lost)]
  const begun = marker.state === 'ours' ? 'has the marker of its share' : 'begins a share'
  return [ok('folder', `${path} can be read and written (${grade}), ${begun}`)]
}

export function checkLeftovers({ folder, leftovers }: ShareFacts, isRunning: boolean): Finding[] {
  const { staged, stagedBytes, oldestMs, held, recovered, recoveredPath } = leftovers
  const findings: Finding[] = []
  const amount = `${countText(staged, 'file')} being put together (${bytesText(stagedBytes)})`
  if (staged > 0 && isRunning && oldestMs !== undefined && oldestMs > OLD_MS)
    findings.push(
      warn(
        'leftovers',
        `${folder.path}: ${amount}, the oldest not touched for ${timeText(oldestMs)}`,
        'nobody who is met has the rest, or the daemon has forgotten them: restart it, which clears up',
      ),
    )
  else if (staged > 0)
    findings.push(
      ok('leftovers', `${folder.path}: ${amount}${isRunning ? '' : '; the next run goes on with them'}`),
    )
  if (held > 0)
    findings.push(
      isRunning
        ? ok('leftovers', `${folder.path}: ${countText(held, 'file')} just being replaced`)
        : warn(
            'leftovers',
            `${folder.path}: ${countText(held, 'file')} displaced by a run that was killed`,
            'start the daemon: it puts them into the archive, below recovered',
          ),
    )
  if (recovered > 0)
    findings.push(
      warn(
        'leftovers',
        `${countText(recovered, 'file')} in ${recoveredPath}, displaced by a run that was killed`,
        'look whether there is an edit among them that is missed, then remove them',
      ),
    )
  return findings
}

function faultOf({ state, mayRead, mayWrite }: FolderFacts): string | undefined {
  if (state === 'no-folder') return 'is no folder'
  if (state === 'unreachable') return 'cannot be looked at'
  if (!mayRead) return 'cannot be read'
  if (!mayWrite) return 'cannot be written'
  return undefined
}

/** What the file system of a folder can do; undefined: it could not be tried. */
export interface FileSystemFacts {
  readonly path: string
  /** "ext4"; undefined: not told. */
  readonly type: string | undefined
  readonly isReadOnly: boolean
  /** renameat2(2) with RENAME_NOREPLACE. */
  readonly freeRename: boolean | undefined
  readonly hardLinks: boolean | undefined
  /** Whether names that differ in case only are two names. */
  readonly tellsCase: boolean | undefined
  readonly xattrs: boolean | undefined
  readonly acls: boolean | undefined
  /** What of these the configuration asks for. */
  readonly wantsAcls: boolean
  readonly wantsXattrs: boolean
}

/** Changes made by other machines cause no events. */
const NETWORK_TYPES = /^(nfs|cifs|smb|9p|fuse\.sshfs|ceph|glusterfs|afs|ncpfs)/

export function checkFileSystem(facts: FileSystemFacts): Finding[] {
  const { path, type = 'unknown file system', isReadOnly } = facts
  if (isReadOnly)
    return [
      fail('file-system', `${path} is on a disk that is mounted read-only (${type})`, 'mount -o remount,rw'),
    ]
  const findings: Finding[] = []
  const lacks = (text: string, todo: string): void => {
    findings.push(warn('file-system', `${path} (${type}) ${text}`, todo))
  }
  if (NETWORK_TYPES.test(type))
    lacks(
      'is a network file system: changes that other machines make there are only seen by rescans',
      'run the daemon on the machine that has the disk, or set folder_rescan_interval',
    )
  if (facts.freeRename === false)
    lacks(
      'has no RENAME_NOREPLACE: a moved file has both names for an instant',
      'nothing, or use another file system',
    )
  if (facts.hardLinks === false)
    lacks(
      'has no hard links: those of the share become files of their own',
      'nothing, or use another file system',
    )
  if (facts.tellsCase === false)
    lacks(
      'does not tell A from a: of names that differ in case only, one is a problem',
      'use another file system',
    )
  if (facts.wantsAcls && facts.acls === false)
    lacks('has no ACLs: they are passed on, not kept here', 'mount it with acl, or set "acls": false')
  if (facts.wantsXattrs && facts.xattrs === false)
    lacks(
      'has no extended attributes of user.: they are passed on, not kept here',
      'mount it with user_xattr, or set "xattrs": []',
    )
  if (findings.length > 0) return findings
  const tried = facts.freeRename === undefined ? ', not tried before the first run' : ''
  return [ok('file-system', `${path} (${type}) can do all that is asked of it${tried}`)]
}

export interface SpaceFacts {
  readonly path: string
  /** For who is not root. */
  readonly freeBytes: number
  readonly totalBytes: number
  /** Files that can still be made; undefined: there is no such limit. */
  readonly freeFiles: number | undefined
  readonly totalFiles: number | undefined
  /** Bytes that are still to come here, of all shares on this disk; undefined: not known. */
  readonly needBytes: number | undefined
  /** Bytes that the vaults on this disk leave free, so that compaction can work: nothing is stored in them. */
  readonly reserveBytes: number
}

/** Below that, databases and logs fail within minutes. */
const NO_SPACE = 64 << 20
const LITTLE_SPACE = 1 << 30
const LITTLE_SHARE = 0.03

export function checkSpace({
  path,
  freeBytes,
  totalBytes,
  freeFiles,
  totalFiles,
  needBytes = 0,
  reserveBytes,
}: SpaceFacts): Finding[] {
  const reserve =
    reserveBytes === 0 ? '' : `, of which vaults leave ${bytesText(reserveBytes)} free for compaction`
  const free = `${bytesText(freeBytes)} of ${bytesText(totalBytes)} free${reserve}`
  const todo = 'make room: the archive (.shoal/archive) may hold much, see sync_trash_ttl'
  if (freeBytes < NO_SPACE) return [fail('disk-space', `${path}: ${free}`, todo)]
  if (reserveBytes > freeBytes)
    return [fail('disk-space', `${path}: ${free}`, 'make room: till then nothing is stored in these vaults')]
  if (needBytes + reserveBytes > freeBytes)
    return [fail('disk-space', `${path}: ${free}, and ${bytesText(needBytes)} still to come`, todo)]
  if (freeFiles !== undefined && totalFiles !== undefined && totalFiles > 0 && freeFiles < 1000)
    return [
      fail(
        'disk-space',
        `${path}: room for ${countText(freeFiles, 'more file')} (inodes)`,
        'remove files, or make a file system with more inodes',
      ),
    ]
  if (freeBytes < LITTLE_SPACE || freeBytes < totalBytes * LITTLE_SHARE)
    return [warn('disk-space', `${path}: ${free}`, todo)]
  return [
    ok('disk-space', `${path}: ${free}${needBytes > 0 ? `, ${bytesText(needBytes)} still to come` : ''}`),
  ]
}
