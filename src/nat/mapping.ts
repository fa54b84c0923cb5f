// What is known of the port that a router opens for us (`use_upnp`), and how the thread that asks for it (map-worker.ts) and
// its owner (mapper.ts) speak.
import type { ThreadVersion } from '../ports/thread-version.js'

/** How the router was asked: PCP (RFC 6887), NAT-PMP (RFC 6886) or UPnP-IGD. */
export type MappingWay = 'pcp' | 'natpmp' | 'upnp'

export interface Mapped {
  readonly via: MappingWay
  /** IP literal that the router calls its own outside, which may be a lie or lie behind another NAT; undefined: not told. */
  readonly externalHost: string | undefined
  /** May differ from the one that was asked for. */
  readonly externalPort: number
}

export type MappingState =
  /** Not wanted. */
  | { readonly type: 'off' }
  | { readonly type: 'asking'; readonly gateway: string }
  | ({ readonly type: 'mapped'; readonly gateway: string } & Mapped)
  /** Asked again after a while. `gateway` is undefined where there is no default route. */
  | { readonly type: 'failed'; readonly gateway: string | undefined; readonly reason: string }

export interface MapWork extends ThreadVersion {
  /** IPv4 literals. Nothing is ever sent elsewhere, apart from the search over multicast. */
  readonly gateway: string
  readonly local: { readonly address: string; readonly netmask: string }
  readonly internalPort: number
  /** The one asked for; the router may give another. */
  readonly externalPort: number
  /** For how long the router is to keep it; renewed at half of that. */
  readonly lifetimeSeconds: number
  /** How often the router's address is asked for, and whether it still knows of the port. */
  readonly checkEveryMs: number
  /** How often each question is repeated, waiting 250 ms, then twice as long each time. */
  readonly attempts: number
  /** How long answers to the search for UPnP are waited for. */
  readonly searchMs: number
  /** UDP port of PCP and NAT-PMP: 5351. */
  readonly pmpPort: number
  /** Searches for UPnP at this UDP port of the gateway, instead of over multicast. */
  readonly ssdpPort: number | undefined
}

export type MapReport =
  | ({ readonly type: 'mapped' } & Mapped)
  /** Nobody opens it, or whoever did has forgotten it: the thread ends. */
  | { readonly type: 'failed'; readonly reason: string }

export type MapOrder = { readonly type: 'stop' }
