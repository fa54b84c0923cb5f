import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { deviceKeysOf } from '../../src/core/device.js'
import type { ShareId } from '../../src/core/ids.js'
import {
  decodeInquiry,
  encodeInquiry,
  isAnswerSigned,
  MAX_ANSWER_BYTES,
  MAX_INQUIRY_BYTES,
  readAnswer,
  signAnswer,
} from '../../src/core/inquiry.js'

const SHARE = 'ab'.repeat(32) as ShareId
const ID = '0123456789abcdef'.repeat(2)
const { device, secretKey } = deviceKeysOf(Buffer.alloc(32, 7))
const ANSWER = { device, inquiry: ID, number: 1_764_000_000_000, sequence: 3, standing: 'at-rest' } as const

test('inquiries and answers are read as they were made, within their bounds', () => {
  const inquiry = encodeInquiry({ id: ID, round: 300 })
  assert.deepEqual(decodeInquiry(inquiry), { type: 'ok', value: { id: ID, round: 300 } })
  assert.ok(inquiry.length <= MAX_INQUIRY_BYTES)
  for (const standing of ['working', 'at-rest', 'unread', 'halted', 'paused'] as const) {
    const bytes = signAnswer({ ...ANSWER, standing }, secretKey, SHARE)
    assert.deepEqual(readAnswer(bytes), { type: 'ok', value: { ...ANSWER, standing } })
    assert.ok(bytes.length <= MAX_ANSWER_BYTES)
  }
})

test('the bytes are frozen', () => {
  assert.equal(encodeInquiry({ id: ID, round: 300 }).toString('hex'), `01${ID}ac02`)
  const body = signAnswer(ANSWER, secretKey, SHARE).subarray(0, -64)
  assert.equal(body.toString('hex'), `01${device}${ID}80d0dfb4ab330301`)
})

test('any bit of an answer that is changed, or another share, breaks its signature', () => {
  const bytes = signAnswer(ANSWER, secretKey, SHARE)
  assert.equal(isAnswerSigned(bytes, SHARE), true)
  assert.equal(isAnswerSigned(bytes, 'cd'.repeat(32) as ShareId), false)
  for (let at = 0; at < bytes.length; at++) {
    const other = Buffer.from(bytes)
    other[at]! ^= 1
    assert.equal(readAnswer(other).type === 'ok' && isAnswerSigned(other, SHARE), false, `byte ${at}`)
  }
})

test('what is cut short, too long or random is no inquiry and no answer', () => {
  const bytes = signAnswer(ANSWER, secretKey, SHARE)
  for (let end = 0; end < bytes.length; end++)
    assert.equal(readAnswer(bytes.subarray(0, end)).type, 'violation')
  assert.equal(readAnswer(Buffer.concat([bytes, Buffer.of(0)])).type, 'violation')
  for (let i = 0; i < 200; i++) {
    decodeInquiry(randomBytes(i % 40))
    readAnswer(randomBytes(i))
  }
  assert.equal(decodeInquiry(Buffer.alloc(18, 2)).type, 'violation')
})
