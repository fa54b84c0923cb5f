// What the dashboard knows: the newest answers of each daemon, and what was kept of earlier ones (rates for sparklines,
// events). Answers become rows here that a screen can list: one for each share, peer, transfer and so on of all daemons.
import type { MemberReport, ShareReport, StatusReport } from '../../control/schema.js'
import type { ConflictReport } from '../../control/schema-conflicts.js'
import type { DriftReport } from '../../control/schema-drift.js'
import type { EventReport } from '../../control/schema-events.js'
import type {
  AvailabilityReport,
  LiveReport,
  PeerLive,
  ShareLive,
  TransferReport,
} from '../../control/schema-live.js'

/** How it stands with asking one daemon. */
export type Reach =
  | { readonly type: 'asking' }
  | { readonly type: 'up' }
  /** It did not answer, or its configuration cannot be read: why, for a person. */
  | { readonly type: 'down'; readonly why: string }

/** Rates of the last looks, oldest first, bytes per second. */
export interface RateHistory {
  readonly down: readonly number[]
  readonly up: readonly number[]
}

export interface DaemonView {
  /** Where it is reached; names it. */
  readonly key: string
  /** Of its configuration. */
  readonly name: string
  readonly reach: Reach
  readonly status: StatusReport | undefined
  readonly live: LiveReport | undefined
  /** By the place of a share. */
  readonly history: readonly RateHistory[]
  /** Undefined: not asked yet; asked only while somebody looks. */
  readonly conflicts: readonly ConflictReport[] | undefined
  readonly drift: readonly DriftReport[] | undefined
  /** By the place of a share. */
  readonly availability: readonly (AvailabilityReport | undefined)[]
  /** Newest first. */
  readonly events: readonly EventReport[]
}

export interface World {
  readonly daemons: readonly DaemonView[]
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

export const EMPTY_WORLD: World = { daemons: [], nowMs: 0 }

/** What names something across looks: shares by daemon and place. */
export interface Placed {
  readonly key: string
  readonly daemon: DaemonView
  /** Place of the share in the daemon. */
  readonly place: number
  /** Of the share, absolute: what stays its own when others come and go. */
  readonly dir: string
  /** Of the share, as short as it still is one of its kind. */
  readonly shareName: string
}

export interface ShareItem extends Placed {
  readonly type: 'share'
  readonly report: ShareReport
  readonly live: ShareLive | undefined
  readonly history: RateHistory
}

/** A daemon that there is nothing to show of. */
export interface SilentItem {
  readonly type: 'silent'
  readonly key: string
  readonly daemon: DaemonView
  readonly shareName: string
}

export type OverviewItem = ShareItem | SilentItem

/** A member of a share, connected or not. */
export interface PeerItem extends Placed {
  readonly member: MemberReport
  /** Something is missing here. */
  readonly isBehind: boolean
  /** Undefined while not connected. */
  readonly live: PeerLive | undefined
}

export interface TransferItem extends Placed {
  readonly transfer: TransferReport
}

export interface ConflictItem extends Placed {
  readonly conflict: ConflictReport
}

export interface DriftItem extends Placed {
  readonly drift: DriftReport
}

export interface EventItem {
  readonly key: string
  readonly daemon: DaemonView
  readonly shareName: string
  readonly event: EventReport
}

const NO_HISTORY: RateHistory = { down: [], up: [] }

export function sharesOf(world: World): ShareItem[] {
  const names = shareNames(world)
  return world.daemons.flatMap((daemon) =>
    (daemon.status?.shares ?? []).map((report, place): ShareItem => {
      const live = daemon.live?.shares[place]
      return {
        type: 'share',
        key: `${daemon.key}#${place}`,
        daemon,
        place,
        dir: report.dir,
        shareName: names.get(`${daemon.key}#${place}`)!,
        report,
        live: live?.dir === report.dir ? live : undefined,
        history: daemon.history[place] ?? NO_HISTORY,
      }
    }),
  )
}

/** The shares, and the daemons that tell of none. */
export function overviewOf(world: World): OverviewItem[] {
  const shares = sharesOf(world)
  const silent = world.daemons
    .filter(({ reach, status }) => reach.type !== 'up' || status?.shares.length === 0)
    .map((daemon): SilentItem => ({ type: 'silent', key: daemon.key, daemon, shareName: daemon.name }))
  // What a daemon said last is no longer so.
  const down = new Set(silent.map(({ key }) => key))
  return [...shares.filter(({ daemon }) => !down.has(daemon.key)), ...silent]
}

export function peersOf(world: World): PeerItem[] {
  return upShares(world).flatMap((share) => {
    const byDevice = new Map(share.live?.peers.map((peer) => [peer.device, peer]))
    return share.report.members.map((member): PeerItem => {
      const live = byDevice.get(member.device)
      return {
        ...placed(share),
        key: `${share.key}#${member.device}`,
        member,
        live,
        isBehind: isBehind(share),
      }
    })
  })
}

export function transfersOf(world: World): TransferItem[] {
  return upShares(world).flatMap((share) =>
    (share.live?.transfers ?? []).map(
      (transfer): TransferItem => ({ ...placed(share), key: `${share.key}#${transfer.path}`, transfer }),
    ),
  )
}

export function conflictsOf(world: World): ConflictItem[] {
  return listed(
    world,
    ({ conflicts }) => conflicts,
    (place, conflict) => ({ ...place, key: `${place.key}#${conflict.copy}`, conflict }),
  )
}

export function driftOf(world: World): DriftItem[] {
  return listed(
    world,
    ({ drift }) => drift,
    (place, drift) => ({ ...place, key: `${place.key}#${drift.path}`, drift }),
  )
}

/** Newest first, of all daemons. */
export function eventsOf(world: World): EventItem[] {
  const shares = sharesOf(world)
  const names = new Map(shares.map((share) => [`${share.daemon.key}#${share.report.dir}`, share.shareName]))
  const items = world.daemons.flatMap((daemon) =>
    daemon.events.map((event): EventItem => {
      const shareName =
        event.dir === null ? '' : (names.get(`${daemon.key}#${event.dir}`) ?? lastOf(event.dir))
      return { key: `${daemon.key}#${event.id}`, daemon, shareName, event }
    }),
  )
  // All times are UTC, written alike.
  return world.daemons.length < 2 ? items : items.sort((a, b) => (a.event.at < b.event.at ? 1 : -1))
}

/** Whether something is still to come here. */
export function isBehind({ report, live }: Pick<ShareItem, 'report' | 'live'>): boolean {
  const { needFiles, needBytes } = live ?? report
  return needFiles + needBytes > 0
}

/** Bytes per second of all shares. */
export function totalRates(world: World): { readonly down: number; readonly up: number } {
  const lives = upShares(world).flatMap(({ live }) => (live === undefined ? [] : [live]))
  return {
    down: lives.reduce((sum, { downRate }) => sum + downRate, 0),
    up: lives.reduce((sum, { upRate }) => sum + upRate, 0),
  }
}

function upShares(world: World): ShareItem[] {
  return sharesOf(world).filter(({ daemon }) => daemon.reach.type === 'up')
}

function listed<T extends { readonly dir: string }, I>(
  world: World,
  list: (daemon: DaemonView) => readonly T[] | undefined,
  item: (place: Placed, each: T) => I,
): I[] {
  const byDir = new Map(upShares(world).map((share) => [`${share.daemon.key}#${share.report.dir}`, share]))
  return world.daemons.flatMap((daemon) =>
    (list(daemon) ?? []).flatMap((each) => {
      const share = byDir.get(`${daemon.key}#${each.dir}`)
      // A share that came or went since the other answer is there with the next one.
      return share === undefined ? [] : [item(placed(share), each)]
    }),
  )
}

function placed({ key, daemon, place, dir, shareName }: ShareItem): Placed {
  return { key, daemon, place, dir, shareName }
}

/** The last name of each folder; with the daemon's name where two are alike. */
function shareNames(world: World): Map<string, string> {
  const all = world.daemons.flatMap((daemon) =>
    (daemon.status?.shares ?? []).map(({ dir }, place) => ({
      key: `${daemon.key}#${place}`,
      short: lastOf(dir),
      long: `${daemon.name}:${lastOf(dir)}`,
      dir,
    })),
  )
  const count = (text: string, of: (one: (typeof all)[number]) => string): number =>
    all.reduce((sum, one) => sum + (of(one) === text ? 1 : 0), 0)
  return new Map(
    all.map((one) => {
      if (count(one.short, ({ short }) => short) === 1) return [one.key, one.short]
      return [one.key, count(one.long, ({ long }) => long) === 1 ? one.long : one.dir]
    }),
  )
}

function lastOf(dir: string): string {
  return dir.slice(dir.lastIndexOf('/') + 1) || dir
}
