// Every metric that GET /metrics tells, as one table: the registry (exposition.ts), the page docs/metrics.md and the check of
// examples/prometheus are made from it. Names by Prometheus' conventions: base units, `_total` for what only grows.
// `share` is the folder; `peer` the first 16 hex digits of a device id, as a device may change its name: shoal_member_info
// has the names.

export interface Family {
  readonly type: 'gauge' | 'counter' | 'histogram'
  /** A line without a full stop. */
  readonly help: string
  readonly labels: readonly string[]
}

export const FAMILIES: Readonly<Record<string, Family>> = {
  shoal_build_info: gauge('1; the versions of Shoal and of Node.js', 'version', 'node'),
  process_start_time_seconds: gauge('When the daemon started, seconds since 1970'),
  process_cpu_seconds_total: counter('Processor time that the daemon has used, all its threads, seconds'),
  process_resident_memory_bytes: gauge('Memory that the daemon has in use, shared pages counted'),
  process_open_fds: gauge('Open file descriptors'),
  process_max_fds: gauge('File descriptors that may be open'),
  shoal_event_loop_delay_mean_seconds: gauge(
    'How late the event loop was since the scrape before, on average',
  ),
  shoal_event_loop_delay_p99_seconds: gauge(
    'How late the event loop was since the scrape before, 99 times of 100 at most',
  ),
  shoal_event_loop_delay_max_seconds: gauge('How late the event loop was since the scrape before, at worst'),
  shoal_event_loop_busy_seconds_total: counter('Time that the event loop did not wait for anything'),

  shoal_share_info: gauge('1; what the secret here allows', 'share', 'grade'),
  shoal_share_state: gauge('1 for the state that the share is in, 0 for the others', 'share', 'state'),
  shoal_share_files: gauge(
    'Files of the share that this disk holds, in whatever version; a blind node knows none, and has no such series',
    'share',
  ),
  shoal_share_bytes: gauge('Their bytes; of a blind node, of the live pieces that it holds', 'share'),
  shoal_share_missing_files: gauge(
    'Paths with something still to do here: fetch, replace, remove; of a blind node, pieces to fetch',
    'share',
  ),
  shoal_share_missing_bytes: gauge('Bytes of their new content', 'share'),
  shoal_share_transfers: gauge('Files that are being fetched', 'share'),
  shoal_share_pieces: gauge('Pieces that this device or somebody connected holds', 'share'),
  shoal_share_held_pieces: gauge('Pieces of those that this device holds', 'share'),
  shoal_share_conflicts: gauge('Conflict copies in the folder', 'share'),
  shoal_share_drift: gauge("Paths on a reader's disk that differ and that nobody has acknowledged", 'share'),
  shoal_share_drift_acknowledged: gauge('Paths that differ and are acknowledged', 'share'),
  shoal_share_drift_waiting: gauge(
    'Paths that wait before they are put back again, being changed again and again',
    'share',
  ),
  shoal_drift_restored_total: counter('How often local changes were put back', 'share'),
  shoal_share_damaged: gauge(
    'Files that were damaged on this disk and are not put right yet; counted as problems and drift as well. Of a blind node, parts of its vault',
    'share',
  ),
  shoal_scrub_last_timestamp_seconds: gauge(
    'When all that this disk holds was verified last, seconds since 1970',
    'share',
  ),
  shoal_damaged_found_total: counter(
    'Damaged files found on this disk; of a blind node, damaged parts of its vault',
    'share',
  ),
  shoal_damaged_repaired_total: counter('Damaged files that were put right', 'share'),
  shoal_share_problems: gauge('Problems with single paths, or with the share as a whole', 'share', 'code'),
  shoal_vault_pieces: gauge(
    'Of a blind node: pieces in its vault; kind is live or past, missing those that it lacks of the live ones, missing_past of the others',
    'share',
    'kind',
  ),
  shoal_vault_piece_bytes: gauge('Their sealed bytes', 'share', 'kind'),
  shoal_vault_bytes: gauge('What the packs of a vault take', 'share'),
  shoal_vault_dead_bytes: gauge('Bytes of them that compaction brings back', 'share'),
  shoal_vault_packs: gauge('Packs of a vault', 'share'),

  shoal_copies_promised: gauge(
    'On how many devices everything is to be (copies); kind is all or offsite',
    'share',
    'kind',
  ),
  shoal_copies_short_pieces: gauge(
    'Pieces on fewer connected devices than promised, this one counted; kind is all, offsite or none: on no device',
    'share',
    'kind',
  ),
  shoal_copies_short_bytes: gauge('Their bytes', 'share', 'kind'),
  shoal_copies_counted_timestamp_seconds: gauge('When copies were counted last, seconds since 1970', 'share'),
  shoal_hook_failed: gauge('1: the last run of the hook failed', 'share', 'hook'),
  shoal_hook_pending_paths: gauge('Changed paths that the hook has not been run for', 'share', 'hook'),

  shoal_scan_duration_seconds: histogram('How long a look at the whole folder took', 'share'),
  shoal_apply_latency_seconds: histogram('From hearing of a change to having it on this disk', 'share'),
  shoal_change_latency_seconds: histogram(
    'From when a change was noted on the device of its origin, by that clock, to having it on this disk',
    'share',
    'origin',
  ),

  shoal_pieces_total: counter('Pieces moved; direction is received or sent', 'share', 'direction'),
  shoal_piece_bytes_total: counter(
    'Bytes of content moved; direction is received or sent',
    'share',
    'direction',
  ),
  shoal_wrong_pieces_total: counter('Pieces received that were not what their name says', 'share'),

  shoal_relay_connected: gauge('1: this device can be found at the relay of the configuration', 'relay'),

  shoal_peers: gauge('Connected members', 'share', 'transport'),
  shoal_peer_received_bytes_total: counter('Content received from a connected member', 'share', 'peer'),
  shoal_peer_sent_bytes_total: counter('Content sent to a connected member', 'share', 'peer'),
  shoal_peer_round_trip_seconds: gauge('A small message to the member and back', 'share', 'peer'),
  shoal_peer_in_flight_bytes: gauge('Pieces asked of the member that are not here yet', 'share', 'peer'),
  shoal_peer_stalled: gauge('1: the member owes pieces and sends nothing', 'share', 'peer'),

  shoal_members: gauge('Members of the share but this one', 'share'),
  shoal_members_in_sync: gauge(
    'Members that are connected and hold all of the share, as this device does',
    'share',
  ),
  shoal_member_info: gauge('1; what a member is called and may do', 'share', 'peer', 'name', 'grade'),
  shoal_member_connected: gauge('1: the member is connected', 'share', 'peer'),
  shoal_member_in_sync: gauge('1: the member is connected, and both hold all of the share', 'share', 'peer'),
  shoal_member_expired: gauge('1: not heard of for peer_expiration_days, so not waited for', 'share', 'peer'),
  shoal_member_last_seen_timestamp_seconds: gauge(
    'When the member was last connected, seconds since 1970',
    'share',
    'peer',
  ),
  shoal_member_drift: gauge(
    'Unacknowledged drift on the disk of the member, by its own word',
    'share',
    'peer',
  ),
  shoal_member_drift_acknowledged: gauge(
    'Acknowledged drift on the disk of the member, by its own word',
    'share',
    'peer',
  ),
  shoal_member_damaged: gauge('Damaged files on the disk of the member, by its own word', 'share', 'peer'),
  shoal_member_scrub_last_timestamp_seconds: gauge(
    'When the member had verified all that it holds last, by its own word, seconds since 1970',
    'share',
    'peer',
  ),
  shoal_member_clock_ahead_seconds: gauge('How far its clock is ahead of ours', 'share', 'peer'),
}

function gauge(help: string, ...labels: string[]): Family {
  return { type: 'gauge', help, labels }
}

function counter(help: string, ...labels: string[]): Family {
  return { type: 'counter', help, labels }
}

function histogram(help: string, ...labels: string[]): Family {
  return { type: 'histogram', help, labels }
}
