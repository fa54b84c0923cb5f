// The proven connections per device, and which of them carries the shares (X5, rules in dedupe.ts). A connection enters
// when it is ready; at most one per device is selected at any time, and when another takes over, the old one is closed
// before anybody hears of the new.
import type { DeviceId } from '../core/ids.js'
import { isChooser, type LinkFacts, replaces, SILENT_MS } from './dedupe.js'
import type { Endpoint } from './endpoint.js'
import type { Link } from './link.js'

/** Connections to one device that wait for the chooser: one per way to reach it is plenty. */
const MAX_WAITING = 4

interface DeviceLinks {
  selected: Link | undefined
  readonly waiting: Set<Link>
  /** Where another process with the same device key was connected from when this one took over (F4). */
  rival: Endpoint | undefined
}

export interface LinkTableOptions {
  readonly own: DeviceId
  readonly now: () => number
  readonly onSelected: (link: Link) => void
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
    const { own, now } = this.#options
    const links = this.#linksOf(link.device)
    links.waiting.add(link)
    link.on('selected', () => this.#onSelected(link, links))
    link.on('close', (reason) => this.#onClose(link, links, reason))
    if (!isChooser(own, link.device)) {
      link.awaitSelection()
      if (links.waiting.size > MAX_WAITING) [...links.waiting][0]!.close('too many connections to one device')
      return
    }
    const { selected } = links
    if (selected === undefined || replaces(factsOf(selected), factsOf(link), now())) link.select()
    else link.close('duplicate connection')
  }

  selected(device: DeviceId): Link | undefined {
    return this.#devices.get(device)?.selected
  }

  /** Whether any proven connection to the device exists. */
  has(device: DeviceId): boolean {
    return this.#devices.has(device)
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
    for (const link of [...links.waiting]) link.close(reason)
    links.selected?.close(reason)
  }

  #onSelected(link: Link, links: DeviceLinks): void {
    const old = links.selected
    links.waiting.delete(link)
    links.selected = link
    if (old !== undefined) {
      const isAlive = this.#options.now() - old.lastHeardMs <= SILENT_MS
      if (old.instance !== link.instance) links.rival = isAlive ? vouchedEndpoint(old) : undefined
      old.close('replaced by another connection')
    }
    this.#options.onSelected(link)
  }

  #onClose(link: Link, links: DeviceLinks, reason: string): void {
    links.waiting.delete(link)
    const wasSelected = links.selected === link
    if (wasSelected) links.selected = undefined
    if (links.selected !== undefined || links.waiting.size > 0) return
    this.#devices.delete(link.device)
    this.#options.onLost(link, wasSelected ? this.#options.now() - link.readyMs : 0, reason)
  }

  #linksOf(device: DeviceId): DeviceLinks {
    let links = this.#devices.get(device)
    if (links === undefined) {
      links = { selected: undefined, waiting: new Set(), rival: undefined }
      this.#devices.set(device, links)
    }
    return links
  }
}

/** Where others may reach the device at the other end, as far as we can vouch for it. */
export function vouchedEndpoint(link: Link): Endpoint | undefined {
  // A UDX peer sits behind a NAT hole of ours alone; one with the port 0 is not here to stay.
  if (link.transport !== 'tcp' || link.hello.port === 0) return undefined
  if (link.role === 'initiator') return link.remote
  return { host: link.remote.host, port: link.hello.port }
}

function factsOf(link: Link): LinkFacts {
  return {
    transport: link.transport,
    scope: link.scope,
    instance: link.instance,
    lastHeardMs: link.lastHeardMs,
  }
}
