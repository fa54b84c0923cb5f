// A relay as a service: its passes read from their file at start and again when told to, its metrics served if asked for,
// and an end in order.
import { ShoalError } from '../core/error.js'
import type { Log } from '../ports/log.js'
import type { Endpoint } from '../swarm/endpoint.js'
import { DEFAULT_LIMITS, type RelayLimits } from './limits.js'
import { readPasses } from './passes.js'
import { Relay } from './relay.js'

export interface RelayServiceOptions {
  readonly listen: Endpoint
  /** File of the passes that are served; undefined: everybody's. */
  readonly allowFile: string | undefined
  readonly metrics: Endpoint | undefined
  readonly limits: Partial<RelayLimits>
  readonly log: Log
}

export interface RelayService {
  readonly address: Endpoint
  readonly metricsAddress: Endpoint | undefined
  /** Reads the passes anew; with a fault in the file the old ones stay, and the log says so. */
  reload(): Promise<void>
  stop(): Promise<void>
}

/** @throws ShoalError CONFIG_UNREADABLE, CONFIG_INVALID, PORT_IN_USE, IO */
export async function runRelay(options: RelayServiceOptions): Promise<RelayService> {
  const { listen, allowFile, metrics, log } = options
  let passes = allowFile === undefined ? undefined : await readPasses(allowFile)
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const relay = await Relay.open({ listen, limits, log, isAllowed: (pass) => passes?.has(pass) ?? true })
  const page =
    metrics === undefined
      ? undefined
      : await (await import('./metrics.js'))
          .serveMetrics(metrics, () => ({ ...relay.facts, heldBytes: relay.heldBytes }), log)
          .catch(async (thrown: unknown) => {
            await relay.close()
            throw thrown
          })
  if (passes === undefined) log.warn({}, 'open: forwards for everybody who finds this relay')
  else if (passes.size === 0) log.warn({ file: allowFile }, 'the file names no pass: nobody is served')
  log.info({ ...relay.address, passes: passes?.size ?? 'all' }, 'relay is up')
  return {
    address: relay.address,
    metricsAddress: page?.address,
    async reload() {
      if (allowFile === undefined) return
      try {
        passes = await readPasses(allowFile)
      } catch (thrown) {
        if (!(thrown instanceof ShoalError)) throw thrown
        const problems = thrown.message.split('\n')
        log.error({ code: thrown.code, problems }, 'the passes read anew are not used; those before stay')
        return
      }
      relay.recheck()
      log.info({ passes: passes.size }, 'passes read anew')
    },
    async stop() {
      await Promise.all([relay.close(), page?.close()])
      log.info({ ...countsOf(relay) }, 'relay has stopped')
    },
  }
}

function countsOf({ facts: { bytes, joined, arrived } }: Relay): object {
  return { bytes, joined, arrived }
}
