// The devices that we are connected with, and what a connection to one means to the rest: which carries the shares, who
// learns where it was met, which finders go on looking for it, who is refused, and that a copy of ourselves is told of.
import type { DeviceId, ShareId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import type { AddressBook, DeviceView } from './addresses.js'
import { Bans } from './bans.js'
import { wayRank } from './dedupe.js'
import { type Endpoint, type Scope, scopeOf } from './endpoint.js'
import type { Standing } from './finders.js'
import type { Link } from './link.js'
import { LinkTable } from './link-table.js'
import { offersOf, sharesOffered } from './offers.js'
import { OwnWays } from './own-ways.js'
import type { ShareMembers } from './share-swarm.js'
import { Standstills } from './standstills.js'

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
  readonly #standstills = new Standstills()
  #worstTimer: NodeJS.Timeout | undefined
  /** Our own addresses, told to members, and what they say of us. */
  readonly ownWays: OwnWays

  constructor(options: DevicesOptions) {
    this.#o = options
    this.#table = new LinkTable({
      own: options.own,
      now: options.now,
      isStill: (link) => this.#isStill(link),
      onSelected: (link, old) => this.#onSelected(link, old),
      onLost: (link, lastedMs, reason) => this.#onLost(link, lastedMs, reason),
    })
    this.ownWays = new OwnWays({
      links: () => this.#table.allSelected(),
      onWays: (link, endpoints) => {
        for (const share of options.members()) share.onWays(link, endpoints)
      },
    })
  }

  readonly view: DeviceView = {
    // Over a worse way alone, one by TCP is still looked for (X5), unless TCP has shown to be no better.
    isConnected: (device, { host }) => {
      const best = this.#table.best(device)
      if (best === undefined || best.transport === 'tcp') return best !== undefined
      const scope = scopeOf(host) ?? 'public'
      const isStill = this.#isWorst(device, scope)
      return this.#table.rankOf(best) <= wayRank({ transport: 'tcp', scope, isStill })
    },
    wantsSmall: (device) => this.#standstills.wantsSmall(device, this.#o.now()),
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

  /** To how many TCP stands still now, as the worst way (standstills.ts). */
  get stoodStill(): number {
    return this.#standstills.countWorst(this.#o.now())
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
    if (key !== undefined) {
      book.connected(key, link.device)
      link.on('close', () => {
        if (!link.isSelected) book.needless(key, now())
      })
    }
    if (!this.#table.has(link.device)) book.back(link.device, now())
    const selected = this.#table.selected(link.device)
    if (selected !== undefined) this.#stand(selected)
    this.#table.add(link)
  }

  /** Serves a share on the connections that are there already. */
  serve(members: ShareMembers): void {
    for (const link of this.#table.allSelected()) {
      if (!mayCarry(link, members)) continue
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
    clearTimeout(this.#worstTimer)
  }

  #onSelected(link: Link, old: Link | undefined): void {
    const { own, members, wake } = this.#o
    old?.closeWithin(PARTING_MS, 'replaced by a better way')
    this.#stand(link)
    const carried = (): ShareMembers[] => members().filter((share) => mayCarry(link, share))
    let messages = 0
    link.on('offers', (ids) => {
      if (++messages > MAX_OFFER_MESSAGES) link.close('too many offers')
      else for (const share of sharesOffered(ids, carried(), link)) share.open(link)
    })
    link.on('close', (reason) => {
      for (const share of members()) share.detach(link, reason)
    })
    this.ownWays.attach(link)
    this.#watchStandstills(link)
    for (const share of carried()) share.attach(link)
    const gate = carried().find(({ keys }) => keys.shareId === link.gateShare)
    if (own < link.device) gate?.open(link)
    const others = carried().filter((share) => share !== gate)
    link.offer(offersOf(others, link))
    this.#tryTcp(link, link.gateShare)
    wake()
  }

  #watchStandstills(link: Link): void {
    const { now, log } = this.#o
    const { device, scope, address } = link
    for (const message of this.#standstills.toTell(device, now())) link.tellStandstill(message)
    link.on('still', () => {
      if (link.transport !== 'tcp') return
      const message = this.#standstills.stood(device, scope, now())
      log.info({ device, address, times: message.times }, 'TCP stands still: nothing large passes')
      link.tellStandstill(message)
      this.#onCounted(device)
    })
    link.on('standstill', (message) => {
      this.#standstills.told(device, message, now())
      this.#onCounted(device)
    })
  }

  /** TCP may be the worst way to a device now: others are looked for. */
  #onCounted(device: DeviceId): void {
    const selected = this.#table.selected(device)
    if (selected !== undefined) this.#stand(selected)
    this.#awaitWorstEnd()
    this.#o.wake()
  }

  /** TCP is tried again where it was the worst way. */
  #awaitWorstEnd(): void {
    clearTimeout(this.#worstTimer)
    const nowMs = this.#o.now()
    const endsAtMs = this.#standstills.endsAtMs(nowMs)
    if (endsAtMs === undefined) return
    this.#worstTimer = setTimeout(() => {
      for (const link of this.#table.allSelected()) this.#stand(link)
      this.#awaitWorstEnd()
      this.#o.wake()
    }, endsAtMs - nowMs)
    this.#worstTimer.unref()
  }

  #stand(link: Link): void {
    this.#o.stand(link.device, this.#isStill(link) ? 'still' : link.transport)
  }

  #isStill({ transport, device, scope }: Link): boolean {
    return transport === 'tcp' && this.#isWorst(device, scope)
  }

  #isWorst(device: DeviceId, scope: Scope): boolean {
    return this.#standstills.isWorst(device, scope, this.#o.now())
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
    const selected = this.#table.selected(device)
    if (selected === undefined) this.#o.stand(device, 'lost')
    else this.#stand(selected)
    this.#o.wake()
  }
}

function mayCarry({ transport }: Link, { isRelayable }: ShareMembers): boolean {
  return transport !== 'relayed' || isRelayable
}
