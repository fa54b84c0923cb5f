// Runs something long-lived until SIGTERM or SIGINT. Promises: a signal, at whatever stage, ends the process within five
// seconds with exit code 0, by force if need be: what is on disk is safe at any instant (A4). A second SIGINT, from an
// impatient person, ends it at once. SIGHUP has it read its configuration anew; where that cannot be, and in a terminal,
// whose closing sends it, it ends it like SIGTERM.
import type { EventEmitter } from 'node:events'
import type { Log } from '../ports/log.js'

export interface Running {
  /** Settles when it has stopped, for whatever reason; rejects if that was a failure. */
  readonly stopped: Promise<void>
  /** Resolves when it has stopped. */
  stop(): Promise<void>
  /** Reads its configuration anew. */
  reload?(): Promise<void>
}

/** What is needed of the process. */
export interface SignalHost extends Pick<EventEmitter, 'on' | 'off'> {
  exit(code: number): void
  /** Standard error, and whether it is a terminal. */
  readonly stderr?: { readonly isTTY?: boolean }
}

/** Half a second short of the five that are promised. */
const FORCE_EXIT_MS = 4500

/** Starts, and resolves when it has stopped. Rejects if starting, stopping or running fails. */
export async function untilSignalled(
  start: () => Promise<Running>,
  log: Log,
  host: SignalHost = process,
  forceExitMs: number = FORCE_EXIT_MS,
): Promise<void> {
  let askToStop: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    askToStop = resolve
  })
  let force: NodeJS.Timeout | undefined
  let running: Running | undefined
  let isReloadDue = false
  const onSignal = (signal: string): void => {
    if (force !== undefined) {
      if (signal === 'SIGINT') host.exit(130)
      return
    }
    log.info({ signal }, 'stopping')
    force = setTimeout(() => {
      log.warn({ afterMs: forceExitMs }, 'did not stop in time, leaving now')
      host.exit(0)
    }, forceExitMs)
    askToStop()
  }
  const reload = (): void => {
    log.info({}, 'reading the configuration anew')
    void running?.reload?.().catch((err: unknown) => log.error({ err }, 'cannot read the configuration'))
  }
  const onHangup = (signal: string): void => {
    if (host.stderr?.isTTY === true || (running !== undefined && running.reload === undefined))
      onSignal(signal)
    else if (running === undefined) isReloadDue = true
    else reload()
  }
  host.on('SIGTERM', onSignal)
  host.on('SIGINT', onSignal)
  host.on('SIGHUP', onHangup)
  try {
    running = await start()
    if (isReloadDue) onHangup('SIGHUP')
    await Promise.race([running.stopped, asked])
    if (force !== undefined) await running.stop()
    await running.stopped
  } finally {
    clearTimeout(force)
    host.off('SIGTERM', onSignal)
    host.off('SIGINT', onSignal)
    host.off('SIGHUP', onHangup)
  }
}
