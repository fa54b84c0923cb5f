// Who does not know the code: between the two, in the place of one of them, or with what was recorded elsewhere.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import { type InviteKeys, inviteKeysOf, parseInvite } from '../../src/core/invite.js'
import { NONCE_BYTES } from '../../src/core/seal.js'
import { deriveSecret } from '../../src/core/secret.js'
import {
  decodeInviteGate,
  encodeInviteGate,
  encodeInviteOffer,
  encodeInviteSecret,
  encodeInviteStep,
  type InviteOffer,
} from '../../src/invite/messages.js'
import { redeemInvite } from '../../src/invite/redeem.js'
import { inviteProof } from '../../src/swarm/proof.js'
import { until } from '../support/until.js'
import { freshDevice, next } from '../swarm/support.js'
import { freshSecret, startInviter, textOf, tryOnce } from './support.js'

const DAY = 86_400_000
const TEXT = 'p50kh-cr62t-p5sx8-s4fd7-xmf8y-5kqv0'
/** Noise XX without payload, as a responder sends it: one message of 96 bytes and the stream's header of 56. */
const RESPONDER_HANDSHAKE_BYTES = 3 + 96 + 3 + 56

/** Listens, with Noise; `serve` gets every connection. The port. */
async function listening(t: TestContext, serve: (stream: NoiseSecretStream) => void): Promise<number> {
  const device = freshDevice()
  const streams: NoiseSecretStream[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    const stream = new NoiseSecretStream(false, socket, { keyPair: device })
    stream.on('error', () => {})
    streams.push(stream)
    serve(stream)
  })
  server.listen(0, '127.0.0.1')
  await next(server, 'listening')
  t.after(() => {
    for (const stream of streams) stream.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

/** Dials, with Noise, under a key of its own. */
function dialled(t: TestContext, port: number): { stream: NoiseSecretStream; socket: Socket } {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const stream = new NoiseSecretStream(true, socket, { keyPair: freshDevice() })
  stream.on('error', () => {})
  t.after(() => stream.destroy())
  return { stream, socket }
}

test('I2: a man in the middle who ends Noise on both sides and passes all frames on gets nothing', async (t) => {
  const inviter = await startInviter(t)
  const { text } = inviter.host.create(0, 'write', DAY)
  const frames: { readonly from: 'guest' | 'host'; readonly frame: Buffer }[] = []
  const port = await listening(t, (guest) => {
    const { stream: host } = dialled(t, inviter.port)
    const pass = (from: 'guest' | 'host', source: NoiseSecretStream, target: NoiseSecretStream): void => {
      source.on('data', (frame: Buffer) => {
        frames.push({ from, frame: Buffer.from(frame) })
        target.write(frame)
      })
      source.on('close', () => target.destroy())
    }
    pass('guest', guest, host)
    pass('host', host, guest)
  })
  const redeeming = redeemInvite(text, {
    knownHosts: [`127.0.0.1:${port}`],
    searchLan: false,
    timeoutMs: 15_000,
  })
  await assert.rejects(redeeming, { code: 'INVITE_FAILED', message: /knows no such invite/ })
  // It saw the guest's name and proof, twice, and not one frame from the inviting side.
  assert.deepEqual(
    frames.map(({ from, frame }) => [from, frame.length]),
    [
      ['guest', 35],
      ['guest', 35],
    ],
  )
  const [record] = inviter.host.list()
  assert.deepEqual([record?.type, record?.wrongTries], ['open', 2])
  // What it saw opens nothing later either, and the invite still works for who has the code.
  const { stream } = dialled(t, inviter.port)
  assert.ok(await stream.opened)
  const closed = next(stream, 'close')
  stream.on('data', () => assert.fail('an answer to a replayed proof'))
  stream.write(frames[0]!.frame)
  await closed
  assert.equal((await tryOnce(text, inviter.port)).type, 'redeemed')
})

test('I2: a prober gets the Noise handshake and not one byte more, whether there is an invite or not', async (t) => {
  const inviter = await startInviter(t)
  for (const isOpen of [false, true]) {
    const name = isOpen ? inviter.host.create(0, 'read', DAY).record.name : 5
    const asks: Buffer[] = [
      Buffer.of(2),
      randomBytes(35),
      encodeInviteStep(),
      encodeInviteGate({ name, proof: randomBytes(32) }),
      encodeInviteGate({ name: name ^ 1, proof: randomBytes(32) }),
      Buffer.concat([encodeInviteGate({ name, proof: randomBytes(32) }), Buffer.of(0)]),
      Buffer.concat([Buffer.of(2), randomBytes(60_000)]),
    ]
    for (const ask of asks) {
      const { stream, socket } = dialled(t, inviter.port)
      let received = 0
      socket.prependListener('data', (chunk: Buffer) => {
        received += chunk.length
      })
      const closed = next(socket, 'close')
      assert.ok(await stream.opened)
      stream.write(ask)
      await closed
      assert.equal(received, RESPONDER_HANDSHAKE_BYTES, ask.subarray(0, 4).toString('hex'))
    }
  }
  assert.equal(inviter.host.list()[0]!.wrongTries, 1)
})

test('I2: in the place of the inviting device, without the code, nobody is believed', async (t) => {
  const inviter = await startInviter(t)
  const recorded = await recordedOffer(t, inviter.port, inviter.host.create(0, 'read', DAY).text)
  const offer = (proof: Buffer): Buffer =>
    encodeInviteOffer({ proof, grade: 'read', shareName: 'photos', deviceName: 'nas' })
  const answers: ((gate: Buffer) => Buffer)[] = [
    (gate) => gate,
    (gate) => {
      const decoded = decodeInviteGate(gate)
      assert.ok(decoded.type === 'ok')
      return offer(decoded.value.proof)
    },
    () => offer(randomBytes(32)),
    () => recorded,
    () => randomBytes(100),
    () => encodeInviteStep(),
    () => Buffer.alloc(200_000),
  ]
  for (const [at, answer] of answers.entries()) {
    const frames: Buffer[] = []
    const port = await listening(t, (stream) => {
      stream.on('data', (frame: Buffer) => {
        frames.push(Buffer.from(frame))
        if (frames.length === 1) stream.write(answer(frame))
      })
    })
    const outcome = await tryOnce(TEXT, port)
    assert.ok(outcome.type === 'broken' && !outcome.taken, `${at} ${JSON.stringify(outcome)}`)
    assert.equal(frames.length, 1, 'it did not go on')
  }
})

/** What an inviting device answers to who knows the code. */
async function recordedOffer(t: TestContext, port: number, text: string): Promise<Buffer> {
  const keys = inviteKeysOf(parseInvite(text))
  const { stream } = dialled(t, port)
  assert.ok(await stream.opened)
  const proof = inviteProof(keys.authKey, 'initiator', stream.handshakeHash!)
  const offer = next(stream, 'data')
  stream.write(encodeInviteGate({ name: keys.name, proof }))
  return (await offer)[0] as Buffer
}

test('what an inviting device that knows the code sends is checked all the same', async (t) => {
  const keys = inviteKeysOf(parseInvite(TEXT))
  const secret = freshSecret()
  const sealed = (text: string, hash: Buffer): Buffer =>
    encodeInviteSecret(keys.sealKey, randomBytes(NONCE_BYTES), hash, text)
  const answers: [(hash: Buffer) => Buffer, RegExp][] = [
    [(hash) => sealed(textOf(secret), hash), /no secret of the grade/],
    [(hash) => sealed('shoalr1qqq', hash), /no secret of the grade/],
    [(hash) => sealed('', hash), /no secret of the grade/],
    [() => sealed(textOf(deriveSecret(secret, 'read')), randomBytes(64)), /not sealed with the invite/],
    [() => Buffer.of(2), /bad secret/],
    [() => randomBytes(100), /bad secret/],
  ]
  for (const [answer, reason] of answers) {
    const port = await hostingOnce(t, keys, answer)
    const outcome = await tryOnce(TEXT, port)
    assert.ok(outcome.type === 'broken' && outcome.taken, JSON.stringify(outcome))
    assert.match(outcome.reason, reason)
  }
  const names = { shareName: 'a\u001b[2Jb', deviceName: 'x' }
  const good = await hostingOnce(t, keys, (hash) => sealed(textOf(deriveSecret(secret, 'read')), hash), names)
  const outcome = await tryOnce(TEXT, good)
  assert.ok(outcome.type === 'redeemed')
  assert.equal(outcome.offer.shareName, 'a?[2Jb')
})

/** A device that knows the code and answers the take with what a test says. The port. */
function hostingOnce(
  t: TestContext,
  { authKey }: InviteKeys,
  answer: (handshakeHash: Buffer) => Buffer,
  names: Pick<InviteOffer, 'shareName' | 'deviceName'> = { shareName: '', deviceName: '' },
): Promise<number> {
  return listening(t, (stream) => {
    let frames = 0
    stream.on('data', () => {
      const hash = stream.handshakeHash!
      const proof = inviteProof(authKey, 'responder', hash)
      if (++frames === 1) stream.write(encodeInviteOffer({ proof, grade: 'read', ...names }))
      else if (frames === 2) stream.write(answer(hash))
      else stream.destroy()
    })
  })
}

test('I3: a guest that proves the code and then goes away, or talks nonsense, has not used it', async (t) => {
  const inviter = await startInviter(t)
  const { text } = inviter.host.create(0, 'read', DAY)
  const keys = inviteKeysOf(parseInvite(text))
  const guest = async (): Promise<NoiseSecretStream> => {
    const { stream } = dialled(t, inviter.port)
    assert.ok(await stream.opened)
    const proof = inviteProof(keys.authKey, 'initiator', stream.handshakeHash!)
    const offer = next(stream, 'data')
    stream.write(encodeInviteGate({ name: keys.name, proof }))
    await offer
    return stream
  }
  const gone = await guest()
  gone.destroy()
  const confused = await guest()
  const closed = next(confused, 'close')
  confused.write(Buffer.from('give it to me'))
  await closed
  assert.deepEqual([inviter.host.list()[0]!.type, inviter.host.list()[0]!.wrongTries], ['open', 0])

  // Who takes it and hangs up has used it, and the log says that nobody confirmed it.
  const hasty = await guest()
  const secret = next(hasty, 'data')
  hasty.write(encodeInviteStep())
  await secret
  hasty.destroy()
  await until('a warning', () => inviter.log.lines.some(({ message }) => /did not confirm/.test(message)))
  const [used] = inviter.host.list()
  assert.ok(used?.type === 'used' && !used.isConfirmed)
  assert.deepEqual(await tryOnce(text, inviter.port), { type: 'refused' })
})
