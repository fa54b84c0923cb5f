// The members of all shares: who is there, by what way, how far each is, and what moves.
import { formatBytes, formatCount } from '../../cli/text.js'
import type { MemberReport } from '../../control/schema.js'
import type { PeerLive } from '../../control/schema-live.js'
import { ago, bar, dateTime, duration, milliseconds, percent, perSecond } from '../model/format.js'
import { joined, type Line, type Span, safe, span } from '../model/span.js'
import { type PeerItem, peersOf, type World } from '../model/world.js'
import type { Screen } from './screen.js'
import { amount, fact, nameCell, rateCell, shareColumn } from './shared.js'

const right = { align: 'right' } as const

export const PEERS: Screen<PeerItem> = {
  ...{ id: 'peers', title: 'Peers', short: 'Peers' },
  items: peersOf,
  keyOf: ({ key }) => key,
  search: ({ member, shareName, live }) =>
    `${member.name} ${member.device} ${member.grade} ${shareName} ${live?.address ?? 'unreachable'} ${live?.transport ?? ''}`,
  columns: [
    {
      ...{ id: 'name', title: 'NAME', width: 10, weight: 2, most: 24, rank: 0 },
      cell: ({ member }, width) => nameCell(member.name, width),
      sortBy: ({ member }) => member.name,
    },
    { ...shareColumn<PeerItem>(3), width: 8 },
    {
      ...{ id: 'grade', title: 'GRADE', width: 5, rank: 7 },
      cell: ({ member }) => member.grade,
      sortBy: ({ member }) => member.grade,
    },
    {
      ...{ id: 'state', title: 'STATE', width: 17, rank: 0, weight: 1, most: 24 },
      cell: ({ member, live, isBehind }) => [shortState(member, live, isBehind)],
      sortBy: ({ member, live }) => `${live === undefined ? 1 : 0}${shortState(member, live, false).text}`,
    },
    {
      ...{ id: 'address', title: 'ADDRESS', width: 19, weight: 1, most: 32, rank: 8 },
      cell: ({ live }, width) =>
        live === undefined ? [span('-', 'muted')] : nameCell(`${live.transport} ${live.address}`, width),
      sortBy: ({ live }) => live?.address ?? '',
    },
    {
      ...{ id: 'rtt', title: 'TRIP', width: 6, rank: 5, ...right },
      cell: ({ live }) => (live?.rttMs == null ? [span('-', 'muted')] : milliseconds(live.rttMs)),
      sortBy: ({ live }) => live?.rttMs ?? Number.POSITIVE_INFINITY,
    },
    {
      ...{ id: 'down', title: 'DOWN/s', width: 8, rank: 0, ...right },
      cell: ({ live }) => [rateCell(live?.downRate ?? 0, 'down')],
      sortBy: ({ live }) => live?.downRate ?? -1,
    },
    {
      ...{ id: 'up', title: 'UP/s', width: 8, rank: 0, ...right },
      cell: ({ live }) => [rateCell(live?.upRate ?? 0, 'up')],
      sortBy: ({ live }) => live?.upRate ?? -1,
    },
    {
      ...{ id: 'held', title: 'HOLDS', width: 10, weight: 1, most: 20, rank: 4 },
      cell: ({ live }, width) => (live === undefined ? '' : heldBar(live, width)),
      sortBy: ({ live }) => (live === undefined ? -1 : heldPart(live)),
    },
    {
      ...{ id: 'seen', title: 'SEEN', width: 12, rank: 9, ...right },
      cell: ({ member, live, daemon }) =>
        live !== undefined ? [span('now', 'good')] : seenText(member, Date.parse(daemon.live?.at ?? '')),
      sortBy: ({ member, live }) => (live === undefined ? (member.lastSeen ?? '') : '9'),
    },
  ],
  sorting: { column: 'state', descending: false },
  empty: () => 'no other members yet: invite somebody with shoal invite, or share the secret',
  detailLines: (lines) => (lines < 16 ? 6 : 7),
  detailTitle: ({ member }) => safe(member.name),
  detail: peerDetail,
  actions: [],
}

/** `isBehind`: something is missing here. In a column: "in sync", "34 files behind", "unreachable". */
function shortState(member: MemberReport, live: PeerLive | undefined, isBehind: boolean): Span {
  if (live === undefined && !member.connected)
    return member.expired ? span('gone for long', 'muted') : span('unreachable', 'bad')
  if (live === undefined) return span('connected', 'muted')
  if (live.stalled) return span('stalled', 'bad')
  if (member.unreadable) return span('sealed to us', 'muted')
  if (live.inSync) return span('in sync', 'good')
  if (live.needFiles > 0) return span(`${formatCount(live.needFiles, unitOf(member))} behind`, 'warn')
  if (member.drift > 0) return span(`${member.drift} changed there`, 'warn')
  // It needs nothing, and holds something else: if something is missing here, that is what it has.
  return isBehind ? span('ahead', 'accent') : span('differs', 'warn')
}

/** In a sentence; of one that cannot be reached, since when. */
export function memberState(
  member: MemberReport,
  live: PeerLive | undefined,
  isBehind: boolean,
  nowMs: number,
): Span {
  const { text, tone } = shortState(member, live, isBehind)
  if (live === undefined && !member.connected) {
    const since =
      member.lastSeen === null
        ? 'never seen'
        : `for ${duration(Math.max(0, nowMs - Date.parse(member.lastSeen)))}`
    return span(member.expired ? `${text}, not waited for, ${since}` : `${text} ${since}`, tone)
  }
  if (live !== undefined && !live.inSync && live.needFiles > 0)
    return span(`${amount(live.needFiles, live.needBytes, unitOf(member))} behind`, tone)
  return span(text, tone)
}

/** What is counted of it. */
function unitOf({ grade }: MemberReport): string {
  return grade === 'blind' ? 'piece' : 'file'
}

function heldPart({ heldPieces, totalPieces }: PeerLive): number {
  return totalPieces === 0 ? 1 : heldPieces / totalPieces
}

function heldBar(live: PeerLive, width: number): Span[] {
  const part = heldPart(live)
  return bar(part, width, part >= 1 ? 'good' : 'accent')
}

function seenText({ lastSeen }: MemberReport, nowMs: number): string {
  if (lastSeen === null) return 'never'
  return Number.isNaN(nowMs) ? dateTime(Date.parse(lastSeen)).slice(5, 16) : ago(Date.parse(lastSeen), nowMs)
}

function peerDetail(
  { member, live, shareName, isBehind }: PeerItem,
  width: number,
  lines: number,
  { nowMs }: World,
): Line[] {
  const who = fact(
    'member',
    joined([
      [span(safe(member.name), undefined, { bold: true })],
      `${member.grade} access to ${safe(shareName)}`,
      [span(member.device.slice(0, 16), 'muted')],
    ]),
  )
  const state = fact('state', [memberState(member, live, isBehind, nowMs)])
  if (live === undefined) {
    const seen = member.lastSeen === null ? 'never' : dateTime(Date.parse(member.lastSeen))
    return [who, state, fact('last seen', seen), driftLine(member)].slice(0, lines)
  }
  const { heldPieces: held, totalPieces: total } = live
  const label = ` ${percent(held, total)} % (${held} of ${total} pieces)`
  return [
    who,
    state,
    fact(
      'way',
      joined(
        [
          `${live.transport} ${safe(live.address)}`,
          live.initiator ? 'we dialled' : 'it dialled',
          live.rttMs === null ? '' : `round trip ${milliseconds(live.rttMs)}`,
        ],
        ', ',
      ),
    ),
    fact('holds', [...heldBar(live, Math.max(8, Math.min(60, width - 12 - label.length))), span(label)]),
    fact(
      'moves',
      joined([
        [span(`down ${perSecond(live.downRate)}`, 'down')],
        [span(`up ${perSecond(live.upRate)}`, 'up')],
        live.inFlightBytes > 0 ? `${formatBytes(live.inFlightBytes)} asked for` : '',
        live.choked ? [span('it does not serve us now', 'warn')] : '',
      ]),
    ),
    fact(
      'since',
      joined(
        [
          dateTime(Date.parse(live.connectedAt)),
          `${formatBytes(live.receivedBytes)} received`,
          `${formatBytes(live.sentBytes)} sent`,
        ],
        ', ',
      ),
    ),
    driftLine(member),
  ].slice(0, lines)
}

function driftLine({ drift, clockAheadMs }: MemberReport): Line {
  const clock =
    Math.abs(clockAheadMs ?? 0) >= 5000 ? `clock ${milliseconds(Math.abs(clockAheadMs!))} off` : ''
  return fact(
    'own',
    joined([drift > 0 ? [span(`${drift} changed there against the share`, 'warn')] : 'no drift', clock]),
  )
}
