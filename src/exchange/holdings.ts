// Who holds which pieces, as far as an exchange knows. The wires alone tell less than the truth: of a piece that we hold
// ourselves a peer need not tell us that it came to hold it, too (FeedWire.have). So beside what a peer told there is what we
// sent it, and what it said when it was asked for all (learn); what it withdraws counts no longer, however it was known.
import { Bitfield } from '../core/bitfield.js'
import type { FeedHoldings } from '../core/holdings.js'
import type { DeviceId, WriterId } from '../core/ids.js'
import type { Link } from './link.js'

interface HeldFeed {
  readonly writer: WriterId
  readonly pieceCount: number
  readonly have: Bitfield
}

/** What we hold of one feed. */
export interface OwnHoldings {
  readonly writer: WriterId
  readonly pieceCount: number
  /** BEP 3's form, with no bits beyond the feed's end. */
  readonly have: Buffer
}

/** See Exchange.holdings. */
export function holdingsOf(
  feeds: Iterable<HeldFeed>,
  links: Iterable<Link>,
  wanted: (writer: WriterId) => readonly number[],
  inSync: ReadonlySet<DeviceId>,
): FeedHoldings[] {
  return [...feeds].map(({ writer, have, pieceCount }) => {
    const peers = new Map<DeviceId, Buffer>()
    for (const { device, wires } of links) {
      const wire = wires.get(writer)
      const told = (wire?.held ?? new Bitfield()).union(wire?.given ?? new Bitfield())
      peers.set(device, (inSync.has(device) ? told.union(have) : told).toWire(pieceCount))
    }
    return { writer, own: have.toWire(pieceCount), peers, wanted: wanted(writer) }
  })
}

export function ownHoldings(feeds: Iterable<HeldFeed>): OwnHoldings[] {
  return [...feeds].map(({ writer, have, pieceCount }) => ({
    writer,
    pieceCount,
    have: have.toWire(pieceCount),
  }))
}

/** See Exchange.learn. */
export function learn(
  links: Iterable<Link>,
  device: DeviceId,
  holdings: ReadonlyMap<WriterId, Uint8Array>,
): void {
  for (const link of links) {
    if (link.device !== device) continue
    for (const [writer, wire] of link.wires) {
      const said = Bitfield.fromWire(holdings.get(writer) ?? new Uint8Array())
      if (said.type === 'ok') wire.given.assign(said.value)
    }
  }
}
