// Invites between real swarms on loopback: who gets the secret, once, and all the ways not to.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { inviteKeysOf, parseInvite } from '../../src/core/invite.js'
import { deriveSecret, formatSecret, keysOf } from '../../src/core/secret.js'
import { encodeInviteGate } from '../../src/invite/messages.js'
import { type Redeemed, type RedeemOptions, redeemInvite } from '../../src/invite/redeem.js'
import { silentLog } from '../../src/ports/log.js'
import { BEACON_GROUP } from '../../src/swarm/beacon-sockets.js'
import { runDhtNode } from '../../src/swarm/dht-node.js'
import { formatEndpoint } from '../../src/swarm/endpoint.js'
import type { GuestLink } from '../../src/swarm/guest.js'
import { until } from '../support/until.js'
import { next, peerOf, startNode } from '../swarm/support.js'
import { freshSecret, guessAt, type Inviter, MemoryFile, startInviter, textOf, tryOnce } from './support.js'

const DAY = 86_400_000

/** By known hosts alone unless said otherwise; nothing leaves loopback. */
function redeem(text: string, options: RedeemOptions): Promise<Redeemed> {
  return redeemInvite(text, { searchLan: false, listenHost: '127.0.0.1', timeoutMs: 15_000, ...options })
}

async function failure(redeeming: Promise<unknown>): Promise<string> {
  const error = await redeeming.then(
    () => assert.fail('the invite was redeemed'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof ShoalError, String(error))
  assert.equal(error.code, 'INVITE_FAILED', error.message)
  return error.message
}

/** One try that must be refused before the other end said anything. */
async function refused(text: string, { port }: { readonly port: number }): Promise<void> {
  assert.deepEqual(await tryOnce(text, port), { type: 'refused' })
}

function stateOf({ host }: Inviter): string | undefined {
  return host.list()[0]?.type
}

test('I2: over a known host the secret of the grade arrives, once', async (t) => {
  for (const grade of ['read', 'write'] as const) {
    const inviter = await startInviter(t)
    const { record, text } = inviter.host.create(0, grade, DAY)
    const redeemed = await redeem(text, { knownHosts: [inviter.address] })
    const secret = textOf(deriveSecret(inviter.secret, grade))
    assert.deepEqual(redeemed, {
      secret,
      grade,
      name: 'photos',
      deviceName: 'nas',
      knownHost: inviter.address,
    })
    await until('it is used', () => inviter.host.list()[0]?.type === 'used')
    const [used] = inviter.host.list()
    assert.ok(used?.type === 'used' && used.isConfirmed && used.id === record.id)

    // I3: a second use, by another or the same.
    const message = await failure(redeem(text, { knownHosts: [inviter.address] }))
    assert.match(message, /knows no such invite: it is used, expired or ended, or of another device$/)
    assert.equal(inviter.host.list().length, 1)
  }
})

test('I3: of several guests at once exactly one gets the secret', async (t) => {
  const inviter = await startInviter(t)
  const { text } = inviter.host.create(0, 'read', DAY)
  const guests = Array.from({ length: 6 }, () => redeem(text, { knownHosts: [inviter.address] }))
  const settled = await Promise.allSettled(guests)
  assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
  // The others proved the same code: none of them counts as a wrong try.
  assert.equal(inviter.host.list()[0]!.wrongTries, 0)
})

test('I5: an expired or revoked invite is nothing, and nothing is left of it', async (t) => {
  const inviter = await startInviter(t)
  const expired = inviter.host.create(0, 'read', 60_000)
  inviter.pass(59_999)
  assert.equal(inviter.host.list().length, 1)
  inviter.pass(1)
  await refused(expired.text, inviter)
  assert.deepEqual(inviter.host.list(), [])
  assert.equal(inviter.file.text, '{"format":1,"invites":[]}\n')
  assert.ok(inviter.log.has('an invite has expired'))

  const revoked = inviter.host.create(0, 'read', 60_000)
  inviter.host.revoke(revoked.record.id)
  await refused(revoked.text, inviter)
  assert.throws(() => inviter.host.revoke(revoked.record.id), { code: 'NOT_FOUND' })
  assert.deepEqual(inviter.host.list(), [])
})

test('I5: an expired invite is nothing even if it cannot be removed', async (t) => {
  const inviter = await startInviter(t)
  const { text } = inviter.host.create(0, 'read', 60_000)
  inviter.pass(60_000)
  inviter.file.fault = new Error('no space left on device')
  for (let i = 0; i < 3; i++) {
    await refused(text, inviter)
    assert.deepEqual(inviter.host.list(), [])
  }
  const complaints = inviter.log.lines.filter(({ message }) => message.startsWith('cannot remove'))
  assert.equal(complaints.length, 1)
  inviter.file.fault = undefined
  assert.deepEqual(inviter.host.list(), [])
  assert.equal(inviter.file.text, '{"format":1,"invites":[]}\n')
})

test('I4: wrong tries are counted, over restarts too, and end the invite for the right code as well', async (t) => {
  const file = new MemoryFile()
  const first = await startInviter(t, { file })
  const { text, record } = first.host.create(0, 'write', DAY)
  const other = first.host.create(0, 'read', DAY)
  for (let i = 0; i < 4; i++) await refused(guessAt(text, { sameName: true }), first)
  assert.deepEqual(
    first.host.list().map(({ wrongTries }) => wrongTries),
    [4, 0],
  )
  await first.stop()

  const { secret, device } = first
  const second = await startInviter(t, { file, secret, device })
  for (let i = 0; i < 6; i++) await refused(guessAt(text, { sameName: true }), second)
  const [ended] = second.host.list()
  assert.ok(ended?.type === 'ended' && ended.wrongTries === 10 && ended.id === record.id)
  const line = second.log.lines.find(({ message }) => message.startsWith('an invite is ended'))
  assert.equal(line?.level, 'error')
  await refused(text, second)
  assert.ok(!JSON.stringify(JSON.parse(file.text!).invites[0]).includes('sealed'), 'its keys are gone')
  // Other invites are not concerned.
  assert.equal((await redeem(other.text, { knownHosts: [second.address] })).grade, 'read')
})

test('I4: who does not know its name cannot end an invite', async (t) => {
  const inviter = await startInviter(t)
  const { text } = inviter.host.create(0, 'read', DAY)
  const guess = guessAt(text, { sameName: false })
  for (let i = 0; i < 2; i++) await refused(guess, inviter)
  assert.equal(inviter.host.list()[0]!.wrongTries, 0)
  assert.equal((await redeem(text, { knownHosts: [inviter.address] })).grade, 'read')
})

test('I4: tries are looked at one a second after a burst, of each host; others are not kept out', async (t) => {
  const inviter = await startInviter(t)
  const { text } = inviter.host.create(0, 'read', DAY)
  const { name } = inviteKeysOf(parseInvite(text))
  const gate = encodeInviteGate({ name: name ^ 1, proof: Buffer.alloc(32) })
  const linkOf = (host: string): GuestLink => ({
    deviceSeen: undefined,
    remote: { host, port: 1 },
    address: 'x',
    handshakeHash: Buffer.alloc(64),
    send() {},
    close() {},
  })
  const answers = Array.from({ length: 40 }, () => inviter.host.enter(gate, linkOf('192.0.2.7')))
  assert.equal(answers.filter((answer) => answer === 'no invite proven').length, 20)
  assert.ok(answers.slice(20).every((answer) => answer === 'too many tries at invites'))
  assert.equal(inviter.host.enter(gate, linkOf('192.0.2.8')), 'no invite proven')
  // Of the same network as far as an address says, which whoever has one has all of.
  const sixes = Array.from({ length: 40 }, (_, at) => inviter.host.enter(gate, linkOf(`2001:db8::${at + 1}`)))
  assert.equal(sixes.filter((answer) => answer === 'no invite proven').length, 20)
  assert.equal((await redeem(text, { knownHosts: [inviter.address] })).grade, 'read')
})

test('I5: an invite is over with another secret, grade or device, and with a storage that was copied', async (t) => {
  const secret = freshSecret()
  const changes = [
    { secret: freshSecret() },
    // Its owner is a reader now.
    { secret: deriveSecret(secret, 'read') },
    { secret, isStrange: true },
    { secret },
  ]
  for (const [at, change] of changes.entries()) {
    const file = new MemoryFile()
    const before = await startInviter(t, { file, secret })
    const { text } = before.host.create(0, 'write', DAY)
    await before.stop()
    const device = at === changes.length - 1 ? {} : { device: before.device }
    const after = await startInviter(t, { file, ...change, ...device })
    assert.deepEqual(after.host.list(), [])
    assert.ok(after.log.has('an invite is over: its share or this device changed'))
    await refused(text, after)
  }
})

test('a reader invites readers, and nobody above itself', async (t) => {
  const inviter = await startInviter(t, { secret: deriveSecret(freshSecret(), 'read') })
  assert.throws(() => inviter.host.create(0, 'write', DAY), { code: 'SECRET_GRADE' })
  const { text } = inviter.host.create(0, 'read', DAY)
  assert.equal((await redeem(text, { knownHosts: [inviter.address] })).secret, textOf(inviter.secret))
})

test('what cannot be: no share, no life, a life too long, too many at once', async (t) => {
  const { host } = await startInviter(t)
  assert.throws(() => host.create(1, 'read', DAY), { code: 'NOT_FOUND' })
  for (const lifeMs of [0, -1, 999, 31 * DAY, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => host.create(0, 'read', lifeMs), { code: 'USAGE' })
  const names = new Set<number>()
  for (let i = 0; i < 32; i++) names.add(host.create(0, 'read', DAY).record.name)
  assert.equal(names.size, 32)
  assert.throws(() => host.create(0, 'read', DAY), { code: 'USAGE' })
})

test('I3: what cannot be written down is not given out', async (t) => {
  const inviter = await startInviter(t)
  const { text } = inviter.host.create(0, 'read', DAY)
  inviter.file.fault = new Error('no space left on device')
  assert.throws(() => inviter.host.create(0, 'read', DAY), { code: 'STORAGE_UNUSABLE' })
  const outcome = await tryOnce(text, inviter.port)
  assert.ok(outcome.type === 'broken' && outcome.taken)
  assert.equal(stateOf(inviter), 'open')
  // A wrong try that cannot be counted shuts it.
  await refused(guessAt(text, { sameName: true }), inviter)
  inviter.file.fault = undefined
  await refused(text, inviter)
})

test('I5: with a damaged file there are no invites, and the log says so', async (t) => {
  const before = await startInviter(t)
  const { text } = before.host.create(0, 'read', DAY)
  const { secret, device, file } = before
  await before.stop()
  const whole = file.text!
  for (const damaged of ['', '{', whole.slice(0, -20), whole.replace('"format":1', '"format":2')]) {
    file.text = damaged
    const inviter = await startInviter(t, { secret, device, file })
    assert.deepEqual(inviter.host.list(), [])
    assert.ok(inviter.log.lines.some(({ level, message }) => level === 'error' && /is damaged/.test(message)))
    await refused(text, inviter)
    // And there can be new ones.
    assert.equal(inviter.host.create(0, 'read', DAY).record.type, 'open')
    await inviter.stop()
  }
})

test('I6: neither code nor secret is in the file, the log or the traffic', async (t) => {
  const inviter = await startInviter(t)
  const { text } = inviter.host.create(0, 'write', DAY)
  const traffic: Buffer[] = []
  const relay = createServer((socket) => {
    const onward = connect(inviter.port, '127.0.0.1')
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      from.on('error', () => to.destroy())
      from.on('data', (chunk) => traffic.push(Buffer.from(chunk)))
      from.pipe(to)
    }
  })
  relay.listen(0, '127.0.0.1')
  await next(relay, 'listening')
  t.after(() => relay.close())
  const { port } = relay.address() as { port: number }
  const { secret } = await redeem(text, { knownHosts: [`127.0.0.1:${port}`] })
  await until('it is used', () => stateOf(inviter) === 'used')

  const { bytes } = parseInvite(text)
  const plain = text.replaceAll('-', '')
  const seen = Buffer.concat(traffic)
  assert.ok(seen.length > 500, 'the relay saw the conversation')
  const everywhere = [seen.toString('latin1'), ...inviter.file.written, JSON.stringify(inviter.log.lines)]
  const key = inviter.secret.key
  for (const place of everywhere)
    for (const needle of [
      ...[text, plain, plain.slice(5, 20), bytes.toString('hex'), bytes.toString('latin1')],
      ...[secret, secret.slice(10, 30), key.toString('hex'), key.toString('latin1')],
    ])
      assert.ok(!place.includes(needle))
  // Once used, not even its sealed keys are kept.
  assert.ok(inviter.file.written[0]!.includes('sealed') && !inviter.file.text!.includes('sealed'))
})

test('members of the share connect as before, and an invite opens no way into the share', async (t) => {
  const inviter = await startInviter(t)
  const keys = keysOf(inviter.secret)
  const share = inviter.swarm.addShare({ keys, knownHosts: [], searchLan: false, useDht: false })
  const { text } = inviter.host.create(0, 'read', DAY)
  const [member, redeemed] = await Promise.all([
    startNode(t, keys, { knownHosts: [inviter.address] }),
    redeem(text, { knownHosts: [inviter.address] }),
  ])
  await Promise.all([peerOf(member.share), peerOf(share)])
  assert.equal(redeemed.secret, formatSecret(deriveSecret(inviter.secret, 'read')))
  assert.equal(share.peers().length, 1)
  // A swarm without a door closes guests.
  const message = await failure(redeem(text, { knownHosts: [member.host] }))
  assert.match(message, /knows no such invite/)
})

test('the inviting device is found by beacon on the local network', async (t) => {
  const lan = { interfaces: ['127.0.0.1'], beaconPort: randomInt(20_000, 32_000) }
  const inviter = await startInviter(t, { ...lan, ways: { searchLan: true, useDht: false } })
  const { text } = inviter.host.create(0, 'read', DAY)
  const { knownHost, secret } = await redeem(text, { searchLan: true, ...lan })
  assert.equal(knownHost, inviter.address)
  assert.equal(secret, textOf(deriveSecret(inviter.secret, 'read')))
})

test('a guest says nothing on the local network', async (t) => {
  const beaconPort = randomInt(20_000, 32_000)
  const ear = createSocket({ type: 'udp4', reuseAddr: true })
  t.after(() => ear.close())
  ear.bind(beaconPort, BEACON_GROUP)
  await next(ear, 'listening')
  ear.addMembership(BEACON_GROUP, '127.0.0.1')
  const heard: Buffer[] = []
  ear.on('message', (packet) => heard.push(packet))
  const lan = { searchLan: true, interfaces: ['127.0.0.1'], beaconPort }
  const text = 'p50kh-cr62t-p5sx8-s4fd7-xmf8y-5kqv0'
  assert.match(await failure(redeem(text, { ...lan, timeoutMs: 1_500 })), /looked at: the local network\)$/)
  assert.deepEqual(heard, [])
  // The ear works: who invites is heard.
  const inviter = await startInviter(t, { ...lan, ways: { searchLan: true, useDht: false } })
  inviter.host.create(0, 'read', DAY)
  await until('a beacon', () => heard.length > 0)
})

test('the inviting device is found in a private DHT, and a used invite is not', {
  timeout: 60_000,
}, async (t) => {
  const log = silentLog
  const nodes = [await runDhtNode({ host: '127.0.0.1', port: 0, bootstrap: [], log })]
  t.after(() => Promise.all(nodes.map((node) => node.close())))
  for (let i = 0; i < 2; i++)
    nodes.push(await runDhtNode({ host: '127.0.0.1', port: 0, bootstrap: [nodes[0]!.address], log }))
  const bootstrap = nodes.map(({ address }) => formatEndpoint(address))
  const inviter = await startInviter(t, { bootstrap, ways: { searchLan: false, useDht: true } })
  const { text } = inviter.host.create(0, 'read', DAY)
  const redeemed = await redeem(text, { bootstrap, timeoutMs: 40_000 })
  const secret = textOf(deriveSecret(inviter.secret, 'read'))
  assert.deepEqual(redeemed, { secret, grade: 'read', name: 'photos', deviceName: 'nas' })
  await failure(redeem(text, { bootstrap, timeoutMs: 3_000 }))
})

test('what is wrong with the call is told before anything is sent', async () => {
  await assert.rejects(redeem('p50kh-cr62t-p5sx8-s4fd7-xmf8y-5kqv9', { knownHosts: ['127.0.0.1:1'] }), {
    code: 'INVITE_INVALID',
  })
  const text = 'p50kh-cr62t-p5sx8-s4fd7-xmf8y-5kqv0'
  await assert.rejects(redeem(text, {}), { code: 'USAGE' })
  await assert.rejects(redeem(text, { knownHosts: ['nowhere'] }), { code: 'CONFIG_INVALID' })
  const message = await failure(redeem(text, { knownHosts: ['127.0.0.1:1'], timeoutMs: 300 }))
  assert.match(message, /the inviting device was not found \(looked at: 127\.0\.0\.1:1\)$/)
  const abort = new AbortController()
  const redeeming = redeem(text, { knownHosts: ['127.0.0.1:1'], signal: abort.signal })
  abort.abort()
  await assert.rejects(redeeming, { name: 'AbortError' })
})
