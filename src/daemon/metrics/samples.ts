// From what the daemon reports of itself to the values of its metrics (families.ts): pure, and never O(files). What a family
// has no value for is left out, as Prometheus wants it, and not told as 0.
import type { MemberReport, ShareReport, ShareState, StatusReport } from '../../control/schema.js'
import type { LiveReport, ShareLive } from '../../control/schema-live.js'
import { type Durations, type Instruments, OTHER_ORIGINS } from '../instruments.js'
import type { ProcessFacts } from './process-facts.js'

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  /** One of FAMILIES. */
  readonly family: string
  readonly labels: Labels
  readonly value: number | Durations
}

/** What is read at a scrape. */
export interface Readings {
  readonly status: StatusReport
  readonly live: LiveReport
  /** By folder. */
  readonly meters: ReadonlyMap<string, ShareMeters>
  readonly process: ProcessFacts
}

/** What is counted in a share and in no report. */
export interface ShareMeters {
  readonly instruments: Instruments
  readonly receivedPieces: number
  readonly sentPieces: number
}

/** Members of a share that have series of their own, who is connected first: a series is kept for weeks. */
export const MAX_LISTED_MEMBERS = 100
/** Codes of problems with series of their own; those of the rest are put together. */
export const MAX_CODES = 20
/** The label of what is put together. */
export const OTHERS = '(others)'

const STATES: readonly ShareState[] = Object.keys({
  ...{ scanning: 0, syncing: 0, idle: 0, paused: 0, halted: 0 },
} satisfies Record<ShareState, 0>) as ShareState[]
const TRANSPORTS = ['tcp', 'udx', 'relayed'] as const

/** All values, in the order of the shares. */
export function samplesOf({ status, live, meters, process }: Readings): Sample[] {
  const lives = new Map(live.shares.map((share) => [share.dir, share]))
  return [
    sample('shoal_build_info', 1, { version: status.version, node: process.nodeVersion }),
    ...processSamples(process),
    ...(status.relays ?? []).map(({ address, connected }) =>
      sample('shoal_relay_connected', connected ? 1 : 0, { relay: address }),
    ),
    ...status.shares.flatMap((share) => {
      const shareLive = lives.get(share.dir)
      const metersOfIt = meters.get(share.dir)
      return [
        ...shareSamples(share),
        ...memberSamples(share, shareLive),
        ...(shareLive === undefined ? [] : liveSamples(shareLive)),
        ...(metersOfIt === undefined ? [] : meterSamples(share, metersOfIt)),
      ]
    }),
  ]
}

function processSamples(facts: ProcessFacts): Sample[] {
  const { eventLoop } = facts
  return [
    sample('process_start_time_seconds', facts.startTimeS),
    sample('process_cpu_seconds_total', facts.cpuS),
    sample('process_resident_memory_bytes', facts.residentBytes),
    ...optional('process_open_fds', facts.openFds),
    ...optional('process_max_fds', facts.maxFds),
    sample('shoal_event_loop_busy_seconds_total', eventLoop.busyS),
    ...optional('shoal_event_loop_delay_mean_seconds', eventLoop.delay?.meanS),
    ...optional('shoal_event_loop_delay_p99_seconds', eventLoop.delay?.p99S),
    ...optional('shoal_event_loop_delay_max_seconds', eventLoop.delay?.maxS),
  ]
}

function shareSamples(share: ShareReport): Sample[] {
  const labels = { share: share.dir }
  return [
    sample('shoal_share_info', 1, { ...labels, grade: share.grade }),
    ...STATES.map((state) =>
      sample('shoal_share_state', share.state === state ? 1 : 0, { ...labels, state }),
    ),
    ...holdingSamples(share),
    ...pathSamples(share),
    ...scrubSamples(share),
    ...problemSamples(share),
    ...vaultSamples(share),
    ...copySamples(share),
    ...share.hooks.flatMap((hook) => {
      const ofHook = { ...labels, hook: String(hook.number) }
      const hasFailed = hook.state === 'failed' || hook.state === 'retrying'
      return [
        sample('shoal_hook_failed', hasFailed ? 1 : 0, ofHook),
        sample('shoal_hook_pending_paths', hook.pending, ofHook),
      ]
    }),
  ]
}

/** What is here and what is not; of a vault that is not open nobody knows. */
function holdingSamples({ dir, grade, blind, bytes, needFiles, needBytes }: ShareReport): Sample[] {
  if (grade === 'blind' && blind?.isOpen !== true) return []
  const labels = { share: dir }
  return [
    sample('shoal_share_bytes', bytes, labels),
    sample('shoal_share_missing_files', needFiles, labels),
    sample('shoal_share_missing_bytes', needBytes, labels),
  ]
}

/** A blind node knows no paths: a 0 would say that there are none. */
function pathSamples({ dir, grade, files, conflicts, drift, driftDetail }: ShareReport): Sample[] {
  if (grade === 'blind') return []
  const labels = { share: dir }
  return [
    sample('shoal_share_files', files, labels),
    sample('shoal_share_conflicts', conflicts, labels),
    sample('shoal_share_drift', drift, labels),
    sample('shoal_share_drift_acknowledged', driftDetail.acknowledged, labels),
    sample('shoal_share_drift_waiting', driftDetail.waiting, labels),
    sample('shoal_drift_restored_total', driftDetail.restored, labels),
  ]
}

/** What looking for damage has found. */
function scrubSamples({ dir, scrub }: ShareReport): Sample[] {
  if (scrub === undefined) return []
  const labels = { share: dir }
  return [
    sample('shoal_share_damaged', scrub.damaged, labels),
    ...optional('shoal_scrub_last_timestamp_seconds', timeOf(scrub.last), labels),
    sample('shoal_damaged_found_total', scrub.found, labels),
    sample('shoal_damaged_repaired_total', scrub.repaired, labels),
  ]
}

/** Of a blind share alone. */
function vaultSamples({ dir, blind }: ShareReport): Sample[] {
  if (blind?.isOpen !== true) return []
  const kinds = [
    ['live', blind.pieces - blind.missingPieces, blind.bytes - blind.missingBytes],
    ['missing', blind.missingPieces, blind.missingBytes],
    ['past', blind.pastPieces, blind.pastBytes],
    ['missing_past', blind.missingPastPieces, blind.missingPastBytes],
  ] as const
  return [
    ...kinds.flatMap(([kind, pieces, bytes]) => [
      sample('shoal_vault_pieces', pieces, { share: dir, kind }),
      sample('shoal_vault_piece_bytes', bytes, { share: dir, kind }),
    ]),
    sample('shoal_vault_bytes', blind.vaultBytes, { share: dir }),
    sample('shoal_vault_dead_bytes', blind.deadBytes, { share: dir }),
    sample('shoal_vault_packs', blind.packs, { share: dir }),
  ]
}

/** Of a share that promises copies. */
function copySamples({ dir, copies }: ShareReport): Sample[] {
  if (copies === null) return []
  const { min, offsite, counted } = copies
  const of = (kind: string): Labels => ({ share: dir, kind })
  const promised = [
    sample('shoal_copies_promised', min, of('all')),
    sample('shoal_copies_promised', offsite, of('offsite')),
  ]
  if (counted === null) return promised
  const kinds = [
    ['all', counted.belowMin],
    ['offsite', counted.belowOffsite],
    ['none', counted.none],
  ] as const
  return [
    ...promised,
    ...kinds.flatMap(([kind, { pieces, bytes }]) => [
      sample('shoal_copies_short_pieces', pieces, of(kind)),
      sample('shoal_copies_short_bytes', bytes, of(kind)),
    ]),
    sample('shoal_copies_counted_timestamp_seconds', Date.parse(counted.at) / 1000, { share: dir }),
  ]
}

/** The commonest codes; a share without a problem says so with one 0, so that a rule can tell it from no share. */
function problemSamples({ dir, problems }: ShareReport): Sample[] {
  const counts = new Map<string, number>()
  for (const { code } of problems) counts.set(code, (counts.get(code) ?? 0) + 1)
  const byCount = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
  const others = byCount.slice(MAX_CODES).reduce((sum, [, count]) => sum + count, 0)
  return [...byCount.slice(0, MAX_CODES), [OTHERS, others] as const].map(([code, count]) =>
    sample('shoal_share_problems', count, { share: dir, code }),
  )
}

function memberSamples({ dir, members }: ShareReport, live: ShareLive | undefined): Sample[] {
  const inSync = new Set(live?.peers.flatMap((peer) => (peer.inSync ? [peer.device] : [])))
  const listed = [...members]
    .sort((a, b) => Number(b.connected) - Number(a.connected))
    .slice(0, MAX_LISTED_MEMBERS)
  return [
    sample('shoal_members', members.length, { share: dir }),
    // A blind node cannot tell of those who read: a number without them would say that they are not.
    ...optional('shoal_members_in_sync', countInSync(members, inSync), { share: dir }),
    ...listed.flatMap((member) => {
      const labels = { share: dir, peer: peerLabel(member.device) }
      const { name, grade, connected, lastSeen, clockAheadMs } = member
      return [
        sample('shoal_member_info', 1, { ...labels, name, grade }),
        sample('shoal_member_connected', connected ? 1 : 0, labels),
        sample('shoal_member_expired', member.expired ? 1 : 0, labels),
        ...(member.unreadable
          ? []
          : [
              sample('shoal_member_in_sync', inSync.has(member.device) ? 1 : 0, labels),
              sample('shoal_member_drift', member.drift, labels),
            ]),
        ...optional('shoal_member_drift_acknowledged', member.acknowledged, labels),
        ...optional(
          'shoal_member_last_seen_timestamp_seconds',
          lastSeen === null ? undefined : Date.parse(lastSeen) / 1000,
          labels,
        ),
        ...optional('shoal_member_damaged', member.scrub?.damaged, labels),
        ...optional('shoal_member_scrub_last_timestamp_seconds', timeOf(member.scrub?.last), labels),
        ...optional('shoal_member_clock_ahead_seconds', seconds(clockAheadMs), labels),
      ]
    }),
  ]
}

/** Undefined: of one of them it cannot be told. */
function countInSync(members: readonly MemberReport[], inSync: ReadonlySet<string>): number | undefined {
  if (members.some(({ unreadable }) => unreadable)) return undefined
  return members.filter(({ device }) => inSync.has(device)).length
}

function liveSamples(share: ShareLive): Sample[] {
  const { dir, peers } = share
  const labels = { share: dir }
  return [
    sample('shoal_share_transfers', share.transferCount, labels),
    sample('shoal_share_pieces', share.totalPieces, labels),
    sample('shoal_share_held_pieces', share.heldPieces, labels),
    sample('shoal_piece_bytes_total', share.receivedBytes, { ...labels, direction: 'received' }),
    sample('shoal_piece_bytes_total', share.sentBytes, { ...labels, direction: 'sent' }),
    sample('shoal_wrong_pieces_total', share.wrongPieces, labels),
    ...TRANSPORTS.map((transport) =>
      sample('shoal_peers', peers.filter((peer) => peer.transport === transport).length, {
        ...labels,
        transport,
      }),
    ),
    ...peers.slice(0, MAX_LISTED_MEMBERS).flatMap((peer) => {
      const ofPeer = { ...labels, peer: peerLabel(peer.device) }
      return [
        sample('shoal_peer_received_bytes_total', peer.receivedBytes, ofPeer),
        sample('shoal_peer_sent_bytes_total', peer.sentBytes, ofPeer),
        sample('shoal_peer_in_flight_bytes', peer.inFlightBytes, ofPeer),
        sample('shoal_peer_stalled', peer.stalled ? 1 : 0, ofPeer),
        ...optional('shoal_peer_round_trip_seconds', seconds(peer.rttMs), ofPeer),
      ]
    }),
  ]
}

function meterSamples(
  { dir }: ShareReport,
  { instruments, receivedPieces, sentPieces }: ShareMeters,
): Sample[] {
  const labels = { share: dir }
  return [
    sample('shoal_pieces_total', receivedPieces, { ...labels, direction: 'received' }),
    sample('shoal_pieces_total', sentPieces, { ...labels, direction: 'sent' }),
    sample('shoal_scan_duration_seconds', instruments.fullScans, labels),
    sample('shoal_apply_latency_seconds', instruments.applyLatency, labels),
    ...[...instruments.changeToApplied].map(([origin, durations]) =>
      sample('shoal_change_latency_seconds', durations, {
        ...labels,
        origin: origin === OTHER_ORIGINS ? OTHERS : originLabel(origin),
      }),
    ),
  ]
}

/** Names that would be taken for what is put together; what stands before one tells it from all other names, too. */
const LIKE_OTHERS = /^(?:device )*\(others\)$/

/** Of a device's name, which is its own choice: no series may be there twice. */
function originLabel(name: string): string {
  return LIKE_OTHERS.test(name) ? `device ${name}` : name
}

/** Of a device id. */
function peerLabel(device: string): string {
  return device.slice(0, 16)
}

/** Seconds since 1970. */
function timeOf(iso: string | null | undefined): number | undefined {
  return iso === null || iso === undefined ? undefined : Date.parse(iso) / 1000
}

function seconds(ms: number | null): number | undefined {
  return ms === null ? undefined : ms / 1000
}

function sample(family: string, value: number | Durations, labels: Labels = {}): Sample {
  return { family, labels, value }
}

function optional(family: string, value: number | undefined, labels: Labels = {}): Sample[] {
  return value === undefined ? [] : [sample(family, value, labels)]
}
