// The relay over real sockets: who is hostile or slow costs little, limits hold, and what is forwarded is what was sent.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext, test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { formatRelayPass, relayTagOf, signRelay, TAG_BYTES } from '../../src/core/relay-pass.js'
import { encodeNodeMessage, type NodeMessage, type RelayMessage } from '../../src/core/relay-wire.js'
import { deriveSecret, formatSecret, keysOf, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { DEFAULT_LIMITS, type RelayLimits } from '../../src/relay/limits.js'
import { Pace } from '../../src/relay/pair.js'
import { parsePasses, readPasses } from '../../src/relay/passes.js'
import { Relay } from '../../src/relay/relay.js'
import { runRelay } from '../../src/relay/service.js'
import { joinAtRelay } from '../../src/swarm/relay-data.js'
import { readRelay } from '../../src/swarm/relay-frames.js'
import { dialTcp } from '../../src/swarm/tcp.js'
import { until } from '../support/until.js'

const secret = writeSecretOf(Buffer.alloc(32, 1))
const keys = keysOf(secret).relay
const [ann, bob] = [Buffer.alloc(TAG_BYTES, 1), Buffer.alloc(TAG_BYTES, 2)]

async function open(t: TestContext, limits: Partial<RelayLimits> = {}): Promise<Relay> {
  const relay = await Relay.open({
    listen: { host: '127.0.0.1', port: 0 },
    isAllowed: (pass) => pass === keys.pass.toString('hex'),
    limits: { ...DEFAULT_LIMITS, ...limits },
    log: silentLog,
  })
  t.after(() => relay.close())
  return relay
}

async function dial(t: TestContext, relay: Relay): Promise<Socket> {
  const socket = connect(relay.address)
  socket.on('error', () => undefined)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** A node that is here; what it hears is kept. */
class Guest {
  readonly heard: RelayMessage[] = []
  readonly socket: Socket

  private constructor(socket: Socket, tag: Buffer) {
    this.socket = socket
    readRelay(socket, (message) => {
      this.heard.push(message)
      if (message.type === 'welcome') {
        const signature = signRelay(keys, 'present', message.challenge, tag)
        this.say({ type: 'present', pass: keys.pass, tag, signature })
      }
      return undefined
    })
  }

  static async come(t: TestContext, relay: Relay, tag: Buffer): Promise<Guest> {
    const guest = new Guest(await dial(t, relay), tag)
    await guest.message('accepted')
    return guest
  }

  say(message: NodeMessage): void {
    this.socket.write(encodeNodeMessage(message))
  }

  async message<T extends RelayMessage['type']>(type: T): Promise<RelayMessage & { readonly type: T }> {
    const find = (): RelayMessage | undefined => this.heard.find((each) => each.type === type)
    await until(`it hears "${type}"`, () => find() !== undefined)
    return find() as RelayMessage & { readonly type: T }
  }
}

/** Two sockets joined. */
async function joined(t: TestContext, relay: Relay): Promise<[Socket, Socket]> {
  const [a, b] = [await Guest.come(t, relay, ann), await Guest.come(t, relay, bob)]
  await a.message('here')
  a.say({ type: 'call', pass: keys.pass, tag: bob })
  const tickets = await Promise.all([a.message('ticket'), b.message('ticket')])
  const sockets = await Promise.all(
    tickets.map(({ ticket }) =>
      joinAtRelay({
        ...{ dial: dialTcp, endpoint: relay.address, keys, ticket, timeoutMs: 8_000 },
        signal: t.signal,
      }),
    ),
  )
  for (const socket of sockets) t.after(() => socket.destroy())
  return sockets as [Socket, Socket]
}

/** Resolves when it has closed, for whatever reason. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())))
}

async function read(socket: Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let got = 0
  const all = new Promise<Buffer>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      got += chunk.length
      if (got >= bytes) resolve(Buffer.concat(chunks))
    })
  })
  socket.resume()
  return all
}

describe('what is forwarded', () => {
  it('is what was sent, both ways at once, and counted', async (t) => {
    const relay = await open(t)
    const [a, b] = await joined(t, relay)
    const [there, back] = [Buffer.alloc(3_000_000, 'there'), Buffer.alloc(1_000_000, 'and back')]
    const arrived = Promise.all([read(b, there.length), read(a, back.length)])
    a.write(there)
    b.write(back)
    const [atB, atA] = await arrived
    assert.ok(atB.equals(there) && atA.equals(back))
    assert.equal(relay.facts.bytes, there.length + back.length)
    const ended = closing(b)
    a.end()
    await ended
    await until('the pair is gone', () => relay.facts.pairs === 0 && relay.facts.connections === 2)
  })

  it('waits with its sender where the other does not read: the relay holds little', async (t) => {
    const relay = await open(t)
    const [a, b] = await joined(t, relay)
    const lot = Buffer.alloc(64 * 2 ** 20)
    a.write(lot)
    // b reads nothing: what the relay has taken stops growing once all buffers on the way are full.
    let before = -1
    await until('nothing moves any more', () => {
      const isStill = relay.facts.bytes === before && before > 0
      before = relay.facts.bytes
      return isStill
    })
    assert.ok(relay.heldBytes <= 256 * 1024, `${relay.heldBytes} bytes are held`)
    assert.ok(relay.facts.bytes < lot.length / 2, 'the sender waits')
    const all = read(b, lot.length)
    assert.equal((await all).length, lot.length)
  })

  it('who does not read, and who says nothing, is closed after a while', async (t) => {
    const relay = await open(t, { idleMs: 300 })
    const [a, b] = await joined(t, relay)
    const closed = closing(a)
    a.resume()
    const chatter = setInterval(() => {
      a.write(Buffer.alloc(2 ** 20))
      b.write('I talk, but I do not read')
    }, 20)
    t.after(() => clearInterval(chatter))
    await closed
    clearInterval(chatter)
    assert.equal(relay.facts.ended.get('does not read'), 1)
    const [quiet] = await joined(t, relay)
    quiet.resume()
    await closing(quiet)
    assert.equal(relay.facts.ended.get('idle'), 1)
  })

  it('keeps to its rates, without holding small things up for long', () => {
    // 10 kB/s: booked one after the other, each waits until its turn.
    const pace = new Pace(10_000)
    assert.ok(pace.sliceBytes <= 512)
    let nowMs = 0
    let sent = 0
    while (nowMs < 10_000) {
      nowMs += pace.book(pace.sliceBytes, nowMs)
      sent += pace.sliceBytes
    }
    assert.ok(Math.abs(sent - 100_000) <= 2_000, `${sent} bytes in 10 s`)
    assert.equal(new Pace(0).book(1e9, 0), 0)
  })

  it('keeps to its rates on the wire, for one pair and for all', async (t) => {
    const relay = await open(t, { pairBytesPerSecond: 1_000_000, totalBytesPerSecond: 400_000 })
    const [a, b] = await joined(t, relay)
    const startedMs = performance.now()
    const all = read(b, 400_000)
    a.write(Buffer.alloc(400_000))
    await all
    // At least so long, whatever the machine is doing.
    assert.ok(performance.now() - startedMs >= 900)
  })
})

describe('who is hostile', () => {
  it('and says nothing, or not enough, is closed; nobody else is kept from coming', async (t) => {
    const relay = await open(t, { proofMs: 300, maxWaitingPerAddress: 4 })
    const slow: Socket[] = []
    for (let i = 0; i < 8; i++) slow.push(await dial(t, relay))
    for (const socket of slow) {
      socket.resume()
      // The beginning of a frame, a byte now and then.
      socket.write(Buffer.of(0, 113))
    }
    const node = await Guest.come(t, relay, ann)
    await until('all are gone', () => slow.every((socket) => socket.closed))
    assert.equal(relay.facts.connections, 1)
    assert.equal(node.socket.closed, false)
  })

  const lines: readonly [string, Buffer][] = [
    ['speaks HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['announces a long frame', Buffer.of(0xff, 0xff, 65)],
    ['sends an empty frame', Buffer.of(0, 0)],
    ['sends a frame of no kind', Buffer.of(0, 1, 7)],
    ['calls unproven', encodeNodeMessage({ type: 'call', pass: keys.pass, tag: bob })],
    [
      'signs for nothing',
      encodeNodeMessage({ type: 'present', pass: keys.pass, tag: ann, signature: Buffer.alloc(64) }),
    ],
    [
      'guesses a ticket',
      encodeNodeMessage({ type: 'join', pass: keys.pass, ticket: ann, signature: Buffer.alloc(64) }),
    ],
  ]
  it('and speaks otherwise than a node does is closed at once', async (t) => {
    const relay = await open(t)
    for (const [name, bytes] of lines) {
      const socket = await dial(t, relay)
      const closed = closing(socket)
      socket.resume()
      socket.write(bytes)
      await closed
      assert.equal(relay.facts.connections, 0, name)
    }
  })
})

test('a relay that stops ends all connections, and nothing is left of it', async (t) => {
  const relay = await open(t)
  const [a, b] = await joined(t, relay)
  const closed = Promise.all([closing(a), closing(b)])
  const arrives = read(b, 5)
  a.resume()
  a.write('last!')
  assert.equal((await arrives).toString(), 'last!')
  await relay.close()
  await closed
  assert.equal(relay.facts.connections, 0)
})

describe('the file of passes', () => {
  const pass = formatRelayPass(keys.pass)
  it('has one a line, with comments', () => {
    const passes = parsePasses(`# ours\n\n  ${pass}   # the web servers\r\n`, 'passes')
    assert.deepEqual([...passes], [keys.pass.toString('hex')])
  })

  it('is refused with all its faults, each where it stands, and no secret told', () => {
    const write = formatSecret(secret)
    assert.throws(
      () => parsePasses(`${pass}\n  ${write}\n${pass.slice(0, -1)}\n`, 'passes'),
      (thrown: unknown) => {
        assert.ok(thrown instanceof ShoalError && thrown.code === 'CONFIG_INVALID')
        assert.match(
          thrown.message,
          /^passes:2:3: this is a secret.*\npasses:3:1: a relay pass has 66 characters/,
        )
        assert.ok(!thrown.message.includes(write.slice(8)))
        return true
      },
    )
  })

  it('is read anew on request: who is no longer in it goes, and a slip changes nothing', async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'shoal-relay-'))
    t.after(() => rm(dir, { recursive: true }))
    const allowFile = join(dir, 'passes')
    await writeFile(allowFile, `${pass}\n`)
    const service = await runRelay({
      ...{ listen: { host: '127.0.0.1', port: 0 }, allowFile, limits: {}, log: silentLog },
      metrics: { host: '127.0.0.1', port: 0 },
    })
    t.after(() => service.stop())
    const scrape = async (): Promise<string> => {
      const { host, port } = service.metricsAddress!
      return (await fetch(`http://${host}:${port}/metrics`)).text()
    }
    const guest = await Guest.come(t, service as unknown as Relay, ann)
    assert.match(await scrape(), /^shoal_relay_nodes 1$/m)
    // As an accept that fails for want of descriptors does; node has no other way to its servers from outside.
    const { _getActiveHandles } = process as unknown as { _getActiveHandles(): unknown[] }
    const isMetrics = (each: unknown): each is Server =>
      each instanceof Server && (each.address() as AddressInfo).port === service.metricsAddress!.port
    const failure = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' })
    const pages = _getActiveHandles.call(process).filter(isMetrics)
    assert.equal(pages.length, 1)
    for (let times = 0; times < 3; times++) pages[0]!.emit('error', failure)
    assert.match(await scrape(), /^shoal_relay_nodes 1$/m)
    await writeFile(allowFile, 'nonsense\n')
    await service.reload()
    assert.match(await scrape(), /^shoal_relay_nodes 1$/m)
    await writeFile(allowFile, '')
    await service.reload()
    assert.equal((await guest.message('refused')).why, 'not-allowed')
    await closing(guest.socket)
    const page = await scrape()
    assert.match(page, /^shoal_relay_nodes 0$/m)
    assert.match(page, /^shoal_relay_ended_total\{why="not-allowed"\} 1$/m)
  })
})

test('every grade of a share has the same pass and tags', () => {
  const blind = keysOf(deriveSecret(secret, 'blind')).relay
  const device = '11'.repeat(32) as Parameters<typeof relayTagOf>[1]
  assert.deepEqual([blind.pass, relayTagOf(blind, device)], [keys.pass, relayTagOf(keys, device)])
})

test('passes that cannot be read are told of by their file, in words', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'shoal-passes-'))
  try {
    const cases = [
      [join(dir, 'none'), 'no such file'],
      [dir, 'it is a folder'],
    ] as const
    for (const [file, why] of cases)
      await assert.rejects(readPasses(file), {
        code: 'CONFIG_UNREADABLE',
        message: `cannot read the relay passes in ${file}: ${why}`,
      })
  } finally {
    await rm(dir, { recursive: true })
  }
})
