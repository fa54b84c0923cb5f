// The peers that a share is connected to: they come and go with the swarm, each is met by those parts that speak to
// peers, and where they were met is remembered for the next start. While the share is paused there are none: it has left
// the swarm, so that nobody can even tell that it is served here (X1).
import type { DeviceId } from '../../core/ids.js'
import type { Log } from '../../ports/log.js'
import { MOVED, type SharePeer } from '../../swarm/share-channel.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'
import type { NoteEvent } from '../events.js'
import type { ShareMeta } from './meta.js'

export interface SharePeersOptions {
  readonly meta: ShareMeta
  readonly log: Log
  readonly note: NoteEvent
  readonly nowMs: () => number
  /** Listens to a new peer and greets it; its first messages may follow at once. */
  readonly meet: (peer: SharePeer) => void
  /** A peer is gone. */
  readonly left: (peer: SharePeer) => void
}

export class SharePeers {
  readonly #o: SharePeersOptions
  readonly #connected = new Set<SharePeer>()
  /** Those whose next peer is emitted in this turn: they were never gone. */
  readonly #moving = new Set<DeviceId>()
  #enter: (() => ShareSwarm) | undefined
  #swarm: ShareSwarm | undefined
  #knownHosts: readonly string[] | undefined
  #leaving: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: SharePeersOptions) {
    this.#o = options
  }

  /** Those connected now, and no copy. */
  get connected(): ReadonlySet<SharePeer> {
    return this.#connected
  }

  /** Since when the share is paused, milliseconds since 1970; undefined: it is not. */
  get pausedMs(): number | undefined {
    return this.#o.meta.pausedMs
  }

  /** Takes part in the swarm from now on, but while paused; peers come and go. `enter` is called at every return to it. */
  join(enter: () => ShareSwarm): void {
    this.#enter = enter
    this.#return()
  }

  /** Leaves the swarm until resumed, over restarts, too. */
  async pause(): Promise<void> {
    const { meta, log, note, nowMs } = this.#o
    if (meta.pausedMs === undefined) {
      meta.pausedMs = nowMs()
      log.info({}, 'paused')
      note({ type: 'paused' })
    }
    await this.#leave()
  }

  async resume(): Promise<void> {
    const { meta, log, note } = this.#o
    if (meta.pausedMs === undefined) return
    meta.pausedMs = undefined
    log.info({}, 'resumed')
    note({ type: 'resumed' })
    await this.#leaving
    this.#return()
  }

  setKnownHosts(hosts: readonly string[]): void {
    this.#knownHosts = hosts
    this.#swarm?.setKnownHosts(hosts)
  }

  /** Where a member may be reached, "host:port" each. */
  hostsOf(device: DeviceId): string[] {
    // The address of a connection that the other side dialled has a port that nobody listens on.
    const dialled = [...this.#connected].filter((peer) => peer.device === device && peer.initiator)
    const known = this.#swarm?.known().filter((address) => address.device === device) ?? []
    const told = known.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`))
    return [...new Set([...dialled.map(({ address }) => address), ...told])]
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#leave()
  }

  #return(): void {
    if (this.#swarm !== undefined || this.#isClosed || this.pausedMs !== undefined) return
    const swarm = this.#enter?.()
    if (swarm === undefined) return
    this.#swarm = swarm
    if (this.#knownHosts !== undefined) swarm.setKnownHosts(this.#knownHosts)
    const known = this.#o.meta.addresses
    if (known !== undefined) swarm.learn(known)
    swarm.on('peer', (peer) => this.#onPeer(peer))
    for (const peer of swarm.peers()) this.#onPeer(peer)
  }

  #leave(): Promise<void> {
    this.#rememberAddresses()
    const swarm = this.#swarm
    this.#swarm = undefined
    if (swarm !== undefined) this.#leaving = swarm.close()
    return this.#leaving
  }

  #onPeer(peer: SharePeer): void {
    const { log, meet, left, note } = this.#o
    const { device, name, transport, address } = peer
    const who = { peer: name, device: device.slice(0, 8) }
    const hasMoved = this.#moving.delete(device)
    log.info({ ...who, transport, address }, hasMoved ? 'peer moved to another connection' : 'peer connected')
    this.#connected.add(peer)
    note({ type: hasMoved ? 'peer-moved' : 'peer-connected', device, name, transport, address })
    peer.on('close', (reason) => {
      this.#connected.delete(peer)
      left(peer)
      if (reason === MOVED) {
        this.#moving.add(device)
        return
      }
      note({ type: 'peer-left', device, name, reason })
      log.info({ ...who, reason }, 'peer gone')
    })
    meet(peer)
    this.#rememberAddresses()
  }

  #rememberAddresses(): void {
    if (this.#swarm !== undefined) this.#o.meta.addresses = this.#swarm.known()
  }
}
