// `shoal up`: one `shoal run` for each configuration of a folder, started again when it ends, until all are told to stop.
// Promises: a configuration that is wrong stops no other; one supervisor for each state folder, and who is refused learns
// who is there; whatever ends this process, no daemon outlives it (child.ts); stop() resolves when all daemons have ended.
import fs from 'node:fs'
import path from 'node:path'
import { type ControlServer, serveRequests } from '../control/server.js'
import { ShoalError } from '../core/error.js'
import { lockFile, type StorageLock } from '../daemon/lock.js'
import type { Log } from '../ports/log.js'
import { type FoundConfig, findConfigs } from './configs.js'
import { type Autostart, isWanted } from './defaults.js'
import { Instance } from './instance.js'
import type { LineSink } from './log-lines.js'
import { stateFault } from './place.js'
import type { InstanceReport, SupervisorReport } from './report.js'
import { controlHandlerOf } from './requests.js'

/** Between two looks whether a configuration that could not be run is another by now. */
const LOOK_MS = 2000
/** What a configuration is at odds with may lie elsewhere, such as behind a link: all is read again so often. */
const REREAD_MS = 300_000

export interface SupervisorOptions {
  /** Of the configurations, absolute. */
  readonly folder: string
  /** Of the lock and the socket, absolute; made if need be. */
  readonly stateFolder: string
  readonly autostart: Autostart
  /** Instances that are to run whatever `autostart` says, and no others; empty: no such list. */
  readonly only: readonly string[]
  /** Further arguments of `shoal run`. */
  readonly args: readonly string[]
  readonly sink: LineSink
  readonly log: Log
  /** When every daemon that was started has become ready or has ended for the first time; how they are, in a line. */
  readonly onSettled?: (status: string) => void
}

export class Supervisor {
  /** Settles when all daemons have ended after stop(). */
  readonly stopped: Promise<void>
  readonly #options: SupervisorOptions
  readonly #log: Log
  /** By configuration file. */
  readonly #instances = new Map<string, Instance>()
  /** Whose configurations are gone; forgotten when they have ended. */
  readonly #vanished = new Set<string>()
  #others: readonly FoundConfig[] = []
  readonly #lock: StorageLock
  #server: ControlServer | undefined
  #lookTimer: NodeJS.Timeout | undefined
  #rereadAtMs = 0
  /** Readings of the folder, one after the other. */
  #reading: Promise<void> = Promise.resolve()
  #isStopping = false
  #isSettled = false
  /** Those who wait for processes to end. */
  #waiting: (() => void)[] = []
  #markStopped: () => void = () => {}

  private constructor(options: SupervisorOptions, lock: StorageLock) {
    this.#options = options
    this.#log = options.log
    this.#lock = lock
    this.stopped = new Promise((resolve) => {
      this.#markStopped = resolve
    })
  }

  /** Starts all; resolves when they are under way. Throws SUPERVISOR_RUNNING, STORAGE_UNUSABLE, CONFIG_UNREADABLE, NOT_FOUND. */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options, lock(options))
    try {
      await supervisor.#start()
    } catch (thrown) {
      await supervisor.stop()
      await supervisor.close()
      throw thrown
    }
    return supervisor
  }

  /** Reads the folder again: starts what is new or waits for its next try, stops what is gone, tells what has changed. */
  async reload(): Promise<void> {
    await this.#read(() => true)
    if (this.#isStopping) return
    for (const instance of this.#instances.values())
      if (!this.#vanished.has(instance.found.file)) instance.hurry()
  }

  report(): SupervisorReport {
    const idle = this.#others.map(notAutostarted)
    const own = [...this.#instances.values()].map((instance) => instance.report())
    const instances = [...own, ...idle].sort((a, b) => (a.config < b.config ? -1 : 1))
    return { pid: process.pid, folder: this.#options.folder, instances }
  }

  /**
   * Stops the named daemons; resolves when they have ended. NOT_FOUND: then nothing is stopped. Without names it only
   * begins to stop all and itself, as who asked is to get an answer before nobody answers any more.
   */
  async down(names: readonly string[]): Promise<void> {
    if (names.length === 0) {
      setImmediate(() => void this.stop())
      return
    }
    const all = [...this.#instances.values()]
    for (const name of names)
      if (!all.some((instance) => instance.name === name))
        throw new ShoalError('NOT_FOUND', `there is no instance "${name}" here, see shoal ps`)
    const meant = all.filter(({ name }) => names.includes(name))
    for (const instance of meant) instance.stop()
    await this.#until(() => meant.every(({ hasProcess }) => !hasProcess))
  }

  /** Stops all daemons; resolves when they have ended. */
  async stop(): Promise<void> {
    if (this.#isStopping) return this.stopped
    this.#isStopping = true
    clearTimeout(this.#lookTimer)
    await this.#reading.catch(() => undefined)
    for (const instance of this.#instances.values()) instance.stop()
    await this.#until(() => [...this.#instances.values()].every(({ hasProcess }) => !hasProcess))
    this.#markStopped()
  }

  /** After `stopped`: nobody is answered any more, and another supervisor may start. */
  async close(): Promise<void> {
    await this.#server?.close()
    this.#lock.release()
  }

  async #start(): Promise<void> {
    const { stateFolder, folder, only } = this.#options
    await this.#read(() => true)
    const known = new Set([...this.#instances.values()].map(({ name }) => name))
    const missing = only.filter((name) => !known.has(name))
    if (missing.length > 0)
      throw new ShoalError(
        'NOT_FOUND',
        `there is no configuration ${missing.map((name) => `"${name}"`).join(', ')} in ${folder}`,
      )
    if (known.size === 0)
      this.#log.warn({ folder }, 'there is nothing to start; SIGHUP reads the folder again')
    this.#server = await serveRequests(stateFolder, controlHandlerOf(this, this.#log), this.#log)
    for (const instance of this.#instances.values()) instance.start()
    this.#changed()
    this.#lookLater()
  }

  /** `applies`: whether a configuration that was there before is to be looked at. */
  #read(applies: (instance: Instance) => boolean): Promise<void> {
    const next = this.#reading.catch(() => undefined).then(() => this.#readNow(applies))
    this.#reading = next
    return next
  }

  async #readNow(applies: (instance: Instance) => boolean): Promise<void> {
    if (this.#isStopping) return
    const { folder, autostart, only, args, sink, log } = this.#options
    const { wanted, others } = await findConfigs(folder, (name) => isWanted(name, autostart, only))
    if (this.#isStopping) return
    this.#rereadAtMs = performance.now() + REREAD_MS
    this.#others = others
    const isFirst = this.#server === undefined
    for (const found of wanted) {
      const known = this.#instances.get(found.file)
      if (known !== undefined) {
        if (applies(known)) known.update(found)
        if (this.#vanished.delete(found.file)) known.start()
        continue
      }
      const instance = new Instance(found, { args, sink, log, onChange: () => this.#changed() })
      this.#instances.set(found.file, instance)
      if (!isFirst) instance.start()
    }
    const files = new Set(wanted.map(({ file }) => file))
    for (const [file, instance] of this.#instances) {
      if (files.has(file)) continue
      this.#vanished.add(file)
      instance.stop()
    }
    this.#changed()
  }

  #lookLater(): void {
    if (this.#isStopping) return
    this.#lookTimer = setTimeout(() => {
      this.#look()
        .catch((err: unknown) => this.#log.error({ err }, 'cannot read the configurations'))
        .finally(() => this.#lookLater())
    }, LOOK_MS)
  }

  /** Those that run are told of changes only by reload(): a person says when. */
  async #look(): Promise<void> {
    const failed = [...this.#instances.values()].filter(({ phase }) => phase.type === 'failed')
    if (failed.length === 0) return
    const changes = await Promise.all(failed.map((instance) => instance.hasChanged()))
    if (!changes.includes(true) && performance.now() < this.#rereadAtMs) return
    await this.#read(({ phase }) => phase.type === 'failed')
  }

  #changed(): void {
    for (const file of this.#vanished)
      if (this.#instances.get(file)?.hasProcess !== true) {
        this.#vanished.delete(file)
        this.#instances.delete(file)
      }
    for (const resolve of this.#waiting.splice(0)) resolve()
    if (this.#isSettled || this.#server === undefined) return
    if ([...this.#instances.values()].some(({ phase }) => phase.type === 'starting')) return
    this.#isSettled = true
    const count = (type: string): number =>
      [...this.#instances.values()].filter(({ phase }) => phase.type === type).length
    this.#options.onSettled?.(
      `${count('running')} running, ${count('waiting')} waiting, ${count('failed')} failed`,
    )
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

function lock({ folder, stateFolder }: SupervisorOptions): StorageLock {
  let locked: ReturnType<typeof lockFile>
  try {
    fs.mkdirSync(stateFolder, { recursive: true, mode: 0o700 })
    const fault = stateFault(stateFolder)
    if (fault !== undefined) throw new Error(fault)
    locked = lockFile(path.join(stateFolder, 'lock'))
  } catch (cause) {
    const why = (cause as Error).message
    throw new ShoalError('STORAGE_UNUSABLE', `cannot use the state folder ${stateFolder}: ${why}`, { cause })
  }
  if ('release' in locked) return locked
  throw new ShoalError(
    'SUPERVISOR_RUNNING',
    `the configurations in ${folder} are run by another shoal up already (pid ${locked.holder})`,
  )
}

function notAutostarted({ file, name, user }: FoundConfig): InstanceReport {
  return {
    name,
    config: file,
    state: 'not-autostarted',
    reason: null,
    retryInSeconds: null,
    user: user ?? null,
    pid: null,
    uptimeSeconds: null,
    restarts: 0,
    port: null,
    rssBytes: null,
    storagePath: null,
  }
}
