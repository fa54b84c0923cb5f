// shoal events: what a daemon has done lately and, with --follow, what it does, a line for each event.
import { readEvents } from '../control/event-client.js'
import type { EventReport } from '../control/schema-events.js'
import { printableJson } from '../core/printable-json.js'
import type { JsonOption } from './daemon-commands.js'
import { untilInterrupted } from './interrupt.js'
import type { CliIo } from './io.js'
import { runningClient } from './running-client.js'
import { formatBytes, formatCount, printable, shortTime } from './text.js'

export interface EventsOptions extends JsonOption {
  readonly follow?: boolean
  /** The id of the last one that is known. */
  readonly after?: number
}

/** Prints events, as JSON one to a line; with `follow`, until SIGINT or SIGTERM. The exit code. */
export async function eventsCommand(
  io: CliIo,
  configFile: string,
  { json, follow = false, after }: EventsOptions,
): Promise<number> {
  const { storagePath } = await runningClient(configFile)
  await untilInterrupted(async (signal) => {
    for await (const event of readEvents(storagePath, { after, follow, signal }))
      io.out(json === true ? `${printableJson(JSON.stringify(event))}\n` : formatEvent(event))
  })
  return 0
}

/** One line, with its line end. */
export function formatEvent(event: EventReport): string {
  const where = event.dir === null ? '' : `${event.dir}: `
  return `${printable(`${shortTime(event.at)} ${where}${whatOf(event)}`)}\n`
}

function whatOf(event: EventReport): string {
  switch (event.type) {
    case 'changed':
      return `changed ${event.from === null ? 'here' : `by ${event.from}`}: ${pathsOf(event)}`
    case 'applied':
      return `applied: ${pathsOf(event)}${event.bytes === 0 ? '' : `, ${formatBytes(event.bytes)}`}`
    case 'conflict':
      return `conflict: ${event.path}, the other version is ${event.copy}`
    case 'drift':
      return `drift: ${pathsOf(event)}; ${event.open} not acknowledged`
    case 'problem':
      return `problem: ${atPath(event)}${event.detail} (${event.code})`
    case 'problem-gone':
      return `no longer a problem: ${atPath(event)}${event.detail} (${event.code})`
    case 'peer-connected':
      return `${event.name} connected (${event.device.slice(0, 8)}, ${event.transport} ${event.address})`
    case 'peer-moved':
      return `${event.name} is reached by another connection (${event.device.slice(0, 8)}, ${event.transport} ${event.address})`
    case 'peer-left':
      return `${event.name} left (${event.device.slice(0, 8)}): ${event.reason}`
    case 'state':
      return `${event.state}, was ${event.before}`
    case 'release':
      return `shows release ${event.name}`
    case 'copies':
      return event.kept
        ? 'all copies that were promised are there again'
        : `${formatCount(event.pieces, 'piece')}, ${formatBytes(event.bytes)}, on fewer devices than promised`
    case 'hook':
      return `hook ${event.hook}: ${event.outcome}`
    case 'verified':
      return `verified ${formatCount(event.files, 'file')}, ${formatBytes(event.bytes)}: ${event.damaged} damaged`
    case 'paused':
    case 'resumed':
      return event.type
    case 'config-refused':
      return `the configuration read anew is not used, the settings stay: ${event.problems.join('; ')}`
    case 'config-used':
      return 'the configuration is good again, and used'
    case 'gap':
      return 'what happened before is not known any more'
  }
}

function pathsOf({ count, paths }: { readonly count: number; readonly paths: readonly string[] }): string {
  const named = paths.join(', ')
  return count <= paths.length ? named : `${formatCount(count, 'path')}, e.g. ${named}`
}

function atPath({ path }: { readonly path: string }): string {
  return path === '' ? '' : `${path}: `
}
