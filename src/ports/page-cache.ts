// posix_fadvise(2) with POSIX_FADV_DONTNEED: what was written and synced leaves the system's page cache. Node has no such call,
// so libc's is called (libc.ts); on a system that cannot be served, or has no such call (macOS), what was written stays cached, as
// anything does.
import { fromLibc } from './libc.js'

interface Fadvise {
  (fd: number, offset: number, bytes: number, advice: number): number
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

const fadvise = fromLibc<Fadvise>('int posix_fadvise(int fd, int64_t offset, int64_t bytes, int advice)')

/**
 * Lets the system forget its copy of a range of a file; what is not on the disk yet stays, and so do pages that lie in the
 * range in part only. Settles when that is done, on another thread; the descriptor must stay open until then. Advice: nothing
 * depends on whether it was taken.
 */
export function forgetCached(fd: number, offset: number, bytes: number): Promise<void> {
  const call = fadvise()
  if (call === undefined) return Promise.resolve()
  return new Promise((resolve) => call.async(fd, offset, bytes, POSIX_FADV_DONTNEED, () => resolve()))
}

/** The same at once, for threads that have nothing else to do. */
export function forgetCachedSync(fd: number, offset: number, bytes: number): void {
  fadvise()?.(fd, offset, bytes, POSIX_FADV_DONTNEED)
}
