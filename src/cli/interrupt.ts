// Commands that leave something to be cleaned up when they are interrupted.
import type { SignalHost } from './lifetime.js'

/** Runs with a signal that SIGINT and SIGTERM abort; undefined if one of them did, and what was run has ended. */
export async function untilInterrupted<T>(
  run: (signal: AbortSignal) => Promise<T>,
  host: Pick<SignalHost, 'on' | 'off'> = process,
): Promise<T | undefined> {
  const control = new AbortController()
  const onSignal = (): void => control.abort()
  host.on('SIGINT', onSignal)
  host.on('SIGTERM', onSignal)
  try {
    return await run(control.signal)
  } catch (thrown) {
    if (control.signal.aborted) return undefined
    throw thrown
  } finally {
    host.off('SIGINT', onSignal)
    host.off('SIGTERM', onSignal)
  }
}
