// A reader's own changes: what differs from the share here, and what to do about it.
import { ago, dateTime } from '../model/format.js'
import { joined, type Line, type Span, safe, span } from '../model/span.js'
import { type DriftItem, driftOf, type World } from '../model/world.js'
import type { Action, Screen, Step } from './screen.js'
import { fact, nameCell, pathCell, shareColumn } from './shared.js'

const WHAT: Readonly<Record<DriftItem['drift']['kind'], string>> = {
  added: 'extra',
  changed: 'changed',
  deleted: 'missing',
}

export const DRIFT: Screen<DriftItem> = {
  ...{ id: 'drift', title: 'Drift', short: 'Drift' },
  items: driftOf,
  keyOf: ({ key }) => key,
  search: ({ drift, shareName }) =>
    `${drift.path} ${shareName} ${WHAT[drift.kind]} ${drift.kinds.join(' ')} ${drift.acknowledgement?.reason ?? ''}`,
  columns: [
    {
      ...{ id: 'path', title: 'PATH', width: 16, weight: 4, rank: 0 },
      cell: ({ drift }, width) => pathCell(drift.path, width),
      sortBy: ({ drift }) => drift.path,
    },
    { ...shareColumn<DriftItem>(4), width: 8 },
    {
      ...{ id: 'kind', title: 'HERE IT IS', width: 10, rank: 0 },
      cell: ({ drift }) => [span(WHAT[drift.kind], drift.acknowledgement === null ? 'warn' : 'muted')],
      sortBy: ({ drift }) => drift.kind,
    },
    {
      ...{ id: 'kinds', title: 'DIFFERS IN', width: 12, weight: 1, most: 24, rank: 3 },
      cell: ({ drift }, width) =>
        nameCell(drift.kinds.filter((each) => each !== WHAT[drift.kind]).join(', ') || '-', width),
    },
    {
      ...{ id: 'since', title: 'SINCE', width: 11, rank: 2 },
      cell: ({ drift }) => (drift.since === null ? '-' : dateTime(Date.parse(drift.since)).slice(5, 16)),
      sortBy: ({ drift }) => drift.since ?? '',
    },
    {
      ...{ id: 'then', title: 'THEN', width: 14, weight: 1, most: 40, rank: 1 },
      cell: (item, width) => {
        const { text, tone } = thenOf(item)
        return [span(nameCell(text, width), tone)]
      },
      sortBy: (item) => thenOf(item).text,
    },
  ],
  empty: (world) =>
    world.daemons.some(({ drift }) => drift === undefined)
      ? 'asking'
      : 'no drift: what is only read here is as the share says',
  count: (world) =>
    world.daemons.reduce(
      (sum, { status, reach }) =>
        sum + (reach.type === 'up' ? (status?.shares ?? []) : []).reduce((all, { drift }) => all + drift, 0),
      0,
    ),
  detailLines: () => 5,
  detailTitle: ({ drift }) => safe(drift.path),
  detail: driftDetail,
  actions: [
    action('a', 'acknowledge', 'say that it is meant; it is not put back then', ({ drift, ...at }) => ({
      ...{ type: 'ask', title: `Acknowledge ${safe(drift.path)}?`, label: 'Reason' },
      lines: [
        'It is not counted as drift for 30 days, unless it changes again. Who looks later wants to know why.',
      ],
      orderOf: (reason) => ({ type: 'acknowledge', ...whereOf(at, drift.path), reason }),
    })),
    action('w', 'withdraw', 'take an acknowledgement back', ({ drift, ...at }) =>
      drift.acknowledgement === null
        ? { type: 'refuse', why: 'nobody has acknowledged it' }
        : { type: 'order', order: { type: 'withdraw', ...whereOf(at, drift.path) } },
    ),
    action(
      'r',
      'put back',
      'make it what the share says; what is here goes to the archive',
      ({ drift, ...at }) =>
        drift.kind === 'added'
          ? { type: 'refuse', why: 'the share does not have it: x moves it to the archive' }
          : {
              ...{ type: 'confirm', title: `Put ${safe(drift.path)} back?` },
              lines: ['It becomes what the share says. What is here now goes to the archive.'],
              order: { type: 'restore', ...whereOf(at, drift.path) },
            },
    ),
    action('x', 'archive', 'move a file that the share does not have to the archive', ({ drift, ...at }) =>
      drift.kind === 'added'
        ? {
            ...{ type: 'confirm', title: `Move ${safe(drift.path)} to the archive?` },
            lines: ['The share does not have it. It can be taken back from the archive.'],
            order: { type: 'archive-extra', ...whereOf(at, drift.path) },
          }
        : { type: 'refuse', why: 'the share has it: r puts it back' },
    ),
  ],
}

function action(
  key: string,
  label: string,
  help: string,
  step: (item: DriftItem) => Step,
): Action<DriftItem> {
  return { key, label, help, step }
}

function whereOf(
  { daemon, dir }: Pick<DriftItem, 'daemon' | 'dir'>,
  path: string,
): { readonly daemon: string; readonly share: string; readonly path: string } {
  return { daemon: daemon.key, share: dir, path }
}

/** "changed in content, mode"; of what is all there or all gone, once. */
export function whatOf({ kind, kinds }: DriftItem['drift']): string {
  const more = kinds.filter((each) => each !== WHAT[kind])
  return more.length === 0 ? WHAT[kind] : `${WHAT[kind]} in ${more.join(', ')}`
}

/** What becomes of it. */
function thenOf({ drift }: DriftItem): Span & { readonly text: string } {
  const { acknowledgement, policy, nextRestore } = drift
  if (acknowledgement !== null) return span('acknowledged', 'muted')
  if (policy === 'report') return span('stays', 'warn')
  return nextRestore === null
    ? span('is put back', 'accent')
    : span(`put back ${dateTime(Date.parse(nextRestore)).slice(11, 16)}`, 'accent')
}

function driftDetail(
  { drift, shareName }: DriftItem,
  width: number,
  lines: number,
  { nowMs }: World,
): Line[] {
  const { path, since, acknowledgement, restores, nextRestore, policy } = drift
  const then =
    policy === 'report'
      ? 'it stays until somebody acts (policy: report)'
      : nextRestore === null
        ? 'it is put back (policy: restore)'
        : `it is put back at ${dateTime(Date.parse(nextRestore))} (policy: restore)`
  return [
    fact(
      'path',
      joined([pathCell(path, Math.max(10, width - 24)), [span(`in ${safe(shareName)}`, 'muted')]]),
    ),
    fact('here', joined([whatOf(drift), restores > 0 ? `put back ${restores} times` : ''], ', ')),
    fact('since', since === null ? '-' : `${dateTime(Date.parse(since))}, ${ago(Date.parse(since), nowMs)}`),
    fact(
      'then',
      acknowledgement === null
        ? then
        : `acknowledged until ${dateTime(Date.parse(acknowledgement.until)).slice(0, 16)}`,
    ),
    ...(acknowledgement === null ? [] : [fact('reason', safe(acknowledgement.reason))]),
  ].slice(0, lines)
}
