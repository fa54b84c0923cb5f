// A daemon's end of the pipe to `shoal up` (src/supervisor/child.ts). When the pipe ends, the supervisor is gone, however
// that happened, and the daemon stops as if by SIGTERM: the next `shoal up` then finds its storage free.
import net from 'node:net'

/** The environment variable that says that the pipe is there. */
const SUPERVISED = 'SHOAL_SUPERVISED'
const PIPE_FD = 3

export interface Supervised {
  /** Says that the daemon serves its shares, on this port. */
  ready(port: number): void
}

/**
 * Watches for the supervisor's end, if there is one. The pipe keeps no process alive. `onGone` is called once.
 */
export function watchSupervisor(
  env: Readonly<Record<string, string | undefined>>,
  onGone: () => void = () => void process.kill(process.pid, 'SIGTERM'),
): Supervised {
  if (env[SUPERVISED] !== '1') return { ready: () => {} }
  // Not for what this process may start in its turn.
  delete process.env[SUPERVISED]
  const pipe = new net.Socket({ fd: PIPE_FD, readable: true, writable: true })
  pipe.on('error', () => undefined)
  pipe.once('close', onGone)
  pipe.resume()
  pipe.unref()
  return { ready: (port) => void pipe.write(`{"ready":${port}}\n`) }
}
