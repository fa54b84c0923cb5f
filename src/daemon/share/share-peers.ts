// The peers that a share is connected to: they come and go with the swarm, each is greeted by all parts that speak to
// peers, and where they were met is remembered for the next start.
import type { Exchange } from '../../exchange/exchange.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'
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
  readonly hearing: Hearing
  readonly feeds: () => ShareFeeds
  readonly context: Pick<ShareContext, 'log' | 'fail'>
  /** Some member has a new state. */
  readonly onMembers: () => void
}

export class SharePeers {
  readonly #o: SharePeersOptions
  readonly #connected = new Set<SharePeer>()
  #swarm: ShareSwarm | undefined

  constructor(options: SharePeersOptions) {
    this.#o = options
  }

  /** Those connected now, and no copy. */
  get connected(): ReadonlySet<SharePeer> {
    return this.#connected
  }

  /** Takes part in the swarm; peers come and go from now on. */
  join(swarm: ShareSwarm): void {
    this.#swarm = swarm
    const known = this.#o.meta.addresses
    if (known !== undefined) swarm.learn(known)
    swarm.on('peer', (peer) => this.#onPeer(peer))
    for (const peer of swarm.peers()) this.#onPeer(peer)
  }

  setKnownHosts(hosts: readonly string[]): void {
    this.#swarm?.setKnownHosts(hosts)
  }

  async close(): Promise<void> {
    this.#rememberAddresses()
    await this.#swarm?.close()
  }

  #onPeer(peer: SharePeer): void {
    const { exchange, members, reports, inquiries, hearing, feeds, context } = this.#o
    const { log, fail } = context
    log.info(
      { peer: peer.name, device: peer.device.slice(0, 8), transport: peer.transport, address: peer.address },
      'peer connected',
    )
    this.#connected.add(peer)
    peer.on('close', (reason) => {
      this.#connected.delete(peer)
      members.seen(peer.device)
      reports.leave(peer)
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
