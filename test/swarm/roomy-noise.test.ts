// Frames in memory that is used again: the same bytes arrive, with the library at either end, and what somebody still looks at
// stays as it came.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import { trafficRooms } from '../../src/ports/rooms.js'
import { bytesEncoding, GuardedMux } from '../../src/swarm/mux.js'
import { RoomyNoise } from '../../src/swarm/roomy-noise.js'
import { connected } from './noise-ends.js'

/** Around what is pooled, and across what a socket gives at a time. */
const LENGTHS = [1, 100, 65_516, 65_517, 65_536, 70_000, 131_072, 400_000, 524_288, 525_292, 525_293, 600_000]

for (const [name, First, Second] of [
  ['ours to ours', RoomyNoise, RoomyNoise],
  ['ours to the library', RoomyNoise, NoiseSecretStream],
  ['the library to ours', NoiseSecretStream, RoomyNoise],
] as const)
  test(`frames of any length arrive as they were sent: ${name}`, async (t) => {
    const [sender, receiver] = await connected(t, First, Second)
    const sent = [...LENGTHS, ...LENGTHS.toReversed(), ...LENGTHS].map((length) => randomBytes(length))
    let at = 0
    const all = new Promise<void>((resolve, reject) => {
      receiver.on('data', (frame: Buffer) => {
        if (!frame.equals(sent[at++]!)) reject(new Error(`frame ${at} came otherwise`))
        // Nobody looks at it any more: if that were to reach another frame, it would come otherwise.
        frame.fill(0xee)
        if (receiver instanceof RoomyNoise) receiver.giveBack(frame)
        if (at === sent.length) resolve()
      })
    })
    for (const [i, bytes] of sent.entries()) {
      // Written at once, after the next one was allocated, or as it is.
      const own = sender.alloc(bytes.length)
      own.set(bytes)
      if (i % 3 === 1) sender.alloc(bytes.length)
      const isBelow = sender.write(i % 3 === 2 ? Buffer.from(bytes) : own)
      if (!isBelow && i % 4 === 0) await once(sender, 'drain')
    }
    await all
  })

test('a frame that nobody gave back stays as it came, while others go through the same memory', async (t) => {
  trafficRooms.clear()
  const [sender, receiver] = await connected(t, RoomyNoise, RoomyNoise)
  const sent = Array.from({ length: 24 }, () => randomBytes(300_000))
  const kept: Buffer[] = []
  const memory = new Set<ArrayBufferLike>()
  const all = new Promise<void>((resolve) => {
    let count = 0
    receiver.on('data', (frame: Buffer) => {
      memory.add(frame.buffer)
      if (count++ % 4 === 0) kept.push(frame)
      else (receiver as RoomyNoise).giveBack(frame)
      if (count === sent.length) resolve()
    })
  })
  for (const bytes of sent) {
    const own = sender.alloc(bytes.length)
    own.set(bytes)
    if (!sender.write(own)) await once(sender, 'drain')
  }
  await all
  for (const [i, frame] of kept.entries()) assert.ok(frame.equals(sent[4 * i]!), `frame ${4 * i}`)
  assert.ok(memory.size < sent.length, 'memory is used again')
  // What is nobody's room, or was given back, is passed over.
  ;(receiver as RoomyNoise).giveBack(Buffer.alloc(70_000))
  const last = kept[0]!
  ;(receiver as RoomyNoise).giveBack(last)
  ;(receiver as RoomyNoise).giveBack(last)
})

test('a frame gives its memory away only if all of its messages are spent', async (t) => {
  const [sender, receiver] = await connected(t, RoomyNoise, RoomyNoise)
  const [from, to] = [new GuardedMux(sender), new GuardedMux(receiver)]
  const given: Buffer[] = []
  const noise = receiver as RoomyNoise
  const giveBack = noise.giveBack.bind(noise)
  noise.giveBack = (frame) => {
    given.push(frame)
    giveBack(frame)
  }
  const small = (n: number): number => (n === 1 ? 0 : n)
  const spend: ((bytes: number) => number)[] = [(n) => n, (n) => n - 17, () => 0, (n) => n, small, small]
  let count = 0
  const own = to.createChannel({ protocol: 'test' })!
  const all = new Promise<void>((resolve) => {
    own.addMessage({
      encoding: bytesEncoding(2 ** 20, 'test'),
      onmessage: (bytes: Buffer) => {
        const of = spend[count++]
        if (of !== undefined) to.spend(of(bytes.length))
        if (count === spend.length) setImmediate(resolve)
      },
    })
  })
  own.open()
  const channel = from.createChannel({ protocol: 'test' })!
  const message = channel.addMessage({ encoding: bytesEncoding(2 ** 20, 'test') })
  channel.open()
  for (let i = 0; i < 4; i++) if (!message.send(randomBytes(200_000))) await once(sender, 'drain')
  // Of several in one frame, the shortest there can be is kept.
  from.cork()
  message.send(randomBytes(200_000))
  message.send(randomBytes(1))
  from.uncork()
  await all
  assert.equal(given.length, 2)
})
