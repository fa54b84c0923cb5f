// What up, down and ps do: up starts and supervises many daemons, down and ps ask the one that does.
import fs from 'node:fs/promises'
import { controlClient } from '../control/client.js'
import { ShoalError } from '../core/error.js'
import { makeLog } from '../daemon/log.js'
import { Notifier, notifyEnvironment } from '../daemon/sd-notify.js'
import type { LogLevel } from '../ports/log.js'
import { SupervisorClient } from '../supervisor/client.js'
import { AUTOSTART_ALL, type Autostart, parseAutostart } from '../supervisor/defaults.js'
import { FileSink } from '../supervisor/log-lines.js'
import { defaultsFileOf, folderOf, stateFolderOf } from '../supervisor/place.js'
import type { JsonOption } from './daemon-commands.js'
import type { CliIo } from './io.js'
import { untilSignalled } from './lifetime.js'
import { askDaemons, formatInstances } from './ps-text.js'
import { endOnBugs } from './run-commands.js'
import { formatJson } from './text.js'

export interface PlaceOptions {
  readonly dir?: string
  readonly state?: string
}

export interface UpOptions {
  readonly only?: readonly string[]
  readonly state?: string
  readonly defaults?: string
  readonly logLevel: LogLevel
}

const STANDARD_ERROR = 2
/** Above the grace that a daemon has, after which it is ended by force (supervisor/plan.ts). */
const FORCE_EXIT_MS = 15_000

export async function upCommand(io: CliIo, given: string | undefined, options: UpOptions): Promise<number> {
  const folder = folderOf(given)
  const stateFolder = stateFolderOf(folder, options.state, io.env)
  const autostart = await readAutostart(defaultsFileOf(folder, options.defaults))
  const sink = new FileSink(STANDARD_ERROR)
  const log = makeLog(options.logLevel, { write: (line) => void sink.write(line) })
  // What is printed last must be out before the process ends.
  endOnBugs(makeLog(options.logLevel))
  const { Supervisor } = await import('../supervisor/supervisor.js')
  const environment = notifyEnvironment(io.env)
  let status = ''
  const notifier =
    environment === undefined
      ? undefined
      : new Notifier({ environment, log, isHealthy: async () => true, status: async () => status })
  try {
    await untilSignalled(
      async () => {
        const supervisor = await Supervisor.start({
          folder,
          stateFolder,
          autostart,
          only: options.only ?? [],
          args: ['--log-level', options.logLevel],
          sink,
          log,
          onSettled: (text) => {
            status = text
            log.info({ folder, status }, 'ready')
            void notifier?.ready()
          },
        })
        return {
          stopped: supervisor.stopped.then(() => supervisor.close()),
          stop: () => {
            void notifier?.stopping()
            return supervisor.stop()
          },
          reload: async () => {
            void notifier?.reloading()
            await supervisor.reload()
            await notifier?.ready()
          },
        }
      },
      log,
      process,
      FORCE_EXIT_MS,
    )
  } finally {
    await sink.write('')
  }
  return 0
}

/** Nothing to stop is no failure: what was asked for is so. */
export async function downCommand(
  io: CliIo,
  names: readonly string[],
  options: PlaceOptions,
): Promise<number> {
  const { client, folder } = supervisorOf(io, options)
  try {
    await client.down(names)
  } catch (error) {
    const isNone = error instanceof ShoalError && error.code === 'SUPERVISOR_UNREACHABLE'
    if (!isNone || names.length > 0 || !/is not running$/.test(error.message)) throw error
    io.err(`shoal up of ${folder} is not running\n`)
  }
  return 0
}

export async function psCommand(io: CliIo, options: PlaceOptions & JsonOption): Promise<number> {
  const { client } = supervisorOf(io, options)
  const report = await client.report()
  const instances = await askDaemons(report.instances, (storagePath) => controlClient(storagePath))
  io.out(options.json === true ? formatJson({ ...report, instances }) : formatInstances(instances))
  return 0
}

function supervisorOf(io: CliIo, { dir, state }: PlaceOptions): { client: SupervisorClient; folder: string } {
  const folder = folderOf(dir)
  return { client: new SupervisorClient(stateFolderOf(folder, state, io.env), folder), folder }
}

async function readAutostart(file: string | undefined): Promise<Autostart> {
  if (file === undefined) return AUTOSTART_ALL
  const text = await fs.readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ShoalError('CONFIG_UNREADABLE', `cannot read ${file}: ${(cause as Error).message}`, { cause })
  })
  return parseAutostart(text, file)
}
