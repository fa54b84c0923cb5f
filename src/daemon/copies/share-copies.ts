// What a share says and finds out about copies, made from its parts: the talk with members, the count of what is promised,
// and the check before this device is powered off.
import type { CopiesPromise } from '../../core/copies.js'
import type { DeviceId } from '../../core/ids.js'
import type { Standing } from '../../core/inquiry.js'
import type { Exchange } from '../../exchange/exchange.js'
import { openView } from '../../store/feeds.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareContext } from '../share/context.js'
import type { Members } from '../share/members.js'
import type { ShareOptions, ShareSettings } from '../share/share-options.js'
import { Copies } from './copies.js'
import { HoldingsTalk } from './holdings-talk.js'
import { walkLivePieces } from './live-walk.js'
import { checkStop, type StopCheck } from './stop-check.js'

export interface CopyParts {
  readonly exchange: Exchange
  readonly members: Members
  readonly peers: () => readonly SharePeer[]
  readonly holdingOurs: () => ReadonlySet<DeviceId>
  readonly hasScanned: () => boolean
  readonly settings: () => ShareSettings
  readonly settle: () => Promise<void>
  readonly standing: () => Standing
  readonly isStopped: () => boolean
}

export class ShareCopies {
  readonly talk: HoldingsTalk
  readonly #copies: Copies
  readonly #promise: () => CopiesPromise | undefined
  readonly #check: (timeoutMs: number) => Promise<StopCheck>

  constructor({ keys, noteEvent, nowMs }: ShareOptions, { index, log }: ShareContext, parts: CopyParts) {
    const { exchange, members, peers, holdingOurs, hasScanned, settings, settle, standing, isStopped } = parts
    const isOffsite = (): boolean => settings().isOffsite
    const promise = (): CopiesPromise | undefined => settings().copies
    const walk = () => walkLivePieces(index)
    this.#promise = promise
    this.talk = new HoldingsTalk({
      ...{ authKey: keys.authKey, exchange, settle, standing, isOffsite, log },
      view: () => index.feeds.view(),
    })
    this.#copies = new Copies({
      ...{ exchange, talk: this.talk, walk, promise, isOffsite, peers, holdingOurs, nowMs, log },
      isReady: hasScanned,
      note: noteEvent,
    })
    this.#check = (timeoutMs) =>
      checkStop(
        {
          ...{ exchange, talk: this.talk, walk, promise, settle, standing, isStopped },
          members: () => everybody(members, peers()),
          isConnected: (device) => peers().some((peer) => peer.device === device),
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

  /** Other settings are in force. */
  adjusted(): void {
    this.#copies.adjusted()
  }

  /** Whether this device may be powered off; see checkStop. */
  check(timeoutMs: number): Promise<StopCheck> {
    return this.#check(timeoutMs)
  }
}

/** Members, and peers that are none: who holds the blind secret signs no state that members can read. */
function everybody(members: Members, peers: readonly SharePeer[]): { device: DeviceId; name: string }[] {
  const names = new Map(peers.map(({ device, name }) => [device, name]))
  for (const { state } of members.all()) names.set(state.device, state.name)
  return [...names].map(([device, name]) => ({ device, name }))
}
