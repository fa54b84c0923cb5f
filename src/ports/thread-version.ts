// A thread is loaded from the disk when it starts, and an upgrade may have put another version there beneath a daemon that runs: what the
// two say to each other may then mean something else. So whoever starts one says of which version it is, and the thread's file looks at
// that before it does anything. All of them do (test/ports/thread-version.test.ts).
import { PACKAGE_VERSION } from './package-version.js'

/** Part of what every thread is started with. */
export interface ThreadVersion {
  /** Of the program that starts it. */
  readonly version: string
}

/** Called in the thread; throws where the program that started it is of another version than the thread's own file. */
export function assertSameVersion(data: ThreadVersion): void {
  // Versions before this was asked of all threads say nothing.
  const { version } = data as Partial<ThreadVersion>
  if (version === PACKAGE_VERSION) return
  const running = version === undefined ? 'an earlier version' : `version ${version}`
  throw new Error(`${running} runs, but version ${PACKAGE_VERSION} is installed by now: restart it`)
}
