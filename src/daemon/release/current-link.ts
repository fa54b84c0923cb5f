// `current`, the symlink that shows a release: what it is now, and how it is changed. Promises: there is one at every moment
// once there was one; what is not such a link of ours is never replaced; when switchLink resolves, the change is durable.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { CURRENT_LINK, type Current, currentTarget, releaseOfTarget } from '../../core/release.js'
import type { RootIdentity } from '../../folder/marker.js'
import { LINK_PREFIX, STAGING_DIR } from '../../folder/marker.js'
import { codeOf, isUnsupported, SafeRoot } from '../../folder/safefs.js'

/** What `current` is. Throws what the disk says. */
export function readCurrent(rootPath: string): Current {
  const root = new SafeRoot(rootPath)
  try {
    return currentAt(root, CURRENT_LINK)
  } finally {
    root.close()
  }
}

/**
 * Makes `current` show a release, in one step. False if something else has come to have the name, which is then as it was.
 * Throws what the disk says.
 */
export async function switchLink(
  rootPath: string,
  identity: RootIdentity | undefined,
  name: string,
): Promise<boolean> {
  const root = new SafeRoot(rootPath)
  try {
    const { ino, dev } = root.rootStat()
    if (identity !== undefined && (identity.ino !== ino || identity.dev !== dev)) return false
    const at = `${STAGING_DIR}/${LINK_PREFIX}${randomBytes(8).toString('hex')}`
    root.symlink(currentTarget(name), at)
    try {
      if (!put(root, at)) return false
    } finally {
      if (root.lstat(at) !== undefined) root.unlink(at)
    }
    await syncDirectory(root)
    return true
  } finally {
    root.close()
  }
}

function put(root: SafeRoot, at: string): boolean {
  const before = currentAt(root, CURRENT_LINK)
  if (before.type === 'taken') return false
  try {
    // Neither way can replace what came to have the name since we looked.
    if (before.type === 'none') root.link(at, CURRENT_LINK)
    else root.exchange(at, CURRENT_LINK)
  } catch (thrown) {
    const code = codeOf(thrown)
    if (code === 'EEXIST' || code === 'ENOENT') return false
    if (!isUnsupported(thrown)) throw thrown
    root.rename(at, CURRENT_LINK)
    return true
  }
  if (before.type === 'none' || currentAt(root, at).type === 'release') return true
  root.exchange(at, CURRENT_LINK)
  return false
}

function currentAt(root: SafeRoot, path: string): Current {
  const stat = root.lstat(path)
  if (stat === undefined) return { type: 'none' }
  if (stat.type === 'directory') return { type: 'taken', what: 'a folder' }
  if (stat.type !== 'symlink') return { type: 'taken', what: 'a file' }
  const name = releaseOfTarget(root.readlink(path).toString())
  return name === undefined
    ? { type: 'taken', what: 'a link to something that is no release' }
    : { type: 'release', name }
}

async function syncDirectory(root: SafeRoot): Promise<void> {
  const fd = root.openDirectory('')
  try {
    await new Promise<void>((resolve, reject) => {
      fs.fsync(fd, (error) => {
        // Some file systems have nothing to do for a directory and say so.
        if (error === null || error.code === 'EINVAL' || error.code === 'ENOTSUP') resolve()
        else reject(error)
      })
    })
  } finally {
    fs.closeSync(fd)
  }
}
