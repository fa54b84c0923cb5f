// Removes a directory with all that is in it from the staging area, where only what is ours lies.
import fs from 'node:fs'
import { type SafeRoot, setMode } from './safefs.js'

/** Whatever is at the path goes; nothing there is fine. No symlink is followed. */
export function removeTree(root: SafeRoot, path: string): void {
  const stat = root.lstat(path)
  if (stat === undefined) return
  if (stat.type !== 'directory') return root.unlink(path)
  if ((stat.mode & 0o700) !== 0o700) unlock(root, path, stat.mode)
  for (const name of root.readdir(path)) removeTree(root, `${path}/${name.toString()}`)
  root.rmdir(path)
}

function unlock(root: SafeRoot, path: string, mode: number): void {
  const handle = root.handle(path)
  try {
    setMode(handle, mode | 0o700)
  } finally {
    fs.closeSync(handle)
  }
}
