// File systems mounted for a test: ramfs, which has no ACLs and no extended attributes, and tmpfs, which has large ones.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IS_ROOT } from './privileges.js'

export interface Mounted {
  readonly directory: string
  /** Unmounts and removes it. */
  remove(): void
}

/** A directory of its own, or the reason why there can be none here. */
export function mounted(type: 'ramfs' | 'tmpfs'): Mounted | string {
  if (!IS_ROOT) return 'mounting needs root'
  const directory = fs.mkdtempSync(join(tmpdir(), `shoal-${type}-`))
  const { status, stderr, error } = spawnSync('mount', ['-t', type, type, directory], { encoding: 'utf8' })
  if (status !== 0) {
    fs.rmdirSync(directory)
    return `no ${type} can be mounted here: ${error?.message ?? stderr.trim()}`
  }
  return {
    directory,
    remove: () => {
      spawnSync('umount', [directory])
      fs.rmdirSync(directory)
    },
  }
}
