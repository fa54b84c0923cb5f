// shoal dashboard: as far as the command line goes. Ink and react are loaded only by whoever looks at it.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CliIo } from './io.js'

const MIN_SECONDS = 0.1
const MAX_SECONDS = 60
const DEFAULT_SECONDS = 0.5

interface DashboardCommandOptions {
  readonly once?: boolean
  /** Seconds. */
  readonly interval: number
}

export function addDashboardCommand(program: Command, io: CliIo, setExit: (code: number) => void): void {
  program
    .command('dashboard')
    .description('watch daemons on a terminal: shares, peers, transfers, conflicts; and settle what is open')
    .argument('[config...]', 'configuration files, or folders of them; default: those of this machine')
    .option('--once', 'print everything once, as plain text; so it does without a terminal, too')
    .addOption(
      new Option('--interval <seconds>', 'how often to look at what moves')
        .default(DEFAULT_SECONDS)
        .argParser(parseInterval),
    )
    .addHelpText(
      'after',
      `
Keys are shown on the last line; ? explains all of them, and the words. NO_COLOR is obeyed.`,
    )
    .action(async (names: string[], { once, interval }: DashboardCommandOptions) =>
      setExit(await run(io, names, once === true, interval * 1000)),
    )
}

async function run(
  io: CliIo,
  names: readonly string[],
  isOnce: boolean,
  intervalMs: number,
): Promise<number> {
  const options = { names, intervalMs, env: io.env }
  const { stdin, stdout } = process
  if (isOnce || io.stdin !== stdin || !stdin.isTTY || !stdout.isTTY || io.env.TERM === 'dumb') {
    const { dashboardOnce } = await import('../dashboard/text.js')
    io.out(await dashboardOnce(options))
    return 0
  }
  // React checks itself for mistakes of programmers unless told, which costs time and memory.
  process.env.NODE_ENV ??= 'production'
  const { runDashboard } = await import('../dashboard/dashboard.js')
  const stop = new AbortController()
  const end = (): void => stop.abort()
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.once(name, end)
  await runDashboard(options, stdin, stdout, stop.signal)
  return 0
}

function parseInterval(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds >= MIN_SECONDS && seconds <= MAX_SECONDS))
    throw new InvalidArgumentError(`expected seconds from ${MIN_SECONDS} to ${MAX_SECONDS}`)
  return seconds
}
