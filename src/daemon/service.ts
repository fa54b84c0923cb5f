// A daemon as a service of its machine: besides running, it reads its configuration anew when told to (SIGHUP) or when
// the files change, and tells systemd how it is. A new file with anything wrong is reported, and the settings stay.
import type { Config } from '../config/config.js'
import { formatChange } from '../config/reload.js'
import { ShoalError } from '../core/error.js'
import type { Secret } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import { ConfigWatch } from './config-watch.js'
import { type DaemonOptions, type RunningDaemon, runDaemon } from './daemon.js'
import { Notifier, notifyEnvironment } from './sd-notify.js'

export interface ServiceOptions extends DaemonOptions {
  /** Reads the configuration again, its secrets too; warnings are ready to print. */
  readonly reread: () => Promise<{ readonly config: Config<Secret>; readonly warnings: readonly string[] }>
  /** What to look at for changes. */
  readonly watched: () => readonly string[]
  /** A configuration was read anew, and what can change live has. */
  readonly onConfig?: (config: Config<Secret>) => void
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Between two looks at the files. */
  readonly lookMs?: number
}

export interface Service extends RunningDaemon {
  /** Reads the configuration anew; never rejects for what stands in it. */
  reload(): Promise<void>
}

/** Starts a daemon as a service. Throws what runDaemon throws. */
export async function runService(config: Config<Secret>, options: ServiceOptions): Promise<Service> {
  const daemon = await runDaemon(config, options)
  const service = new DaemonService(config, daemon, options)
  await service.begin()
  return service
}

class DaemonService implements Service {
  readonly stopped: Promise<void>
  readonly #daemon: RunningDaemon
  readonly #o: ServiceOptions
  readonly #log: Log
  readonly #watch: ConfigWatch
  readonly #notifier: Notifier | undefined
  /** Of the configuration; those that were added come and go. */
  readonly #shareCount: number
  #reloading: Promise<void> | undefined
  #isStopping = false

  constructor(config: Config<Secret>, daemon: RunningDaemon, options: ServiceOptions) {
    this.#shareCount = config.shares.length
    this.#daemon = daemon
    this.#o = options
    this.#log = options.log
    this.stopped = daemon.stopped.finally(() => this.#watch.stop())
    // Whoever awaits it sees a failure; nobody has to.
    this.stopped.catch(() => undefined)
    this.#watch = new ConfigWatch({
      paths: options.watched,
      onChange: () => void this.reload(),
      ...(options.lookMs === undefined ? {} : { lookMs: options.lookMs }),
    })
    const environment = notifyEnvironment(options.environment)
    if (environment !== undefined)
      this.#notifier = new Notifier({
        environment,
        log: this.#log,
        // Asks every share's index; while the daemon starts over as another device (F4), the answer waits for that.
        isHealthy: async () => (await daemon.control.status()).shares.length >= this.#shareCount,
        status: () => this.#statusLine(),
      })
  }

  get port(): number {
    return this.#daemon.port
  }

  get control(): RunningDaemon['control'] {
    return this.#daemon.control
  }

  async begin(): Promise<void> {
    await this.#watch.start()
    await this.#catchUp()
    // Not awaited: systemd's slowness is no reason to be late.
    void this.#notifier?.ready()
  }

  get configState(): RunningDaemon['configState'] {
    return this.#daemon.configState
  }

  adjust(config: Config<Secret>): ReturnType<RunningDaemon['adjust']> {
    const plan = this.#daemon.adjust(config)
    for (const change of plan.live) this.#log.info({ change: formatChange(change) }, 'setting changed')
    for (const change of plan.restart)
      this.#log.warn({ change: formatChange(change) }, 'setting needs a restart to take effect')
    return plan
  }

  /** One at a time; a call while one is under way gets that one's end and another after it. */
  async reload(): Promise<void> {
    const before = this.#reloading
    const mine = (before ?? Promise.resolve()).then(() => this.#reload())
    this.#reloading = mine
    await mine
    if (this.#reloading === mine) this.#reloading = undefined
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#watch.stop()
    void this.#notifier?.stopping()
    await this.#daemon.stop()
  }

  /** What has changed between the reading that the daemon started with and the first look is no change to a later look. */
  async #catchUp(): Promise<void> {
    let now: Config<Secret>
    try {
      now = (await this.#o.reread()).config
    } catch (thrown) {
      // Whoever changes it next hears of it; and one that only root may read was read as root.
      this.#log.debug({ err: thrown }, 'the configuration cannot be read again')
      return
    }
    this.adjust(now)
    this.#o.onConfig?.(now)
  }

  async #reload(): Promise<void> {
    if (this.#isStopping) return
    void this.#notifier?.reloading()
    try {
      // What changes while it is read is for the next look.
      await this.#watch.seen()
      const { config, warnings } = await this.#o.reread()
      for (const warning of warnings) this.#log.warn({ warning }, 'configuration')
      // One that is just starting over as another device (F4) has no shares to adjust yet; this waits for them.
      await this.#daemon.control.status()
      const { live, restart } = this.adjust(config)
      this.#o.onConfig?.(config)
      this.#daemon.configState.use()
      this.#log.info({ changed: live.length, needRestart: restart.length }, 'configuration read')
    } catch (thrown) {
      const isKnown = thrown instanceof ShoalError
      const problems = isKnown ? thrown.message.split('\n') : ['it cannot be read; the log says more']
      this.#daemon.configState.refuse(problems)
      if (!isKnown) this.#log.error({ err: thrown }, 'cannot read the configuration')
      else {
        this.#log.error(
          { code: thrown.code, problems },
          'the configuration read anew is not used; the settings stay',
        )
      }
    }
    if (!this.#isStopping) void this.#notifier?.ready()
  }

  async #statusLine(): Promise<string> {
    const { shares } = await this.#daemon.control.status()
    const count = (state: string): number => shares.filter((share) => share.state === state).length
    const peers = new Set(
      shares.flatMap(({ members }) =>
        members.filter(({ connected }) => connected).map(({ device }) => device),
      ),
    )
    const parts = ['halted', 'paused', 'scanning', 'syncing']
      .map((state) => [count(state), state] as const)
      .filter(([n]) => n > 0)
      .map(([n, state]) => `${n} ${state}`)
    return [`${shares.length} shares`, `${peers.size} peers`, ...parts].join(', ')
  }
}
