// The composition root: one daemon for one configuration. Takes the storage path's lock, opens what lies there, puts the
// shares into the swarm, serves the control socket, and takes all of it down again in order.

import { randomInt } from 'node:crypto'
import { chmodSync, existsSync } from 'node:fs'
import path from 'node:path'
import type { Config } from '../config/config.js'
import { planReload, type ReloadPlan, withLiveChanges } from '../config/reload.js'
import type { ControlBackend } from '../control/calls.js'
import type { Page } from '../control/handler.js'
import { type ControlServer, serveControl } from '../control/server.js'
import { ShoalError, toShoalError } from '../core/error.js'
import { keysOf, type Secret } from '../core/secret.js'
import { FeedStore } from '../feed/store.js'
import { FolderPool } from '../folder/pool.js'
import { HookSlots } from '../hooks/slots.js'
import { AccountCache } from '../instance/account-cache.js'
import type { InviteHost } from '../invite/host.js'
import type { GivenGateway } from '../nat/mapper.js'
import type { Log } from '../ports/log.js'
import { Swarm } from '../swarm/swarm.js'
import { AddedFolders } from './added-folders.js'
import { ConfigState } from './config-state.js'
import { daemonBackend } from './control/backend.js'
import { legacyHost } from './control/legacy-host.js'
import { controlPages } from './control/pages.js'
import type { DaemonView } from './control/view.js'
import { WebApi, webRoutes } from './control/web-api.js'
import { EventBook } from './events.js'
import { FolderAdmin } from './folder-admin.js'
import { Identity } from './identity.js'
import { openInvites } from './invites.js'
import { lockStorage } from './lock.js'
import { openIndex } from './open-index.js'
import { type PidFile, writePidFile } from './pid-file.js'
import { RateLimits } from './rate-limits.js'
import { Reach } from './reach.js'
import { RestWatch } from './rest-watch.js'
import { Shares } from './shares.js'
import { WakeWatch } from './wake-watch.js'
import { tellProxy, wayOut } from './way-out.js'

/**
 * Where the port for listening_port 0 is picked, the end excluded: below those that Linux gives to outgoing connections
 * (32768 and up), any of which could have it at the next start.
 */
const PICKED_PORTS = [20_000, 32_768] as const

export interface DaemonOptions {
  readonly log: Log
  /** UDP port of the LAN beacon, for tests that must not meet other daemons. */
  readonly beaconPort?: number
  /** The router that `use_upnp` asks, for tests that have one on loopback. */
  readonly gateway?: GivenGateway
}

/** A daemon that runs. */
export interface RunningDaemon {
  /** The port it listens on. */
  readonly port: number
  readonly control: ControlBackend
  /** Settles when the daemon has stopped; rejects if it had to. */
  readonly stopped: Promise<void>
  stop(): Promise<void>
  /** For whoever reads the configuration anew to say what came of it. */
  readonly configState: ConfigState
  /** Takes over what can change live of a configuration read anew; says what did, and what needs a restart. */
  adjust(config: Config<Secret>): ReloadPlan
}

/** What a running daemon is made of; a clone found on the network makes it start over with another identity (F4). */
interface Parts {
  readonly swarm: Swarm
  readonly shares: Shares
  readonly invites: InviteHost
  readonly reach: Reach
  readonly port: number
  close(): Promise<void>
}

/**
 * Starts a daemon. Its configuration's secrets must be read already (loadSecrets). Throws STORAGE_LOCKED,
 * STORAGE_UNUSABLE, SHARE_UNUSABLE, PORT_IN_USE.
 */
export async function runDaemon(config: Config<Secret>, options: DaemonOptions): Promise<RunningDaemon> {
  const daemon = new Daemon(config, options)
  await daemon.start()
  return daemon
}

class Daemon implements RunningDaemon {
  readonly control: ControlBackend
  readonly stopped: Promise<void>
  #config: Config<Secret>
  readonly #options: DaemonOptions
  readonly #log: Log
  #parts: Parts | undefined
  #server: ControlServer | undefined
  readonly #pages: readonly Page[]
  readonly #web: WebApi
  readonly #hookSlots = new HookSlots()
  readonly #folderAdmin: FolderAdmin
  #folders: AddedFolders | undefined
  readonly #events = new EventBook({ nowMs: Date.now })
  readonly configState: ConfigState = new ConfigState((fact) => this.#events.add(null, fact), Date.now)
  #release: () => void = () => undefined
  #pidFile: PidFile | undefined
  #stopping: Promise<void> | undefined
  #restarting: Promise<void> | undefined
  #settle: { resolve: () => void; reject: (thrown: unknown) => void } = {
    resolve: () => {},
    reject: () => {},
  }

  constructor(config: Config<Secret>, options: DaemonOptions) {
    this.#config = config
    this.#options = options
    this.#log = options.log
    this.#rates = new RateLimits(config)
    this.stopped = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Whoever awaits it sees a failure; nobody has to.
    this.stopped.catch(() => undefined)
    this.#folderAdmin = new FolderAdmin({
      config: () => this.#config,
      folders: () => this.#folders!,
      running: () => ((this.#stopping ?? this.#restarting) === undefined ? this.#parts : undefined),
      isStopping: () => this.#stopping !== undefined,
      started: () => this.#restarted(),
      log: this.#log,
    })
    const view: DaemonView = {
      name: config.deviceName,
      device: () => this.#identity.device.device,
      shares: () => this.#parts?.shares.all ?? [],
      limits: () => this.#config,
      rates: this.#rates,
      shareLimits: () => this.#parts?.shares.limits ?? [],
      invites: () => this.#parts?.invites,
      folders: this.#folderAdmin,
      relays: () => this.#parts?.swarm.relays ?? [],
      configState: this.configState,
      port: () => this.port,
      network: () => this.#parts?.reach.report(),
      started: () => this.#restarted(),
      stop: () => void this.stop(),
    }
    this.control = daemonBackend(view)
    this.#pages = controlPages({
      control: this.control,
      events: this.#events,
      storagePath: config.storagePath,
      shares: () => this.#parts?.shares.all,
    })
    this.#web = new WebApi(
      webRoutes(
        this.control,
        this.#pages,
        legacyHost(this.control, view, () => this.#config),
        this.#log,
      ),
      this.#log,
    )
  }

  get port(): number {
    return this.#parts?.port ?? 0
  }

  get #identity(): Identity {
    if (this.#openedIdentity === undefined) throw new ShoalError('INTERNAL', 'the daemon is not started')
    return this.#openedIdentity
  }

  #openedIdentity: Identity | undefined
  readonly #rates: RateLimits
  readonly #accounts = new AccountCache(() => performance.now())

  async start(): Promise<void> {
    const { storagePath, pidFile } = this.#config
    const lock = lockStorage(storagePath)
    this.#release = () => lock.release()
    try {
      chmodSync(storagePath, 0o700)
      if (pidFile !== undefined) this.#pidFile = writePidFile(pidFile)
      this.#folders = await AddedFolders.open(this.#config, this.#log)
      await this.#open(this.#folders)
      const { control: backend } = this
      await this.#web.serve(this.#config.web)
      // Last: whoever finds the socket finds all the rest.
      this.#server = await serveControl({ storagePath, backend, pages: this.#pages, log: this.#log })
    } catch (thrown) {
      await this.#close()
      throw thrown
    }
    const shares = this.#parts?.shares.all.map(({ dir }) => dir)
    this.#log.info(
      { device: this.#identity.device.device.slice(0, 8), port: this.port, shares, pid: process.pid },
      'ready',
    )
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#restarted()
      .then(() => this.#folderAdmin.settled())
      .then(() => this.#close())
      .then(
        () => this.#settle.resolve(),
        (thrown) => {
          this.#settle.reject(thrown)
          throw thrown
        },
      )
    return this.#stopping
  }

  adjust(config: Config<Secret>): ReloadPlan {
    const plan = planReload(this.#config, config)
    this.configState.awaitRestart(plan.restart.map(({ key }) => key))
    this.#config = withLiveChanges(this.#config, config)
    this.#rates.configure(this.#config)
    if (plan.live.some(({ key }) => key === 'webui')) void this.#web.adjust(this.#config.web)
    // Whoever is just starting over as another device does so with the new ones.
    this.#parts?.shares.adjust(plan)
    return plan
  }

  async #restarted(): Promise<void> {
    await this.#restarting?.catch(() => undefined)
  }

  async #close(): Promise<void> {
    const failures: unknown[] = []
    const attempt = async (close: (() => unknown) | undefined): Promise<void> => {
      try {
        await close?.()
      } catch (thrown) {
        failures.push(thrown)
      }
    }
    await attempt(() => this.#web.close())
    await attempt(() => this.#server?.close())
    await attempt(() => this.#parts?.close())
    await attempt(() => this.#rates.close())
    this.#parts = undefined
    await attempt(() => this.#pidFile?.remove())
    await attempt(this.#release)
    this.#release = () => undefined
    if (failures.length > 0) throw toShoalError(failures[0])
  }

  /** Something that should not happen: what is on disk is safe, so the best is to end (A4). */
  #fail(thrown: unknown): void {
    if (this.#stopping !== undefined) return
    this.#log.error({ err: thrown }, 'stopping after an unexpected error')
    this.#stopping = this.#close()
      .catch((err: unknown) => this.#log.error({ err }, 'could not stop cleanly'))
      .then(() => this.#settle.reject(toShoalError(thrown)))
  }

  async #open(folders: AddedFolders): Promise<void> {
    const { storagePath } = this.#config
    const isStored = existsSync(path.join(storagePath, 'cores'))
    this.#openedIdentity = Identity.open(storagePath)
    const closing: (() => Promise<unknown>)[] = []
    const close = async (): Promise<void> => {
      const failures: unknown[] = []
      for (const step of closing.reverse()) await step().catch((thrown: unknown) => failures.push(thrown))
      if (failures.length > 0) throw failures[0]
    }
    try {
      const pool = new FolderPool({
        lowPriority: this.#config.diskLowPriority,
      })
      closing.push(() => pool.close())
      const database = openIndex(path.join(storagePath, 'index'))
      closing.push(() => database.close())
      const opened = await FeedStore.open(path.join(storagePath, 'cores'), { log: this.#log })
      closing.push(() => opened.store.close())
      // F4: feeds without their identity, an identity without its feeds, or a storage that was copied or restored.
      const isStrange =
        opened.moved || (opened.created && !this.#identity.isNew) || (isStored && this.#identity.isNew)
      if (isStrange) await this.#newEpochs(opened.store, folders)
      const all = [...this.#config.shares, ...folders.shares]
      const invites = openInvites(this.#config, all, this.#identity, this.#log)
      const way = wayOut(this.#config, this.#log)
      const swarm = this.#makeSwarm(invites, way)
      const shares = new Shares({
        config: () => this.#config,
        added: folders.shares,
        ...{ identity: this.#identity, pool, database, feeds: opened.store, swarm },
        ...{ hookSlots: this.#hookSlots, accounts: this.#accounts, events: this.#events },
        ...{ rates: this.#rates, log: this.#log },
        fail: (thrown) => this.#fail(thrown),
      })
      // Last of all: work in a shared directory may be under way until the pool has closed.
      closing.unshift(async () => shares.release())
      // Shares close after the swarm, and before the stores they use.
      closing.push(() => shares.stop())
      closing.push(() => swarm.stop())
      closing.push(async () => invites.close())
      // Begins first, as it may take a while; the shares wait for its end.
      closing.push(async () => shares.stopHooks())
      shares.make()
      await shares.start()
      const { port } = await swarm.start()
      this.#keepPort(port)
      shares.join()
      invites.start(swarm, isStrange)
      const { gateway } = this.#options
      const reach = new Reach({
        ...{ config: this.#config, swarm, port, log: this.#log },
        ...(way.dial === undefined ? {} : { dial: way.dial }),
        ...(gateway === undefined ? {} : { gateway }),
      })
      reach.start()
      closing.push(() => reach.stop())
      const onWake = (): void => {
        reach.look()
        swarm.woke()
      }
      const wakeWatch = new WakeWatch({ onWake, log: this.#log })
      wakeWatch.start()
      closing.push(async () => wakeWatch.stop())
      const restWatch = new RestWatch()
      restWatch.start()
      closing.push(async () => restWatch.stop())
      this.#parts = { swarm, shares, invites, reach, port, close }
    } catch (thrown) {
      await close().catch((err: unknown) => this.#log.warn({ err }, 'could not close everything'))
      throw thrown
    }
  }

  /** Remembers the port for listening_port 0, and says so if it is not the one that others may know. */
  #keepPort(port: number): void {
    const before = this.#identity.port
    if (this.#config.listeningPort === 0 && before !== undefined && before !== port)
      this.#log.warn(
        { before, port },
        'the port of the last run is in use; known_hosts naming it lead elsewhere',
      )
    this.#identity.keepPort(port)
  }

  async #newEpochs(feeds: FeedStore, folders: AddedFolders): Promise<void> {
    this.#log.warn({}, 'the storage was moved, copied or restored; continuing in new feeds')
    const here = [...this.#config.shares, ...folders.shares].map(({ secret }) => keysOf(secret).shareId)
    for (const share of new Set([...here, ...folders.former])) this.#identity.nextEpoch(share)
    await feeds.settleMove()
  }

  #makeSwarm(door: InviteHost, way: ReturnType<typeof wayOut>): Swarm {
    const { deviceName, listeningPort, listenHost, interfaces, relays, proxy } = this.#config
    if (proxy !== undefined) tellProxy(proxy, this.#log)
    const { beaconPort } = this.#options
    const swarm = new Swarm({
      device: this.#identity.device,
      deviceName,
      listeningPort:
        listeningPort === 0 ? (this.#identity.port ?? randomInt(...PICKED_PORTS)) : listeningPort,
      anyPortIfTaken: listeningPort === 0,
      ...(listenHost === undefined ? {} : { listenHost }),
      ...(interfaces === undefined ? {} : { interfaces }),
      ...(beaconPort === undefined ? {} : { beaconPort }),
      relays,
      ...way,
      door,
      log: this.#log,
    })
    swarm.on('clone', ({ instance, address }) => this.#onClone(swarm, instance, address))
    return swarm
  }

  /** F4: two processes with one identity. The one with the lesser instance becomes another device. */
  #onClone(swarm: Swarm, instance: string, address: string): void {
    if (swarm.instance > instance || this.#restarting !== undefined || this.#stopping !== undefined) return
    this.#log.warn({ address }, 'another daemon runs with a copy of this identity; taking a new one')
    this.#restarting = this.#restart()
      .catch((thrown) => this.#fail(thrown))
      .finally(() => {
        this.#restarting = undefined
      })
  }

  async #restart(): Promise<void> {
    await this.#folderAdmin.settled()
    const parts = this.#parts
    this.#parts = undefined
    await parts?.close()
    this.#identity.stepAside()
    await this.#open(this.#folders!)
  }
}
