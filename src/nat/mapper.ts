// Has the router open our TCP port (`use_upnp`) and keeps it open: one thread does the asking (map-worker.ts), and this
// starts it, starts it anew with growing waits where nobody opens the port or the thread fails, and asks the next router when
// the machine has moved. Nothing waits for any of it but stopping, for some 2 s at most, so that the port is closed again.
import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { Log } from '../ports/log.js'
import { interfacesNow } from '../ports/network-interfaces.js'
import { PACKAGE_VERSION } from '../ports/package-version.js'
import { programFile } from '../ports/program.js'
import { scopeOf } from '../swarm/endpoint.js'
import { defaultGateway, type Gateway } from './gateway.js'
import type { MapOrder, MappingState, MapReport, MapWork } from './mapping.js'

/** Of the router, for tests whose router is a mock on loopback. */
export interface GivenGateway extends Gateway {
  readonly pmpPort: number
  readonly ssdpPort: number
}

export interface PortMapperOptions {
  readonly internalPort: number
  /** The port to ask for. */
  readonly externalPort: number
  /** The IP address that is listened on; undefined: all. */
  readonly listenHost: string | undefined
  /** Instead of the default route's. */
  readonly gateway?: GivenGateway
  /** What else is asked of the thread; for tests. */
  readonly work?: Partial<
    Pick<MapWork, 'lifetimeSeconds' | 'checkEveryMs' | 'attempts' | 'searchMs' | 'version'>
  >
  readonly retryMs?: number
  readonly log: Log
  /** The state is another one. */
  readonly onChange: () => void
}

/** Half an hour: a machine that crashed has its port closed after that, and renewing twice an hour costs nothing. */
const LIFETIME_SECONDS = 1_800
/** A router's new address is told to members this much later. */
const CHECK_EVERY_MS = 300_000
/** 250 ms, 500 ms, 1 s, 2 s: a router is one hop away. Once for PCP and once for NAT-PMP. */
const ATTEMPTS = 4
const SEARCH_MS = 2_500
const PMP_PORT = 5_351
/** First wait after a failure, doubled up to MAX_RETRY_MS: who switches the router's option on waits no longer than that. */
const RETRY_MS = 30_000
const MAX_RETRY_MS = 900_000
/** Whether the default route leads elsewhere. */
const MOVED_EVERY_MS = 30_000
const STOP_MS = 2_500
/** What reads a router's XML may use: a hostile one cannot take the machine's memory. */
const THREAD_HEAP_MB = 64

export class PortMapper {
  readonly #options: PortMapperOptions
  #state: MappingState = { type: 'off' }
  #gateway: Gateway | undefined
  #worker: Worker | undefined
  #retry: NodeJS.Timeout | undefined
  #moved: NodeJS.Timeout | undefined
  #failures = 0
  #isStopped = false

  constructor(options: PortMapperOptions) {
    this.#options = options
  }

  get state(): MappingState {
    return this.#state
  }

  /** Begins to ask; returns at once. */
  start(): void {
    if (this.#moved !== undefined || this.#isStopped) return
    this.#moved = setInterval(() => this.look(), MOVED_EVERY_MS)
    this.#moved.unref()
    this.#ask()
  }

  /** The machine may be elsewhere: if its router is another one, that one is asked at once. */
  look(): void {
    if (this.#isStopped || this.#moved === undefined) return
    const found = this.#find()
    if (found?.address === this.#gateway?.address && found?.local.address === this.#gateway?.local.address)
      return
    this.#failures = 0
    void this.#end()
    this.#ask()
  }

  /** Has the port closed, and ends. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#moved)
    clearTimeout(this.#retry)
    await this.#end()
    this.#state = { type: 'off' }
  }

  #ask(): void {
    clearTimeout(this.#retry)
    if (this.#isStopped) return
    const { listenHost, internalPort, externalPort, gateway: given, work } = this.#options
    const gateway = this.#find()
    this.#gateway = gateway
    if (gateway === undefined) return this.#fail('there is no default route over IPv4, so no router to ask')
    const fault = listenFault(listenHost, gateway)
    if (fault !== undefined) return this.#fail(fault)
    const data: MapWork = {
      ...{ gateway: gateway.address, local: gateway.local, internalPort, externalPort },
      ...{ lifetimeSeconds: LIFETIME_SECONDS, checkEveryMs: CHECK_EVERY_MS },
      ...{ attempts: ATTEMPTS, searchMs: SEARCH_MS, version: PACKAGE_VERSION, ...work },
      ...{ pmpPort: given?.pmpPort ?? PMP_PORT, ssdpPort: given?.ssdpPort },
    }
    this.#enter({ type: 'asking', gateway: gateway.address })
    const worker = new Worker(programFile('nat/map-worker.js'), {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB },
    })
    this.#worker = worker
    // The daemon's life hangs on other things.
    worker.unref()
    worker.on('message', (report: MapReport) => this.#onReport(worker, report))
    worker.on('error', (err) => this.#onEnd(worker, `asking the router failed: ${err.message}`, err))
    worker.on('exit', () => this.#onEnd(worker, 'asking the router ended'))
  }

  #onReport(worker: Worker, report: MapReport): void {
    if (this.#worker !== worker || this.#gateway === undefined) return
    if (report.type === 'failed') {
      // It ends by itself once the port is closed.
      this.#worker = undefined
      this.#fail(report.reason)
      return
    }
    this.#failures = 0
    const { type: _, ...mapped } = report
    this.#enter({ type: 'mapped', gateway: this.#gateway.address, ...mapped })
  }

  #onEnd(worker: Worker, reason: string, err?: Error): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    if (err !== undefined) this.#options.log.warn({ err }, 'what asks the router for a port has failed')
    this.#fail(reason)
  }

  #fail(reason: string): void {
    this.#enter({ type: 'failed', gateway: this.#gateway?.address, reason })
    const { retryMs = RETRY_MS } = this.#options
    const waitMs = Math.min(MAX_RETRY_MS, retryMs * 2 ** Math.min(this.#failures++, 10))
    this.#retry = setTimeout(() => this.#ask(), waitMs * (0.75 + Math.random() / 2))
    this.#retry.unref()
  }

  #enter(state: MappingState): void {
    if (this.#isStopped || JSON.stringify(state) === JSON.stringify(this.#state)) return
    const { log } = this.#options
    // Asked again after a failure, it goes back and forth between two states that say nothing new.
    if (state.type === 'mapped') log.info({ ...state }, 'the router has opened a port')
    else if (state.type === 'failed' && this.#failures === 0)
      log.warn({ gateway: state.gateway, reason: state.reason }, 'no router opens the port')
    this.#state = state
    this.#options.onChange()
  }

  /** Has the thread close the port. */
  async #end(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    if (worker === undefined) return
    worker.ref()
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    worker.postMessage({ type: 'stop' } satisfies MapOrder)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, STOP_MS)
    })
    await Promise.race([ended, late])
    clearTimeout(timer)
    await worker.terminate()
  }

  #find(): Gateway | undefined {
    const { gateway } = this.#options
    if (gateway !== undefined) return gateway
    return defaultGateway(readRoutes(), interfacesNow())
  }
}

/** The kernel's table; empty where there is none to read, as on other systems than Linux. */
function readRoutes(): string {
  try {
    return readFileSync('/proc/net/route', 'utf8')
  } catch {
    // Then there is no router that could be asked, which is told as that.
    return ''
  }
}

/** Why a router could not reach what listens there. */
function listenFault(host: string | undefined, { address, local }: Gateway): string | undefined {
  if (host === undefined || host === '0.0.0.0' || host === '::' || host === local.address) return undefined
  if (!isIPv4(host)) return `listen_host ${host} is not IPv4, and routers open ports for IPv4 alone`
  if (scopeOf(host) === 'loopback') return `listen_host ${host} cannot be reached from the router ${address}`
  return `listen_host ${host} is not the address that the router ${address} knows, ${local.address}`
}
