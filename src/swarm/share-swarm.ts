// The members of one share: its channels on the selected connections, its peers, and the addresses that members tell
// each other, by which three machines that know one another in a row become a mesh (X6).
import { EventEmitter } from 'node:events'
import type { DeviceId, ShareId } from '../core/ids.js'
import type { ShareKeys } from '../core/secret.js'
import { type Endpoint, mayTell, scopeOf } from './endpoint.js'
import type { Link } from './link.js'
import { vouchedEndpoint } from './link-table.js'
import { type DeviceAddress, MAX_ADDRESSES } from './messages.js'
import { offerId, type Role } from './proof.js'
import { ShareChannel, type SharePeer } from './share-channel.js'

interface ShareEvents {
  peer: [peer: SharePeer]
}

/**
 * Emits 'peer' once per device that is connected; attach listeners to the peer right there. When a device moves to a better
 * way, its peer closes with the reason MOVED and the next one is emitted in the same turn, already proven.
 */
export interface ShareSwarm extends EventEmitter<ShareEvents> {
  peers(): SharePeer[]
  /** Leaves the share everywhere and stops looking for its members. */
  close(): Promise<void>
  /** Addresses from elsewhere, for instance those remembered from the last run. */
  learn(addresses: readonly DeviceAddress[]): void
  /** "host:port" each: the configured hosts, instead of those before. @throws ShoalError CONFIG_INVALID */
  setKnownHosts(hosts: readonly string[]): void
  /** Addresses worth remembering for the next run, the best first, at most 1,000. */
  known(): DeviceAddress[]
}

/** What a share asks of the swarm around it. */
export interface ShareHost {
  readonly own: DeviceId
  learn(share: ShareId, list: readonly DeviceAddress[]): void
  known(share: ShareId): DeviceAddress[]
  setKnownHosts(share: ShareId, hosts: readonly string[]): void
  ban(device: DeviceId, reason: string, forMs: number): void
  rivalOf(device: DeviceId): Endpoint | undefined
  removeShare(share: ShareId): void
  /** A channel ended although its connection did not; `hasMoved`: another carries it now. */
  onChannelClosed(link: Link, hasMoved: boolean): void
}

export class ShareMembers extends EventEmitter<ShareEvents> implements ShareSwarm {
  readonly keys: ShareKeys
  /** Whether connections through relays may carry it. */
  readonly isRelayable: boolean
  readonly #host: ShareHost
  readonly #channels = new Map<Link, ShareChannel>()
  #isClosed = false

  constructor(keys: ShareKeys, host: ShareHost, isRelayable = true) {
    super()
    this.keys = keys
    this.isRelayable = isRelayable
    this.#host = host
  }

  peers(): ShareChannel[] {
    return [...this.#channels.values()].filter((channel) => channel.isLive)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#host.removeShare(this.keys.shareId)
    for (const [link, channel] of [...this.#channels]) {
      channel.leave('the share was closed here')
      this.#channels.delete(link)
      this.#host.onChannelClosed(link, false)
    }
  }

  learn(addresses: readonly DeviceAddress[]): void {
    this.#host.learn(
      this.keys.shareId,
      addresses.filter(({ host }) => scopeOf(host) !== undefined),
    )
  }

  setKnownHosts(hosts: readonly string[]): void {
    this.#host.setKnownHosts(this.keys.shareId, hosts)
  }

  known(): DeviceAddress[] {
    return this.#host.known(this.keys.shareId)
  }

  /** Whether this share has a channel on the connection, proven or about to be. */
  isOn(link: Link): boolean {
    return this.#channels.has(link)
  }

  /** The id that `role` offers this share by on a connection. */
  offerIdOn(link: Link, role: Role): Buffer {
    return offerId(this.keys.authKey, role, link.handshakeHash)
  }

  /** Listens for the share's channel on a selected connection. */
  attach(link: Link): void {
    ShareChannel.pair(link, this.keys, () => this.#create(link))
  }

  /** Opens the share's channel, because the other side has proved to know the share. */
  open(link: Link): void {
    this.#create(link)?.start()
  }

  /** The connection is gone. */
  detach(link: Link, reason: string): void {
    const channel = this.#channels.get(link)
    this.#channels.delete(link)
    channel?.onLinkClosed(reason)
  }

  /** The device at the other end has told where it can be reached: worth dialling, and telling the others. */
  onWays(link: Link, endpoints: readonly Endpoint[]): void {
    const channel = this.#channels.get(link)
    // Not before it has proved this share as well: onPeer comes back to them.
    if (channel?.isLive !== true) return
    const list = endpoints.map((each) => ({ device: channel.device, ...each }))
    this.#host.learn(this.keys.shareId, list)
    for (const peer of this.peers())
      if (peer !== channel) peer.sendAddresses(list.filter((each) => isTellable(each, peer.link)))
  }

  #create(link: Link): ShareChannel | undefined {
    if (this.#isClosed || link.isClosed || this.#channels.has(link)) return undefined
    const channel = ShareChannel.open({
      link,
      keys: this.keys,
      onPeer: (peer) => this.#onPeer(peer),
      onAddresses: (list) => this.#onAddresses(link, list),
      onLeft: () => {
        this.#channels.delete(link)
        this.#host.onChannelClosed(link, false)
      },
      onBan: (device, reason, forMs) => this.#host.ban(device, reason, forMs),
    })
    if (channel !== undefined) this.#channels.set(link, channel)
    return channel
  }

  #onPeer(peer: ShareChannel): void {
    const { link } = peer
    link.keep()
    // Behind UDX there may be a machine that TCP reaches as well: worth a try of our own, not worth telling.
    const { host } = link.remote
    const { port } = link.hello
    const guess = link.transport === 'udx' && port !== 0 ? { host, port } : undefined
    const endpoint = vouchedEndpoint(link) ?? guess
    const known = endpoint === undefined ? link.ways : [endpoint, ...link.ways]
    this.#host.learn(
      this.keys.shareId,
      known.map((each) => ({ device: peer.device, ...each })),
    )
    const before = this.peers().find((other) => other !== peer && other.device === peer.device)
    if (before !== undefined) this.#channels.delete(before.link)
    this.#introduce(peer)
    before?.moved()
    this.emit('peer', peer)
    if (before !== undefined) this.#host.onChannelClosed(before.link, true)
  }

  /** Tells a new peer of the others and the others of it, as far as each can use it. */
  #introduce(newcomer: ShareChannel): void {
    const forNewcomer: DeviceAddress[] = []
    // Another process under the newcomer's own key: it finds out by dialling (F4).
    const rival = this.#host.rivalOf(newcomer.device)
    if (rival !== undefined && isTellable(rival, newcomer.link))
      forNewcomer.push({ device: newcomer.device, ...rival })
    const own = addressesOf(newcomer.link)
    for (const peer of this.peers()) {
      if (peer === newcomer) continue
      for (const theirs of addressesOf(peer.link))
        if (forNewcomer.length < MAX_ADDRESSES && isTellable(theirs, newcomer.link)) forNewcomer.push(theirs)
      peer.sendAddresses(own.filter((each) => isTellable(each, peer.link)))
    }
    newcomer.sendAddresses(forNewcomer)
  }

  #onAddresses(link: Link, list: readonly DeviceAddress[]): void {
    this.#host.learn(
      this.keys.shareId,
      list.filter((address) => isTellable(address, link)),
    )
  }
}

/** Where the device was met, and where it says that it can be. */
function addressesOf(link: Link): DeviceAddress[] {
  const endpoint = vouchedEndpoint(link)
  const all = endpoint === undefined ? link.ways : [endpoint, ...link.ways]
  return all.map((each) => ({ device: link.device, ...each }))
}

/** Whether an address means the same machine at the other end of `link`; asked before telling and before believing. */
function isTellable(address: Endpoint, link: Link): boolean {
  const scope = scopeOf(address.host)
  return scope !== undefined && mayTell(scope, link.scope)
}
