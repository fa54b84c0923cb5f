// `shoal relay`: the forwarding service, and its options.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ShoalError } from '../core/error.js'
import { LOG_LEVELS, type LogLevel } from '../ports/log.js'
import type { CliIo } from './io.js'
import { type HostPort, parseHostPort } from './option-values.js'

export interface RelayCommandOptions {
  readonly listen: HostPort
  readonly allow?: string
  readonly open?: boolean
  readonly metrics?: HostPort
  readonly pairRate?: number
  readonly totalRate?: number
  readonly maxPairs?: number
  readonly maxConnections?: number
  readonly maxPerAddress?: number
  readonly logLevel: LogLevel
}

const MAX_COUNT = 1_000_000
const MAX_RATE = 1_000_000_000

export function addRelayCommand(program: Command, io: CliIo, setExit: (code: number) => void): void {
  program
    .command('relay')
    .description(
      'forward encrypted bytes between nodes that cannot reach each other, until SIGTERM or SIGINT; prints its address',
    )
    .addOption(
      new Option('--listen <host:port>', 'TCP address to listen on; port 0: any free one')
        .makeOptionMandatory()
        .argParser((text) => hostPort(text)),
    )
    .addOption(
      new Option(
        '--allow <file>',
        'relay passes of the shares to forward for, one a line; SIGHUP reads it anew',
      ).conflicts('open'),
    )
    .option('--open', 'forward for everybody')
    .addOption(
      new Option('--metrics <host:port>', 'serve metrics for Prometheus there, at /metrics').argParser(
        (text) => hostPort(text),
      ),
    )
    .addOption(number('--pair-rate <kB/s>', 'most to forward for two nodes, both ways together', MAX_RATE))
    .addOption(number('--total-rate <kB/s>', 'most to forward for all together', MAX_RATE))
    .addOption(number('--max-pairs <number>', 'pairs of nodes joined at a time (default: 512)', MAX_COUNT))
    .addOption(number('--max-connections <number>', 'connections at a time (default: 2048)', MAX_COUNT))
    .addOption(number('--max-per-address <number>', 'of those from one address (default: 256)', MAX_COUNT))
    .addOption(
      new Option('--log-level <level>', 'how much to log on standard error')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .addHelpText(
      'after',
      `
A share is let in by its relay pass, which is no secret: shoal secret relay-pass FILE prints it. The
relay sees addresses, times and numbers of bytes, and nothing of what is in them: docs/relay.md.`,
    )
    .action(async (options: RelayCommandOptions) => setExit(await relayCommand(io, options)))
}

/** Runs a relay until a signal; prints the address it listens on, and that of its metrics. */
async function relayCommand(io: CliIo, options: RelayCommandOptions): Promise<number> {
  if (options.allow === undefined && options.open !== true)
    throw new ShoalError(
      'USAGE',
      'whom to forward for is not said: give --allow FILE with relay passes, or --open for everybody',
    )
  const [{ makeLog }, { endOnBugs }, { untilSignalled }, { runRelay }] = await Promise.all([
    import('../daemon/log.js'),
    import('./run-commands.js'),
    import('./lifetime.js'),
    import('../relay/service.js'),
  ])
  const log = makeLog(options.logLevel)
  endOnBugs(log)
  await untilSignalled(async () => {
    const { listen, allow: allowFile, metrics } = options
    const service = await runRelay({ listen, allowFile, metrics, limits: limitsOf(options), log })
    io.out(`${show(service.address)}\n`)
    if (service.metricsAddress !== undefined) io.out(`metrics ${show(service.metricsAddress)}\n`)
    let markStopped: () => void = () => {}
    const stopped = new Promise<void>((resolve) => {
      markStopped = resolve
    })
    return {
      stopped,
      reload: () => service.reload(),
      stop: async () => {
        await service.stop()
        markStopped()
      },
    }
  }, log)
  return 0
}

function limitsOf({ pairRate, totalRate, maxPairs, maxConnections, maxPerAddress }: RelayCommandOptions) {
  return {
    ...(pairRate !== undefined && { pairBytesPerSecond: pairRate * 1024 }),
    ...(totalRate !== undefined && { totalBytesPerSecond: totalRate * 1024 }),
    ...(maxPairs !== undefined && { maxPairs }),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(maxPerAddress !== undefined && { maxPerAddress }),
  }
}

function show({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function number(flags: string, text: string, max: number): Option {
  return new Option(flags, text).argParser((value) => {
    if (!/^[1-9]\d{0,9}$/.test(value) || Number(value) > max)
      throw new InvalidArgumentError(`expected a whole number from 1 to ${max}`)
    return Number(value)
  })
}

function hostPort(text: string): HostPort {
  try {
    return parseHostPort(text, 0)
  } catch (error) {
    throw error instanceof ShoalError ? new InvalidArgumentError(error.message) : error
  }
}
