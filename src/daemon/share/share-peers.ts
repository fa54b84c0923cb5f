// The peers that a share is connected to: they come and go with the swarm, each is greeted by all parts that speak to
// peers, and where they were met is remembered for the next start. While the share is paused there are none: it has left
// the swarm, so that nobody can even tell that it is served here (X1).
import type { Exchange } from '../../exchange/exchange.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'
import type { HoldingsTalk } from '../copies/holdings-talk.js'
import type { NoteEvent } from '../events.js'
import type { ShareContext } from './context.js'
import type { Hearing } from './hearing.js'
import type { Inquiries } from './inquiries.js'
import type { Members } from './members.js'
import type { ShareMeta } from './meta.js'
import type { Reports } from './reports.js'
import type { ShareFeeds } from './share-feeds.js'

export interface SharePeersOptions {
  readonly meta: ShareMeta
  readonly exchange: Exchange
  readonly members: Members
  readonly reports: Reports
  readonly inquiries: Inquiries
  readonly holdings: () => HoldingsTalk
  readonly hearing: Hearing
  readonly feeds: () => ShareFeeds
  readonly context: Pick<ShareContext, 'log' | 'fail'>
  readonly note: NoteEvent
  readonly nowMs: () => number
  /** Some member has a new state. */
  readonly onMembers: () => void
}

export class SharePeers {
  readonly #o: SharePeersOptions
  readonly #connected = new Set<SharePeer>()
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
    const { meta, context, note, nowMs } = this.#o
    if (meta.pausedMs === undefined) {
      meta.pausedMs = nowMs()
      context.log.info({}, 'paused')
      note({ type: 'paused' })
    }
    await this.#leave()
  }

  async resume(): Promise<void> {
    const { meta, context, note } = this.#o
    if (meta.pausedMs === undefined) return
    meta.pausedMs = undefined
    context.log.info({}, 'resumed')
    note({ type: 'resumed' })
    await this.#leaving
    this.#return()
  }

  setKnownHosts(hosts: readonly string[]): void {
    this.#knownHosts = hosts
    this.#swarm?.setKnownHosts(hosts)
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
    const { exchange, members, reports, inquiries, holdings, hearing, feeds, context } = this.#o
    const { log, fail } = context
    log.info(
      { peer: peer.name, device: peer.device.slice(0, 8), transport: peer.transport, address: peer.address },
      'peer connected',
    )
    this.#connected.add(peer)
    const { device, name, transport, address } = peer
    this.#o.note({ type: 'peer-connected', device, name, transport, address })
    peer.on('close', (reason) => {
      this.#connected.delete(peer)
      members.seen(peer.device)
      reports.leave(peer)
      this.#o.note({ type: 'peer-left', device, name, reason })
      log.info({ peer: peer.name, device: peer.device.slice(0, 8), reason }, 'peer gone')
    })
    peer.on('certificates', (list) => {
      void feeds().receive(peer, list).catch(fail)
    })
    peer.on('states', (list) => {
      if (members.receive(peer, list)) this.#o.onMembers()
      hearing.note(peer.device)
    })
    peer.on('reports', (list) => reports.incoming.onReports(peer, list))
    peer.on('report-sequences', (list) => reports.incoming.onSequences(peer, list))
    peer.on('report-wants', (list) => reports.incoming.onWants(peer, list))
    peer.on('inquiries', (list) => inquiries.receiveInquiries(peer, list))
    peer.on('answers', (list) => inquiries.receiveAnswers(peer, list))
    exchange.attach(peer)
    holdings().attach(peer)
    feeds().greet(peer)
    members.greet(peer)
    inquiries.greet(peer)
    reports.greet(peer)
    this.#rememberAddresses()
  }

  #rememberAddresses(): void {
    if (this.#swarm !== undefined) this.#o.meta.addresses = this.#swarm.known()
  }
}
