// What all commands have: --quiet, and a place to show progress in.
import { type Command, Option } from 'commander'
import type { CliIo } from './io.js'
import { ProgressScreen } from './progress/screen.js'

/** These stay until somebody ends them, and show no progress. */
const STAY: ReadonlySet<string> = new Set(['run', 'up', 'dht', 'dashboard', 'events'])
/** These may read what somebody types: a line that comes and goes by itself would be in the way. */
const READ: ReadonlySet<string> = new Set(['join', 'secret show'])

/** Runs one command line with an `io` that knows --quiet and shows progress. */
export async function withCommon<T>(
  io: CliIo,
  body: (io: CliIo, listen: (program: Command) => void) => Promise<T>,
): Promise<T> {
  const screen = new ProgressScreen({
    write: (text) => io.err(text),
    columns: () => io.columns?.(),
  })
  const common = {
    ...io,
    out: (text: string) => {
      screen.clear()
      io.out(text)
    },
    err: (text: string) => {
      screen.clear()
      io.err(text)
    },
    isQuiet: false,
    progress: screen,
  }
  let endWait = (): void => {}
  const listen = (program: Command): void => {
    program.hook('preAction', (_program, command) => {
      const { quiet, json } = command.optsWithGlobals<{ quiet?: boolean; json?: boolean }>()
      common.isQuiet = quiet === true
      const name = nameOf(command)
      screen.mode = quiet === true || STAY.has(name) ? 'off' : json === true ? 'terminal' : 'lines'
      // Whatever takes long without telling how far it is shows at least that it goes on.
      if (!READ.has(name)) endWait = screen.begin(name).end
    })
  }
  try {
    return await body(common, listen)
  } finally {
    endWait()
  }
}

/** Gives a command and all below it the option. Once all of them are there. */
export function addQuiet(program: Command): void {
  program.addOption(quietOption())
  // Listed once, with the program itself.
  for (const command of below(program)) command.addOption(quietOption().hideHelp())
}

/** "secret show" */
function nameOf(command: Command): string {
  const { parent } = command
  return parent === null || parent.parent === null ? command.name() : `${nameOf(parent)} ${command.name()}`
}

function quietOption(): Option {
  return new Option('-q, --quiet', 'no progress and no notes; every command takes it')
}

function below(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...below(child)])
}
