// A world for tests of the dashboard: what three daemons would have said at one instant. Every part can be replaced.
import type { MemberReport, ShareReport } from '../../src/control/schema.js'
import type { ConflictReport, VersionReport } from '../../src/control/schema-conflicts.js'
import type { EventReport } from '../../src/control/schema-events.js'
import type {
  AvailabilityReport,
  PeerLive,
  ShareLive,
  TransferReport,
} from '../../src/control/schema-live.js'
import { type Line, textOf } from '../../src/dashboard/model/span.js'
import type { DaemonView, World } from '../../src/dashboard/model/world.js'
import { drift, member, share, status } from '../control/fake-backend.js'

export const NOW: number = Date.parse('2026-11-21T20:31:05.000Z')

export function peerLive(name: string, changes: Partial<PeerLive> = {}): PeerLive {
  return {
    device: member(name).device,
    name,
    grade: 'write',
    transport: 'tcp',
    address: '127.0.0.1:4444',
    initiator: true,
    connectedAt: '2026-11-21T19:31:05.000Z',
    rttMs: 3,
    downRate: 0,
    upRate: 0,
    receivedBytes: 0,
    sentBytes: 1024,
    inFlightBytes: 0,
    heldPieces: 1200,
    totalPieces: 1200,
    inSync: true,
    needFiles: 0,
    needBytes: 0,
    stalled: false,
    choked: false,
    ...changes,
  }
}

export function transfer(path: string, changes: Partial<TransferReport> = {}): TransferReport {
  return {
    path,
    bytes: 100 << 20,
    doneBytes: 25 << 20,
    rate: 3 << 20,
    etaMs: 25_000,
    startedAt: '2026-11-21T20:30:55.000Z',
    peers: [{ device: member('nas').device, name: 'nas', bytes: 25 << 20 }],
    direction: 'down',
    ...changes,
  }
}

export function shareLive(changes: Partial<ShareLive> = {}): ShareLive {
  return {
    dir: '/data/photos',
    state: 'idle',
    needFiles: 0,
    needBytes: 0,
    downRate: 0,
    upRate: 0,
    receivedBytes: 0,
    sentBytes: 1024,
    wrongPieces: 0,
    totalPieces: 1200,
    heldPieces: 1200,
    peers: [peerLive('nas', { grade: 'read' }), peerLive('phone')],
    transfers: [],
    transferCount: 0,
    ...changes,
  }
}

export function version(name: string, changes: Partial<VersionReport> = {}): VersionReport {
  return {
    type: 'file',
    size: 1536,
    mtime: '2026-11-21T19:02:03.000Z',
    mode: 0o644,
    target: null,
    device: member(name).device,
    name,
    when: '2026-11-21T19:02:04.000Z',
    ...changes,
  }
}

export function conflict(path: string, changes: Partial<ConflictReport> = {}): ConflictReport {
  return {
    dir: '/data/photos',
    share: 0,
    path,
    copy: `${path}.conflict-phone-20261121`,
    id: '0123456789abcdef',
    kept: version('laptop'),
    copyVersion: version('phone', { size: 1700, when: '2026-11-21T19:00:00.000Z' }),
    ...changes,
  }
}

export function availability(pieces: number, changes: Partial<AvailabilityReport> = {}): AvailabilityReport {
  const buckets = Array.from({ length: Math.min(60, pieces) }, (_, at) => ({
    pieces: Math.max(1, Math.floor(pieces / 60)),
    held: at < 40 ? Math.max(1, Math.floor(pieces / 60)) : 0,
    minCopies: 1 + (at % 4),
    maxCopies: 4,
  }))
  return {
    dir: '/data/photos',
    pieces,
    held: Math.floor((pieces * 2) / 3),
    buckets,
    rarestCopies: 1,
    rarestPieces: 12,
    ...changes,
  }
}

export function daemon(name: string, changes: Partial<DaemonView> = {}): DaemonView {
  return {
    key: `/var/lib/shoal/${name}`,
    name,
    reach: { type: 'up' },
    status: { ...status(share()), name },
    live: { at: new Date(NOW).toISOString(), eventLoopDelayMs: 1, shares: [shareLive()] },
    history: [{ down: [], up: [] }],
    conflicts: [],
    drift: [],
    availability: [],
    events: [],
    ...changes,
  }
}

export function world(...daemons: DaemonView[]): World {
  return { daemons, nowMs: NOW }
}

/** Everything at once: a share that fetches, one with conflicts and problems, one that is only read, a silent daemon. */
export function busyWorld(): World {
  const wave = Array.from({ length: 160 }, (_, at) => (1.5 + Math.sin(at / 9)) * (4 << 20))
  const members: MemberReport[] = [
    member('nas', { grade: 'read' }),
    member('phone', { digestEqual: false }),
    member('attic', {
      connected: false,
      transport: null,
      address: null,
      lastSeen: '2026-11-21T18:02:03.000Z',
    }),
  ]
  const photos: ShareReport = share({
    members,
    state: 'syncing',
    needFiles: 34,
    needBytes: 400 << 20,
    conflicts: 2,
    problems: [{ path: 'a/b\u001b[2J.jpg', code: 'IO', detail: 'cannot write: no space left', sinceMs: NOW }],
  })
  const music = share({ dir: '/data/music', grade: 'read', drift: 3, members: [member('nas')] })
  const halted = share({
    ...{ dir: '/srv/www', state: 'halted', haltReason: 'the folder has become empty', members: [] },
  })
  return world(
    daemon('laptop', {
      status: { ...status(photos, music, halted), name: 'laptop' },
      live: {
        at: new Date(NOW).toISOString(),
        eventLoopDelayMs: 2,
        shares: [
          shareLive({
            ...{ state: 'syncing', needFiles: 34, needBytes: 400 << 20 },
            ...{
              downRate: 8 << 20,
              upRate: 1 << 18,
              receivedBytes: 1 << 30,
              heldPieces: 800,
              wrongPieces: 1,
            },
            peers: [
              peerLive('nas', { grade: 'read', downRate: 8 << 20, inFlightBytes: 1 << 20 }),
              peerLive('phone', {
                ...{ inSync: false, needFiles: 40, needBytes: 500 << 20, heldPieces: 300, rttMs: 43 },
                ...{ upRate: 1 << 18, transport: 'udx', address: '203.0.113.7:49152' },
              }),
            ],
            transfers: [
              transfer('2026/11/holiday in the mountains/IMG_0001.jpg'),
              transfer('2026/11/日本の山/富士山の写真.jpg', {
                doneBytes: 90 << 20,
                peers: [
                  { device: member('nas').device, name: 'nas', bytes: 60 << 20 },
                  { device: member('phone').device, name: 'phone', bytes: 30 << 20 },
                ],
              }),
              transfer('big.iso', { bytes: 4 * 2 ** 30, doneBytes: 0, rate: 0, etaMs: null, peers: [] }),
            ],
            transferCount: 3,
          }),
          shareLive({ dir: '/data/music', peers: [peerLive('nas')] }),
          shareLive({ dir: '/srv/www', state: 'halted', peers: [], totalPieces: 0, heldPieces: 0 }),
        ],
      },
      history: [
        { down: wave, up: wave.map((value) => value / 20) },
        { down: [], up: [] },
      ],
      conflicts: [conflict('notes/plan.md'), conflict('2026/budget.ods', { id: '1123456789abcdef' })],
      drift: [
        drift({ dir: '/data/music' }),
        drift({ dir: '/data/music', path: 'own/extra.ogg', kind: 'added', kinds: ['extra'] }),
        drift({
          ...{ dir: '/data/music', path: 'cover.png', kinds: ['mode'], policy: 'restore' },
          acknowledgement: {
            reason: 'shown on the wall',
            since: '2026-11-20T18:02:03.000Z',
            until: '2026-12-20T18:02:03.000Z',
          },
        }),
      ],
      availability: [availability(1200)],
      events: EVENTS,
    }),
    daemon('server', {
      reach: { type: 'down', why: 'the daemon of storage path /var/lib/shoal/server is not running' },
      ...{ status: undefined, live: undefined },
    }),
  )
}

const at = (second: number): { at: string; dir: string } => ({
  at: new Date(NOW - second * 1000).toISOString(),
  dir: '/data/photos',
})

const EVENTS: readonly EventReport[] = [
  { id: 5, ...at(1), type: 'applied', count: 12, paths: ['a.jpg', 'b.jpg', 'c.jpg'], bytes: 12 << 20 },
  { id: 4, ...at(2), type: 'changed', count: 1, paths: ['notes/plan.md'], from: 'phone' },
  { id: 3, ...at(9), type: 'conflict', path: 'notes/plan.md', copy: 'notes/plan.md.conflict-phone-20261121' },
  {
    id: 2,
    ...at(60),
    type: 'peer-connected',
    device: 'd',
    name: 'nas',
    transport: 'tcp',
    address: '127.0.0.1:1',
  },
  { id: 1, ...at(3700), type: 'state', state: 'syncing', before: 'scanning' },
]

/** Lines as a person without colours sees them, without the blanks at their ends. */
export function plain(lines: readonly Line[]): string[] {
  return lines.map((line) => textOf(line).trimEnd())
}
