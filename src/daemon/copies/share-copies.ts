// What a share says and finds out about copies, made from its parts: the talk with members, the count of what is promised,
// and the check before this device is powered off.
import type { CopiesPromise } from '../../core/copies.js'
import type { DeviceId } from '../../core/ids.js'
import type { Standing } from '../../core/inquiry.js'
import type { LivePieces } from '../../core/live-pieces.js'
import type { Holding } from '../../core/state.js'
import type { Exchange } from '../../exchange/exchange.js'
import { openView } from '../../store/feeds.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { BlindMembers } from '../blind/blind-members.js'
import type { ShareContext } from '../share/context.js'
import type { IndexNews } from '../share/index-news.js'
import type { Members } from '../share/members.js'
import type { Scanner } from '../share/scanner.js'
import type { ShareOptions, ShareSettings } from '../share/share-options.js'
import { Copies } from './copies.js'
import { holdingOurs } from './holding-ours.js'
import { HoldingsTalk } from './holdings-talk.js'
import { LiveHeld } from './live-held.js'
import { walkLivePieces } from './live-walk.js'
import { checkStop, type StopCheck } from './stop-check.js'

/** What is asked of the share as a whole. */
export interface CopyFacts {
  readonly peers: readonly SharePeer[]
  readonly standing: Standing
  readonly holding: Holding
  settle(): Promise<void>
}

/** The share's parts; those that are made later are there when they are needed. */
export interface CopyParts {
  readonly exchange: Exchange
  readonly members: Members
  readonly blindMembers: BlindMembers
  readonly scanner: Pick<Scanner, 'hasScanned'>
  readonly news: Pick<IndexNews, 'tellNow'>
  readonly settings: ShareSettings
  readonly stopped: boolean
}

export class ShareCopies {
  readonly talk: HoldingsTalk
  /** Which blind nodes hold all that is live. */
  readonly held: LiveHeld
  readonly #copies: Copies
  readonly #promise: () => CopiesPromise | undefined
  readonly #check: (timeoutMs: number) => Promise<StopCheck>

  constructor(
    { keys, noteEvent, nowMs }: ShareOptions,
    { index, log }: ShareContext,
    share: CopyFacts,
    parts: CopyParts,
  ) {
    const { exchange, members, blindMembers } = parts
    const isOffsite = (): boolean => parts.settings.isOffsite
    const promise = (): CopiesPromise | undefined => parts.settings.copies
    const standing = (): Standing => share.standing
    const walk = (): Generator<unknown, LivePieces> => walkLivePieces(index)
    // What a look has found is not asked of the index, but of the exchange.
    const settle = async (): Promise<void> => {
      await share.settle()
      parts.news.tellNow()
    }
    this.#promise = promise
    this.talk = new HoldingsTalk({
      ...{ authKey: keys.authKey, exchange, settle, standing, isOffsite, log },
      view: () => index.feeds.view(),
      onPeers: () => this.#copies.poke(),
    })
    this.held = new LiveHeld({
      ...{ talk: this.talk, walk, log },
      view: () => openView(index.feeds.all()),
      isStopped: () => parts.stopped,
    })
    this.#copies = new Copies({
      ...{ exchange, talk: this.talk, walk, promise, isOffsite, nowMs, log },
      peers: () => share.peers,
      holdingOurs: () =>
        holdingOurs({
          ...{ holding: share.holding, peers: share.peers, members, blindMembers },
          view: openView(index.feeds.all()),
        }),
      isReady: () => parts.scanner.hasScanned,
      note: noteEvent,
    })
    this.#check = (timeoutMs) =>
      checkStop(
        {
          ...{ exchange, talk: this.talk, walk, promise, settle, standing },
          isStopped: () => parts.stopped,
          members: () => everybody(members, blindMembers, share.peers),
          isConnected: (device) => share.peers.some((peer) => peer.device === device),
          view: () => openView(index.feeds.all()),
        },
        timeoutMs,
      )
  }

  /** Undefined: nothing is promised. */
  get promise(): CopiesPromise | undefined {
    return this.#promise()
  }

  get counted(): Copies['counted'] {
    return this.#copies.counted
  }

  start(): void {
    this.#copies.start()
  }

  stop(): void {
    this.#copies.stop()
    this.talk.stop()
  }

  /** The index has changed. */
  changed(): void {
    this.#copies.changed()
  }

  /** Who is connected, what they hold, or a setting may be another. */
  poke(): void {
    this.#copies.poke()
  }

  /** Whether this device may be powered off; see checkStop. */
  check(timeoutMs: number): Promise<StopCheck> {
    return this.#check(timeoutMs)
  }
}

/** Members, blind nodes, and peers of whom no state has come yet. */
function everybody(
  members: Members,
  blindMembers: BlindMembers,
  peers: readonly SharePeer[],
): { device: DeviceId; name: string }[] {
  const names = new Map(peers.map(({ device, name }) => [device, name]))
  for (const { state } of [...members.all(), ...blindMembers.all()]) names.set(state.device, state.name)
  return [...names].map(([device, name]) => ({ device, name }))
}
