// One supervised daemon: its state machine (plan.ts) joined to a process and to timers. It does what the machine says and
// nothing of its own.
import { readFileSync } from 'node:fs'
import { fileLookup, systemAccounts } from '../instance/accounts.js'
import type { Log } from '../ports/log.js'
import { type Child, startChild } from './child.js'
import { type FoundConfig, printOf } from './configs.js'
import type { LineSink } from './log-lines.js'
import { type Event, hasProcess, IDLE, type Machine, type Phase, step, wakesAtMs } from './plan.js'
import type { InstanceReport, InstanceState } from './report.js'

const localAccounts = systemAccounts(fileLookup('/etc'))

export interface InstanceOptions {
  /** Further arguments of `shoal run`. */
  readonly args: readonly string[]
  readonly sink: LineSink
  readonly log: Log
  /** After every change of its phase. */
  readonly onChange: () => void
}

export class Instance {
  readonly #options: InstanceOptions
  readonly #log: Log
  #found: FoundConfig
  #machine: Machine = IDLE
  #child: Child | undefined
  #startedMs = 0
  #port: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(found: FoundConfig, options: InstanceOptions) {
    this.#found = found
    this.#options = options
    this.#log = options.log.child({ instance: found.name })
  }

  get name(): string {
    return this.#found.name
  }

  /** The configuration as it was last seen. */
  get found(): FoundConfig {
    return this.#found
  }

  get phase(): Phase {
    return this.#machine.phase
  }

  /** The files that its configuration is read from are not those of the last look. */
  async hasChanged(): Promise<boolean> {
    return (await printOf(this.#found.file)) !== this.#found.print
  }

  get hasProcess(): boolean {
    return hasProcess(this.phase)
  }

  /** Starts it, or says why not. */
  start(): void {
    this.#feed(this.#found.fault === undefined ? { type: 'start' } : this.#refusal(this.#found.fault))
  }

  /** Stops it, until it is started or its configuration is another. */
  stop(): void {
    this.#feed({ type: 'stop' })
  }

  /** The configuration was read again; `found.print` tells whether it is another. */
  update(found: FoundConfig): void {
    const { print, fault } = this.#found
    this.#found = found
    if (found.print === print && (found.fault === fault || (found.fault === undefined && this.hasProcess)))
      return
    if (found.fault === undefined) {
      this.#feed(this.phase.type === 'idle' ? { type: 'start' } : { type: 'changed' })
      return
    }
    if (this.hasProcess)
      this.#log.error({ fault: found.fault }, 'the changed configuration is wrong, going on with the old one')
    this.#feed(this.#refusal(found.fault))
  }

  /** What it waits for may have come: tries again now what would be tried later. */
  hurry(): void {
    const { type } = this.phase
    if ((type === 'waiting' || type === 'failed') && this.#found.fault === undefined)
      this.#feed({ type: 'changed' })
  }

  report(): InstanceReport {
    const { phase, restarts } = this.#machine
    const now = performance.now()
    const pid = this.hasProcess ? (this.#child?.pid ?? null) : null
    const seen = pid === null ? undefined : look(pid)
    const dueMs = phase.type === 'waiting' || phase.type === 'failed' ? phase.untilMs : undefined
    return {
      name: this.name,
      config: this.#found.file,
      state: stateOf(phase),
      // One that runs may have a configuration by now that it could not start with.
      reason: 'reason' in phase && phase.reason !== '' ? phase.reason : (this.#found.fault ?? null),
      retryInSeconds: dueMs === undefined ? null : Math.max(0, Math.ceil((dueMs - now) / 1000)),
      user: seen?.user ?? this.#found.user ?? null,
      pid,
      uptimeSeconds: pid === null ? null : Math.floor((now - this.#startedMs) / 1000),
      restarts,
      port: phase.type === 'running' ? (this.#port ?? null) : null,
      rssBytes: seen?.rssBytes ?? null,
      storagePath: this.#found.storagePath ?? null,
    }
  }

  #refusal(reason: string): Event {
    return { type: 'refused', reason }
  }

  #feed(event: Event): void {
    const before = this.phase
    const { machine, actions } = step(this.#machine, event, performance.now(), Math.random())
    this.#machine = machine
    for (const action of actions)
      if (action === 'spawn') this.#spawn()
      else this.#child?.signal(action)
    this.#schedule()
    if (machine.phase !== before) this.#tell()
    this.#options.onChange()
  }

  #spawn(): void {
    this.#startedMs = performance.now()
    this.#port = undefined
    const child = startChild({
      instance: this.name,
      configFile: this.#found.file,
      args: this.#options.args,
      sink: this.#options.sink,
      onReady: (port) => {
        this.#port = port
        this.#feed({ type: 'ready' })
      },
      onExit: (exit, signal, lastWords) => this.#feed({ type: 'exited', exit, signal, lastWords }),
      onFailure: (reason) => this.#feed({ type: 'notSpawned', reason }),
    })
    this.#child = child
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    const dueMs = wakesAtMs(this.#machine)
    if (dueMs === undefined) return
    // A timer may come a moment early by the other clock.
    this.#timer = setTimeout(() => this.#feed({ type: 'time' }), Math.max(1, dueMs - performance.now() + 1))
  }

  #tell(): void {
    const { phase } = this.#machine
    const pid = this.#child?.pid
    switch (phase.type) {
      case 'starting':
        this.#log.info({ config: this.#found.file, pid }, 'starting')
        return
      case 'running':
        this.#log.info({ pid, port: this.#port }, 'running')
        return
      case 'waiting': {
        const inMs = Math.round(phase.untilMs - performance.now())
        this.#log.warn({ reason: phase.reason, restartInMs: inMs }, 'ended, will be restarted')
        return
      }
      case 'failed':
        this.#log.error({ reason: phase.reason }, 'cannot run with this configuration')
        return
      case 'stopping':
        if (phase.killed) this.#log.warn({ pid }, 'did not stop in time, ended by force')
        return
      case 'idle':
        this.#log.info({ reason: phase.reason }, 'stopped')
    }
  }
}

function stateOf(phase: Phase): InstanceState {
  return phase.type === 'idle' ? 'stopped' : phase.type
}

/** What /proc says of a process; undefined where there is none. */
function look(pid: number): { user: string; rssBytes: number | null } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1]
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]
    if (uid === undefined) return undefined
    return { user: userNameOf(uid), rssBytes: kib === undefined ? null : Number(kib) * 1024 }
  } catch {
    // It ended a moment ago, or there is no /proc.
    return undefined
  }
}

/** From the file alone: asking a directory service would hold up all the others. */
function userNameOf(uid: string): string {
  try {
    return localAccounts.user(uid)?.name ?? uid
  } catch {
    // No such file: its number tells as much.
    return uid
  }
}
