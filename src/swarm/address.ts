// One place to dial, as the address book keeps it, and what of several goes first. Pure.
import type { DeviceId, ShareId } from '../core/ids.js'
import type { Merit } from './backoff.js'
import { type Endpoint, formatEndpoint, hostGroup, SCOPES, scopeOf } from './endpoint.js'

/** Why a share has an address in the book. */
export type Source = Exclude<Merit, 'met'>

export interface Address {
  readonly key: string
  readonly endpoint: Endpoint
  /** What a public one is paced by (host-pace.ts) while it is only told; undefined: it is near. */
  readonly site: string | undefined
  readonly wants: Map<ShareId, Source>
  device: DeviceId | undefined
  /** Whether the device was met there by ourselves. */
  confirmed: boolean
  /** Since it last answered. */
  failures: number
  dueAtMs: number
  /** Since when it is dialled. */
  diallingMs: number | undefined
  /** Dialled while a worse way to the device worked. */
  isCalm: boolean
  /** When its device was lost, or it first failed, until it is back or another that was lost with it. */
  lostAtMs: number | undefined
  /** Counts dials, to take the shares in turn. */
  turn: number
}

export function newAddress(endpoint: Endpoint, dueAtMs: number): Address {
  return {
    key: formatEndpoint(endpoint),
    endpoint: { host: endpoint.host, port: endpoint.port },
    site: scopeOf(endpoint.host) === 'public' ? hostGroup(endpoint.host) : undefined,
    wants: new Map(),
    device: undefined,
    confirmed: false,
    failures: 0,
    dueAtMs,
    diallingMs: undefined,
    isCalm: false,
    lostAtMs: undefined,
    turn: 0,
  }
}

/** The site of an address that nobody but others vouches for. */
export function toldSiteOf(address: Address): string | undefined {
  return address.site !== undefined && meritOf(address) === 'learnt' ? address.site : undefined
}

/** The best reason an address is in the book for. */
export function meritOf({ wants, confirmed }: Address): Merit {
  const sources = [...wants.values()]
  if (sources.includes('known')) return 'known'
  if (confirmed) return 'met'
  return sources.includes('learnt') ? 'learnt' : 'beacon'
}

/**
 * Which of those that are due is dialled next: a flood of told addresses holds up none that most likely answers, and of the
 * addresses of one device those that failed least and reach least far go first, so that a member in the same room is not
 * dialled through the provider's router.
 */
export function nextOf(due: readonly Address[]): Address | undefined {
  const first = bestOf(due, (a, b) => classOf(a) - classOf(b) || a.dueAtMs - b.dueAtMs)
  if (first?.device === undefined) return first
  const ofDevice = due.filter(({ device }) => device === first.device)
  return bestOf(ofDevice, (a, b) => a.failures - b.failures || reachOf(a) - reachOf(b))
}

function classOf(address: Address): number {
  const merit = meritOf(address)
  return merit === 'known' || merit === 'met' ? 0 : 1
}

function reachOf({ endpoint }: Address): number {
  const scope = scopeOf(endpoint.host)
  return scope === undefined ? SCOPES.length : SCOPES.indexOf(scope)
}

function bestOf<T>(list: readonly T[], compare: (a: T, b: T) => number): T | undefined {
  let best: T | undefined
  for (const each of list) if (best === undefined || compare(each, best) < 0) best = each
  return best
}
