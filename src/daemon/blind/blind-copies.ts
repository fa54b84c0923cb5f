// What a blind share says and finds out about copies: it answers members who ask what it holds, so that it counts as a copy,
// and checks whether it may be powered off itself. It cannot read which pieces the share needs; what it takes for needed is
// all that is live by the public parts of records, which also holds what was deleted since the newest checkpoint. So it says
// no at times where a member would say yes, and never the other way round.
import type { CopiesPromise } from '../../core/copies.js'
import type { DeviceId } from '../../core/ids.js'
import type { Standing } from '../../core/inquiry.js'
import { type LivePieces, LivePiecesMaker, NO_LIVE_PIECES } from '../../core/live-pieces.js'
import type { Exchange } from '../../exchange/exchange.js'
import type { Log } from '../../ports/log.js'
import type { BlindIndex } from '../../store/blind-index.js'
import { openView } from '../../store/feeds.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import { HoldingsTalk } from '../copies/holdings-talk.js'
import { checkStop, type StopCheck } from '../copies/stop-check.js'
import type { BlindMembers } from './blind-members.js'
import type { Keeping } from './keeping.js'
import type { PassedStates } from './passed-states.js'

/** The share itself; what it is made of is there when it is needed. */
export interface BlindCopyFacts {
  readonly exchange: Exchange
  readonly index: BlindIndex
  readonly passedStates: PassedStates
  readonly blindMembers: BlindMembers
  readonly peers: readonly SharePeer[]
  readonly standing: Standing
  readonly keeping: Keeping | undefined
  memberName(device: DeviceId): string | undefined
  settle(): Promise<void>
}

export interface BlindCopiesOptions {
  readonly authKey: Buffer
  readonly isOffsite: () => boolean
  readonly promise: () => CopiesPromise | undefined
  readonly isStopped: () => boolean
  readonly log: Log
}

export class BlindCopies {
  readonly talk: HoldingsTalk
  /** Whether this device may be powered off; see checkStop. */
  readonly check: (timeoutMs: number) => Promise<StopCheck>

  constructor({ authKey, isOffsite, promise, isStopped, log }: BlindCopiesOptions, share: BlindCopyFacts) {
    const { exchange } = share
    const standing = (): Standing => share.standing
    this.talk = new HoldingsTalk({
      ...{ authKey, exchange, standing, isOffsite, log },
      view: () => share.keeping?.feeds.view ?? [],
      settle: async () => share.keeping?.watch.look(),
      onPeers: () => {},
    })
    const settle = async (): Promise<void> => {
      await share.settle()
      if (share.keeping === undefined) throw new Error('the vault is not open')
    }
    this.check = (timeoutMs) =>
      checkStop(
        {
          ...{ exchange, talk: this.talk, promise, settle, standing, isStopped },
          walk: () => walkLive(share.keeping),
          members: () => everybody(share),
          isConnected: (device) => share.peers.some((peer) => peer.device === device),
          view: () => openView(share.index.feeds.all()),
        },
        timeoutMs,
      )
  }
}

function* walkLive(keeping: Keeping | undefined): Generator<undefined, LivePieces> {
  if (keeping === undefined) return NO_LIVE_PIECES
  const maker = new LivePiecesMaker()
  for (const pieces of keeping.book.live()) {
    for (const { writer, index } of pieces) maker.mark(writer, index, 1)
    yield
  }
  for (const pieces of keeping.book.live()) {
    for (const { writer, index, id, length } of pieces) maker.learn(writer, index, id, length)
    yield
  }
  return maker.finish()
}

function everybody(share: BlindCopyFacts): { device: DeviceId; name: string }[] {
  const { peers, passedStates, blindMembers } = share
  const names = new Map<DeviceId, string>()
  for (const { device } of passedStates.all())
    names.set(device, share.memberName(device) ?? device.slice(0, 8))
  for (const { device, name } of peers) names.set(device, name)
  for (const { state } of blindMembers.all()) names.set(state.device, state.name)
  return [...names].map(([device, name]) => ({ device, name }))
}
