// What the calls of the control API (src/control/calls.ts) see of a running daemon.
// While the daemon starts over as another device (F4) it has no shares; a call waits for them, for else it would say that
// there is nothing to sync, which to a script means that all is in sync.
import type { ShareRef } from '../../control/route.js'
import type { NetworkReport } from '../../control/schema-network.js'
import { ShoalError } from '../../core/error.js'
import type { DeviceId } from '../../core/ids.js'
import { pathFault, type RelPath } from '../../core/path.js'
import type { InviteHost } from '../../invite/host.js'
import type { RelayStanding } from '../../swarm/relay-control.js'
import { type AnyShare, isReadable, mustBeReadable } from '../any-share.js'
import type { ConfigState } from '../config-state.js'
import type { FolderAdmin } from '../folder-admin.js'
import type { MemberLimits } from '../member-limits.js'
import type { RateLimits, ShareLimits } from '../rate-limits.js'
import type { Share } from '../share/share.js'

export interface DaemonView {
  readonly name: string
  readonly device: () => DeviceId
  readonly shares: () => readonly AnyShare[]
  readonly limits: () => MemberLimits
  readonly rates: RateLimits
  /** Of each share, in the order of `shares`. */
  readonly shareLimits: () => readonly ShareLimits[]
  /** Undefined while there are no shares. */
  readonly invites: () => InviteHost | undefined
  /** Folders that come and go while it runs. */
  readonly folders: Pick<FolderAdmin, 'list' | 'add' | 'change' | 'remove'>
  /** How it stands with each relay of the configuration. */
  readonly relays: () => readonly RelayStanding[]
  /** Whether the configuration file is in use as it was read last. */
  readonly configState: Pick<ConfigState, 'refused' | 'awaitingRestart'>
  /** TCP port it listens on. */
  readonly port: () => number
  /** How it can be reached; undefined while there are no shares. */
  readonly network: () => NetworkReport | undefined
  /** Resolves when the shares are there, unless the daemon is just starting over as another device (F4). */
  readonly started: () => Promise<void>
  readonly stop: () => void
}

/** The shares, once they are there. */
export async function sharesOf(view: Pick<DaemonView, 'shares' | 'started'>): Promise<readonly AnyShare[]> {
  await view.started()
  return view.shares()
}

/** Those of them that can be read here. */
export async function readableOf(view: Pick<DaemonView, 'shares' | 'started'>): Promise<readonly Share[]> {
  return (await sharesOf(view)).filter(isReadable)
}

/** A share by its place or its folder. NOT_FOUND. */
export async function anyShareAt(view: DaemonView, at: ShareRef): Promise<AnyShare> {
  const share = named(await sharesOf(view), at)
  if (share !== undefined) return share
  const what =
    typeof at === 'number' ? `there is no share ${at} in this configuration` : `${at} is not served`
  throw new ShoalError('NOT_FOUND', what)
}

/** The same of one that is to be read. NOT_FOUND, BLIND. */
export async function shareAt(view: DaemonView, at: ShareRef): Promise<Share> {
  return mustBeReadable(await anyShareAt(view, at))
}

function named<T extends { readonly dir: string }>(shares: readonly T[], at: ShareRef): T | undefined {
  return typeof at === 'number' ? shares[at] : shares.find(({ dir }) => dir === at)
}

/** One share, or all. NOT_FOUND. */
export async function oneOrAllOf(view: DaemonView, at: ShareRef | undefined): Promise<readonly AnyShare[]> {
  return at === undefined ? sharesOf(view) : [await anyShareAt(view, at)]
}

/** A path of a request. USAGE. */
export function pathOf(text: string): RelPath {
  const fault = pathFault(text)
  if (fault !== undefined) throw new ShoalError('USAGE', `that is no path in a share: ${fault}`)
  return text as RelPath
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
