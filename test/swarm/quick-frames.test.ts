// Large frames that OpenSSL encrypts and decrypts: the library at the other end sees no difference, nor does whoever forges them; and
// nothing is looked for before it pays.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import NoiseSecretStream, { type SecretPull, type SecretPush } from '@hyperswarm/secret-stream'
import sodium from 'sodium-native'
import { findQuickStream, QuickStream } from '../../src/ports/quick-stream.js'
import { QuickFrames, quickFrames } from '../../src/swarm/quick-frames.js'
import { RoomyNoise } from '../../src/swarm/roomy-noise.js'
import { connected } from './noise-ends.js'

const skip = process.platform === 'linux' && process.versions.openssl?.startsWith('3.') ? false : 'not here'

interface Inside {
  readonly _encrypt: SecretPush
  readonly _decrypt: SecretPull
}
const inside = (noise: NoiseSecretStream): Inside => noise as unknown as Inside

/** From the first large frame of the process on; counted. */
function atOnce(t: TestContext): { readonly pushed: () => number; readonly pulled: () => number } {
  const stream = findQuickStream()
  const chosen = new QuickFrames({ find: () => stream, bytesBefore: 0 })
  t.mock.method(quickFrames, 'serve', (push: SecretPush, pull: SecretPull) => chosen.serve(push, pull))
  const [push, pull] = (['push', 'pull'] as const).map((way) => t.mock.method(QuickStream.prototype, way))
  return { pushed: () => push!.mock.callCount(), pulled: () => pull!.mock.callCount() }
}

/** Which frames go, one after the other. */
const LENGTHS = [
  ...[1, 70_000, 100, 393_216, 16_383, 16_384, 20_000, 0, 524_288, 65_536, 131_072, 17, 16_400],
  ...[400_001, 2, 65_517, 30_000, 600_000],
]

async function exchange(from: NoiseSecretStream, to: NoiseSecretStream, lengths: number[]): Promise<void> {
  const sent = lengths.map((length) => randomBytes(length))
  let at = 0
  const all = new Promise<void>((resolve, reject) => {
    const come = (frame: Buffer): void => {
      if (!frame.equals(sent[at++]!)) reject(new Error(`frame ${at} came otherwise`))
      frame.fill(0xee)
      if (to instanceof RoomyNoise) to.giveBack(frame)
      if (at < sent.length) return
      to.off('data', come)
      resolve()
    }
    to.on('data', come)
    to.once('close', () => reject(new Error('closed')))
  })
  for (const [i, bytes] of sent.entries()) {
    const own = from.alloc(bytes.length)
    own.set(bytes)
    // As it was allocated, as it came from elsewhere, or after another one was allocated.
    if (i % 5 === 3) from.alloc(bytes.length)
    if (!from.write(i % 5 === 4 ? bytes : own)) await Promise.race([once(from, 'drain'), all])
  }
  await all
}

for (const [name, First, Second] of [
  ['ours to ours', RoomyNoise, RoomyNoise],
  ['ours to the library', RoomyNoise, NoiseSecretStream],
  ['the library to ours', NoiseSecretStream, RoomyNoise],
] as const)
  test(`frames small and large arrive as they were sent, both ways at a time, past new keys: ${name}`, {
    skip,
  }, async (t) => {
    const { pushed, pulled } = atOnce(t)
    const others = await connected(t, First, Second)
    const ends = await connected(t, First, Second)
    // A state is there once something has come.
    await Promise.all([exchange(ends[0], ends[1], [1]), exchange(ends[1], ends[0], [1])])
    // The same at both ends; the new key is made in the middle, at a small frame one way and a large one the other way.
    for (const [from, to, left] of [
      [ends[0], ends[1], 6],
      [ends[1], ends[0], 9],
    ] as const)
      for (const { state } of [inside(from)._encrypt, inside(to)._decrypt])
        state.writeUInt32LE(2 ** 32 - left, 32)
    const keys = ends.map((end) => Buffer.from(inside(end)._encrypt.state.subarray(0, 32)))
    await Promise.all([
      exchange(ends[0], ends[1], LENGTHS),
      exchange(ends[1], ends[0], LENGTHS.toReversed()),
      exchange(others[0], others[1], LENGTHS),
      exchange(others[1], others[0], LENGTHS.toReversed()),
    ])
    for (const [i, end] of ends.entries()) {
      const { state } = inside(end)._encrypt
      assert.ok(state.readUInt32LE(32) < 100 && !state.subarray(0, 32).equals(keys[i]!), 'another key')
      assert.ok(state.equals(inside(ends[1 - i]!)._decrypt.state), 'both ends have the same state')
    }
    const large = LENGTHS.filter((length) => length >= 16 * 1024).length
    const ours = [First, Second].filter((end) => end === RoomyNoise).length
    assert.deepEqual([pushed(), pulled()], [2 * large * ours, 2 * large * ours])
  })

for (const [name, meddle] of [
  ['a bit changed', (bytes, before) => flip(bytes, 400_000 - before)],
  ['a bit of its MAC changed', (bytes, before) => flip(bytes, LAST_OF_SECOND - before)],
  ['its tag changed', (bytes, before) => flip(bytes, FIRST_OF_SECOND - before)],
  ['some of it cut out', (bytes, before) => cutOut(bytes, 400_000 - before)],
] as const satisfies [string, (bytes: Buffer, before: number) => Buffer][])
  test(`of a frame that was forged nothing is given, and the connection ends as the library ends it: ${name}`, {
    skip,
  }, async (t) => {
    const { pulled } = atOnce(t)
    const endings: unknown[] = []
    for (const Second of [NoiseSecretStream, RoomyNoise]) {
      const [sender, receiver] = await connected(t, NoiseSecretStream, Second, { meddle })
      const frames: number[] = []
      receiver.on('data', (frame: Buffer) => frames.push(frame.length))
      const failed = once(receiver, 'error') as Promise<[Error]>
      for (const length of [300_000, 300_000, 300_000]) sender.write(Buffer.alloc(length, 7))
      const [error] = await failed
      endings.push([error.message, frames])
    }
    assert.deepEqual(endings[0], ['pull failed', [300_000]])
    assert.deepEqual(endings[1], endings[0])
    assert.equal(pulled(), 2)
  })

/** Noise XX's messages that the first end sends, 32 and 64 bytes, and the stream's header, 56, each with 3 of length before it. */
const BEFORE_FRAMES = 32 + 64 + 56 + 3 * 3
const FIRST_OF_SECOND: number = BEFORE_FRAMES + 300_020 + 3
const LAST_OF_SECOND: number = BEFORE_FRAMES + 2 * 300_020 - 1

function flip(bytes: Buffer, at: number): Buffer {
  if (at >= 0 && at < bytes.length) bytes[at]! ^= 0x10
  return bytes
}

function cutOut(bytes: Buffer, at: number): Buffer {
  if (at < 0 || at + 10 >= bytes.length) return bytes
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 10)])
}

/** One direction, as the library makes it, both sides with the state of the same key. */
function pair(): { push: SecretPush; pull: SecretPull } {
  const state = randomBytes(52)
  state.writeUInt32LE(1, 32)
  const [ours, theirs] = [Buffer.from(state), Buffer.from(state)]
  const tag = Buffer.alloc(1)
  return {
    push: {
      state: ours,
      next(message, sealed) {
        sodium.crypto_secretstream_xchacha20poly1305_push(this.state, sealed, message, null, 0)
        return sealed
      },
    },
    pull: {
      state: theirs,
      final: false,
      next(sealed, message) {
        sodium.crypto_secretstream_xchacha20poly1305_pull(this.state, message, tag, sealed, null)
        this.final = tag[0] === 3
        return message
      },
    },
  }
}

test('nothing is looked for before there was so much of large frames, and then once', { skip }, (t) => {
  const stream = findQuickStream()!
  for (const found of [stream, undefined]) {
    const find = t.mock.fn(() => found)
    const push = t.mock.method(stream, 'push')
    const frames = new QuickFrames({ find, bytesBefore: 100_000 })
    const all = [pair(), pair()]
    for (const { push, pull } of all) frames.serve(push, pull)
    const send = (length: number, { push, pull }: { push: SecretPush; pull: SecretPull }): void => {
      const plain = randomBytes(length)
      const sealed = Buffer.from(new ArrayBuffer(length + 17))
      const message = sealed.subarray(1, length + 1)
      message.set(plain)
      assert.equal(push.next(message, sealed), sealed)
      assert.equal(pull.next(sealed, message), message)
      assert.ok(message.equals(plain))
    }
    for (let i = 0; i < 20; i++) send(16 * 1024 - 1, all[i % 2]!)
    // Encrypted and decrypted, 49,152 bytes of each: two are looked at once more, and then it is enough.
    for (let i = 0; i < 3; i++) send(16 * 1024, all[i % 2]!)
    assert.equal(find.mock.callCount(), 0)
    send(16 * 1024, all[0]!)
    send(16 * 1024, all[1]!)
    for (const each of all) each.pull.final = true
    send(20_000, all[1]!)
    assert.deepEqual([all[0]!.pull.final, all[1]!.pull.final], [true, false])
    assert.equal(find.mock.callCount(), 1)
    assert.equal(push.mock.callCount(), found === undefined ? 0 : 2)
    push.mock.restore()
  }
})
