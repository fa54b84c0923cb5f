// posix_fadvise(2) with POSIX_FADV_DONTNEED: what was written and synced leaves the system's page cache. Node has no such call,
// so libc's is called through koffi; on a system that cannot be served what was written stays cached, as anything does.
import { createRequire } from 'node:module'

interface Bound {
  async(
    fd: number,
    offset: number,
    bytes: number,
    advice: number,
    done: (error: unknown, status: number) => void,
  ): void
}

/** The same on every architecture that Node runs on under Linux. */
const POSIX_FADV_DONTNEED = 4

let bound: Bound | 'unavailable' | undefined

/**
 * Lets the system forget its copy of a range of a file; what is not on the disk yet stays, and so do pages that lie in the
 * range in part only. Settles when that is done, on another thread; the descriptor must stay open until then. Advice: nothing
 * depends on whether it was taken.
 */
export function forgetCached(fd: number, offset: number, bytes: number): Promise<void> {
  bound ??= bind()
  const call = bound
  if (call === 'unavailable') return Promise.resolve()
  return new Promise((resolve) => call.async(fd, offset, bytes, POSIX_FADV_DONTNEED, () => resolve()))
}

function bind(): Bound | 'unavailable' {
  // macOS has no such call, and Windows no such file descriptors.
  if (process.platform !== 'linux') return 'unavailable'
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    return koffi
      .load(null)
      .func('int posix_fadvise(int fd, int64_t offset, int64_t bytes, int advice)') as unknown as Bound
  } catch {
    // No build of koffi for this machine.
    return 'unavailable'
  }
}
