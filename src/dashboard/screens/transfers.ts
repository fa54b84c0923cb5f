// The files that are being fetched: how far, how fast, how long still, and from whom.
import { formatBytes } from '../../cli/text.js'
import { bar, duration, percent, perSecond } from '../model/format.js'
import { joined, type Line, safe, span } from '../model/span.js'
import { type TransferItem, transfersOf, type World } from '../model/world.js'
import type { Screen } from './screen.js'
import { fact, nameCell, pathCell, rateCell, shareColumn } from './shared.js'

const right = { align: 'right' } as const

export const TRANSFERS: Screen<TransferItem> = {
  ...{ id: 'transfers', title: 'Transfers', short: 'Trans' },
  items: transfersOf,
  keyOf: ({ key }) => key,
  search: ({ transfer, shareName }) =>
    `${transfer.path} ${shareName} ${transfer.peers.map(({ name }) => name).join(' ')}`,
  columns: [
    {
      ...{ id: 'path', title: 'FILE', width: 14, weight: 6, rank: 0 },
      cell: ({ transfer }, width) => pathCell(transfer.path, width),
      sortBy: ({ transfer }) => transfer.path,
    },
    { ...shareColumn<TransferItem>(3), width: 8 },
    {
      ...{ id: 'done', title: 'DONE', width: 8, weight: 1, most: 24, rank: 5 },
      cell: ({ transfer }, width) => bar(partOf(transfer), width),
    },
    {
      ...{ id: 'percent', title: '%', width: 4, rank: 0, ...right },
      cell: ({ transfer }) => `${percent(transfer.doneBytes, transfer.bytes)}%`,
      sortBy: ({ transfer }) => partOf(transfer),
    },
    {
      ...{ id: 'size', title: 'SIZE', width: 8, rank: 2, ...right },
      cell: ({ transfer }) => formatBytes(transfer.bytes),
      sortBy: ({ transfer }) => transfer.bytes,
    },
    {
      ...{ id: 'rate', title: 'RATE/s', width: 8, rank: 0, ...right },
      cell: ({ transfer }) => [rateCell(transfer.rate, 'down')],
      sortBy: ({ transfer }) => transfer.rate,
    },
    {
      ...{ id: 'left', title: 'LEFT', width: 8, rank: 0, ...right },
      cell: ({ transfer }) => (transfer.etaMs === null ? [span('-', 'muted')] : duration(transfer.etaMs)),
      sortBy: ({ transfer }) => transfer.etaMs ?? Number.POSITIVE_INFINITY,
    },
    {
      ...{ id: 'from', title: 'FROM', width: 10, weight: 2, most: 30, rank: 4 },
      cell: ({ transfer }, width) => nameCell(transfer.peers.map(({ name }) => name).join(', '), width),
    },
  ],
  empty: (world) =>
    world.daemons.some(({ live }) => live?.shares.some(({ needFiles }) => needFiles > 0) === true)
      ? 'nothing is being fetched now, though files are missing: see Peers (2) for who has them'
      : 'nothing is being fetched: all that is known is here',
  count: (world) =>
    world.daemons.reduce(
      (sum, { live }) =>
        sum + (live?.shares ?? []).reduce((all, { transferCount }) => all + transferCount, 0),
      0,
    ),
  detailLines: (lines) => (lines < 16 ? 4 : 7),
  detailTitle: () => 'this file',
  detail: transferDetail,
  actions: [],
}

function partOf({ doneBytes, bytes }: TransferItem['transfer']): number {
  return bytes === 0 ? 1 : doneBytes / bytes
}

/** A file may rest while others of its share are fetched (design.md, X3). */
function whyStill(shareRate: number): string {
  return shareRate < 1 ? 'nothing moves' : 'waits its turn: what fewest hold comes first'
}

function transferDetail(
  { transfer, shareName, daemon, place }: TransferItem,
  width: number,
  lines: number,
  _world: World,
): Line[] {
  const { path, bytes, doneBytes, rate, etaMs, peers } = transfer
  const head = [
    fact(
      'file',
      joined([pathCell(path, Math.max(10, width - 24)), [span(`in ${safe(shareName)}`, 'muted')]]),
    ),
    fact(
      'done',
      joined(
        [
          `${formatBytes(doneBytes)} of ${formatBytes(bytes)}`,
          rate < 1 ? whyStill(daemon.live?.shares[place]?.downRate ?? 0) : perSecond(rate),
          etaMs === null ? '' : `${duration(etaMs)} left`,
        ],
        ', ',
      ),
    ),
  ]
  const all = peers.reduce((sum, peer) => sum + peer.bytes, 0)
  const from = [...peers]
    .sort((a, b) => b.bytes - a.bytes)
    .map((peer, at) => {
      const label = ` ${formatBytes(peer.bytes)}`
      const part = all === 0 ? 0 : peer.bytes / all
      return fact(at === 0 ? 'from' : '', [
        span(nameCell(peer.name, 16).padEnd(17)),
        ...bar(part, Math.max(6, Math.min(40, width - 40)), 'down'),
        span(label),
      ])
    })
  return [...head, ...(from.length === 0 ? [fact('from', [span('nobody yet', 'muted')])] : from)].slice(
    0,
    lines,
  )
}
