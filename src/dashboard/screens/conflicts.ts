// The conflicts of all shares, both versions of the chosen one side by side, and what to keep.
import { formatBytes } from '../../cli/text.js'
import type { ConflictReport, Keep, VersionReport } from '../../control/schema-conflicts.js'
import { dateTime } from '../model/format.js'
import { cut, type Line, padLine, type Span, safe, span, type Words } from '../model/span.js'
import { type ConflictItem, conflictsOf, type World } from '../model/world.js'
import type { Action, Screen } from './screen.js'
import { nameCell, pathCell, shareColumn } from './shared.js'

export const CONFLICTS: Screen<ConflictItem> = {
  ...{ id: 'conflicts', title: 'Conflicts', short: 'Confl' },
  items: conflictsOf,
  keyOf: ({ key }) => key,
  search: ({ conflict, shareName }) =>
    `${conflict.path} ${shareName} ${conflict.kept?.name ?? ''} ${conflict.copyVersion?.name ?? ''}`,
  columns: [
    {
      ...{ id: 'path', title: 'PATH', width: 16, weight: 4, rank: 0 },
      cell: ({ conflict }, width) => pathCell(conflict.path, width),
      sortBy: ({ conflict }) => conflict.path,
    },
    { ...shareColumn<ConflictItem>(3), width: 8 },
    {
      ...{ id: 'this', title: 'THIS BY', width: 10, weight: 1, most: 20, rank: 1 },
      cell: ({ conflict }, width) => nameCell(conflict.kept?.name ?? '-', width),
      sortBy: ({ conflict }) => conflict.kept?.name ?? '',
    },
    {
      ...{ id: 'other', title: 'OTHER BY', width: 10, weight: 1, most: 20, rank: 0 },
      cell: ({ conflict }, width) => nameCell(conflict.copyVersion?.name ?? '-', width),
      sortBy: ({ conflict }) => conflict.copyVersion?.name ?? '',
    },
    {
      ...{ id: 'when', title: 'OTHER OF', width: 16, rank: 2 },
      cell: ({ conflict }) => timeOf(conflict.copyVersion).slice(0, 16),
      sortBy: ({ conflict }) => whenOf(conflict.copyVersion) ?? '',
    },
  ],
  empty: (world) =>
    world.daemons.some(({ conflicts }) => conflicts === undefined)
      ? 'asking'
      : 'no conflicts: nobody has changed a file that somebody else changed at the same time',
  count: (world) =>
    world.daemons.reduce(
      (sum, { status, reach }) =>
        sum +
        (reach.type === 'up' ? (status?.shares ?? []) : []).reduce(
          (all, { conflicts }) => all + conflicts,
          0,
        ),
      0,
    ),
  detailLines: () => 8,
  detailTitle: ({ conflict }) => safe(conflict.path),
  detail: conflictDetail,
  actions: [
    keep(
      't',
      'this',
      'keep this',
      'keep what stands at the path; the other goes to the archive',
      ({ copy }) => [
        'What stands at the path stays as it is, here and everywhere.',
        `The other version goes to the archive: ${safe(copy)}`,
      ],
    ),
    keep(
      'o',
      'other',
      'keep other',
      'put the other at the path; what stands there goes to the archive',
      () => [
        'The other version replaces what stands at the path, here and everywhere.',
        'What stands there now goes to the archive first.',
      ],
    ),
    keep('b', 'both', 'keep both', 'keep the other as a file of its own', () => [
      'Nothing is replaced: the other version stays as an ordinary file, under a name of its own.',
    ]),
  ],
}

function keep(
  key: string,
  which: Keep,
  label: string,
  help: string,
  lines: (conflict: ConflictReport) => readonly string[],
): Action<ConflictItem> {
  return {
    ...{ key, label, help },
    step: ({ conflict, daemon, place, dir }) => {
      if (daemon.status?.shares[place]?.grade !== 'write')
        return { type: 'refuse', why: 'this device may only read: do it on one that may write' }
      return {
        type: 'confirm',
        title: `Keep ${which} of ${safe(conflict.path)}?`,
        lines: lines(conflict),
        order: {
          ...{ type: 'resolve', daemon: daemon.key, share: dir, copy: conflict.copy, keep: which },
          id: conflict.id,
        },
      }
    },
  }
}

function conflictDetail({ conflict }: ConflictItem, width: number, lines: number, _world: World): Line[] {
  const half = Math.floor((width - LABELS - 3) / 2)
  const { kept, copyVersion: other } = conflict
  const row = (label: string, left: Words, right: Words): Line => [
    span(label.padEnd(LABELS), 'muted'),
    ...padLine(left, half),
    span(' │ ', 'muted'),
    ...padLine(right, half),
  ]
  const differing = (of: (version: VersionReport) => string): [Words, Words] => {
    const [left, right] = [kept === null ? '-' : of(kept), other === null ? '-' : of(other)]
    const tone = left === right ? 'muted' : undefined
    return [[plain(left, tone)], [plain(right, tone)]]
  }
  return [
    row(
      '',
      [span('THIS, at the path', 'good', { bold: true })],
      [span('OTHER, in the copy', 'warn', { bold: true })],
    ),
    row('name', pathCell(conflict.path, half), pathCell(conflict.copy, half)),
    row(
      'by',
      ...differing(({ name, device }) => cut(safe(name ?? device?.slice(0, 16) ?? 'not known'), half)),
    ),
    row('when', [plain(timeOf(kept))], [plain(timeOf(other))]),
    row('changed', ...differing(({ mtime }) => dateTime(Date.parse(mtime)))),
    row(
      'size',
      ...differing(({ type, size }) =>
        type === 'file' ? `${formatBytes(size)}${size < 1024 ? '' : ` (${size})`}` : '-',
      ),
    ),
    row(
      'type',
      ...differing(({ type, mode, target }) =>
        type === 'symlink' ? `symlink to ${safe(target ?? '?')}` : `${type}, mode ${(mode ?? 0).toString(8)}`,
      ),
    ),
    row('newer', newer(kept, other), newer(other, kept)),
  ].slice(0, lines)
}

const LABELS = 8

function plain(text: string, tone?: 'muted'): Span {
  return span(text, tone)
}

function whenOf(version: VersionReport | null): string | null {
  return version === null ? null : (version.when ?? version.mtime)
}

function timeOf(version: VersionReport | null): string {
  const when = whenOf(version)
  return when === null ? '-' : dateTime(Date.parse(when))
}

function newer(one: VersionReport | null, than: VersionReport | null): Words {
  const [a, b] = [whenOf(one), whenOf(than)]
  return a !== null && b !== null && a > b ? [span('yes', 'accent')] : ''
}
