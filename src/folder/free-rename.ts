// renameat2(2) with RENAME_NOREPLACE: a rename that fails where the new name is taken, in one step. Node has no such call
// and neither have the packages here, so libc's is called through koffi. Loaded at the first move: most daemons make none.
import { createRequire } from 'node:module'
import { getSystemErrorName } from 'node:util'

const AT_FDCWD = -100
const RENAME_NOREPLACE = 1

type Renameat2 = (fromFd: number, from: string, toFd: number, to: string, flags: number) => number

interface Bound {
  readonly renameat2: Renameat2
  readonly errno: () => number
}

let bound: Bound | 'unavailable' | undefined

/**
 * As rename(2), but EEXIST if anything has the name `to`. ENOSYS where this machine's libc or processor is not served,
 * EINVAL where the file system cannot (isUnsupported).
 */
export function renameToFree(from: string, to: string): void {
  bound ??= bind()
  if (bound === 'unavailable') throw failure('ENOSYS', from, to)
  if (bound.renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) === 0) return
  throw failure(getSystemErrorName(-bound.errno()), from, to)
}

function bind(): Bound | 'unavailable' {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const renameat2 = koffi
      .load(null)
      .func('int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)')
    return { renameat2: renameat2 as unknown as Renameat2, errno: () => koffi.errno() }
  } catch {
    // No build of koffi for this machine, or a libc without the call (glibc before 2.28): the caller has another way.
    return 'unavailable'
  }
}

function failure(code: string, from: string, to: string): Error {
  return Object.assign(new Error(`${code}: rename '${from}' -> '${to}'`), { code, syscall: 'renameat2' })
}
