// The commands that stay: the daemon and the stand-alone DHT node. What they run is imported only when it is.
import { makeLog } from '../daemon/log.js'
import { LogFile } from '../daemon/log-file.js'
import type { Log, LogLevel } from '../ports/log.js'
import { ConfigSource } from './config-source.js'
import type { CliIo } from './io.js'
import { type Running, untilSignalled } from './lifetime.js'
import type { HostPort } from './option-values.js'
import { tellRemarks } from './remarks.js'
import { watchSupervisor } from './supervised.js'

/** Runs the daemon in the foreground until a signal, as the user that the configuration's name and tags say. */
export async function runCommand(
  io: CliIo,
  configFile: string,
  options: { readonly logLevel: LogLevel; readonly logFile?: string },
): Promise<number> {
  const supervised = watchSupervisor(io.env)
  const source = await ConfigSource.enter(configFile)
  const { config, remarks } = await source.first()
  tellRemarks(io, remarks)
  const logFile = options.logFile === undefined ? undefined : new LogFile(options.logFile, config.logBytes)
  const log = makeLog(options.logLevel, logFile)
  endOnBugs(log)
  log.info({ ...source.runsAs }, 'running')
  const { runService } = await import('../daemon/service.js')
  const start = async (): Promise<Running> => {
    const service = await runService(config, {
      log,
      reread: () => source.again(),
      watched: () => source.files,
      onConfig: ({ logBytes }) => {
        if (logFile !== undefined) logFile.maxBytes = logBytes
      },
      environment: io.env,
    })
    supervised.ready(service.port)
    const reload = (): Promise<void> => {
      logFile?.reopen()
      return service.reload()
    }
    return { stopped: service.stopped, stop: () => service.stop(), reload }
  }
  await untilSignalled(start, log)
  return 0
}

/** Runs a DHT node until a signal; prints the address it is reached at. */
export async function dhtCommand(
  io: CliIo,
  options: {
    readonly listen: HostPort
    readonly bootstrap?: readonly HostPort[]
    readonly logLevel: LogLevel
  },
): Promise<number> {
  const log = makeLog(options.logLevel)
  endOnBugs(log)
  const { runDhtNode } = await import('../swarm/dht-node.js')
  await untilSignalled(async () => {
    const node = await runDhtNode({ ...options.listen, bootstrap: options.bootstrap ?? [], log })
    io.out(`${node.address.host}:${node.address.port}\n`)
    let markStopped: () => void = () => {}
    const stopped = new Promise<void>((resolve) => {
      markStopped = resolve
    })
    return {
      stopped,
      stop: async () => {
        await node.close()
        markStopped()
      },
    }
  }, log)
  return 0
}

/** Going on after a bug could do harm; what is on disk is safe at any instant (A4). */
export function endOnBugs(log: Log): void {
  process.on('uncaughtException', (err) => {
    log.error({ err }, 'stopping at once after an unexpected error')
    process.exit(70)
  })
}
