// Tells systemd how the service is (sd_notify(3)): ready, reloading, stopping, and that it is alive. Node has no Unix
// datagram sockets, so the message is systemd's own systemd-notify's to send, which is there wherever systemd is (docs/
// decisions/0015); the unit needs NotifyAccess=all. Promises: messages go in order; one that cannot be sent is logged
// once and never keeps the daemon from anything; a health check that does not answer sends no sign of life.
import { spawn } from 'node:child_process'
import type { Log } from '../ports/log.js'

/** What systemd put into the environment, as far as it is for this process. */
export interface NotifyEnvironment {
  readonly socket: string
  /** 0: none is wanted. */
  readonly watchdogUsec: number
}

export interface NotifierOptions {
  readonly environment: NotifyEnvironment
  readonly log: Log
  /** Whether the daemon works; a sign of life is only sent if this resolves with true. */
  readonly isHealthy: () => Promise<boolean>
  /** One line for `systemctl status`. */
  readonly status: () => Promise<string>
  /** For tests. Default: runs systemd-notify. */
  readonly send?: (assignments: readonly string[]) => Promise<void>
}

/** It waits up to five seconds for systemd to have read the message, so that it can be told whose it was. */
const SEND_TIMEOUT_MS = 10_000

/** Undefined if nobody asked to be told, or another process was meant. */
export function notifyEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number = process.pid,
): NotifyEnvironment | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: meant } = environment
  if (socket === undefined || !/^[/@]./.test(socket)) return undefined
  const isMeant = meant === undefined || meant === '' || Number(meant) === pid
  const watchdogUsec = isMeant && usec !== undefined && /^\d{1,15}$/.test(usec) ? Number(usec) : 0
  return { socket, watchdogUsec }
}

export class Notifier {
  readonly #o: NotifierOptions
  readonly #send: (assignments: readonly string[]) => Promise<void>
  #queue: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #isChecking = false
  #hasFailed = false

  constructor(options: NotifierOptions) {
    this.#o = options
    this.#send = options.send ?? ((assignments) => runSystemdNotify(options.environment.socket, assignments))
  }

  /** Serving; from now on with signs of life, if they are wanted. */
  async ready(): Promise<void> {
    await this.#tell(['READY=1', ...(await this.#status())])
    const { watchdogUsec } = this.#o.environment
    if (watchdogUsec > 0 && this.#timer === undefined)
      this.#timer = setInterval(() => void this.#giveSign(), Math.max(1, Math.floor(watchdogUsec / 2000)))
  }

  /** The configuration is read anew; ready() says when that is done. */
  reloading(): Promise<void> {
    const usec = process.hrtime.bigint() / 1000n
    return this.#tell(['RELOADING=1', `MONOTONIC_USEC=${usec}`])
  }

  stopping(): Promise<void> {
    clearInterval(this.#timer)
    return this.#tell(['STOPPING=1'])
  }

  /** At most one check at a time: one that hangs is the end of the signs of life. */
  async #giveSign(): Promise<void> {
    if (this.#isChecking) return
    this.#isChecking = true
    try {
      if (await this.#o.isHealthy()) await this.#tell(['WATCHDOG=1', ...(await this.#status())])
    } catch (err) {
      this.#o.log.error({ err }, 'the daemon does not work, so the watchdog is left to bark')
    } finally {
      this.#isChecking = false
    }
  }

  async #status(): Promise<string[]> {
    const text = await this.#o.status().catch(() => '')
    // A line end would begin another assignment.
    return text === '' ? [] : [`STATUS=${text.replace(/\p{Cc}/gu, ' ')}`]
  }

  #tell(assignments: readonly string[]): Promise<void> {
    this.#queue = this.#queue
      .then(() => this.#send(assignments))
      .catch((err: unknown) => {
        if (this.#hasFailed) return
        this.#hasFailed = true
        this.#o.log.warn({ err }, 'cannot tell systemd how this service is; is systemd-notify installed?')
      })
    return this.#queue
  }
}

function runSystemdNotify(socket: string, assignments: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', NOTIFY_SOCKET: socket }
    const timeout = SEND_TIMEOUT_MS
    const child = spawn('systemd-notify', ['--', ...assignments], { env, timeout, stdio: 'ignore' })
    // The last message must not hold up the end of the process.
    child.unref()
    child.once('error', reject)
    child.once('exit', (exit, signal) => {
      if (exit === 0) resolve()
      else reject(new Error(`systemd-notify ended with ${signal ?? exit}`))
    })
  })
}
