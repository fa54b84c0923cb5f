// The devices that we are connected with, and what a connection to one means to the rest: which carries the shares, who
// learns where it was met, which finders go on looking for it, who is refused, and that a copy of ourselves is told of.
import type { DeviceId, ShareId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import type { AddressBook, DeviceView } from './addresses.js'
import { Bans } from './bans.js'
import { type Endpoint, scopeOf } from './endpoint.js'
import type { Standing } from './finders.js'
import type { Link } from './link.js'
import { LinkTable } from './link-table.js'
import { offersOf, sharesOffered } from './offers.js'
import type { ShareMembers } from './share-swarm.js'

/** Offer messages that one connection may send; honest ones send one, and one per share that is added later. */
const MAX_OFFER_MESSAGES = 1_000
/** Shares that are not proven on the better way by then are lost and found again. */
const PARTING_MS = 10_000
/** After all of ours have moved, for those whose proof is still on its way to the other end. */
const GRACE_MS = 1_000
/** After a sleep or on another network: radios need some seconds until they carry anything. */
const WAKE_PROBE_MS = 8_000

export interface DevicesOptions {
  readonly own: DeviceId
  /** This process. */
  readonly instance: string
  readonly now: () => number
  readonly book: AddressBook
  readonly members: () => readonly ShareMembers[]
  /** See Finders. */
  readonly stand: (device: DeviceId, standing: Standing) => void
  /** Who is due to be dialled may have changed. */
  readonly wake: () => void
  readonly onClone: (link: Link) => void
  readonly log: Log
}

export class Devices {
  readonly #o: DevicesOptions
  readonly #bans = new Bans((device) => this.#onBanEnded(device))
  readonly #table: LinkTable

  constructor(options: DevicesOptions) {
    this.#o = options
    this.#table = new LinkTable({
      own: options.own,
      now: options.now,
      onSelected: (link, old) => this.#onSelected(link, old),
      onLost: (link, lastedMs, reason) => this.#onLost(link, lastedMs, reason),
    })
  }

  readonly view: DeviceView = {
    // Over a worse way alone, one by TCP is still looked for (X5).
    isConnected: (device) => this.#table.best(device)?.transport === 'tcp',
    isReached: (device) => this.#table.has(device),
    isBanned: (device) => this.#bans.has(device),
  }

  rivalOf(device: DeviceId): Endpoint | undefined {
    return this.#table.rivalOf(device)
  }

  /** Why a device is not welcome; undefined: it is. */
  refuse(device: DeviceId): string | undefined {
    return this.#bans.has(device) ? 'banned' : undefined
  }

  ban(device: DeviceId, reason: string, forMs: number): void {
    this.#o.log.warn({ device, reason, forMs }, 'refusing a device for a while')
    this.#bans.add(device, forMs)
    this.#table.closeDevice(device, reason)
    this.#o.stand(device, 'banned')
  }

  /** Takes up a connection whose proof holds. */
  add(link: Link): void {
    const { own, instance, now, book } = this.#o
    const key = link.dialled?.key
    if (link.device === own) {
      const isSelf = link.instance === instance
      if (key !== undefined) book.self(key, now())
      // Our hello as the initiator may still be on its way, and the copy has to know too: it closes, or the deadline.
      if (isSelf || link.role === 'responder')
        link.close(isSelf ? 'this is ourselves' : 'a copy of ourselves')
      if (!isSelf) this.#o.onClone(link)
      return
    }
    if (key !== undefined) book.connected(key, link.device)
    if (!this.#table.has(link.device)) book.back(link.device, now())
    const selected = this.#table.selected(link.device)
    if (selected !== undefined) this.#o.stand(link.device, selected.transport)
    this.#table.add(link)
  }

  /** Serves a share on the connections that are there already. */
  serve(members: ShareMembers): void {
    for (const link of this.#table.allSelected()) {
      members.attach(link)
      link.offer(offersOf([members], link))
    }
  }

  /** A share has left a connection, or moved to a better one. */
  left(link: Link, hasMoved: boolean): void {
    if (this.#o.members().some((share) => share.isOn(link))) return
    if (hasMoved) link.closeWithin(GRACE_MS, 'replaced by a better way')
    else link.close('no share in common any more')
  }

  /** Asks all whether they are still there: the machine has slept, or is on another network. */
  doubt(): void {
    for (const link of [...this.#table.allSelected()]) link.probe(WAKE_PROBE_MS)
  }

  /** These addresses of ours are gone, and with them what was connected over them. */
  gone(addresses: ReadonlySet<string>): void {
    for (const link of [...this.#table.allSelected()]) {
      const { localAddress } = link
      if (localAddress !== undefined && addresses.has(localAddress)) link.close('our address is gone')
    }
  }

  stop(): void {
    this.#bans.clear()
  }

  #onSelected(link: Link, old: Link | undefined): void {
    const { own, members, stand, wake } = this.#o
    old?.closeWithin(PARTING_MS, 'replaced by a better way')
    stand(link.device, link.transport)
    let messages = 0
    link.on('offers', (ids) => {
      if (++messages > MAX_OFFER_MESSAGES) link.close('too many offers')
      else for (const share of sharesOffered(ids, members(), link)) share.open(link)
    })
    link.on('close', (reason) => {
      for (const share of members()) share.detach(link, reason)
    })
    for (const share of members()) share.attach(link)
    const gate = members().find(({ keys }) => keys.shareId === link.gateShare)
    if (own < link.device) gate?.open(link)
    const others = members().filter((share) => share !== gate)
    link.offer(offersOf(others, link))
    this.#tryTcp(link, link.gateShare)
    wake()
  }

  /** Whoever was met over UDX may be reachable over TCP too, at the same host: on one network, or with an open port. */
  #tryTcp(link: Link, share: ShareId): void {
    const { port } = link.hello
    const { host } = link.remote
    if (link.transport !== 'udx' || port === 0 || scopeOf(host) === undefined) return
    this.#o.book.learn(share, { device: link.device, host, port }, this.#o.now())
  }

  #onLost(link: Link, lastedMs: number, reason: string): void {
    const { log, book, now, stand, wake } = this.#o
    log.debug({ device: link.device, address: link.address, reason }, 'lost a device')
    book.lost(link.device, lastedMs, now())
    if (!this.#bans.has(link.device)) stand(link.device, 'lost')
    wake()
  }

  #onBanEnded(device: DeviceId): void {
    this.#o.stand(device, this.#table.selected(device)?.transport ?? 'lost')
    this.#o.wake()
  }
}
