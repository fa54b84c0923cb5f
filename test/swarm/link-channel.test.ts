import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkChannel } from '../../src/swarm/link-channel.js'
import { encodeClock, encodePing } from '../../src/swarm/messages.js'
import type { GuardedMux } from '../../src/swarm/mux.js'
import { encodeWays, type WaysMessage } from '../../src/swarm/own-ways.js'
import { encodeStandstill, type StandstillMessage } from '../../src/swarm/standstills.js'

/** Message numbers of the channel. */
const [CLOCK, PING, WAYS, STANDSTILL] = [1, 2, 3, 4]

/** A channel whose other end is the test: what was sent, and a way to say something. */
function open(now: () => number = () => 0): {
  channel: LinkChannel
  sent: [number, Buffer][]
  say: (message: number, bytes: Buffer) => void
  ended: string[]
  heard: WaysMessage[]
  stood: StandstillMessage[]
} {
  const heard: WaysMessage[] = []
  const stood: StandstillMessage[] = []
  const sent: [number, Buffer][] = []
  const ended: string[] = []
  const hear: ((bytes: Buffer) => void)[] = []
  const mux = {
    createChannel: () => ({
      open: () => undefined,
      addMessage: ({ onmessage }: { onmessage: (bytes: Buffer) => void }) => {
        const number = hear.push(onmessage) - 1
        return { send: (bytes: Buffer) => sent.push([number, bytes]) }
      },
    }),
  } as unknown as GuardedMux
  const channel = LinkChannel.open({
    ...{ mux, now, wallNow: () => 5, onOffers: () => undefined, onWays: (message) => heard.push(message) },
    onStandstill: (message) => stood.push(message),
    onEnd: (reason) => ended.push(reason),
  })
  assert.ok(channel !== undefined)
  return { channel, sent, ended, heard, stood, say: (message, bytes) => hear[message]!(bytes) }
}

test('the way there and back is that of the question that was answered, and of no other', (t) => {
  let nowMs = 100
  const { channel, sent, say, ended } = open(() => nowMs)
  t.after(() => channel.stop())
  assert.deepEqual(sent, [
    [CLOCK, encodeClock(5)],
    [PING, encodePing({ kind: 'ask', number: 0 })],
  ])
  nowMs = 130
  say(PING, encodePing({ kind: 'answer', number: 9 }))
  assert.equal(channel.rttMs, undefined)
  say(PING, encodePing({ kind: 'answer', number: 0 }))
  assert.equal(channel.rttMs, 30)
  // Once more, and late: it was answered already.
  nowMs = 900
  say(PING, encodePing({ kind: 'answer', number: 0 }))
  assert.equal(channel.rttMs, 30)
  assert.deepEqual(ended, [])
})

test('questions are answered with their number, but not any number of them', (t) => {
  const { channel, sent, say, ended } = open()
  t.after(() => channel.stop())
  sent.length = 0
  say(PING, encodePing({ kind: 'ask', number: 0xffffffff }))
  assert.deepEqual(sent, [[PING, encodePing({ kind: 'answer', number: 0xffffffff })]])
  for (let i = 0; i < 1000; i++) say(PING, encodePing({ kind: 'ask', number: i }))
  assert.equal(sent.length, 8)
  assert.deepEqual(ended, [])
})

test('a question of another form ends the connection, and after the end nothing is answered', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(4), Buffer.alloc(6), Buffer.from([2, 0, 0, 0, 0])]) {
    const { channel, say, ended } = open()
    say(PING, bytes)
    channel.stop()
    assert.match(ended.join(), /^bad ping/)
  }
  const { channel, sent, say } = open()
  channel.stop()
  sent.length = 0
  say(PING, encodePing({ kind: 'ask', number: 1 }))
  assert.deepEqual(sent, [])
})

test('ways are told when they are other ones, and heard some times a minute', (t) => {
  let nowMs = 0
  const { channel, sent, say, ended, heard } = open(() => nowMs)
  t.after(() => channel.stop())
  sent.length = 0
  const message = { seen: undefined, ways: [{ host: '192.0.2.1', port: 5 }] }
  channel.tellWays(message)
  channel.tellWays({ ...message })
  channel.tellWays({ ...message, ways: [] })
  assert.deepEqual(
    sent.map(([number]) => number),
    [WAYS, WAYS],
  )
  for (let times = 0; times < 100; times++) say(WAYS, encodeWays(message))
  assert.equal(heard.length, 8)
  assert.deepEqual(heard[0], message)
  nowMs = 10_000
  say(WAYS, encodeWays(message))
  assert.equal(heard.length, 9)
  assert.deepEqual(ended, [])
  say(WAYS, Buffer.from([255]))
  assert.match(ended[0]!, /bad ways/)
})

test('that TCP stood still is told and heard, and nonsense ends the connection', (t) => {
  const { channel, sent, say, ended, stood } = open()
  t.after(() => channel.stop())
  channel.tellStandstill({ scope: 'public', times: 2 })
  assert.deepEqual(sent.at(-1), [STANDSTILL, Buffer.from([3, 2])])
  for (let i = 0; i < 20; i++) say(STANDSTILL, encodeStandstill({ scope: 'private', times: 1 }))
  assert.equal(stood.length, 8)
  assert.deepEqual(stood[0], { scope: 'private', times: 1 })
  say(STANDSTILL, Buffer.from([4, 1]))
  say(STANDSTILL, Buffer.from([0, 0]))
  say(STANDSTILL, Buffer.from([0, 1, 1]))
  assert.equal(ended.length, 3)
  assert.match(ended[0]!, /bad standstill: unknown scope/)
})
