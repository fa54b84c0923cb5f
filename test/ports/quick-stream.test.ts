// libsodium's secretstream by OpenSSL: the same bytes and states as libsodium's, whoever of them does which message; what it does not
// take it leaves as it was, and what does not hold above all.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import sodium from 'sodium-native'
import { type Evp, findEvp } from '../../src/ports/evp.js'
import { findQuickStream, QuickStream } from '../../src/ports/quick-stream.js'

const AROUND_BYTES = 17
const GUARD_BYTES = 24
/** Where node has OpenSSL 3 and koffi a build, which is so wherever the tests run now, it must be found. */
const skip = process.platform === 'linux' && process.versions.openssl?.startsWith('3.') ? false : 'not here'
const quick = skip === false ? findQuickStream() : undefined

interface Frame {
  /** With bytes of somebody else's before and after it. */
  readonly room: Buffer
  readonly sealed: Buffer
  readonly message: Buffer
}

function frameOf(plain: Buffer, offset = GUARD_BYTES): Frame {
  const room = Buffer.from(new ArrayBuffer(offset + plain.length + AROUND_BYTES + GUARD_BYTES)).fill(0xa5)
  const sealed = room.subarray(offset, offset + plain.length + AROUND_BYTES)
  const message = sealed.subarray(1, 1 + plain.length)
  message.set(plain)
  return { room, sealed, message }
}

function isGuarded({ room, sealed }: Frame): boolean {
  const end = sealed.byteOffset + sealed.length
  return [room.subarray(0, sealed.byteOffset), room.subarray(end)].every((rest) =>
    rest.every((byte) => byte === 0xa5),
  )
}

const TAG = Buffer.alloc(1)

function sodiumPush(state: Buffer, { sealed, message }: Frame, tag = 0): void {
  sodium.crypto_secretstream_xchacha20poly1305_push(state, sealed, message, null, tag)
}

function sodiumPull(state: Buffer, { sealed, message }: Frame): number {
  sodium.crypto_secretstream_xchacha20poly1305_pull(state, message, TAG, sealed, null)
  return TAG[0]!
}

const counterOf = (state: Buffer): number => state.readUInt32LE(32)

const lengths = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: 9000 }),
  fc.integer({ min: 16_000, max: 140_000 }),
  fc.constantFrom(64, 16_384, 65_536, 131_072, 393_216),
)
const states = fc
  .tuple(
    fc.uint8Array({ minLength: 52, maxLength: 52 }),
    fc.oneof(fc.nat(), fc.integer({ min: 2 ** 32 - 4, max: 2 ** 32 - 1 })),
  )
  .map(([bytes, counter]) => {
    const state = Buffer.from(bytes)
    state.writeUInt32LE(counter, 32)
    return state
  })

test('it is to be had here', { skip }, () => assert.ok(quick !== undefined))

test('of any message and state it makes the bytes and the state that libsodium makes, and the message again', {
  skip,
}, () => {
  fc.assert(
    fc.property(states, lengths, fc.nat(200), fc.nat(), (state, length, offset, seed) => {
      const plain = Buffer.alloc(length, randomOf(seed, Math.min(length, 1009)))
      const [ours, theirs] = [frameOf(plain, offset), frameOf(plain)]
      const [ourState, theirState] = [Buffer.from(state), Buffer.from(state)]
      sodiumPush(theirState, theirs)
      // The message before another key is libsodium's.
      const isTaken = counterOf(state) < 2 ** 32 - 1
      assert.equal(quick!.push(ourState, ours.message, ours.sealed), isTaken)
      if (isTaken) {
        assert.ok(ours.sealed.equals(theirs.sealed) && ourState.equals(theirState))
        ourState.set(state)
        assert.ok(quick!.pull(ourState, ours.message, ours.sealed))
        assert.ok(ourState.equals(theirState))
      } else assert.ok(ourState.equals(state))
      assert.ok(ours.message.equals(plain) && isGuarded(ours))
    }),
    { numRuns: 300 },
  )
})

test('both take turns on streams that are worked on by turns, each end as it likes, and past a new key', {
  skip,
}, () => {
  let keys = 0
  const step = fc.record({
    stream: fc.nat(2),
    length: lengths,
    pushesOurs: fc.boolean(),
    pullsOurs: fc.boolean(),
  })
  fc.assert(
    fc.property(
      fc.tuple(states, states, states),
      fc.array(step, { minLength: 1, maxLength: 12 }),
      (all, steps) => {
        const streams = all.map((state) => ({ push: Buffer.from(state), pull: Buffer.from(state) }))
        for (const [i, { stream, length, pushesOurs, pullsOurs }] of steps.entries()) {
          const { push, pull } = streams[stream]!
          const plain = Buffer.alloc(length, i + 1)
          const frame = frameOf(plain)
          if (counterOf(push) === 2 ** 32 - 1) keys++
          if (!pushesOurs || !quick!.push(push, frame.message, frame.sealed)) sodiumPush(push, frame)
          if (!pullsOurs || !quick!.pull(pull, frame.message, frame.sealed))
            assert.equal(sodiumPull(pull, frame), 0)
          assert.ok(frame.message.equals(plain) && push.equals(pull) && isGuarded(frame))
        }
      },
    ),
    { numRuns: 150 },
  )
  assert.ok(keys > 0, 'another key was made')
})

test('what was changed anywhere, or is another message, is left as it came, for libsodium to refuse', {
  skip,
}, () => {
  fc.assert(
    fc.property(states, lengths, fc.nat(), fc.nat(7), (state, length, where, bit) => {
      if (counterOf(state) === 2 ** 32 - 1) return
      const frame = frameOf(randomBytes(length))
      sodiumPush(Buffer.from(state), frame)
      // Of long ones seldom what is around the message, else.
      const at = where % 3 === 0 ? [0, 1, length, length + 1, length + 16][where % 5]! : where % (length + 17)
      frame.sealed[at]! ^= 1 << bit
      const [came, before] = [Buffer.from(frame.room), Buffer.from(state)]
      assert.equal(quick!.pull(state, frame.message, frame.sealed), false)
      assert.ok(frame.room.equals(came) && state.equals(before))
      assert.throws(() => sodiumPull(state, frame), /pull failed/)
      assert.ok(frame.room.equals(came) && state.equals(before))
      frame.sealed[at]! ^= 1 << bit
      assert.ok(quick!.pull(state, frame.message, frame.sealed))
    }),
    { numRuns: 300 },
  )
})

test('a message that was cut off, or out of its turn, is left as it came', { skip }, () => {
  const state = randomBytes(52)
  state.writeUInt32LE(9, 32)
  const first = frameOf(randomBytes(50_000))
  const second = frameOf(randomBytes(50_000))
  const push = Buffer.from(state)
  sodiumPush(push, first)
  const next = Buffer.from(push)
  sodiumPush(push, second)
  const was = Buffer.from(first.room)
  for (const length of [1, 17, 100, 49_999, 50_016]) {
    for (const sealed of [
      first.sealed.subarray(0, length),
      first.sealed.subarray(first.sealed.length - length),
    ])
      assert.equal(quick!.pull(state, sealed.subarray(1, Math.max(1, length - 16)), sealed), false)
  }
  assert.equal(quick!.pull(state, second.message, second.sealed), false)
  assert.equal(quick!.pull(next, first.message, first.sealed), false)
  assert.ok(first.room.equals(was))
  assert.ok(quick!.pull(state, first.message, first.sealed))
  assert.equal(quick!.pull(Buffer.from(next), first.message, first.sealed), false)
  assert.ok(quick!.pull(next, second.message, second.sealed))
})

test('messages of other tags are left to libsodium', { skip }, () => {
  for (const tag of [1, 2, 3]) {
    const state = randomBytes(52)
    state.writeUInt32LE(9, 32)
    const plain = randomBytes(30_000)
    const frame = frameOf(plain)
    sodiumPush(Buffer.from(state), frame, tag)
    const was = Buffer.from(frame.room)
    assert.equal(quick!.pull(state, frame.message, frame.sealed), false)
    assert.ok(frame.room.equals(was))
    assert.equal(sodiumPull(state, frame), tag)
    assert.ok(frame.message.equals(plain))
  }
})

test('what is not in its place, or in memory that threads share, is left to libsodium', { skip }, () => {
  const state = Buffer.alloc(52, 1)
  const { sealed, message } = frameOf(randomBytes(1000))
  const shared = Buffer.from(new SharedArrayBuffer(1017))
  const gone = frameOf(randomBytes(1000))
  structuredClone(gone.room.buffer, { transfer: [gone.room.buffer as ArrayBuffer] })
  const odd: [string, Buffer, Buffer, Buffer][] = [
    ['in other memory, at the same place', state, frameOf(randomBytes(1000)).message, sealed],
    ['at another place', state, sealed.subarray(2, 1002), sealed],
    ['shorter', state, message.subarray(1), sealed.subarray(1, 1001)],
    ['nothing', state, sealed.subarray(1, 1), sealed.subarray(0, 17)],
    ['no room', state, sealed.subarray(0, 0), sealed.subarray(0, 0)],
    ['a state of another length', state.subarray(0, 51), message, sealed],
    ['shared', state, shared.subarray(1, 1001), shared],
    ['given away', state, gone.message, gone.sealed],
  ]
  const before = Buffer.from(sealed)
  for (const [name, ...all] of odd)
    for (const way of ['push', 'pull'] as const) assert.equal(quick![way](...all), false, `${name}: ${way}`)
  assert.ok(sealed.equals(before))
})

/** OpenSSL's with one of the calls done otherwise. */
function otherwise(other: (real: Evp) => Partial<Evp>): Evp {
  const real = findEvp()!
  return { ...real, ...other(real) }
}

test('an OpenSSL that is missing, or does anything otherwise, is not used', { skip }, () => {
  assert.equal(
    findQuickStream(() => undefined),
    undefined,
  )
  assert.ok(findQuickStream(() => otherwise(() => ({}))) !== undefined)
  const wrong: Record<string, (real: Evp) => Partial<Evp>> = {
    'a key stream of another nonce': (real) => ({
      begin: (key, start) => real.begin(key, Buffer.from(start).fill(0, 15)),
    }),
    'a key stream of zeros': () => ({ xor: () => true }),
    'a message that is not worked on to its end': (real) => ({
      xor: (bytes) => real.xor(bytes.length > 128 ? bytes.subarray(0, -1) : bytes),
    }),
    'a MAC of other bytes': (real) => ({
      authenticate: (mac, key, parts) => real.authenticate(mac, key, parts.slice(0, 2)),
    }),
    'a MAC that is always the same': () => ({
      authenticate: (mac) => mac.fill(1).length === 16,
    }),
    'one that refuses to begin': () => ({ begin: () => false }),
    'one that refuses to go on': (real) => ({ xor: (bytes) => bytes.length === 128 && real.xor(bytes) }),
    'one that refuses the MAC': () => ({ authenticate: () => false }),
  }
  for (const [name, other] of Object.entries(wrong))
    assert.equal(
      findQuickStream(() => otherwise(other)),
      undefined,
      name,
    )
})

test('an OpenSSL that fails before a message was touched leaves it to libsodium; later, nothing of it goes out', {
  skip,
}, () => {
  let failing = ''
  let ended = 0
  const seen: Buffer[] = []
  const stream = new QuickStream(
    otherwise((real) => ({
      begin: (key, start) => failing !== 'begin' && real.begin(key, start),
      xor: (bytes) => failing !== (bytes.length === 128 ? 'blocks' : 'message') && real.xor(bytes),
      authenticate: (mac, key, parts) => {
        seen.push(key)
        return failing !== 'mac' && real.authenticate(mac, key, parts)
      },
      end: () => ++ended > 0 && real.end(),
    })),
  )
  const plain = randomBytes(20_000)
  const state = Buffer.alloc(52, 5)
  const sealed = frameOf(plain)
  sodiumPush(Buffer.from(state), sealed)
  for (failing of ['begin', 'blocks', 'message', 'mac', '']) {
    const [pushed, pulled] = [frameOf(plain), frameOf(plain)]
    pulled.room.set(sealed.room)
    const [push, pull] = [Buffer.from(state), Buffer.from(state)]
    const all: [string, () => boolean][] = [
      ['push', () => stream.push(push, pushed.message, pushed.sealed)],
      ['pull', () => stream.pull(pull, pulled.message, pulled.sealed)],
    ]
    for (const [way, call] of all) {
      const calls = ended
      const isLate = failing === 'message' || (failing === 'mac' && way === 'push')
      if (isLate) assert.throws(call, /broken invariant: OpenSSL/, `${failing}: ${way}`)
      else assert.equal(call(), failing === '', `${failing}: ${way}`)
      assert.equal(ended, calls + 1, `${failing}: ${way}: the key is forgotten`)
    }
    if (failing === '') assert.ok(pushed.room.equals(sealed.room) && pulled.message.equals(plain))
    else {
      assert.ok(push.equals(state) && pull.equals(state), `${failing}: the states are as they were`)
      assert.ok(pulled.room.equals(sealed.room), `${failing}: nothing was decrypted`)
      if (failing === 'begin' || failing === 'blocks') assert.ok(pushed.message.equals(plain))
    }
  }
  assert.ok(seen.length > 0 && seen.every((key) => key.every((byte) => byte === 0)), 'no key is left')
})

function randomOf(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}
