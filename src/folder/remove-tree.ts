// Removes a directory with all that is in it from the staging area, where only what is ours lies.
import fs from 'node:fs'
import { type DiskStat, sameStat, statOf } from '../core/stat.js'
import { type SafeRoot, setMode } from './safefs.js'

/**
 * Whatever is at the path goes; nothing there is fine. No symlink is followed. `onLeft` gets the stat, as it is afterwards,
 * of each file that has other names still: they show another number of links, and another ctime.
 */
export function removeTree(
  root: SafeRoot,
  path: string,
  onLeft: (stat: DiskStat) => void = () => undefined,
): void {
  const stat = root.lstat(path)
  if (stat === undefined) return
  if (stat.type !== 'directory') return removeFile(root, path, stat, onLeft)
  if ((stat.mode & 0o700) !== 0o700) unlock(root, path, stat.mode)
  for (const name of root.readdir(path)) removeTree(root, `${path}/${name.toString()}`, onLeft)
  root.rmdir(path)
}

function removeFile(root: SafeRoot, path: string, stat: DiskStat, onLeft: (stat: DiskStat) => void): void {
  if (stat.type !== 'file' || stat.nlink === 1) return root.unlink(path)
  const handle = root.handle(path)
  try {
    const before = statOf(fs.fstatSync(handle))
    root.unlink(path)
    const now = statOf(fs.fstatSync(handle))
    // A write that came meanwhile must not pass for ours.
    if (now.nlink > 0 && sameStat({ ...before, ctimeMs: now.ctimeMs }, now)) onLeft(now)
  } finally {
    fs.closeSync(handle)
  }
}

function unlock(root: SafeRoot, path: string, mode: number): void {
  const handle = root.handle(path)
  try {
    setMode(handle, mode | 0o700)
  } finally {
    fs.closeSync(handle)
  }
}
