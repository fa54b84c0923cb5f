// What strangers can do: nothing. Each test plays one that holds no secret, or the wrong one, or lies.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import Protomux from 'protomux'
import type { ShareKeys } from '../../src/core/secret.js'
import { type Log, silentLog } from '../../src/ports/log.js'
import { encodeGate, encodeHello } from '../../src/swarm/messages.js'
import { channelId, gateProof } from '../../src/swarm/proof.js'
import { until } from '../support/until.js'
import { freshDevice, type Node, next, peerOf, shareKeys, startNode } from './support.js'

/** Noise XX without payload, as a responder sends it: one message of 96 bytes and the stream's header of 56. */
const RESPONDER_HANDSHAKE_BYTES = 3 + 96 + 3 + 56

interface Stranger {
  readonly stream: NoiseSecretStream
  readonly socket: Socket
  /** Everything the listener has sent. */
  received(): Buffer
  readonly closed: Promise<unknown>
}

/** Dials a node, with Noise, recording every byte that comes back. */
async function strangerAt(t: TestContext, node: Node): Promise<Stranger> {
  const socket = connect({ host: '127.0.0.1', port: node.port })
  const closed = closeOf(socket)
  const chunks: Buffer[] = []
  socket.on('error', () => {})
  socket.prependListener('data', (chunk: Buffer) => chunks.push(Buffer.from(chunk)))
  const device = freshDevice()
  const stream = new NoiseSecretStream(true, socket, { keyPair: device })
  stream.on('error', () => {})
  t.after(() => stream.destroy())
  assert.equal(await stream.opened, true)
  return { stream, socket, received: () => Buffer.concat(chunks), closed }
}

/** Resolves when a socket is closed, by an error or not. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** A log that keeps why connections ended. */
function reasons(): { log: Log; list: string[] } {
  const list: string[] = []
  const log = {
    ...silentLog,
    debug: (fields: Readonly<Record<string, unknown>>, message: string) => {
      if (message === 'connection ended') list.push(String(fields.reason))
    },
  }
  return { log, list }
}

async function stillServes(t: TestContext, keys: ShareKeys, node: Node): Promise<void> {
  const friend = await startNode(t, keys, { knownHosts: [node.host] })
  await peerOf(friend.share)
}

test('X1: a prober gets the Noise handshake and not one byte more, whatever it asks', async (t) => {
  const [keys] = shareKeys('read')
  for (const shares of [1, 3]) {
    const node = await startNode(t, keys!, { deviceName: 'secret name', timings: { proofTimeoutMs: 400 } })
    for (let i = 1; i < shares; i++)
      node.swarm.addShare({ keys: shareKeys('read')[0]!, knownHosts: [], searchLan: false, useDht: false })
    const asks: ((stranger: Stranger) => void)[] = [
      () => {},
      ({ stream }) => stream.write(encodeGate(randomBytes(32))),
      ({ stream }) => stream.write(randomBytes(33)),
      ({ stream }) => stream.write(encodeHello({ instance: '00'.repeat(16), name: 'x', port: 1 })),
      ({ stream }) => {
        const mux = new Protomux(stream)
        const hash = stream.handshakeHash!
        for (const protocol of ['shoal/link/1', 'shoal/share/1', 'hypercore/alpha'])
          mux.createChannel({ protocol, id: channelId(randomBytes(32), hash) })?.open()
      },
      ({ stream }) => {
        // Keepalives alone do not hold the door open either.
        for (let i = 0; i < 10; i++) stream.write(Buffer.alloc(0))
      },
    ]
    for (const ask of asks) {
      const stranger = await strangerAt(t, node)
      ask(stranger)
      await stranger.closed
      assert.equal(stranger.received().length, RESPONDER_HANDSHAKE_BYTES)
    }
  }
})

test('X1: a member of another share gets no further, and a proof made for one connection opens no other', async (t) => {
  const [keys] = shareKeys('read')
  const [other] = shareKeys('write')
  const node = await startNode(t, keys!)
  const wrong = await strangerAt(t, node)
  wrong.stream.write(encodeGate(gateProof(other!.authKey, 'initiator', wrong.stream.handshakeHash!)))
  await wrong.closed
  assert.equal(wrong.received().length, RESPONDER_HANDSHAKE_BYTES)

  const honest = await strangerAt(t, node)
  const proof = gateProof(keys!.authKey, 'initiator', honest.stream.handshakeHash!)
  const replayed = await strangerAt(t, node)
  replayed.stream.write(encodeGate(proof))
  await replayed.closed
  assert.equal(replayed.received().length, RESPONDER_HANDSHAKE_BYTES)

  const swapped = await strangerAt(t, node)
  swapped.stream.write(encodeGate(gateProof(keys!.authKey, 'responder', swapped.stream.handshakeHash!)))
  await swapped.closed
  assert.equal(swapped.received().length, RESPONDER_HANDSHAKE_BYTES)

  honest.stream.write(encodeGate(proof))
  await until('an answer to the right proof', () => honest.received().length > RESPONDER_HANDSHAKE_BYTES)
})

test('X1: a listener without the secret learns one random proof, and cannot send it back', async (t) => {
  const [keys] = shareKeys('read')
  const gates: Buffer[] = []
  const device = freshDevice()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const stream = new NoiseSecretStream(false, socket, { keyPair: device })
    stream.on('error', () => {})
    stream.on('data', (frame: Buffer) => {
      gates.push(Buffer.from(frame))
      stream.write(frame)
    })
  })
  server.listen(0, '127.0.0.1')
  await next(server, 'listening')
  const { port } = server.address() as { port: number }
  t.after(() => server.close())
  const { log, list } = reasons()
  const node = await startNode(t, keys!, { knownHosts: [`127.0.0.1:${port}`], log })
  node.swarm.addShare({ keys: shareKeys('read')[0]!, knownHosts: [], searchLan: false, useDht: false })
  await until('two dials', () => gates.length >= 2)
  await until('the reflected proof is refused', () => list.includes('no share proven'))
  assert.ok(gates.every(({ length }) => length === 33))
  assert.notDeepEqual(gates[0], gates[1])
  assert.equal(node.share.peers().length, 0)
})

test('X1: who knows one share cannot forge another one on the same connection', async (t) => {
  const [one] = shareKeys('read')
  const [two] = shareKeys('read')
  const { log, list } = reasons()
  const node = await startNode(t, one!, { log })
  const hidden = node.swarm.addShare({ keys: two!, knownHosts: [], searchLan: false, useDht: false })
  hidden.on('peer', () => assert.fail('a peer of a share it holds no secret of'))
  const member = await strangerAt(t, node)
  const hash = member.stream.handshakeHash!
  const frames: Buffer[] = []
  member.stream.on('data', (frame: Buffer) => frames.push(frame))
  member.stream.write(encodeGate(gateProof(one!.authKey, 'initiator', hash)))
  await until('gate and hello', () => frames.length === 2)
  member.stream.removeAllListeners('data')
  const mux = new Protomux(member.stream)
  mux.pair({ protocol: 'shoal/link/1' }, () => {
    mux.createChannel({ protocol: 'shoal/link/1' })?.open()
  })
  member.stream.write(encodeHello({ instance: '00'.repeat(16), name: 'x', port: 0 }))
  mux.createChannel({ protocol: 'shoal/link/1' })?.open()
  // The right channel id (as if it had leaked), and a proof that does not hold.
  const id = channelId(two!.authKey, hash)
  const raw = {
    preencode: (state: { end: number }) => {
      state.end += 64
    },
    encode: (state: { buffer: Uint8Array | null; start: number }) => {
      state.buffer!.set(randomBytes(64), state.start)
      state.start += 64
    },
    decode: () => null,
  }
  mux.createChannel({ protocol: 'shoal/share/1', id, handshake: raw })?.open(null)
  await member.closed
  assert.ok(list.includes('wrong proof for a share'), list.join())
  await stillServes(t, one!, node)
})

test('F7: garbage, announced giants and slow feeders are cut off, and only they', async (t) => {
  const [keys] = shareKeys('read')
  const { log, list } = reasons()
  const node = await startNode(t, keys!, { log, timings: { proofTimeoutMs: 500 } })
  const raw = async (bytes: Buffer): Promise<void> => {
    const socket = connect({ host: '127.0.0.1', port: node.port })
    socket.on('error', () => {})
    socket.write(bytes)
    await closeOf(socket.resume())
  }
  await raw(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
  await raw(randomBytes(100_000))
  await raw(Buffer.of(0xff, 0xff, 0xff))
  await raw(Buffer.of(0, 0, 0, 0, 0, 0))
  assert.ok(
    list.some((reason) => reason.includes('frame of 16777215 bytes before the proof')),
    list.join(),
  )
  const before = process.memoryUsage().arrayBuffers
  const stranger = await strangerAt(t, node)
  stranger.socket.write(Buffer.of(0xff, 0xff, 0xff, 1, 2, 3))
  await stranger.closed
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20)
  // One that sends nothing at all.
  await raw(Buffer.alloc(0))
  assert.ok(list.includes('nothing proven in time'), list.join())
  await stillServes(t, keys!, node)
})

test('X6: sockets that prove nothing are few: the oldest make way', async (t) => {
  const [keys] = shareKeys('read')
  const { log, list } = reasons()
  const node = await startNode(t, keys!, { log })
  const sockets = Array.from({ length: 20 }, () => connect({ host: '127.0.0.1', port: node.port }))
  for (const socket of sockets) socket.on('error', () => {})
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  await until(
    'all but eight are cut off',
    () => list.filter((reason) => reason.startsWith('too many connections')).length >= 12,
  )
  await stillServes(t, keys!, node)
})

test('F7: a hostile member costs its connection, not the process', async (t) => {
  const [keys] = shareKeys('read')
  const { log, list } = reasons()
  const node = await startNode(t, keys!, { log })
  const nested = Buffer.alloc(60_000)
  // A protomux batch whose only message is again a batch, thousands deep.
  for (let at = 0, left = nested.length; left > 12; ) {
    nested.set([0, 0, 0, 0xfe], at)
    left -= 8
    nested.writeUInt32LE(left, at + 4)
    at += 8
  }
  const attacks: Buffer[] = [
    nested,
    Buffer.from([0, 0, 0, 3, 0, 0, 0]),
    Buffer.from([0, 1, 0xff, 1, 2, 3]),
    Buffer.concat([Buffer.from([0, 1, 1, 200]), randomBytes(100)]),
    Buffer.from([0, 2, 9]),
    Buffer.concat([Buffer.from([0, 1, 5, 1, 65, 0])]),
  ]
  for (const attack of attacks) {
    const member = await strangerAt(t, node)
    const frames: Buffer[] = []
    member.stream.on('data', (frame: Buffer) => frames.push(frame))
    member.stream.write(encodeGate(gateProof(keys!.authKey, 'initiator', member.stream.handshakeHash!)))
    await until('gate and hello', () => frames.length === 2)
    member.stream.write(encodeHello({ instance: randomBytes(16).toString('hex'), name: 'x', port: 0 }))
    member.stream.write(attack)
    await member.closed
  }
  assert.equal(list[0], 'batch inside a batch')
  assert.equal(list.length, attacks.length, list.join())
  await stillServes(t, keys!, node)
})
