// A node's connection to a relay that is against it: what it can have the node do, keep and write is bounded.
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { relayTagOf } from '../../src/core/relay-pass.js'
import { encodeRelayMessage } from '../../src/core/relay-wire.js'
import { type Log, silentLog } from '../../src/ports/log.js'
import { RelayControl } from '../../src/swarm/relay-control.js'
import { joinAtRelay } from '../../src/swarm/relay-data.js'
import { dialTcp } from '../../src/swarm/tcp.js'
import { until } from '../support/until.js'
import { freshDevice, shareKeys } from './support.js'

const WELCOME = encodeRelayMessage({ type: 'welcome', version: 1, challenge: Buffer.alloc(32, 1) })
const TAG = Buffer.alloc(16, 9)
const keys = shareKeys('read')[0]!
const { pass } = keys.relay

/** A relay that does this with its first connection, and its port. */
async function relayThat(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    sockets.add(socket)
    if (sockets.size === 1) serve(socket)
  })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return (server.address() as { port: number }).port
}

/** A node with one share there. */
function node(t: TestContext, port: number, log: Log = silentLog): { tickets: number; ends: number } {
  const seen = { tickets: 0, ends: 0 }
  const control = new RelayControl({
    endpoint: { host: '127.0.0.1', port },
    dial: dialTcp,
    onHere: () => undefined,
    onGone: () => undefined,
    onLost: () => undefined,
    onTicket: () => {
      seen.tickets++
    },
    onNotCalled: () => {
      seen.ends++
    },
    log,
  })
  t.after(() => control.close())
  const share = keys.shareId
  control.add({ share, keys: keys.relay, tag: relayTagOf(keys.relay, freshDevice().device) })
  return seen
}

/** The last message of a test. */
const END = encodeRelayMessage({ type: 'not-called', why: 'absent', pass, tag: TAG })

test('a relay that welcomes again and again gets one signature for each share, and is left', async (t) => {
  let bytes = 0
  let isLeft = false
  const port = await relayThat(t, (socket) => {
    socket.write(Buffer.concat(Array<Buffer>(1_000).fill(WELCOME)))
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.on('close', () => {
      isLeft = true
    })
  })
  node(t, port)
  await until('it is left', () => isLeft)
  assert.ok(bytes < 1_000, `${bytes} bytes`)
})

test('the same where a data connection is joined', async (t) => {
  const port = await relayThat(t, (socket) => socket.write(Buffer.concat([WELCOME, WELCOME])))
  const endpoint = { host: '127.0.0.1', port }
  const joining = {
    dial: dialTcp,
    endpoint,
    keys: keys.relay,
    ticket: TAG,
    timeoutMs: 8_000,
    signal: t.signal,
  }
  await assert.rejects(joinAtRelay(joining), /welcomes twice/)
})

test('a relay that has us called without end has it so a bounded number of times', async (t) => {
  const ticket = encodeRelayMessage({ type: 'ticket', role: 'called', pass, tag: TAG, ticket: TAG })
  const port = await relayThat(t, (socket) =>
    socket.write(Buffer.concat([WELCOME, ...Array<Buffer>(2_000).fill(ticket), END])),
  )
  const seen = node(t, port)
  await until('all was read', () => seen.ends === 1)
  assert.ok(seen.tickets >= 64 && seen.tickets < 200, String(seen.tickets))
})

test('a relay that refuses and accepts by turns does not fill the log', async (t) => {
  const accepted = encodeRelayMessage({ type: 'accepted', pass })
  const refused = encodeRelayMessage({ type: 'refused', why: 'busy', pass })
  const port = await relayThat(t, (socket) =>
    socket.write(Buffer.concat([WELCOME, ...Array<Buffer[]>(500).fill([refused, accepted]).flat(), END])),
  )
  let warnings = 0
  const seen = node(t, port, { ...silentLog, warn: () => void warnings++ })
  await until('all was read', () => seen.ends === 1)
  assert.equal(warnings, 16)
})
