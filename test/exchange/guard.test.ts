import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import type { Channel, Encoding, Message } from 'protomux'
import { infoHashOf, peerIdOf } from '../../src/exchange/feed-wire.js'
import { FrameGuard, MAX_BLOCK_BYTES, MAX_PEER_REQUESTS } from '../../src/exchange/guard.js'
import { type TestPeer, testDevice } from '../support/streams.js'
import { discoveryKey, makePiece, Net, type Node, range, wantedPiece } from './support.js'

const infoHash = Buffer.alloc(20, 1)
const peerId = Buffer.alloc(20, 2)
/** Ours for messages about runs. */
const RUN_NUMBER = 2

function handshake(hash: Buffer = infoHash, peer: Buffer = peerId, reserved = '0000000000100004'): Buffer {
  return Buffer.concat([
    Buffer.from('\u0013BitTorrent protocol', 'latin1'),
    Buffer.from(reserved, 'hex'),
    hash,
    peer,
  ])
}

function frame(id: number, ...body: (number | Buffer)[]): Buffer {
  const parts = body.map((part) => {
    if (typeof part !== 'number') return part
    const word = Buffer.alloc(4)
    word.writeUInt32BE(part)
    return word
  })
  const payload = Buffer.concat([Buffer.from([id]), ...parts])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(payload.length)
  return Buffer.concat([length, payload])
}

const KEEP_ALIVE = Buffer.alloc(4)

/** Feeds a guard with the bytes cut at the given places; what came out, or the violation's code. */
function run(bytes: Buffer, cuts: number[] = []): Buffer | string {
  const out: Buffer[] = []
  const guard = new FrameGuard(infoHash, peerId, (frames) => out.push(Buffer.from(frames)), {
    id: RUN_NUMBER,
    deliver: (message) => out.push(frame(20, Buffer.concat([Buffer.of(RUN_NUMBER), message]))),
  })
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b)
  for (let at = 1; at < places.length; at++) {
    const violation = guard.receive(bytes.subarray(places[at - 1], places[at]))
    if (violation !== undefined) return violation.code
  }
  return Buffer.concat(out)
}

test('F7: the guard passes on what is allowed, however it is cut', () => {
  const allowed = fc.oneof(
    fc.constant(KEEP_ALIVE),
    fc.constantFrom(0, 1, 2, 3).map((id) => frame(id)),
    fc.nat(1000).map((index) => frame(4, index)),
    fc
      .tuple(fc.nat(1000), fc.integer({ min: 1, max: MAX_BLOCK_BYTES }))
      .map(([i, length]) => frame(6, i, 0, length)),
    fc.integer({ min: 1, max: 5000 }).map((length) => frame(7, 1, 0, Buffer.alloc(length, 7))),
    fc
      .uint8Array({ minLength: 1, maxLength: 50 })
      .map((payload) => frame(20, Buffer.from([0]), Buffer.from(payload))),
    fc
      .integer({ min: 0, max: 70_000 })
      .map((length) => frame(20, Buffer.of(RUN_NUMBER), Buffer.alloc(length, 3))),
  )
  fc.assert(
    fc.property(
      fc.array(allowed, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (frames, cuts) => {
        const bytes = Buffer.concat([handshake(), frame(15), ...frames])
        const out = run(bytes, cuts)
        assert.ok(Buffer.isBuffer(out), String(out))
        assert.ok(out.equals(bytes))
      },
    ),
  )
})

test('F7: any bytes after the handshake end in a violation or pass, never in an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(), { maxLength: 10 }), (bytes, cuts) => {
      run(Buffer.concat([handshake(), bytes]), cuts)
      run(Buffer.from(bytes), cuts)
    }),
  )
})

for (const [name, bytes, code] of [
  ['another protocol', Buffer.alloc(68, 19), 'bad-handshake'],
  ['another feed', handshake(Buffer.alloc(20, 9)), 'bad-handshake'],
  ['another device', handshake(infoHash, Buffer.alloc(20, 9)), 'bad-handshake'],
  ['no fast extension', handshake(infoHash, peerId, '0000000000100000'), 'bad-handshake'],
  ['no extension protocol', handshake(infoHash, peerId, '0000000000000004'), 'bad-handshake'],
  ['a second handshake', Buffer.concat([handshake(), handshake()]), 'bad-message'],
  ['a frame of 4 GiB', Buffer.concat([handshake(), Buffer.from('ffffffff07', 'hex')]), 'bad-length'],
  ['a frame of 2 GiB', Buffer.concat([handshake(), Buffer.from('8000000007', 'hex')]), 'bad-length'],
  ['a block of 257 KiB', Buffer.concat([handshake(), Buffer.from('0004040a07', 'hex')]), 'bad-length'],
  ['a piece without a block', Buffer.concat([handshake(), frame(7, 1, 0)]), 'bad-length'],
  ['a bitfield too long', Buffer.concat([handshake(), Buffer.from('0020000205', 'hex')]), 'bad-length'],
  [
    'an extended message too long',
    Buffer.concat([handshake(), Buffer.from('0006000a14', 'hex')]),
    'bad-length',
  ],
  [
    'an extended message as long as only one about runs may be',
    Buffer.concat([handshake(), frame(20, Buffer.of(1), Buffer.alloc(70_000))]),
    'bad-length',
  ],
  ['a short request', Buffer.concat([handshake(), frame(6, 1, 0)]), 'bad-length'],
  ['a request of nothing', Buffer.concat([handshake(), frame(6, 1, 0, 0)]), 'bad-range'],
  ['a huge request', Buffer.concat([handshake(), frame(6, 1, 0, MAX_BLOCK_BYTES + 1)]), 'bad-range'],
  ['an offset beyond any piece', Buffer.concat([handshake(), frame(6, 1, 1 << 28, 10)]), 'bad-range'],
  ['a piece number beyond any feed', Buffer.concat([handshake(), frame(4, 1 << 24)]), 'bad-index'],
  ['have-all', Buffer.concat([handshake(), frame(14)]), 'bad-message'],
  ['port', Buffer.concat([handshake(), frame(9, Buffer.from([0, 1]))]), 'bad-message'],
  ['an unknown message', Buffer.concat([handshake(), frame(200)]), 'bad-message'],
  [
    'two bitfields',
    Buffer.concat([handshake(), frame(5, Buffer.from([1])), frame(5, Buffer.from([1]))]),
    'bad-message',
  ],
  [
    'have-none after a bitfield',
    Buffer.concat([handshake(), frame(5, Buffer.from([1])), frame(15)]),
    'bad-message',
  ],
] as const)
  test(`F7: refused: ${name}, whole or byte by byte`, () => {
    assert.equal(run(bytes), code)
    assert.equal(run(bytes, range(bytes.length)), code)
  })

// A member that speaks raw bytes on the wire of our feed.
class Liar {
  readonly received: Buffer[] = []
  readonly #channel: Channel<null>
  readonly #message: Message<Buffer>

  constructor(end: TestPeer) {
    const raw: Encoding<Buffer> = {
      preencode: (state, bytes) => {
        state.end += bytes.length
      },
      encode: (state, bytes) => {
        state.buffer!.set(bytes, state.start)
        state.start += bytes.length
      },
      decode: (state) => {
        const bytes = Buffer.from(state.buffer!.subarray(state.start, state.end))
        state.start = state.end
        return bytes
      },
    }
    const channel = end.mux.createChannel<null>({ protocol: 'shoal/wire/1', id: discoveryKey })
    assert.ok(channel)
    this.#channel = channel
    this.#message = channel.addMessage({
      encoding: raw,
      onmessage: (bytes) => void this.received.push(bytes),
    })
    channel.open()
  }

  async opened(): Promise<void> {
    assert.equal(await this.#channel.fullyOpened(), true)
  }

  send(...parts: Buffer[]): void {
    this.#message.send(Buffer.concat(parts))
  }
}

let net: Net
let node: Node
beforeEach(() => {
  net = new Net()
  node = net.node({ holds: range(50) })
})
afterEach(async () => net.end())

function greeting(): Buffer {
  return handshake(infoHashOf(discoveryKey), peerIdOf(testDevice(99)))
}

async function liar(): Promise<{ end: TestPeer; liar: Liar }> {
  const [end, far] = await net.stranger(node)
  const made = new Liar(far)
  await made.opened()
  return { end, liar: made }
}

for (const [name, bytes, code] of [
  ['a bad handshake', [Buffer.alloc(68, 1)], 'bad-handshake'],
  ['an oversized frame', [greeting(), Buffer.from('7fffffff07', 'hex')], 'bad-length'],
  ['a huge request', [greeting(), frame(6, 0, 0, 1 << 30)], 'bad-range'],
  ['a request repeated', [greeting(), frame(6, 0, 0, 10), frame(6, 0, 0, 10)], 'repeated-request'],
  ['a block never asked for', [greeting(), frame(7, 0, 0, Buffer.alloc(100))], 'unrequested'],
  ['a reject of nothing', [greeting(), frame(16, 0, 0, 100)], 'unrequested'],
  ['a malformed donthave', [greeting(), frame(20, Buffer.from([1]), Buffer.alloc(3))], 'bad-message'],
  [
    'a donthave beyond any feed',
    [greeting(), frame(20, Buffer.from([1]), Buffer.alloc(4, 0xff))],
    'bad-message',
  ],
] as const)
  test(`X2: ${name} closes that connection only`, async () => {
    const other = net.node()
    await net.connect(other, node)
    const { end, liar: far } = await liar()
    far.send(...bytes)
    assert.equal(await end.whenClosed(), `wire protocol: ${code}`)
    assert.equal(node.exchange.stats().violations, 1)
    other.exchange.want([wantedPiece(1)])
    await other.whenGot(1)
  })

test('X2: a flood of requests closes the connection, and never more than the limit is kept', async () => {
  const never = new Promise<null>(() => {})
  node = net.node({ holds: range(5000), serve: () => never })
  const { end, liar: far } = await liar()
  far.send(greeting(), ...range(MAX_PEER_REQUESTS).map((index) => frame(6, index, 0, 1000)))
  far.send(frame(6, 4000, 0, 1000))
  assert.equal(await end.whenClosed(), 'wire protocol: too-many-requests')
  assert.ok(node.reads.flat().length <= MAX_PEER_REQUESTS)
})

test('X2: requests cancelled at once do not pile up and do not count', async () => {
  const { end, liar: far } = await liar()
  far.send(greeting())
  for (let round = 0; round < 20; round++)
    far.send(...range(1000).flatMap((at) => [frame(6, at % 50, at, 1), frame(8, at % 50, at, 1)]))
  const other = net.node()
  await net.connect(other, node)
  other.exchange.want([wantedPiece(3)])
  await other.whenGot(1)
  assert.equal(end.closed, false)
})

test('X2: a range outside the piece and a piece not held are rejected, the connection stays', async () => {
  const { end, liar: far } = await liar()
  far.send(greeting(), frame(6, 0, 900, 101), frame(6, 77, 0, 100), frame(6, 1, 0, 1000))
  const wholePiece = frame(7, 1, 0, makePiece(1))
  while (!Buffer.concat(far.received).includes(wholePiece))
    await new Promise((resolve) => setImmediate(resolve))
  const received = Buffer.concat(far.received)
  assert.ok(received.includes(frame(16, 0, 900, 101)))
  assert.ok(received.includes(frame(16, 77, 0, 100)))
  assert.equal(end.closed, false)
})

test('X2: what we say: handshake, BEP 10 with reqq and donthave, then the bitfield, never have-all', async () => {
  const { liar: far } = await liar()
  far.send(greeting())
  const bitfield = frame(5, Buffer.concat([Buffer.alloc(6, 0xff), Buffer.from([0xc0]), Buffer.alloc(1243)]))
  while (!Buffer.concat(far.received).includes(bitfield))
    await new Promise((resolve) => setImmediate(resolve))
  const received = Buffer.concat(far.received)
  assert.ok(
    received.subarray(0, 68).equals(handshake(infoHashOf(discoveryKey), peerIdOf(testDevice(node.number)))),
  )
  assert.ok(received.includes(`4:reqqi${MAX_PEER_REQUESTS}e`))
  assert.ok(received.includes('11:lt_donthavei1e'))
})
