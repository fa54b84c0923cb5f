// The swarm map: of each stretch of a share's pieces, how much is here and how many copies there are among who is
// connected. What has one copy only is lost with that one disk.
import type { AvailabilityReport } from '../../control/schema-live.js'
import { bar, grouped, percent } from '../model/format.js'
import { type Line, type Span, safe, span, type Tone } from '../model/span.js'
import { type ShareItem, sharesOf, type World } from '../model/world.js'
import type { Screen } from './screen.js'
import { fact, nameCell, shareColumn } from './shared.js'

const right = { align: 'right' } as const
type Bucket = AvailabilityReport['buckets'][number]

export const MAP: Screen<ShareItem> = {
  ...{ id: 'map', title: 'Map', short: 'Map' },
  items: (world) => sharesOf(world).filter(({ daemon }) => daemon.reach.type === 'up'),
  keyOf: ({ key }) => key,
  search: ({ shareName, report }) => `${shareName} ${report.dir}`,
  columns: [
    { ...shareColumn<ShareItem>(0), width: 10, weight: 3, most: 40 },
    {
      ...{ id: 'held', title: 'HERE', width: 10, weight: 2, most: 40, rank: 1 },
      cell: ({ live }, width) =>
        live === undefined ? '' : bar(heldPart(live), width, toneOf(heldPart(live))),
    },
    {
      ...{ id: 'pieces', title: 'PIECES', width: 9, rank: 0, ...right },
      cell: ({ live }) => (live === undefined ? '' : grouped(live.totalPieces)),
      sortBy: ({ live }) => live?.totalPieces ?? 0,
    },
    {
      ...{ id: 'peers', title: 'PEERS', width: 5, rank: 0, ...right },
      cell: ({ live }) => (live === undefined ? '' : String(live.peers.length)),
      sortBy: ({ live }) => live?.peers.length ?? 0,
    },
    {
      ...{ id: 'rarest', title: 'RAREST', width: 18, weight: 1, most: 40, rank: 0 },
      cell: (share, width) => {
        const map = mapOf(share)
        return map === undefined || map.pieces === 0 ? '' : nameCell(rarest(map), width)
      },
    },
  ],
  empty: () => 'no shares',
  detailLines: (lines) => Math.max(8, Math.ceil(lines * 0.7)),
  isDetailElastic: true,
  detailTitle: ({ shareName }) => `pieces of ${safe(shareName)}`,
  detail: mapDetail,
  actions: [],
}

/** So many buckets are asked for: a strip of a screen this wide. */
export function bucketsFor(columns: number, lines: number): number {
  const strip = Math.max(10, columns - STRIP_LABEL)
  return Math.min(1000, strip * stripCount(lines))
}

const STRIP_LABEL = 10

/** Strips below each other, each of two lines and a blank one. */
function stripCount(lines: number): number {
  return Math.max(1, Math.min(4, Math.floor((lines - 12) / 5)))
}

function mapOf({ daemon, place }: ShareItem): AvailabilityReport | undefined {
  return daemon.availability[place]
}

function heldPart({ heldPieces, totalPieces }: { heldPieces: number; totalPieces: number }): number {
  return totalPieces === 0 ? 1 : heldPieces / totalPieces
}

function toneOf(part: number): Tone {
  return part >= 1 ? 'good' : 'accent'
}

function rarest({ rarestCopies, rarestPieces }: AvailabilityReport): string {
  const copies = rarestCopies === 1 ? '1 copy' : `${rarestCopies === 0 ? 'no' : rarestCopies} copies`
  return `${grouped(rarestPieces)} with ${copies}`
}

function mapDetail(share: ShareItem, width: number, lines: number, _world: World): Line[] {
  const map = mapOf(share)
  if (map === undefined) return [fact('map', [span('asking', 'muted')])]
  if (map.pieces === 0)
    return [fact('map', [span('the share has no pieces: it is empty, or nobody told of any', 'muted')])]
  const room = Math.max(10, width - STRIP_LABEL)
  const legend = [
    fact('here', [
      ...[span('█', 'good'), span(' held  ')],
      ...[span('▒', 'accent'), span(' partly  ')],
      ...[span('·', 'muted'), span(' missing')],
    ]),
    fact('copies', [
      ...[span('0', 'bad', { bold: true }), span(' nobody  ')],
      ...[span('1', 'bad'), span(' one only  ')],
      ...[span('2', 'warn'), span(' two  ')],
      ...[span('3+', 'good'), span(' three or more')],
    ]),
  ]
  const peers = peerLines(share, width)
  const part = percent(map.held, map.pieces)
  const head = [
    fact('pieces', `${grouped(map.held)} of ${grouped(map.pieces)} here (${part} %)`),
    fact('rarest', [
      span(rarest(map), map.rarestCopies < 2 ? 'warn' : undefined),
      span(', of this device and who is connected', 'muted'),
    ]),
  ]
  const strips: Line[] = []
  for (let at = 0; at < map.buckets.length; at += room) {
    const part = map.buckets.slice(at, at + room)
    if (at > 0) strips.push([])
    strips.push(fact('here', merged(part.map(heldCell)), STRIP_LABEL))
    strips.push(fact('copies', merged(part.map(copiesCell)), STRIP_LABEL))
  }
  const shown = strips.slice(0, Math.max(2, lines - head.length - legend.length - 2))
  const all = [...head, [], ...shown, [], ...legend]
  return [...all, ...(all.length + 2 < lines ? [[], ...peers] : [])].slice(0, lines)
}

function peerLines({ live, daemon }: ShareItem, width: number): Line[] {
  const own = {
    name: daemon.status?.name ?? 'here',
    heldPieces: live?.heldPieces ?? 0,
    totalPieces: live?.totalPieces ?? 0,
  }
  const peers = [...(live?.peers ?? [])].sort((a, b) => heldPart(b) - heldPart(a))
  return [{ ...own, name: `${own.name} (here)` }, ...peers].map((peer) => {
    const part = heldPart(peer)
    return [
      span(nameCell(peer.name, 18).padEnd(20)),
      ...bar(part, Math.max(8, Math.min(80, width - 30)), toneOf(part)),
      span(` ${percent(peer.heldPieces, peer.totalPieces)} %`),
    ]
  })
}

function heldCell({ pieces, held }: Bucket): Span {
  if (held >= pieces) return span('█', 'good')
  return held > 0 ? span('▒', 'accent') : span('·', 'muted')
}

function copiesCell({ minCopies }: Bucket): Span {
  if (minCopies === 0) return span('0', 'bad', { bold: true })
  const text = minCopies > 9 ? '+' : String(minCopies)
  return span(text, minCopies === 1 ? 'bad' : minCopies === 2 ? 'warn' : 'good')
}

/** Neighbours of one style as one span. */
function merged(spans: readonly Span[]): Line {
  const line: Span[] = []
  for (const each of spans) {
    const last = line.at(-1)
    if (last !== undefined && last.tone === each.tone && last.bold === each.bold)
      line[line.length - 1] = { ...last, text: last.text + each.text }
    else line.push(each)
  }
  return line
}

/** For the text form: of who holds how much. */
export function mapSentence(map: AvailabilityReport): string {
  return `${grouped(map.held)} of ${grouped(map.pieces)} pieces here; the rarest: ${safe(rarest(map))}`
}
