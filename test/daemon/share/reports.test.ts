import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, test } from 'node:test'
import type { ShareId } from '../../../src/core/ids.js'
import { connect, freshDevice, Net, reportOf, type TestReports } from './report-net.js'

/** Longer than anything but the pace of what changes all the time takes. */
const SOON_MS = 1000

let net: Net
beforeEach(() => {
  net = new Net()
})
afterEach(() => net.stop())

function three(): [TestReports, TestReports, TestReports] {
  return [net.node('a'), net.node('b'), net.node('c')]
}

test('what a device reports goes through others to those it is not connected to, and only there with its time', () => {
  const [a, b, c] = three()
  connect(a, b)
  connect(b, c)
  a.drift('f')
  net.advance(SOON_MS)
  assert.equal(b.knows(a), 'f')
  assert.equal(b.isCurrent(a), true)
  assert.equal(c.knows(a), 'f')
  assert.equal(c.isCurrent(a), false)
  const { asOfMs, name, report } = c.reports.of(a.device)!
  assert.equal(name, 'a')
  assert.ok(asOfMs === report.timeMs && asOfMs < net.nowMs)
  assert.equal(a.reports.all().length, 0)
  net.advance(10 * SOON_MS)
  assert.equal(b.reports.of(a.device)!.asOfMs, net.nowMs)
  assert.equal(c.reports.of(a.device)!.asOfMs, asOfMs)
  a.drift()
  net.advance(SOON_MS)
  assert.equal(c.knows(a), '')
})

test('a clock that is ahead makes no report newer than its arrival', () => {
  const [a, b, c] = three()
  connect(b, c)
  const ahead = connect(a, b)
  net.nowMs += 3_600_000
  a.drift('f')
  net.advance(SOON_MS)
  ahead.cut()
  net.nowMs -= 3_600_000
  b.drift('g')
  net.advance(10 * SOON_MS)
  connect(c, net.node('d'))
  net.advance(SOON_MS)
  const d = net.nodes.at(-1)!
  assert.equal(d.knows(a), 'f')
  assert.ok(d.reports.of(a.device)!.asOfMs <= net.nowMs)
})

test('in a mesh every member gets each report once, whatever its size', () => {
  const nodes = Array.from({ length: 6 }, (_, at) => net.node(`n${at}`))
  for (const [at, one] of nodes.entries()) for (const other of nodes.slice(at + 1)) connect(one, other)
  nodes[0]!.drift(...Array.from({ length: 2000 }, (_, at) => `${'deep/'.repeat(10)}${at}`))
  net.advance(5 * SOON_MS)
  for (const node of nodes.slice(1)) {
    assert.equal(node.reports.of(nodes[0]!.device)?.report.drift?.total, 2000)
    assert.equal(node.received.reports, 1)
  }
})

test('who joins gets all there is, once', () => {
  const [a, b] = three()
  const others = Array.from({ length: 60 }, (_, at) => net.node(`m${at}`))
  for (const other of others) {
    const connection = connect(other, a)
    other.drift('f')
    net.advance(150)
    connection.cut()
  }
  assert.equal(a.reports.all().length, 60)
  connect(a, b)
  net.advance(10 * SOON_MS)
  assert.equal(b.reports.all().length, 60)
  assert.equal(b.received.reports, 60)
})

test('nothing is signed again for what has not changed, until it is an hour old', () => {
  const [a, b] = three()
  connect(a, b)
  a.drift('f')
  net.advance(SOON_MS)
  const { report } = b.reports.of(a.device)!
  for (let i = 0; i < 50; i++) {
    a.reports.changed()
    net.advance(SOON_MS)
  }
  assert.equal(b.received.reports, 1)
  net.advance(3_600_000)
  assert.equal(b.received.reports, 2)
  assert.ok(b.reports.of(a.device)!.report.timeMs > report.timeMs)
})

test('drift that flaps ten times a second is told at once at first, and every five seconds later', () => {
  const [a, b] = three()
  connect(a, b)
  for (let i = 0; i < 600; i++) {
    a.drift(...(i % 2 === 0 ? ['f'] : [`f${i}`]))
    net.advance(100)
    if (i === 4) assert.ok(b.received.reports >= 2, `${b.received.reports} in the first half second`)
  }
  assert.ok(b.received.reports >= 12 && b.received.reports <= 22, `${b.received.reports} in a minute`)
  a.drift('last')
  net.advance(6 * SOON_MS)
  assert.equal(b.knows(a), 'last')
})

test('long reports that change all the time are told less often', () => {
  const [a, b] = three()
  connect(a, b)
  const paths = Array.from({ length: 3000 }, (_, at) => `${'x'.repeat(40)}${at}`)
  for (let i = 0; i < 120; i++) {
    a.drift(...paths, `f${i}`)
    net.advance(SOON_MS)
  }
  assert.ok(b.received.reports <= 8, `${b.received.reports} in two minutes`)
  assert.ok(b.received.bytes > 4 * 100_000)
})

test('forged, foreign, damaged and oversized reports are refused, and do not keep good ones out', () => {
  const [a, b, evil] = three()
  const far = net.node('far')
  const { ends } = connect(b, evil)
  const [evilAtB] = ends
  const damaged = reportOf(evil.keys, 9, ['x'])
  damaged[damaged.length - 70]! ^= 1
  const bad = [
    reportOf(evil.keys, 9, ['x'], { signer: far.keys }),
    reportOf(evil.keys, 9, ['x'], { share: 'cd'.repeat(32) as ShareId }),
    reportOf(evil.keys, 9, ['x'], { key: randomBytes(32) }),
    damaged,
    Buffer.concat([reportOf(evil.keys, 9, ['x']), Buffer.alloc(256 * 1024)]),
    Buffer.alloc(0),
    randomBytes(300),
    // Of somebody else, and nobody asked for it.
    reportOf(far.keys, 9, ['x']),
    reportOf(a.keys, 9, ['x']),
  ]
  b.reports.incoming.onReports(evilAtB, bad)
  assert.deepEqual(b.reports.all(), [])
  b.reports.incoming.onReports(evilAtB, [reportOf(evil.keys, 5, ['mine'])])
  assert.equal(b.knows(evil), 'mine')
  // An older or repeated one is no news; what was there stays.
  b.reports.incoming.onReports(evilAtB, [
    reportOf(evil.keys, 4, ['old']),
    reportOf(evil.keys, 5, ['same number']),
  ])
  assert.equal(b.knows(evil), 'mine')
  // A report of another one that is wrong in what was asked for: the next who has it is asked.
  const good = connect(b, far)
  b.reports.incoming.onSequences(evilAtB, [{ device: a.device, sequence: 3 }])
  b.reports.incoming.onSequences(good.ends[0], [{ device: a.device, sequence: 3 }])
  b.reports.incoming.onReports(evilAtB, [reportOf(a.keys, 3, ['x'], { signer: evil.keys })])
  assert.equal(b.knows(a), undefined)
  net.advance(100)
  b.reports.incoming.onReports(good.ends[0], [reportOf(a.keys, 3, ['true'])])
  assert.equal(b.knows(a), 'true')
})

test('a device that floods its peers is not listened to, nor taken for up to date', () => {
  const [a, b] = three()
  const { ends } = connect(a, b)
  for (let i = 1; i <= 100; i++) a.reports.incoming.onReports(ends[0], [reportOf(b.keys, i, [`f${i}`])])
  assert.equal(a.reports.of(b.device)!.report.sequence, 32)
  assert.equal(a.isCurrent(b), false)
  net.advance(SOON_MS)
  a.reports.incoming.onReports(ends[0], [reportOf(b.keys, 101, ['calm'])])
  assert.equal(a.knows(b), 'calm')
  assert.equal(a.isCurrent(b), true)
})

test('devices that are no members have no report here, and all reports together have a limit', () => {
  const [a, b] = three()
  const { ends } = connect(a, b)
  const made = Array.from({ length: 150 }, () => freshDevice())
  // Not one of them is a node of this world, so none is a member.
  for (const keys of made) {
    a.reports.incoming.onSequences(ends[0], [{ device: keys.device, sequence: 1 }])
    a.reports.incoming.onReports(ends[0], [reportOf(keys, 1, ['x'])])
  }
  assert.deepEqual(a.reports.all(), [])
  const padding = 250_000
  for (const [at, keys] of made.entries()) {
    net.node(`made ${at}`, keys)
    a.reports.incoming.onSequences(ends[0], [{ device: keys.device, sequence: 1 }])
    a.reports.incoming.onReports(ends[0], [reportOf(keys, 1, ['x'], { padding })])
  }
  const kept = a.reports.all().length
  assert.ok(kept > 100 && kept * padding <= 32 * 1024 * 1024, `${kept} kept`)
  // A short one is kept all the same.
  const last = net.node('last')
  connect(a, last)
  last.drift('f')
  net.advance(SOON_MS)
  assert.equal(a.knows(last), 'f')
})

test('reports survive a restart with their time; the own one of before is told to nobody until it is true again', () => {
  const [a, b] = three()
  const first = connect(a, b)
  a.drift('f')
  b.drift('g')
  net.advance(SOON_MS)
  const atA = a.reports.of(b.device)!.report
  first.cut()
  const cutMs = net.nowMs
  a.reports.stop()
  net.advance(SOON_MS)
  const again = net.node('a again', a.keys, a.database)
  again.isReady = false
  assert.equal(again.knows(b), 'g')
  assert.equal(again.isCurrent(b), false)
  assert.equal(again.reports.of(b.device)!.asOfMs, cutMs)
  assert.deepEqual(again.reports.of(b.device)!.report, atA)

  again.paths = ['other']
  const before = b.reports.of(a.device)!.report.sequence
  connect(again, b)
  again.reports.changed()
  net.advance(SOON_MS)
  assert.equal(b.knows(a), 'f')
  assert.equal(b.isCurrent(a), false)
  again.isReady = true
  again.reports.changed()
  net.advance(SOON_MS)
  assert.equal(b.knows(a), 'other')
  assert.equal(b.isCurrent(a), true)
  assert.ok(b.reports.of(a.device)!.report.sequence > before)
})

test("a forgotten member's report goes, stays away whoever has it, and comes back with the member", () => {
  const [a, b, c] = three()
  connect(a, b).cut()
  const ab = connect(a, b)
  connect(b, c)
  a.drift('f')
  net.advance(SOON_MS)
  assert.equal(c.knows(a), 'f')
  ab.cut()
  const heard: string[] = []
  c.reports.subscribe((device) => heard.push(device))
  c.members = new Set([b.device])
  c.reports.forget(a.device)
  assert.equal(c.knows(a), undefined)
  assert.deepEqual(heard, [a.device])
  const other = connect(b, c)
  net.advance(SOON_MS)
  assert.equal(c.knows(a), undefined)
  // It is not there after a restart either, nor is that of one who is no member any more.
  c.reports.stop()
  const again = net.node('c again', c.keys, c.database)
  assert.equal(again.knows(a), undefined)
  // A peer tells of a new state of it, which makes it a member: its report is asked for, though nobody tells of it anew.
  const atC = connect(b, again)
  again.members = new Set([b.device])
  net.advance(SOON_MS)
  assert.equal(again.knows(a), undefined)
  again.members.add(a.device)
  again.reports.enrolled(a.device, { device: b.device })
  net.advance(SOON_MS)
  assert.equal(again.knows(a), 'f')
  atC.cut()
  other.cut()
})

test('C2: for a peer that does not read nothing piles up; it gets the newest when it reads again', () => {
  const [a, b] = three()
  const { ends } = connect(a, b)
  net.advance(SOON_MS)
  ends[0].isDrained = false
  for (let i = 0; i < 8; i++) {
    a.drift(`f${i}`)
    net.advance(6 * SOON_MS)
  }
  assert.equal(b.received.reports, 0)
  ends[0].isDrained = true
  net.advance(SOON_MS)
  assert.equal(b.received.reports, 1)
  assert.equal(b.knows(a), 'f7')
})

test('a peer that never answers, or goes, is replaced by the next who has the report', () => {
  const [a, b, c] = three()
  const d = net.node('d')
  const e = net.node('e')
  for (const node of [b, c, d]) connect(a, node)
  a.drift('f')
  net.advance(SOON_MS)
  const silent = connect(b, e)
  const leaving = connect(c, e)
  net.advance(50)
  connect(d, e)
  // What b and c would answer is lost.
  silent.ends[0].isDead = true
  leaving.ends[0].isDead = true
  net.advance(4 * SOON_MS)
  assert.equal(e.knows(a), undefined)
  net.advance(4 * SOON_MS)
  assert.equal(e.knows(a), undefined)
  leaving.cut()
  net.advance(SOON_MS)
  assert.equal(e.knows(a), 'f')
})

test('what another process with the own key has signed is outbid', () => {
  const [a, b, c] = three()
  connect(a, b)
  a.drift('f')
  net.advance(SOON_MS)
  // The storage was put back: its sequence is low, and others have a higher one.
  const sequence = net.nowMs + 1_000_000
  const high = reportOf(a.keys, sequence, ['of the other process'])
  const twin = net.node('twin', a.keys)
  twin.isReady = false
  const { ends } = connect(twin, b)
  b.reports.incoming.onReports(ends[1], [high])
  net.advance(SOON_MS)
  assert.equal(b.knows(a), 'f')
  connect(b, c)
  net.advance(SOON_MS)
  assert.equal(c.knows(a), 'f')
  assert.ok(b.reports.of(a.device)!.report.sequence > sequence)
})

test('sections are what their owners say, and listeners hear of news', () => {
  const [a, b] = three()
  connect(a, b)
  const heard: string[] = []
  const end = b.reports.subscribe((device) => heard.push(device))
  a.reports.setOwn('releases', { current: '1', complete: ['1', '2'] })
  net.advance(SOON_MS)
  assert.deepEqual(b.reports.of(a.device)!.report.releases, { current: '1', complete: ['1', '2'] })
  assert.deepEqual(heard, [a.device])
  a.reports.setOwn('releases', undefined)
  net.advance(SOON_MS)
  assert.equal(b.reports.of(a.device)!.report.releases, undefined)
  end()
  a.drift('f')
  net.advance(SOON_MS)
  assert.equal(heard.length, 2)
})

test('after stop nothing is signed, sent or asked any more', () => {
  const [a, b] = three()
  connect(a, b)
  a.drift('f')
  a.reports.stop()
  a.reports.changed()
  net.advance(SOON_MS)
  assert.equal(b.received.reports, 0)
})
