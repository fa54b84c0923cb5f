// What happens, as it happens, newest first.
import { formatBytes, formatCount } from '../../cli/text.js'
import type { EventReport } from '../../control/schema-events.js'
import { clock, dateTime } from '../model/format.js'
import { type Line, safe, span, type Tone } from '../model/span.js'
import { type EventItem, eventsOf, type World } from '../model/world.js'
import type { Screen } from './screen.js'
import { fact, nameCell, shareColumn } from './shared.js'

const TONES: Partial<Readonly<Record<EventReport['type'], Tone>>> = {
  applied: 'good',
  changed: 'accent',
  conflict: 'warn',
  drift: 'warn',
  problem: 'bad',
  'problem-gone': 'good',
  'peer-left': 'muted',
  gap: 'muted',
}

export const LOG: Screen<EventItem> = {
  ...{ id: 'log', title: 'Log', short: 'Log' },
  items: eventsOf,
  keyOf: ({ key }) => key,
  search: (item) => `${item.event.type} ${item.shareName} ${item.daemon.name} ${sentence(item.event)}`,
  columns: [
    {
      ...{ id: 'time', title: 'TIME', width: 8, rank: 0 },
      cell: ({ event }) => clock(Date.parse(event.at)),
    },
    { ...shareColumn<EventItem>(1), width: 8 },
    {
      ...{ id: 'type', title: 'WHAT', width: 14, rank: 2 },
      cell: ({ event }) => [span(event.type.replace('-', ' '), TONES[event.type])],
      sortBy: ({ event }) => event.type,
    },
    {
      ...{ id: 'text', title: 'NEWEST FIRST', width: 20, weight: 6, rank: 0 },
      cell: ({ event }, width) => nameCell(sentence(event), width),
    },
  ],
  empty: () => 'nothing has happened since the dashboard was opened',
  detailLines: (lines) => (lines < 16 ? 0 : 4),
  detailTitle: ({ event }) => event.type.replace('-', ' '),
  detail: ({ event, daemon, shareName }, width, lines, _world: World): Line[] =>
    [
      fact('when', `${dateTime(Date.parse(event.at))}, told by ${safe(daemon.name)}`),
      fact('share', safe(shareName === '' ? '-' : (event.dir ?? shareName))),
      ...wrapped(sentence(event), width - 10, 2).map((text, at) => fact(at === 0 ? 'what' : '', text)),
    ].slice(0, lines),
  actions: [],
}

/** An event in words. */
export function sentence(event: EventReport): string {
  switch (event.type) {
    case 'changed':
      return `${event.from === null ? 'changed here' : `${event.from} changed`}: ${someOf(event)}`
    case 'applied':
      return `now here: ${someOf(event)}${event.bytes > 0 ? `, ${formatBytes(event.bytes)}` : ''}`
    case 'conflict':
      return `both changed ${event.path}; the other version is ${event.copy}`
    case 'drift':
      return event.open === 0 ? 'no drift any more' : `${event.open} differ from the share: ${someOf(event)}`
    case 'problem':
      return `${event.path === '' ? '' : `${event.path}: `}${event.detail} (${event.code})`
    case 'problem-gone':
      return `no longer: ${event.path === '' ? event.detail : event.path} (${event.code})`
    case 'peer-connected':
      return `${event.name} is connected, ${event.transport} ${event.address}`
    case 'peer-moved':
      return `${event.name} is reached by another connection, ${event.transport} ${event.address}`
    case 'peer-left':
      return `${event.name} has left: ${event.reason}`
    case 'state':
      return `${event.before} -> ${event.state}`
    case 'release':
      return `release ${event.name} is shown`
    case 'copies':
      return event.kept ? 'enough copies again' : `${formatBytes(event.bytes)} on fewer devices than promised`
    case 'hook':
      return `hook ${event.hook}: ${event.outcome}`
    case 'verified':
      return `all ${formatCount(event.files, 'file')} were read again: ${event.damaged} damaged`
    case 'paused':
      return 'paused: it speaks with nobody'
    case 'resumed':
      return 'resumed'
    case 'config-refused':
      return `the changed configuration is not used: ${event.problems.join('; ')}`
    case 'config-used':
      return 'the configuration is good again, and used'
    case 'gap':
      return 'earlier events are not known any more'
  }
}

function someOf({ count, paths }: { readonly count: number; readonly paths: readonly string[] }): string {
  const [first = ''] = paths
  if (count <= 1) return first
  return `${formatCount(count, 'path')}, ${paths.slice(0, 2).join(', ')}${count > 2 ? ' and others' : ''}`
}

function wrapped(text: string, width: number, lines: number): string[] {
  const rows: string[] = []
  let rest = safe(text)
  while (rest !== '' && rows.length < lines) {
    const isLast = rows.length === lines - 1
    const row = isLast ? nameCell(rest, width) : [...rest].slice(0, Math.max(1, width)).join('')
    rows.push(row)
    rest = isLast ? '' : rest.slice(row.length)
  }
  return rows
}
