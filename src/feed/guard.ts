// Bounds what the other side of a replicated feed can make us hold (F7). Hypercore trusts the peers it replicates with:
// it keeps as many requests as they send and allocates bitfield pages for any range they name. Its own bounds are the
// 16 MiB frame and the proofs every block must carry. A peer beyond a bound here loses its connection; a peer that
// sends a block that is too large is no longer asked for this feed.
import type { Core, Peer, Proof } from 'hypercore'
import type { Log } from '../ports/log.js'

/** A block of a feed, sealed, in bytes. Records are about 256 KiB; Hypercore itself would take 15 MiB. */
export const MAX_BLOCK_BYTES: number = 2 * 1024 * 1024
/** Blocks of one feed. A peer can make us hold 2 bits for each, 8 MiB; at one record a second it lasts a year. */
export const MAX_FEED_BLOCKS: number = 2 ** 25
/** Requests of one peer for one feed that wait for an answer; Hypercore keeps at most 512 of its own in flight. */
export const MAX_WAITING_REQUESTS = 2048

/** One bitfield message; Hypercore sends at most one segment of 2^21 bits. */
const MAX_BITFIELD_BYTES = 2 ** 21 / 8
/** Hypercore adds an 8-byte nonce to every encrypted block. */
const BLOCK_OVERHEAD_BYTES = 8

/** Puts the bounds between a newly connected peer and Hypercore's handlers for it. */
export function guardPeer(peer: Peer, log: Log): void {
  const refuse = (what: string): void => {
    log.warn({ what }, 'peer broke a bound of feed replication')
    peer.stream.destroy(new Error(`feed replication: ${what}`))
  }

  const { onrequest, onsync, onrange, onbitfield } = peer
  peer.onrequest = async (message) => {
    if (peer.remoteRequests.size >= MAX_WAITING_REQUESTS) return refuse('too many requests')
    return onrequest.call(peer, message)
  }
  peer.onsync = async (message) => {
    if (!isBlockCount(message.length)) return refuse('length out of bounds')
    return onsync.call(peer, message)
  }
  peer.onrange = async (message) => {
    if (!isBlockCount(message.start + message.length)) return refuse('range out of bounds')
    return onrange.call(peer, message)
  }
  peer.onbitfield = (message) => {
    const { start, bitfield } = message
    if (!isBlockCount(start) || bitfield.byteLength > MAX_BITFIELD_BYTES)
      return refuse('bitfield out of bounds')
    onbitfield.call(peer, message)
  }
}

/** Refuses blocks that are too large before Hypercore verifies and stores them. */
export function guardBlocks(core: Core, log: Log): void {
  const verify = core.verify.bind(core)
  core.verify = async (proof: Proof, from: Peer) => {
    const bytes = proof.block?.value?.length ?? 0
    if (bytes <= MAX_BLOCK_BYTES + BLOCK_OVERHEAD_BYTES) return verify(proof, from)
    log.warn({ index: proof.block?.index, bytes }, 'block of a feed is too large')
    // With this code Hypercore pauses the peer for this feed and does not suspect a fork.
    throw Object.assign(new Error('block is too large'), { code: 'INVALID_OPERATION' })
  }
}

function isBlockCount(count: number): boolean {
  return count >= 0 && count <= MAX_FEED_BLOCKS
}
