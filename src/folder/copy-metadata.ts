// What belongs to a file or directory besides its content, from one to a copy of it on the same disk: owner, ACLs, extended
// attributes, mode and time, as far as this daemon may set them. What it may not is this daemon's own, as with everything
// that it writes.
import fs from 'node:fs'
import { getAttrSync, listAttrsSync, setAttrSync } from 'fs-native-extensions'
import { ACL_ACCESS, ACL_DEFAULT } from '../core/raw-attributes.js'
import { type DiskStat, statOf } from '../core/stat.js'
import { codeOf, setMode, setTimes } from './safefs.js'
import { utimesTime } from './utimes.js'

const { O_RDONLY, O_NONBLOCK } = fs.constants
/** Not on this file system, not for us, or no room for more. */
const CANNOT: ReadonlySet<string> = new Set([
  ...['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM', 'EACCES', 'E2BIG', 'ENOSPC', 'EDQUOT'],
])

/**
 * `from` is a handle of the original, a readable one or of O_PATH, `to` one of the copy; neither of a symlink. Its stat is
 * that of `like`, but for the time.
 */
export function copyMetadata(from: number, to: number, like: DiskStat, mtimeUs: number): void {
  const now = statOf(fs.fstatSync(to))
  if (now.uid !== like.uid || now.gid !== like.gid)
    tolerating(() => fs.chownSync(`/proc/self/fd/${to}`, like.uid, like.gid))
  tolerating(() => copyAttributes(from, to))
  // After the owner and the ACL, which change it.
  setMode(to, like.mode)
  setTimes(to, utimesTime(mtimeUs))
}

function copyAttributes(from: number, to: number): void {
  const source = readable(from)
  try {
    const names = listAttrsSync(source).filter(
      (name) => name.startsWith('user.') || name === ACL_ACCESS || name === ACL_DEFAULT,
    )
    if (names.length === 0) return
    const target = readable(to)
    try {
      for (const name of names) {
        const value = getAttrSync(source, name)
        if (value !== null) tolerating(() => setAttrSync(target, name, value))
      }
    } finally {
      fs.closeSync(target)
    }
  } finally {
    fs.closeSync(source)
  }
}

/** O_PATH descriptors know no attributes. */
function readable(handle: number): number {
  return fs.openSync(`/proc/self/fd/${handle}`, O_RDONLY | O_NONBLOCK)
}

function tolerating(body: () => void): void {
  try {
    body()
  } catch (thrown) {
    if (!CANNOT.has(codeOf(thrown))) throw thrown
  }
}
