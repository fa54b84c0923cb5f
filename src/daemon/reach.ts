// How this daemon can be reached: has the router open its port where that is wanted, tells members the addresses that come of
// it, and reports on all of it. Nothing waits for it.
import type { Config } from '../config/config.js'
import { isHidden } from '../config/proxy.js'
import type { MappingReport, NetworkReport } from '../control/schema-network.js'
import { type GivenGateway, PortMapper } from '../nat/mapper.js'
import type { MappingState } from '../nat/mapping.js'
import { ownAddresses } from '../nat/own-addresses.js'
import type { Log } from '../ports/log.js'
import { interfacesNow } from '../ports/network-interfaces.js'
import type { ProxyDial } from '../swarm/proxy-dial.js'
import type { Swarm } from '../swarm/swarm.js'

export interface ReachOptions {
  readonly config: Pick<Config, 'listenHost' | 'useUpnp' | 'externalPort' | 'proxy'>
  readonly swarm: Pick<Swarm, 'devices' | 'dht'>
  /** That the swarm listens on. */
  readonly port: number
  /** Through which the swarm dials, if it is one. */
  readonly dial?: ProxyDial
  /** A router for tests. */
  readonly gateway?: GivenGateway
  readonly log: Log
}

/** Addresses of a machine change rarely; what wakes or moves is looked at then (look()). */
const LOOK_EVERY_MS = 60_000

export class Reach {
  readonly #options: ReachOptions
  readonly #mapper: PortMapper | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: ReachOptions) {
    this.#options = options
    const { config, port, gateway, log } = options
    // A router's port, as any address of ours, shows where this machine is.
    if (!config.useUpnp || isHidden(config.proxy)) return
    this.#mapper = new PortMapper({
      internalPort: port,
      externalPort: config.externalPort === 0 ? port : config.externalPort,
      listenHost: config.listenHost,
      ...(gateway === undefined ? {} : { gateway }),
      log,
      onChange: () => this.#tell(),
    })
  }

  start(): void {
    this.#tell()
    this.#mapper?.start()
    this.#timer = setInterval(() => this.#tell(), LOOK_EVERY_MS)
    this.#timer.unref()
  }

  /** The machine has slept, and may be elsewhere. */
  look(): void {
    this.#mapper?.look()
    this.#tell()
  }

  /** Closes the port again; takes some 3 s at most. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#mapper?.stop()
  }

  report(): NetworkReport {
    const { config, port, swarm, dial } = this.#options
    const { dht } = swarm
    const proxy = dial?.standing()
    return {
      listenHost: config.listenHost ?? null,
      port,
      mapping: mappingReport(this.#state),
      told: this.#addresses().map((each) => ({ host: each.host ?? null, port: each.port })),
      seenAs: swarm.devices.ownWays.seenAs(),
      stoodStill: swarm.devices.stoodStill,
      dht: {
        use: dht === undefined ? 'none' : dht.isPublic ? 'public' : 'own',
        nodes: dht?.nodes ?? 0,
        host: dht?.host ?? null,
        port: dht?.port ?? null,
        nat: dht?.nat ?? 'unknown',
      },
      ...(proxy === undefined ? {} : { proxy: { ...proxy, problem: proxy.problem ?? null } }),
    }
  }

  get #state(): MappingState {
    return this.#mapper?.state ?? { type: 'off' }
  }

  #addresses(): ReturnType<typeof ownAddresses> {
    const { config, port } = this.#options
    const { listenHost, useUpnp, externalPort, proxy } = config
    if (isHidden(proxy)) return []
    const interfaces = interfacesNow()
    return ownAddresses({
      port,
      listenHost,
      usesUpnp: useUpnp,
      externalPort,
      mapping: this.#state,
      interfaces,
    })
  }

  #tell(): void {
    this.#options.swarm.devices.ownWays.set(this.#addresses())
  }
}

function mappingReport(state: MappingState): MappingReport {
  const none = { gateway: null, via: null, externalHost: null, externalPort: null, reason: null }
  switch (state.type) {
    case 'off':
      return { ...none, state: 'off' }
    case 'asking':
      return { ...none, state: 'asking', gateway: state.gateway }
    case 'failed':
      return { ...none, state: 'failed', gateway: state.gateway ?? null, reason: state.reason }
    case 'mapped': {
      const { gateway, via, externalHost, externalPort } = state
      return { ...none, state: 'mapped', gateway, via, externalHost: externalHost ?? null, externalPort }
    }
  }
}
