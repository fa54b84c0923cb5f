// syncfs(2): all of the file system that a descriptor lies on. Node has no such call, so libc's is called (ports/libc.ts); the
// command `sync -f` makes it too, but a process for each takes longer than most syncs do.
import { fromLibc } from '../ports/libc.js'

interface Syncfs {
  (fd: number): number
  async(fd: number, done: (error: unknown, status: number) => void): void
}

const bound = fromLibc<Syncfs>('int syncfs(int fd)')

/**
 * Waits until it is written; `fd` must not be an O_PATH one. False if the system says that it failed, also of anything that
 * failed since the descriptor was opened; undefined where this machine's libc or processor is not served.
 */
export function syncfs(fd: number): boolean | undefined {
  const call = bound()
  return call === undefined ? undefined : call(fd) === 0
}

/** The same on another thread. */
export function syncfsAside(fd: number): Promise<boolean | undefined> {
  const call = bound()
  if (call === undefined) return Promise.resolve(undefined)
  return new Promise((resolve) => call.async(fd, (error, status) => resolve(error === null && status === 0)))
}
