// The proven connections per device, and which of them carries the shares (X5, rules in dedupe.ts). A connection enters
// when it is ready; at most one per device is selected at any time.
//
//   T1  A connection that another of the same process replaces while it is alive is parting: the shares move one by one
//       (ShareMembers), and only then it is closed. All others are closed before anybody hears of the new one.
//   T2  A device is lost when neither a selected connection nor one that waits for the chooser is left.
//   T3  When the selected connection ends, the chooser takes the best of those that wait.
import type { DeviceId } from '../core/ids.js'
import { isChooser, isDoubtful, type LinkFacts, replaces, SILENT_MS, wayRank } from './dedupe.js'
import { type Endpoint, scopeOf } from './endpoint.js'
import type { Link } from './link.js'

/** Connections to one device that wait for the chooser: one per way to reach it is plenty. */
const MAX_WAITING = 4
/** A connection in doubt has so long to say anything (D5): most round trips are shorter, and one lost packet is made good. */
const DOUBT_MS = 3_000

interface DeviceLinks {
  selected: Link | undefined
  readonly waiting: Set<Link>
  readonly parting: Set<Link>
  /** Where another process with the same device key was connected from when this one took over (F4). */
  rival: Endpoint | undefined
}

export interface LinkTableOptions {
  readonly own: DeviceId
  readonly now: () => number
  /** Whether what is large does not pass by its way (standstills.ts). */
  readonly isStill: (link: Link) => boolean
  /** `old`: the one that it replaces, which is alive and parting. */
  readonly onSelected: (link: Link, old: Link | undefined) => void
  /** The selected connection to a device ended and no other is there; it had been selected for `lastedMs`. */
  readonly onLost: (link: Link, lastedMs: number, reason: string) => void
}

export class LinkTable {
  readonly #options: LinkTableOptions
  readonly #devices = new Map<DeviceId, DeviceLinks>()

  constructor(options: LinkTableOptions) {
    this.#options = options
  }

  /** Takes charge of a connection that is ready. */
  add(link: Link): void {
    const links = this.#linksOf(link.device)
    links.waiting.add(link)
    link.on('selected', () => this.#onSelected(link, links))
    link.on('close', (reason) => this.#onClose(link, links, reason))
    if (isChooser(this.#options.own, link.device)) this.#judge(link, links)
    else link.awaitSelection()
    if (links.waiting.size > MAX_WAITING) [...links.waiting][0]!.close('too many connections to one device')
  }

  selected(device: DeviceId): Link | undefined {
    return this.#devices.get(device)?.selected
  }

  /** Whether any proven connection to the device exists. */
  has(device: DeviceId): boolean {
    return this.#devices.has(device)
  }

  /** The connection that is selected, or else the best of those that wait for the chooser. */
  best(device: DeviceId): Link | undefined {
    const links = this.#devices.get(device)
    if (links === undefined) return undefined
    return links.selected ?? (links.waiting.size > 0 ? this.#bestOf(links.waiting) : undefined)
  }

  /** How good its way is, the best 0 (wayRank). */
  rankOf(link: Link): number {
    return wayRank(this.#factsOf(link))
  }

  rivalOf(device: DeviceId): Endpoint | undefined {
    return this.#devices.get(device)?.rival
  }

  *allSelected(): Generator<Link> {
    for (const { selected } of this.#devices.values()) if (selected !== undefined) yield selected
  }

  closeDevice(device: DeviceId, reason: string): void {
    const links = this.#devices.get(device)
    if (links === undefined) return
    for (const link of [...links.waiting, ...links.parting]) link.close(reason)
    links.selected?.close(reason)
  }

  /** The chooser's decision on a connection that is new (D2 to D5). */
  #judge(link: Link, links: DeviceLinks): void {
    const { selected } = links
    const nowMs = this.#options.now()
    if (selected === undefined || replaces(this.#factsOf(selected), this.#factsOf(link), nowMs)) link.select()
    else if (isDoubtful(this.#factsOf(selected), link.startedMs))
      selected.probe(DOUBT_MS, () => link.close('duplicate connection'))
    else link.close('duplicate connection')
  }

  #onSelected(link: Link, links: DeviceLinks): void {
    const old = links.selected
    links.waiting.delete(link)
    links.selected = link
    const isAlive = old !== undefined && this.#options.now() - old.lastHeardMs <= SILENT_MS
    const isMove = isAlive && old.instance === link.instance
    if (isMove) links.parting.add(old)
    else if (old !== undefined) {
      if (old.instance !== link.instance) links.rival = isAlive ? vouchedEndpoint(old) : undefined
      old.close('replaced by another connection')
    }
    this.#options.onSelected(link, isMove ? old : undefined)
  }

  #onClose(link: Link, links: DeviceLinks, reason: string): void {
    links.waiting.delete(link)
    if (links.parting.delete(link)) return
    const wasSelected = links.selected === link
    if (wasSelected) links.selected = undefined
    if (links.selected !== undefined) return
    if (links.waiting.size > 0) {
      if (isChooser(this.#options.own, link.device)) this.#bestOf(links.waiting).select()
      return
    }
    for (const old of [...links.parting]) old.close(reason)
    this.#devices.delete(link.device)
    this.#options.onLost(link, wasSelected ? this.#options.now() - link.readyMs : 0, reason)
  }

  #bestOf(links: ReadonlySet<Link>): Link {
    return [...links].reduce((best, link) => (this.rankOf(link) < this.rankOf(best) ? link : best))
  }

  #factsOf(link: Link): LinkFacts {
    const { transport, scope, instance, lastHeardMs } = link
    return { transport, scope, isStill: this.#options.isStill(link), instance, lastHeardMs }
  }

  #linksOf(device: DeviceId): DeviceLinks {
    let links = this.#devices.get(device)
    if (links === undefined) {
      links = { selected: undefined, waiting: new Set(), parting: new Set(), rival: undefined }
      this.#devices.set(device, links)
    }
    return links
  }
}

/** Where others may reach the device at the other end, as far as we can vouch for it. */
export function vouchedEndpoint(link: Link): Endpoint | undefined {
  // A UDX peer sits behind a NAT hole of ours alone, a relayed one behind a relay; one with the port 0 is not here to stay.
  if (link.transport !== 'tcp' || link.hello.port === 0) return undefined
  // Only the proxy knows what the name stands for.
  if (scopeOf(link.remote.host) === undefined) return undefined
  if (link.role === 'initiator') return link.remote
  return { host: link.remote.host, port: link.hello.port }
}
