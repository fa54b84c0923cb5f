// The messages that reports travel in: bounds, limits, and that peers of other versions are left in peace.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Channel } from 'protomux'
import type { DeviceId } from '../../src/core/ids.js'
import { MAX_REPORT_BYTES } from '../../src/core/report.js'
import { bytesEncoding } from '../../src/swarm/mux.js'
import {
  decodeSequences,
  decodeWants,
  encodeSequences,
  encodeWants,
  MAX_REPORT_LIST,
} from '../../src/swarm/report-messages.js'
import type { SharePeer } from '../../src/swarm/share-channel.js'
import { until } from '../support/until.js'
import { next, peerOf, shareKeys, startNode } from './support.js'

const DEVICE = 'ab'.repeat(32) as DeviceId

/** The share's channel below a peer, to send over it what the peer would not. */
function channelOf(peer: SharePeer): Channel {
  for (const channel of peer.mux) if (channel.protocol === 'shoal/share/1') return channel
  throw new Error('the peer has no channel')
}

test('F7: lists come back as they went, and any bytes are an answer, never a crash', () => {
  const device = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((key) => Buffer.from(key).toString('hex') as DeviceId)
  const sequences = fc.record({ device, sequence: fc.maxSafeNat() }, { noNullPrototype: true })
  fc.assert(
    fc.property(fc.array(sequences, { maxLength: 50 }), (value) =>
      assert.deepEqual(decodeSequences(encodeSequences(value)), { type: 'ok', value }),
    ),
  )
  fc.assert(
    fc.property(fc.array(device, { maxLength: 50 }), (value) =>
      assert.deepEqual(decodeWants(encodeWants(value)), { type: 'ok', value }),
    ),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
      const any = Buffer.from(array)
      for (const [decode, encode] of [
        [decodeWants, encodeWants],
        [decodeSequences, encodeSequences],
      ] as const) {
        const decoded = decode(any)
        if (decoded.type === 'ok') assert.deepEqual(encode(decoded.value as never), any)
      }
    }),
  )
  const many = Array.from({ length: MAX_REPORT_LIST + 1 }, () => DEVICE)
  assert.throws(() => encodeWants(many), RangeError)
  const tooMany = encodeWants(many.slice(1))
  tooMany.writeUInt16LE(0x0881)
  assert.equal(decodeWants(Buffer.concat([tooMany, Buffer.alloc(32)])).type, 'violation')
})

test('two devices exchange reports, what there is and what they want', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  const b = await startNode(t, keys!, { knownHosts: [a.host] })
  const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  const reports: Buffer[] = []
  atA.on('reports', (list) => reports.push(...list))
  const sent = [
    Buffer.alloc(MAX_REPORT_BYTES, 1),
    ...Array.from({ length: 9 }, () => Buffer.alloc(200_000, 2)),
  ]
  atB.sendReports(sent)
  await until('all reports', () => reports.length === sent.length)
  assert.deepEqual(reports, sent)
  assert.equal(atB.isDrained, true)
  const sequences = next(atA, 'report-sequences')
  atB.sendReportSequences([{ device: DEVICE, sequence: 7 }])
  assert.deepEqual((await sequences)[0], [{ device: DEVICE, sequence: 7 }])
  const wants = next(atB, 'report-wants')
  atA.sendReportWants([DEVICE])
  assert.deepEqual((await wants)[0], [DEVICE])
  assert.throws(() => atA.sendReports([Buffer.alloc(MAX_REPORT_BYTES + 1)]), RangeError)
})

test('F7: more lists than an honest peer sends are passed over; one that is malformed ends the connection', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  const b = await startNode(t, keys!, { knownHosts: [a.host] })
  const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  let wants = 0
  atA.on('report-wants', () => wants++)
  const states = next(atA, 'states')
  const startMs = performance.now()
  for (let i = 0; i < 2000; i++) atB.sendReportWants([DEVICE])
  atB.sendStates([Buffer.from('last')])
  await states
  const tookMs = performance.now() - startMs
  assert.ok(wants >= 64 && wants <= 65 + tookMs / 40, `${wants} lists in ${tookMs} ms`)

  for (const message of [3, 4, 5]) {
    const peer = await peerOf(b.share)
    const closed = next(peer, 'close')
    channelOf(peer).messages[message]!.send(Buffer.from([2, 1]))
    await closed
  }
})

test('messages that the other side has no name for, as one of an earlier version has not, are passed over', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  const b = await startNode(t, keys!, { knownHosts: [a.host] })
  const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  const channel = channelOf(atB)
  const unknown = channel.addMessage({ encoding: bytesEncoding(1 << 20, 'of a later version') })
  assert.equal(unknown.type, 10)
  const states = next(atA, 'states')
  unknown.send(Buffer.alloc(300_000, 1))
  channel.cork()
  unknown.send(Buffer.from('in a batch'))
  atB.sendStates([Buffer.from('state')])
  unknown.send(Buffer.from('in a batch'))
  channel.uncork()
  assert.deepEqual((await states)[0], [Buffer.from('state')])
  const back = next(atB, 'states')
  atA.sendStates([Buffer.from('back')])
  await back
  assert.deepEqual(a.share.peers(), [atA])
})
