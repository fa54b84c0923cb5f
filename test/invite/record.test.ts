import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { deviceKeysOf } from '../../src/core/device.js'
import { shareIdFromBytes } from '../../src/core/ids.js'
import { INVITE_BYTES, inviteKeysOf, inviteOf } from '../../src/core/invite.js'
import {
  decodeInviteGate,
  decodeInviteOffer,
  decodeInviteSecret,
  decodeInviteStep,
  encodeInviteGate,
  encodeInviteOffer,
  encodeInviteSecret,
  encodeInviteStep,
  INVITE_GRADES,
} from '../../src/invite/messages.js'
import {
  afterUse,
  afterWrongTry,
  isExpired,
  MAX_WRONG_TRIES,
  type OpenInvite,
  sealKeys,
  unsealKeys,
} from '../../src/invite/record.js'
import { TryLimit } from '../../src/invite/try-limit.js'

const { device } = deviceKeysOf(Buffer.alloc(32, 1))
const storeKey = Buffer.alloc(32, 2)
const keys = inviteKeysOf(inviteOf(Buffer.alloc(INVITE_BYTES, 3)))
const facts = {
  id: '0123abcd',
  share: shareIdFromBytes(Buffer.alloc(32, 4)),
  grade: 'read',
  createdMs: 1_000,
  expiresMs: 2_000,
  name: keys.name,
} as const
const open: OpenInvite = {
  type: 'open',
  ...facts,
  wrongTries: 0,
  sealed: sealKeys(storeKey, Buffer.alloc(24, 5), keys, facts, device),
}

describe('the record of an invite', () => {
  it('ends at the tenth wrong try, and holds no keys then (S2, S3)', () => {
    let record: ReturnType<typeof afterWrongTry> = open
    for (let i = 1; i < MAX_WRONG_TRIES; i++) {
      assert.ok(record.type === 'open')
      record = afterWrongTry(record, 1_500)
      assert.deepEqual([record.type, record.wrongTries], ['open', i])
    }
    assert.ok(record.type === 'open')
    const { name: _, ...kept } = facts
    assert.deepEqual(afterWrongTry(record, 1_600), { type: 'ended', ...kept, wrongTries: 10, atMs: 1_600 })
  })

  it('is used once, and holds no keys then (S1, S2)', () => {
    const used = afterUse(open, '127.0.0.1:1', 1_700)
    const { name: _, ...kept } = facts
    const expected = { type: 'used', ...kept, wrongTries: 0, atMs: 1_700, address: '127.0.0.1:1' }
    assert.deepEqual(used, { ...expected, isConfirmed: false })
  })

  it('expires at its instant', () => {
    assert.deepEqual([isExpired(open, 1_999), isExpired(open, 2_000)], [false, true])
  })

  it('gives its keys to the device and share it was made by, for what it says, and to nobody else', () => {
    const same = unsealKeys(storeKey, open, device)
    assert.deepEqual({ ...same }, { ...keys })
    assert.equal(unsealKeys(Buffer.alloc(32, 9), open, device), undefined)
    assert.equal(unsealKeys(storeKey, open, deviceKeysOf(Buffer.alloc(32, 9)).device), undefined)
    const changes: Partial<OpenInvite>[] = [
      { id: '0123abce' },
      { grade: 'write' },
      { createdMs: 1_001 },
      { expiresMs: 9_000 },
      { name: keys.name ^ 1 },
      { share: shareIdFromBytes(Buffer.alloc(32, 9)) },
      { sealed: open.sealed.subarray(0, 20) },
      { sealed: open.sealed.subarray(0, -1) },
      { sealed: Buffer.alloc(0) },
    ]
    for (const change of changes)
      assert.equal(unsealKeys(storeKey, { ...open, ...change }, device), undefined, JSON.stringify(change))
    // Counting is not granting: it leaves the seal as it is.
    assert.notEqual(unsealKeys(storeKey, { ...open, wrongTries: 9 }, device), undefined)
  })
})

describe('the frames of an invite', () => {
  const proofs = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))
  const hash = Buffer.alloc(64, 7)

  it('are frozen', () => {
    const proof = Buffer.alloc(32, 0xaa)
    assert.equal(encodeInviteGate({ name: 0x1234, proof }).toString('hex'), `021234${'aa'.repeat(32)}`)
    assert.equal(
      encodeInviteOffer({ proof, grade: 'read', shareName: 'ab', deviceName: 'c' }).toString('hex'),
      `02${'aa'.repeat(32)}0102616201${'63'}`,
    )
    assert.equal(encodeInviteStep().toString('hex'), '02')
    assert.equal(
      encodeInviteSecret(Buffer.alloc(32, 1), Buffer.alloc(24, 2), hash, 'secret').toString('hex'),
      '02020202020202020202020202020202020202020202020202bf03559dcf03483c8f85003a10d2ea1b55969cf4518f',
    )
  })

  it('read back', () => {
    const names = fc.string({ maxLength: 12 }).map((text) => text.replace(/[^a-z ]/g, 'x'))
    fc.assert(
      fc.property(
        fc.record({ name: fc.nat(32_767), proof: proofs }, { noNullPrototype: true }),
        fc.record(
          { proof: proofs, grade: fc.constantFrom(...INVITE_GRADES), shareName: names, deviceName: names },
          { noNullPrototype: true },
        ),
        fc.string({ maxLength: 120 }),
        (gate, offer, secret) => {
          assert.deepEqual(decodeInviteGate(encodeInviteGate(gate)), { type: 'ok', value: gate })
          assert.deepEqual(decodeInviteOffer(encodeInviteOffer(offer)), { type: 'ok', value: offer })
          const frame = encodeInviteSecret(gate.proof, Buffer.alloc(24, 1), hash, secret)
          assert.deepEqual(decodeInviteSecret(frame, gate.proof, hash), {
            type: 'ok',
            value: secret.toWellFormed(),
          })
        },
      ),
    )
  })

  it('of any other bytes are violations (F7)', () => {
    const decoders = [
      decodeInviteGate,
      decodeInviteOffer,
      decodeInviteStep,
      (bytes: Buffer) => decodeInviteSecret(bytes, Buffer.alloc(32), hash),
    ]
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.of(2, ...bytes)),
    )
    fc.assert(
      fc.property(frames, fc.nat(decoders.length - 1), (bytes, at) => {
        const frame = Buffer.from(bytes)
        const decoded = decoders[at]!(frame)
        if (decoded.type === 'violation') return
        // The few that are right by accident have the one form there is.
        assert.ok(at === 2 ? frame.length === 1 : at === 0 ? frame.length === 35 : at === 1)
      }),
    )
    const cut = encodeInviteOffer({ proof: Buffer.alloc(32), grade: 'read', shareName: 'ab', deviceName: '' })
    for (let at = 0; at < cut.length; at++)
      assert.equal(decodeInviteOffer(cut.subarray(0, at)).type, 'violation')
    assert.equal(decodeInviteGate(Buffer.concat([Buffer.of(2, 0x80), Buffer.alloc(33)])).type, 'violation')
  })
})

it('tries are a burst, then one a second of a host, and no more are saved up', () => {
  let nowMs = 0
  const limit = new TryLimit(() => nowMs)
  const taken = (): number => {
    let count = 0
    while (limit.take('a')) count++
    return count
  }
  assert.equal(taken(), 20)
  nowMs += 999
  assert.equal(taken(), 0)
  nowMs += 2_001
  assert.equal(taken(), 3)
  nowMs += 3_600_000
  assert.equal(taken(), 20)
})

it('tries of many hosts are ten times those of one, however many there are', () => {
  let nowMs = 0
  const limit = new TryLimit(() => nowMs)
  let host = 0
  const taken = (): number =>
    Array.from({ length: 3000 }, () => limit.take(`host ${host++}`)).filter((isTaken) => isTaken).length
  assert.equal(taken(), 200)
  nowMs += 1_000
  assert.equal(taken(), 10)
})
