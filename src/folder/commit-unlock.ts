// A share may say that a directory is not writable (mode 0555) and yet have news inside it. Who is not root then gets
// EACCES, and lends itself the permission for one step: the directories above the path that are ours and lack it get
// u+rwx, the step is done again, and they get their own mode back through a handle, wherever they are by then.
import fs from 'node:fs'
import { type SafeRoot, setMode } from './safefs.js'

const OWNER_ALL = 0o700
const PERMISSIONS = 0o7777

/**
 * Runs `step` with all directories above `paths` open to their owner. Throws `refusal`, the error that made this
 * necessary, if there is nothing to unlock; what `step` throws otherwise. The root of the share is left as it is.
 */
export function withUnlockedParents<T>(
  root: SafeRoot,
  paths: readonly string[],
  refusal: unknown,
  step: () => T,
): T {
  const unlocked: { readonly handle: number; readonly mode: number }[] = []
  try {
    for (const path of paths) {
      for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
        const handle = root.handle(path.slice(0, slash))
        const { mode, uid } = fs.fstatSync(handle)
        if ((mode & OWNER_ALL) === OWNER_ALL || uid !== process.geteuid?.()) {
          fs.closeSync(handle)
          continue
        }
        unlocked.push({ handle, mode: mode & PERMISSIONS })
        setMode(handle, (mode & PERMISSIONS) | OWNER_ALL)
      }
    }
    if (unlocked.length === 0) throw refusal
    return step()
  } finally {
    for (const { handle, mode } of unlocked.reverse()) {
      try {
        setMode(handle, mode)
      } finally {
        fs.closeSync(handle)
      }
    }
  }
}
