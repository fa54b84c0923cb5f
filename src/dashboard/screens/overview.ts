// The shares of all daemons: how each is, what is missing, what moves, and what somebody should look at.
import { limitsLine } from '../../cli/limit-text.js'
import { formatBytes, formatCount } from '../../cli/text.js'
import { wrapWords } from '../model/box.js'
import { chart } from '../model/chart.js'
import { bar, duration, grouped, percent, perSecond, sparkline } from '../model/format.js'
import { joined, type Line, safe, span, type Words } from '../model/span.js'
import type { Column } from '../model/table.js'
import { isBehind, type OverviewItem, overviewOf, type ShareItem, type World } from '../model/world.js'
import { memberState } from './peers.js'
import type { Action, Screen, Step } from './screen.js'
import { amount, fact, nameCell, rateCell, shareColumn, stateSpan, wholeWords } from './shared.js'

/** A share is scanned, paused and so on; a daemon that is not there is not. */
type OfShare = (share: ShareItem) => Words

const CHART_LABEL = 10

const column = (
  base: Omit<Column<OverviewItem>, 'cell' | 'sortBy'>,
  cell: OfShare,
  sortBy?: (share: ShareItem) => number | string,
): Column<OverviewItem> => ({
  ...base,
  cell: (item) => (item.type === 'share' ? cell(item) : ''),
  ...(sortBy === undefined
    ? {}
    : { sortBy: (item: OverviewItem) => (item.type === 'share' ? sortBy(item) : -1) }),
})

/** The last minute or so. */
const lineColumn = (what: 'down' | 'up', rank: number): Column<OverviewItem> => ({
  ...{ id: `${what}-line`, title: '', width: 8, weight: 1, most: 24, rank },
  cell: (item, width) => (item.type === 'share' ? [span(sparkline(item.history[what], width), what)] : ''),
})

const right = { align: 'right' } as const

const COLUMNS: readonly Column<OverviewItem>[] = [
  { ...shareColumn<OverviewItem>(0), width: 9, wish: 16, weight: 3, most: 40 },
  {
    ...{ id: 'daemon', title: 'DAEMON', width: 8, weight: 1, most: 16, rank: 6 },
    cell: ({ daemon }, width) => nameCell(daemon.name, width),
    sortBy: ({ daemon }) => daemon.name,
  },
  {
    ...{ id: 'state', title: 'STATE', width: 8, rank: 0 },
    cell: (item) => [stateOf(item)],
    sortBy: (item) => stateOf(item).text,
  },
  column(
    { id: 'files', title: 'FILES', width: 9, rank: 4, ...right },
    // A blind node knows no files.
    (share) => (share.report.grade === 'blind' ? [span('-', 'muted')] : grouped(share.report.files)),
    ({ report }) => report.files,
  ),
  column(
    { id: 'size', title: 'SIZE', width: 8, rank: 5, ...right },
    ({ report }) => formatBytes(report.bytes),
    ({ report }) => report.bytes,
  ),
  column({ id: 'missing', title: 'MISSING', width: 8, rank: 0, ...right }, missingCell, (share) =>
    needOf(share).bytes === 0 ? needOf(share).files : needOf(share).bytes,
  ),
  column({ id: 'done', title: 'HERE', width: 8, rank: 7 }, hereBar),
  column(
    { id: 'down', title: 'DOWN/s', width: 8, rank: 0, ...right },
    ({ live }) => [rateCell(live?.downRate ?? 0, 'down')],
    ({ live }) => live?.downRate ?? 0,
  ),
  lineColumn('down', 8),
  column(
    { id: 'up', title: 'UP/s', width: 8, rank: 0, ...right },
    ({ live }) => [rateCell(live?.upRate ?? 0, 'up')],
    ({ live }) => live?.upRate ?? 0,
  ),
  lineColumn('up', 9),
  column({ id: 'peers', title: 'IN SYNC', width: 7, rank: 2, ...right }, membersCell),
  column(
    { id: 'look', title: 'LOOK', width: 4, rank: 1, ...right },
    (share) => {
      const count = toLookAt(share)
      return count === 0
        ? [span('-', 'muted')]
        : [span(String(Math.min(9999, count)), 'warn', { bold: true })]
    },
    toLookAt,
  ),
]

export const OVERVIEW: Screen<OverviewItem> = {
  ...{ id: 'overview', title: 'Overview', short: 'Over' },
  items: overviewOf,
  keyOf: ({ key }) => key,
  search: (item) =>
    `${item.shareName} ${item.daemon.name} ${stateOf(item).text} ${item.type === 'share' ? item.report.dir : ''}`,
  columns: COLUMNS,
  empty: () => 'no daemons',
  detailLines: (lines) => Math.ceil(lines * 0.6),
  isDetailElastic: true,
  detailTitle: ({ shareName }) => safe(shareName),
  detail: (item, width, lines, world) =>
    item.type === 'share' ? shareDetail(item, width, lines, world) : silentDetail(item, width),
  actions: [
    action('p', 'pause/resume', 'pause the share, or go on with it', ({ daemon, dir, report, shareName }) => {
      const at = { daemon: daemon.key, share: dir }
      if (report.state === 'paused') return { type: 'order', order: { type: 'resume', ...at } }
      return {
        ...{ type: 'confirm', title: `Pause ${shareName}?`, order: { type: 'pause', ...at } },
        lines: ['It leaves its peers until it is resumed; changes on this disk are still noticed.'],
      }
    }),
    action('c', 'check disk', 'look through the folder now', ({ daemon, dir }) => ({
      type: 'order',
      order: { type: 'rescan', daemon: daemon.key, share: dir },
    })),
    action('a', 'approve', 'let a halted share go on', ({ daemon, dir, report, shareName }) => {
      if (report.state !== 'halted') return { type: 'refuse', why: `${shareName} is not halted` }
      return {
        ...{ type: 'confirm', title: `Let ${shareName} go on?` },
        lines: [`It is halted: ${report.haltReason ?? 'no reason given'}`],
        order: { type: 'approve', daemon: daemon.key, share: dir },
      }
    }),
  ],
}

function action(
  key: string,
  label: string,
  help: string,
  step: (share: ShareItem) => Step,
): Action<OverviewItem> {
  return {
    ...{ key, label, help },
    step: (item) =>
      item.type === 'share' ? step(item) : { type: 'refuse', why: `${item.daemon.name} does not answer` },
  }
}

function stateOf(item: OverviewItem): ReturnType<typeof span> {
  if (item.type === 'share') return stateSpan(item.live?.state ?? item.report.state)
  const { reach } = item.daemon
  return reach.type === 'down'
    ? span('no reply', 'bad')
    : span(reach.type === 'up' ? 'empty' : 'asking', 'muted')
}

/** What is still to do here. */
function needOf({ live, report }: ShareItem): { readonly files: number; readonly bytes: number } {
  const { needFiles, needBytes } = live ?? report
  return { files: needFiles, bytes: needBytes }
}

function missingCell(share: ShareItem): Words {
  const { files, bytes } = needOf(share)
  if (files + bytes === 0) return [span('-', 'muted')]
  return [span(bytes > 0 ? formatBytes(bytes) : `${files} f`, 'accent')]
}

function partHere(share: ShareItem): number {
  const { bytes } = share.report
  const need = needOf(share)
  if (need.files + need.bytes === 0) return 1
  return bytes + need.bytes === 0 ? 0 : Math.min(0.99, bytes / (bytes + need.bytes))
}

function hereBar(share: ShareItem): Words {
  const part = partHere(share)
  return bar(part, 8, part === 1 ? 'good' : 'accent')
}

function membersCell({ report }: ShareItem): Words {
  const { members } = report
  const counted = members.filter(({ expired, unreadable }) => !expired && !unreadable)
  const equal = counted.filter(({ connected, digestEqual }) => connected && digestEqual).length
  if (members.length === 0) return [span('alone', 'muted')]
  if (counted.length === 0) return [span(String(members.length), 'muted')]
  return [span(`${equal}/${counted.length}`, equal === counted.length ? 'good' : 'warn')]
}

/** Conflicts, drift, problems; a halt and a broken promise of copies count as one each. */
function toLookAt({ report }: ShareItem): number {
  const alarms = [report.state === 'halted', report.copies?.counted?.kept === false].filter(Boolean).length
  return report.conflicts + report.drift + report.problems.length + alarms
}

function silentDetail({ daemon }: OverviewItem, width: number): Line[] {
  const why = daemon.reach.type === 'down' ? daemon.reach.why : 'it has not answered yet'
  const lines = wrapWords(safe(why), width - CHART_LABEL)
  return [
    fact('daemon', safe(daemon.name)),
    ...lines.map((text, at) => fact(at === 0 ? 'why' : '', [span(text, 'warn')])),
  ]
}

function shareDetail(share: ShareItem, width: number, lines: number, world: World): Line[] {
  const { report, live, history } = share
  const facts: Line[] = [
    fact('folder', joined([safe(report.dir), [span(`${report.grade} access`, 'muted')]])),
    fact('state', stateWords(share)),
    ...limitFacts(share),
    fact(
      'content',
      joined([
        report.blind === null
          ? `${grouped(report.files)} files, ${formatBytes(report.bytes)}`
          : `${formatCount(report.blind.pieces - report.blind.missingPieces, 'sealed piece')}, ${formatBytes(report.bytes)}`,
        report.blind === null
          ? [span(`digest ${report.digest.slice(0, 16)}`, 'muted')]
          : [span(`history ${formatBytes(report.blind.pastBytes)}`, 'muted')],
      ]),
    ),
    fact(
      'moved',
      joined(
        [
          `${formatBytes(live?.receivedBytes ?? report.receivedBytes)} received`,
          `${formatBytes(live?.sentBytes ?? report.sentBytes)} sent`,
          live !== undefined && live.wrongPieces > 0
            ? [span(formatCount(live.wrongPieces, 'wrong piece'), 'warn')]
            : '',
        ],
        ', ',
      ),
    ),
  ]
  const told = [...copyLines(share), ...lookLines(share), ...memberLines(share, world)]
  // Charts take what is left, but the facts and the first of what is told come before.
  const chartHeight = Math.max(
    1,
    Math.min(6, Math.floor((lines - facts.length - Math.min(told.length, 8)) / 2)),
  )
  const heightOf = (values: readonly number[]): number =>
    values.some((value) => value > 0) ? chartHeight : 1
  const charts =
    lines - facts.length < 4
      ? []
      : [
          ...chartLines('down', history.down, live?.downRate ?? 0, width, heightOf(history.down)),
          ...chartLines('up', history.up, live?.upRate ?? 0, width, heightOf(history.up)),
        ]
  // What the list shows, too, where it is wide comes last.
  const first = facts.length - 2
  return [...facts.slice(0, first), ...charts, ...told, ...facts.slice(first)].slice(0, lines)
}

/** What holds now, for all shares of the daemon and for this one. */
function limitFacts({ daemon, place }: ShareItem): Line[] {
  const limits = daemon.status?.limits
  const [all, own] = [limitsLine(limits), limitsLine(limits, place)]
  return [
    ...(all === undefined ? [] : [fact('limits', safe(`for all shares: ${all}`))]),
    ...(own === undefined ? [] : [fact(all === undefined ? 'limits' : '', safe(`for this one: ${own}`))]),
  ]
}

function stateWords(share: ShareItem): Words {
  const { report, live } = share
  const { files, bytes } = needOf(share)
  if (report.state === 'halted')
    return [span('halted', 'bad', { bold: true }), span(`: ${safe(report.haltReason ?? '')} (a: approve)`)]
  const left =
    live !== undefined && live.downRate >= 1 && bytes > 0 ? (bytes / live.downRate) * 1000 : undefined
  const here = percent(share.report.bytes, share.report.bytes + bytes)
  return joined(
    [
      [stateOf(share)],
      files + bytes === 0
        ? wholeWords(report)
        : `${amount(files, bytes, report.blind === null ? 'file' : 'piece')} missing`,
      files + bytes > 0 ? `${Math.min(99, here)} % is here` : '',
      left === undefined ? '' : `about ${duration(left)} left`,
    ],
    ', ',
  )
}

function chartLines(
  what: 'down' | 'up',
  values: readonly number[],
  now: number,
  width: number,
  height: number,
): Line[] {
  const notes = [perSecond(now), `most ${perSecond(Math.max(0, ...values))}`]
  const room = Math.max(10, width - CHART_LABEL - 20)
  return chart(values, Math.min(room, 120), height).map((blocks, at): Line => {
    const label = at === height - 1 ? what : ''
    const note = height === 1 ? notes[0]! : (notes[at - (height - 2)] ?? '')
    // The rate now is on the lowest line, beside the newest column.
    const shown = height > 1 ? (at === height - 1 ? notes[0]! : at === 0 ? notes[1]! : '') : note
    return [span(label.padEnd(CHART_LABEL), 'muted'), span(blocks, what), span(` ${shown}`)]
  })
}

/** Where copies are promised. */
function copyLines({ report }: ShareItem): Line[] {
  const { copies } = report
  if (copies === null) return []
  const promise = `${copies.min} promised${copies.offsite === 0 ? '' : `, ${copies.offsite} off-site`}`
  if (copies.counted === null) return [fact('copies', joined([promise, [span('not counted yet', 'muted')]]))]
  const { kept, short, none } = copies.counted
  if (kept) return [fact('copies', joined([promise, [span('kept', 'good')]]))]
  const lost = none.pieces === 0 ? '' : ` (${formatBytes(none.bytes)} on nobody's that is connected)`
  return [fact('copies', joined([promise, [span(`${formatBytes(short.bytes)} have fewer${lost}`, 'warn')]]))]
}

function lookLines({ report }: ShareItem): Line[] {
  const said: Words[] = [
    report.conflicts > 0 ? [span(`${formatCount(report.conflicts, 'conflict')} (6)`, 'warn')] : '',
    report.drift > 0
      ? [span(`${report.drift} changed here against the share (7)`, 'warn')]
      : report.driftDetail.acknowledged > 0
        ? `${report.driftDetail.acknowledged} acknowledged changes (7)`
        : '',
  ]
  const line = joined(said, ', ')
  const problems = report.problems.map(
    ({ path, code, detail }): Line =>
      fact('problem', [
        span(safe(path === '' ? code : `${path}: `), 'warn'),
        span(safe(path === '' ? ` ${detail}` : detail)),
      ]),
  )
  return [...(line.length > 0 ? [fact('look at', line)] : []), ...problems]
}

function memberLines(share: ShareItem, { nowMs }: World): Line[] {
  const { report, live } = share
  const needs = isBehind(share)
  if (report.members.length === 0) return [fact('members', [span('none but this device yet', 'muted')])]
  const byDevice = new Map(live?.peers.map((peer) => [peer.device, peer]))
  return report.members.map((member, at) => {
    const peer = byDevice.get(member.device)
    return fact(
      at === 0 ? 'members' : '',
      joined([
        [span(safe(member.name), undefined, { bold: true })],
        [memberState(member, peer, needs, nowMs)],
        peer === undefined ? '' : [span(`${peer.transport} ${safe(peer.address)}`, 'muted')],
      ]),
    )
  })
}
