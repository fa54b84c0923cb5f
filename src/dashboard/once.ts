// The dashboard as plain text, once: for a screen reader, a script or a log. Sentences in the order in which a person
// would ask; no drawings, no columns.
import { formatBytes, formatCount } from '../cli/text.js'
import { dateTime, duration, grouped, milliseconds, percent, perSecond } from './model/format.js'
import { type Line, safe, textOf } from './model/span.js'
import {
  conflictsOf,
  driftOf,
  isBehind,
  overviewOf,
  type ShareItem,
  totalRates,
  type World,
} from './model/world.js'
import { whatOf } from './screens/drift.js'
import { mapSentence } from './screens/map.js'
import { memberState } from './screens/peers.js'
import { amount, wholeWords } from './screens/shared.js'

const MAX_LISTED = 20

/** With line ends. */
export function onceText(world: World): string {
  const { down, up } = totalRates(world)
  const items = overviewOf(world)
  const head = [
    `shoal, ${dateTime(world.nowMs)}: ${formatCount(world.daemons.length, 'daemon')}, ${formatCount(
      items.filter(({ type }) => type === 'share').length,
      'share',
    )}, ${perSecond(down)} down, ${perSecond(up)} up`,
  ]
  const parts = items.map((item) =>
    item.type === 'share'
      ? shareText(item, world)
      : [
          `Daemon ${safe(item.daemon.name)}: ${item.daemon.reach.type === 'down' ? safe(item.daemon.reach.why) : 'no shares'}`,
        ],
  )
  return `${[head, ...parts].map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function shareText(share: ShareItem, world: World): string[] {
  const { report, live, daemon, place } = share
  const { needFiles, needBytes } = live ?? report
  const map = daemon.availability[place]
  const lines = [
    `Share ${safe(report.dir)} of ${safe(daemon.status?.name ?? daemon.name)}: ${live?.state ?? report.state}`,
    ...(report.haltReason === null ? [] : [`halted: ${safe(report.haltReason)}`]),
    report.blind === null
      ? `holds ${grouped(report.files)} files, ${formatBytes(report.bytes)}`
      : `holds ${grouped(report.blind.pieces - report.blind.missingPieces)} sealed pieces, ${formatBytes(report.bytes)}`,
    needFiles + needBytes === 0
      ? wholeWords(report)
      : `missing: ${amount(needFiles, needBytes, report.blind === null ? 'file' : 'piece')}`,
    ...(live === undefined ? [] : [`moving: ${perSecond(live.downRate)} down, ${perSecond(live.upRate)} up`]),
    ...(map === undefined || map.pieces === 0 ? [] : [`pieces: ${mapSentence(map)}`]),
  ]
  const listed = (title: string, all: readonly string[]): void => {
    if (all.length === 0) return
    lines.push(`${title}:`)
    lines.push(...all.slice(0, MAX_LISTED).map((text) => `  ${text}`))
    if (all.length > MAX_LISTED) lines.push(`  and ${all.length - MAX_LISTED} more`)
  }
  listed('members', memberTexts(share, world))
  listed('transfers', transferTexts(share))
  const isMine = (item: { readonly daemon: { readonly key: string }; readonly place: number }): boolean =>
    item.daemon.key === daemon.key && item.place === place
  listed(
    'conflicts',
    conflictsOf(world)
      .filter(isMine)
      .map(({ conflict: { path, copy, kept, copyVersion } }) =>
        [
          `${safe(path)}: `,
          kept?.name == null ? '' : `this by ${safe(kept.name)}, `,
          copyVersion?.name == null ? '' : `the other by ${safe(copyVersion.name)}, `,
          `in ${safe(copy)}`,
        ].join(''),
      ),
  )
  listed(
    'drift',
    driftOf(world)
      .filter(isMine)
      .map(
        ({ drift }) =>
          `${safe(drift.path)}: ${whatOf(drift)}${drift.acknowledgement === null ? '' : `, acknowledged: ${safe(drift.acknowledgement.reason)}`}`,
      ),
  )
  listed(
    'problems',
    report.problems.map(({ path, code, detail }) => safe(`${path === '' ? code : path}: ${detail}`)),
  )
  return lines.map((line, at) => (at === 0 ? line : `  ${line}`))
}

function memberTexts(share: ShareItem, { nowMs }: World): string[] {
  const { report, live } = share
  const peers = new Map(live?.peers.map((peer) => [peer.device, peer]))
  return report.members.map((member) => {
    const peer = peers.get(member.device)
    const state = memberState(member, peer, isBehind(share), nowMs)
    const facts: Line = [{ text: `${safe(member.name)}, ${member.grade}: ` }, state]
    if (peer === undefined) return textOf(facts)
    const more = [
      `${peer.transport} ${safe(peer.address)}`,
      peer.rttMs === null ? '' : `round trip ${milliseconds(peer.rttMs)}`,
      `holds ${percent(peer.heldPieces, peer.totalPieces)} %`,
      `${perSecond(peer.downRate)} down, ${perSecond(peer.upRate)} up`,
    ]
    return `${textOf(facts)}, ${more.filter(Boolean).join(', ')}`
  })
}

function transferTexts({ live }: ShareItem): string[] {
  return (live?.transfers ?? []).map(({ path, bytes, doneBytes, rate, etaMs, peers }) =>
    [
      `${safe(path)}: ${percent(doneBytes, bytes)} % of ${formatBytes(bytes)}`,
      rate < 1 ? 'nothing moves' : perSecond(rate),
      etaMs === null ? '' : `${duration(etaMs)} left`,
      peers.length === 0 ? '' : `from ${peers.map(({ name }) => safe(name)).join(', ')}`,
    ]
      .filter(Boolean)
      .join(', '),
  )
}
