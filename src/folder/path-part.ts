// One part of a path below a root: opened without following a symlink (A1), and told which mount it lies on (A5, A7).
import fs from 'node:fs'
import { isShortage } from '../core/shortage.js'
import { codeOf, PathFault } from './fault.js'

/** O_PATH of Linux on every processor that node runs on; node:fs does not name it. */
export const O_PATH = 0o10000000
const DIRECTORY_FLAGS = O_PATH | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW

/** Which mount a directory is reached through: a bind mount has the device of what it shows. Undefined if not told. */
export function mountOf(fd: number): string | undefined {
  try {
    return /^mnt_id:\s*(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  } catch (thrown) {
    if (isShortage(codeOf(thrown))) throw thrown
    // No such file in this /proc: the device has to do.
    return undefined
  }
}

/** An O_PATH descriptor of a directory by its name in `parent`, a path. `path`: what it is called in faults. Throws PathFault. */
export function openPart(parent: string, name: string, path: string): number {
  try {
    return fs.openSync(`${parent}/${name}`, DIRECTORY_FLAGS)
  } catch (thrown) {
    const code = codeOf(thrown)
    if (code === 'ENOENT') throw new PathFault('PARENT_MISSING', `"${path}" does not exist`)
    if (code !== 'ENOTDIR' && code !== 'ELOOP') throw thrown
    const stats = fs.lstatSync(`${parent}/${name}`, { throwIfNoEntry: false })
    if (stats?.isSymbolicLink()) throw new PathFault('SYMLINK_IN_PATH', `"${path}" is a symlink`)
    throw new PathFault('NOT_A_DIRECTORY', `"${path}" is not a directory`)
  }
}
