// Peers that take nothing of what is sent to them: found out by what waits, and bounded meanwhile.
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, it, test } from 'node:test'
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import { MAX_UNSENT_BYTES, StuckWatch, unsentBytes } from '../../src/swarm/unsent.js'
import { next, peerOf, shareKeys, startNode } from './support.js'

/** What the watch looks at, of both kinds of transports. */
class FakeStream {
  rawBytesWritten = 0
  readonly _writableState = { buffered: 0 }
  rawStream: {
    writableLength?: number
    _handle?: { writeQueueSize: number } | null
    _writableState?: { buffered: number }
    bytesTransmitted?: number
  } = { writableLength: 0, _handle: { writeQueueSize: 0 } }

  get watched(): NoiseSecretStream {
    return this as unknown as NoiseSecretStream
  }
}

describe('what waits to be sent', () => {
  it('is counted in both streams, of either kind', () => {
    const stream = new FakeStream()
    stream._writableState.buffered = 5
    stream.rawStream = { writableLength: 7, _handle: null }
    assert.equal(unsentBytes(stream.watched), 12)
    stream.rawStream = { _writableState: { buffered: 20 } }
    assert.equal(unsentBytes(stream.watched), 25)
  })

  it('is stuck from the look on that showed it first, for as long as nothing goes', () => {
    const stream = new FakeStream()
    const watch = new StuckWatch(stream.watched)
    assert.equal(watch.look(0), 0)
    assert.equal(watch.look(10_000), 0, 'nothing waits')
    stream.rawBytesWritten = 100
    stream.rawStream.writableLength = 100
    assert.equal(watch.look(11_000), 0)
    assert.equal(watch.look(16_000), 5_000)
    // More comes behind it, and waits in the stream above: that is no progress.
    stream._writableState.buffered = 1_000
    assert.equal(watch.look(17_000), 6_000)
  })

  it('goes as long as the system takes any of a long write, however slow the network', () => {
    const stream = new FakeStream()
    const watch = new StuckWatch(stream.watched)
    stream.rawBytesWritten = 1 << 20
    stream.rawStream = { writableLength: 1 << 20, _handle: { writeQueueSize: 1 << 20 } }
    for (let look = 1; look < 100; look++) {
      stream.rawStream._handle = { writeQueueSize: (1 << 20) - look }
      assert.equal(watch.look(look * 10_000), 0)
    }
  })

  it('goes over UDX as long as UDX sends, which ends by itself what is not acknowledged', () => {
    const stream = new FakeStream()
    stream.rawStream = { _writableState: { buffered: 9 }, bytesTransmitted: 1 }
    const watch = new StuckWatch(stream.watched)
    watch.look(0)
    stream.rawStream.bytesTransmitted = 2
    assert.equal(watch.look(60_000), 0)
    assert.equal(watch.look(90_000), 30_000)
  })
})

test('a peer that goes on speaking but reads nothing is gone after the time-out', async (t) => {
  const [keys] = shareKeys('read')
  const timings = { keepAliveMs: 40, deadPeerMs: 400 }
  const a = await startNode(t, keys!, { timings })
  // The other end itself is patient, and would never end it.
  const b = await startNode(t, keys!, {
    knownHosts: [a.host],
    timings: { keepAliveMs: 40, deadPeerMs: 60_000 },
  })
  const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  const socket = atB.stream.rawStream as unknown as Socket
  socket.removeAllListeners('data')
  socket.pause()
  const closed = next(atA, 'close')
  // More than the kernel takes on both ends.
  for (let i = 0; i < 20; i++) atA.sendStates(Array.from({ length: 16 }, () => Buffer.alloc(60_000)))
  const [reason] = await closed
  assert.equal(reason, 'it takes nothing of what waits for it')
  socket.destroy()
})

test('what waits for one peer is bounded: beyond it the connection ends, and the process goes on', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  const b = await startNode(t, keys!, { knownHosts: [a.host] })
  const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  const socket = atB.stream.rawStream as unknown as Socket
  socket.removeAllListeners('data')
  socket.pause()
  const closed = next(atA, 'close')
  const { stream } = atA
  const list = Array.from({ length: 16 }, () => Buffer.alloc(60_000))
  let most = 0
  for (let i = 0; i < 200 && !stream.destroying; i++) {
    atA.sendStates(list)
    most = Math.max(most, unsentBytes(stream))
  }
  assert.ok(stream.destroying)
  assert.ok(most <= MAX_UNSENT_BYTES + 2 * 1024 * 1024, `${most} bytes`)
  assert.match(String((await closed)[0]), /more waits to be sent/)
  socket.destroy()
  assert.equal(a.share.peers().length, 0)
})
