// renameat2(2) with RENAME_NOREPLACE: a rename that fails where the new name is taken, in one step. Node has no such call
// and neither have the packages here, so libc's is called (ports/libc.ts), which glibc has since 2.28.
import { getSystemErrorName } from 'node:util'
import { fromLibc, libcErrno } from '../ports/libc.js'

const AT_FDCWD = -100
const RENAME_NOREPLACE = 1

type Renameat2 = (fromFd: number, from: string, toFd: number, to: string, flags: number) => number

const renameat2 = fromLibc<Renameat2>(
  'int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)',
)

/**
 * As rename(2), but EEXIST if anything has the name `to`. ENOSYS where this machine's libc or processor is not served,
 * EINVAL where the file system cannot (isUnsupported).
 */
export function renameToFree(from: string, to: string): void {
  const call = renameat2()
  if (call === undefined) throw failure('ENOSYS', from, to)
  if (call(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) === 0) return
  throw failure(getSystemErrorName(-libcErrno()), from, to)
}

function failure(code: string, from: string, to: string): Error {
  return Object.assign(new Error(`${code}: rename '${from}' -> '${to}'`), { code, syscall: 'renameat2' })
}
