// syncfs(2): all of the file system that a descriptor lies on. Node has no such call, so libc's is called through koffi; the
// command `sync -f` makes it too, but a process for each takes longer than most syncs do.
import { createRequire } from 'node:module'

interface Bound {
  (fd: number): number
  async(fd: number, done: (error: unknown, status: number) => void): void
}

let bound: Bound | 'unavailable' | undefined

/**
 * Waits until it is written; `fd` must not be an O_PATH one. False if the system says that it failed, also of anything that
 * failed since the descriptor was opened; undefined where this machine's libc or processor is not served.
 */
export function syncfs(fd: number): boolean | undefined {
  const call = bind()
  return call === 'unavailable' ? undefined : call(fd) === 0
}

/** The same on another thread. */
export function syncfsAside(fd: number): Promise<boolean | undefined> {
  const call = bind()
  if (call === 'unavailable') return Promise.resolve(undefined)
  return new Promise((resolve) => call.async(fd, (error, status) => resolve(error === null && status === 0)))
}

function bind(): Bound | 'unavailable' {
  bound ??= load()
  return bound
}

function load(): Bound | 'unavailable' {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    return koffi.load(null).func('int syncfs(int fd)') as unknown as Bound
  } catch {
    // No build of koffi for this machine, or a libc without the call: the callers have other ways.
    return 'unavailable'
  }
}
