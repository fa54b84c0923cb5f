// What must not work: strangers learn nothing and break nothing (X1, F7), readers write nothing (K5), no name leads
// outside the share (A1), no wrong piece gets onto a disk (P1).
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import sodium from 'sodium-native'
import { deriveSecret, formatSecret, keysOf, writeSecretOf } from '../../src/core/secret.js'
import { converged, eventually, pause, type TestNode, type World, withWorld } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'
import { Intruder } from './intruder.js'

/** How long it is waited for what must not happen. */
const NOTHING_MS = 1000

async function withIntruder(
  world: World,
  options: { grade: 'write' | 'read'; target: TestNode },
  body: (intruder: Intruder) => Promise<void>,
): Promise<void> {
  const directory = fs.mkdtempSync(path.join(world.root, 'intruder-'))
  const secret = deriveSecret(world.secret, options.grade)
  const intruder = new Intruder({ directory, secret, knownHosts: [`127.0.0.1:${options.target.port}`] })
  try {
    await body(intruder)
  } finally {
    await intruder.stop()
  }
}

async function assertSyncs(from: TestNode, to: TestNode, name: string): Promise<void> {
  from.write(name, `still going on: ${name}`)
  await converged([from, to])
  assert.equal(to.read(name), `still going on: ${name}`)
}

/** Connects, sends, and collects what comes until the other side closes. */
async function speak(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = net.connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(bytes)
  await closed
  return Buffer.concat(chunks)
}

function frame(length: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff), body])
}

test('F7: garbage and oversized frames on the port close that connection only, and sync goes on', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    await assertSyncs(anna, ben, 'before')
    const attempts = [
      randomBytes(100_000),
      Buffer.from('GET / HTTP/1.1\r\nHost: here\r\n\r\n'),
      frame(0xffffff, randomBytes(1000)),
      frame(0, Buffer.alloc(0)),
      frame(48, randomBytes(48)),
      Buffer.alloc(1 << 20, 0xff),
    ]
    const answers = Promise.all(attempts.map((bytes) => speak(anna.port, bytes)))
    await assertSyncs(ben, anna, 'during')
    // At most the public half of a handshake; never anything of a share.
    for (const answer of await answers) assert.ok(answer.length < 256, `${answer.length} bytes`)
    await assertSyncs(anna, ben, 'after')
    assert.equal((await anna.client.peers()).length, 1)
  })
})

test('X1: a stranger with a perfect handshake and no secret, or another share of its own, learns nothing', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    anna.write('private name.txt', 'private content')
    await converged([anna, ben])
    const keys = keysOf(world.secret)
    const told = await listen(anna.port)
    for (const [what, secret] of [
      ['share id', Buffer.from(keys.shareId, 'hex')],
      ['public key', keys.publicKey],
      ['topic', keys.topic],
      ['name of the device', Buffer.from('anna')],
      ['name of a file', Buffer.from('private')],
    ] as const)
      assert.equal(told.includes(secret), false, what)
    assert.ok(told.length < 1024, `${told.length} bytes told to a stranger`)

    const intruder = new Intruder({
      directory: world.root,
      secret: writeSecretOf(randomBytes(32)),
      knownHosts: [`127.0.0.1:${anna.port}`, `127.0.0.1:${ben.port}`],
    })
    await intruder.start(() => undefined)
    await pause(NOTHING_MS)
    assert.equal(intruder.peers.length, 0)
    await intruder.stop()
    assert.equal((await anna.client.peers()).length, 1)
    const log = anna.log.join('\n')
    for (const grade of ['write', 'read', 'blind'] as const)
      assert.equal(log.includes(formatSecret(deriveSecret(world.secret, grade))), false)
  })
})

/** Everything that a daemon says inside the encrypted stream to somebody who says nothing. */
async function listen(port: number): Promise<Buffer> {
  const socket = net.connect(port, '127.0.0.1')
  const stream = new NoiseSecretStream(true, socket)
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', () => undefined)
  await new Promise((resolve) => stream.once('open', () => resolve(undefined)))
  await pause(NOTHING_MS)
  const closed = new Promise((resolve) => stream.once('close', () => resolve(undefined)))
  stream.destroy()
  await closed
  return Buffer.concat(chunks)
}

test('K5: a reader cannot make a writer accept anything: forged certificate, feed without one', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    await assertSyncs(anna, ben, 'before')
    const before = snapshot(anna.dir)
    for (const forge of [true, false]) {
      await withIntruder(world, { grade: 'read', target: anna }, async (intruder) => {
        const feed = await intruder.feed([{ path: 'forged', content: 'by a reader' }])
        const signing = Buffer.alloc(64)
        sodium.crypto_sign_keypair(Buffer.alloc(32), signing)
        await intruder.start((peer) => {
          if (forge) peer.sendCertificates([intruder.certificate(signing)])
          feed.replicate(peer.stream)
        })
        await eventually('connected', () => intruder.peers.length > 0)
        if (forge) {
          await anna.logged(/certificate refused/)
          await eventually('dropped', () => intruder.closed.length > 0)
        } else await pause(NOTHING_MS)
      })
      assert.equal(anna.exists('forged'), false)
    }
    assert.deepEqual([...snapshot(anna.dir)], [...before])
    await assertSyncs(anna, ben, 'after')
    assert.equal(ben.exists('forged'), false)
  })
})

const EVIL_PATHS = [
  '../outside',
  '../../outside',
  '/etc/shoal-outside',
  'a/../../outside',
  'a/./b',
  'a//b',
  'with\0nul',
  '.shoal/marker.json',
  '.shoal/archive/x',
  '..',
  '.',
  '',
  'a/',
]

test('A1: names that lead out of the share, told by a real writer, are refused and nothing is written', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    await assertSyncs(anna, ben, 'before')
    const around = snapshot(path.dirname(anna.dir), { except: (name) => !/^share$|outside/.test(name) })
    const marker = fs.readFileSync(anna.at('.shoal/marker.json'))
    for (const name of EVIL_PATHS) {
      await withIntruder(world, { grade: 'write', target: anna }, async (intruder) => {
        const from = anna.log.length
        const feed = await intruder.feed([{ path: name, content: 'evil' }])
        await intruder.start((peer) => {
          peer.sendCertificates([intruder.certificate(intruder.keys.write!.signingSecretKey)])
          feed.replicate(peer.stream)
        })
        await anna.logged(/record refused|entry refused/, from)
      })
    }
    assert.deepEqual(
      [...snapshot(path.dirname(anna.dir), { except: (name) => !/^share$|outside/.test(name) })],
      [...around],
    )
    assert.equal(fs.existsSync('/etc/shoal-outside'), false)
    assert.deepEqual(fs.readFileSync(anna.at('.shoal/marker.json')), marker)
    assert.deepEqual(
      [...snapshot(anna.dir).keys()].filter((name) => name !== 'before'),
      [],
    )
    await assertSyncs(ben, anna, 'after')
  })
})

test('P1: a member that sends wrong pieces is dropped, and the files come from an honest one', async () => {
  await withWorld({}, async (world) => {
    // Whoever is asked first delivers all if it is fast enough.
    const anna = await world.node('anna', { config: { upload_limit: 500, rate_limit_local_peers: true } })
    const ben = await world.node('ben')
    for (let i = 0; i < 60; i++) anna.write(`f${i}`, randomBytes(30_000))
    await anna.start()
    await converged([anna])
    await ben.start()
    await ben.stop()
    await withIntruder(world, { grade: 'read', target: ben }, async (intruder) => {
      const liar = intruder.serveWrongPieces()
      await intruder.start(() => undefined)
      await ben.start()
      await converged([anna, ben])
      // Which peer is asked first is chance; new files until the liar was asked.
      for (let i = 0; liar.served() === 0 && i < 20; i++) {
        await eventually('the liar is there', () => intruder.peers.length > intruder.closed.length)
        for (let at = 0; at < 40; at++) anna.write(`more-${i}-${at}`, randomBytes(30_000))
        await converged([anna, ben])
      }
      assert.ok(liar.served() > 0, 'the liar was asked')
      await ben.logged(/peer sent a wrong piece/)
      await eventually('dropped', () => intruder.closed.length > 0)
      await converged([anna, ben])
      assertEqualTrees([anna.dir, ben.dir])
      assert.deepEqual((await ben.share()).problems, [])
    })
  })
})
