// Inquiries and their answers over a chain of devices that only know their neighbours.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, test } from 'node:test'
import { deviceKeysOf } from '../../../src/core/device.js'
import type { DeviceId, ShareId } from '../../../src/core/ids.js'
import { encodeInquiry, type Standing } from '../../../src/core/inquiry.js'
import { type DeviceState, EMPTY_DIGEST } from '../../../src/core/state.js'
import { Inquiries, type InquiryPeer } from '../../../src/daemon/share/inquiries.js'
import { Members } from '../../../src/daemon/share/members.js'
import { type Log, silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { until } from '../../support/until.js'

const SHARE = 'ab'.repeat(32) as ShareId
const KEY = Buffer.alloc(32, 9)
const ID = 'cd'.repeat(16)

/** One device; what it sends arrives at once, unless the line is cut. */
class Node {
  readonly keys = deviceKeysOf(randomBytes(32))
  readonly lines = new Map<Node, InquiryPeer>()
  readonly sent: string[] = []
  standing: Standing = 'at-rest'
  digest = 1
  settled = 0
  settle: () => Promise<void> = async () => {}
  readonly members: Members
  readonly inquiries: Inquiries

  constructor(nowMs: () => number = () => 1000, log: Log = silentLog) {
    const { device, secretKey } = this.keys
    const peers = (): InquiryPeer[] => [...this.lines.values()]
    this.members = new Members({
      ...{
        database: new MemoryDatabase(),
        prefix: 'x-',
        instance: '00',
        shareId: SHARE,
        stateKey: KEY,
        nowMs,
      },
      own: { device, secretKey, name: 'node', grade: 'write' },
      nonce: () => randomBytes(24),
      log: silentLog,
      peers,
      describe: () => this.#facts(),
    })
    this.inquiries = new Inquiries({
      own: this.keys,
      shareId: SHARE,
      nowMs,
      peers,
      publishState: () => this.members.publishNow(),
      isMember: (each) => this.members.has(each),
      onHeard: (each) => this.members.seen(each),
      settle: async () => {
        this.settled++
        await this.settle()
      },
      standing: () => this.standing,
      log,
      monotonicMs: () => clockMs,
    })
    running.push(this)
  }

  get device(): DeviceId {
    return this.keys.device
  }

  answerOf(other: Node, id = ID): Standing | undefined {
    return this.inquiries.answers(id).get(other.device)?.standing
  }

  /** Whether the newest answer of another is of the newest state that is known here. */
  isCurrent(other: Node): boolean {
    const state = this.members.all().find(({ state }) => state.device === other.device)?.state
    return state !== undefined && this.inquiries.answers(ID).get(other.device)?.sequence === state.sequence
  }

  #facts(): Omit<DeviceState, 'device' | 'name' | 'grade' | 'instance' | 'sequence' | 'timeMs'> {
    const counts = { bytes: 0, needFiles: 0, needBytes: 0, drift: 0, conflicts: 0, problems: 0 }
    const digest = Buffer.alloc(32, this.digest)
    return { feeds: [], scope: 'all', digest, releasesDigest: EMPTY_DIGEST, files: 1, ...counts }
  }
}

const running: Node[] = []
let clockMs = 0
afterEach(() => {
  for (const node of running.splice(0)) {
    node.inquiries.stop()
    node.members.stop()
  }
})

/** Two devices meet, as share-peers.ts has them meet. */
function join(a: Node, b: Node): void {
  const lineFrom = (from: Node, to: Node): InquiryPeer => {
    const back = (): InquiryPeer => to.lines.get(from)!
    return {
      device: to.device,
      sendStates: (list) => void to.members.receive(back(), list),
      sendInquiries(list) {
        from.sent.push('inquiry')
        to.inquiries.receiveInquiries(back(), list)
      },
      sendAnswers: (list) => to.inquiries.receiveAnswers(back(), list),
    }
  }
  a.lines.set(b, lineFrom(a, b))
  b.lines.set(a, lineFrom(b, a))
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.members.greet(one.lines.get(other)!)
    one.inquiries.greet(one.lines.get(other)!)
  }
}

function chain(): [Node, Node, Node] {
  const [a, b, c] = [new Node(), new Node(), new Node()]
  join(a, b)
  join(b, c)
  return [a, b, c]
}

test('an inquiry reaches all through those between, and so do their answers, with the states that they name', async () => {
  const [a, b, c] = chain()
  a.inquiries.ask(ID)
  await until('c is at rest', () => a.answerOf(c) === 'at-rest' && a.answerOf(b) === 'at-rest')
  assert.equal(a.answerOf(a), 'at-rest')
  assert.ok(a.isCurrent(b) && a.isCurrent(c))
  assert.deepEqual([a.settled, b.settled, c.settled], [1, 1, 1])
  assert.equal(b.sent.filter((each) => each === 'inquiry').length, 1)
})

test('nobody says to be at rest before it has looked at its disk since the inquiry', async () => {
  const [a, , c] = chain()
  let look = (): void => undefined
  c.settle = () => new Promise((resolve) => (look = resolve))
  a.inquiries.ask(ID)
  assert.equal(a.answerOf(c), 'working')
  await until('b is at rest', () => a.answerOf(running[1]!) === 'at-rest')
  assert.equal(a.answerOf(c), 'working')
  // What its look finds is in the state that it answers with.
  c.digest = 2
  look()
  await until('c is at rest', () => a.answerOf(c) === 'at-rest')
  assert.ok(a.isCurrent(c))
  const held = a.members.all().find(({ state }) => state.device === c.device)!.state.digest
  assert.equal(held[0], 2)
})

test('a look that fails is tried again, but one of a halted share is not, and it says so', async () => {
  const [a, b, c] = chain()
  let isBroken = true
  b.settle = async () => {
    if (isBroken) throw new Error('no')
  }
  c.standing = 'halted'
  c.settle = () => Promise.reject(new Error('halted'))
  a.inquiries.ask(ID)
  await until('c is halted', () => a.answerOf(c) === 'halted')
  assert.equal(a.answerOf(b), 'working')
  isBroken = false
  await until('b is at rest', () => a.answerOf(b) === 'at-rest')
  assert.equal(c.settled, 1)
  assert.ok(b.settled > 1)
})

test('who comes to hold something else answers anew; its old answer is not of its newest state', async () => {
  const [a, b] = chain()
  a.inquiries.ask(ID)
  await until('b is at rest', () => a.answerOf(b) === 'at-rest')
  b.standing = 'working'
  b.digest = 3
  b.members.publishNow()
  assert.equal(a.isCurrent(b), false)
  b.standing = 'at-rest'
  await until('b answers again', () => a.isCurrent(b))
})

test('who comes later is asked as well', async () => {
  const [a, b] = [new Node(), new Node()]
  join(a, b)
  a.inquiries.ask(ID)
  const late = new Node()
  join(b, late)
  await until('the late one is at rest', () => a.answerOf(late) === 'at-rest')
})

test('answers are worth nothing to another inquiry, of no member, altered, older, or of an inquiry that is over', async () => {
  const [a, b, c] = chain()
  a.inquiries.ask(ID)
  await until('all are at rest', () => a.answerOf(c) === 'at-rest' && a.answerOf(b) === 'at-rest')
  const { signAnswer } = await import('../../../src/core/inquiry.js')
  const answer = { device: c.device, inquiry: ID, number: 1, sequence: 1, standing: 'working' } as const
  const line = a.lines.get(b)!
  const tell = (changes: Partial<typeof answer> | object, secretKey = c.keys.secretKey): void =>
    a.inquiries.receiveAnswers(line, [signAnswer({ ...answer, ...changes }, secretKey, SHARE)])
  const stranger = deviceKeysOf(randomBytes(32))
  tell({})
  tell({ number: 1e9 }, b.keys.secretKey)
  tell({ number: 1e9, device: stranger.device }, stranger.secretKey)
  tell({ number: 1e9, inquiry: 'ef'.repeat(16) })
  a.inquiries.receiveAnswers(line, [Buffer.from('no answer')])
  assert.equal(a.answerOf(c), 'at-rest')
  assert.equal(a.inquiries.answers('ef'.repeat(16)).size, 0)
  assert.equal(a.inquiries.answers(ID).has(stranger.device), false)
  tell({ number: 1e9 })
  assert.equal(a.answerOf(c), 'working')
})

test('only whoever asked can keep an inquiry open, and it knows none that it did not make', async () => {
  const [a, b] = chain()
  a.inquiries.ask(ID)
  assert.equal(a.inquiries.renew(ID), true)
  assert.equal(b.inquiries.renew(ID), false)
  assert.equal(a.inquiries.renew('ef'.repeat(16)), false)
})

test('who falls silent after an answer is out of reach some rounds later, who is there says it again', async () => {
  const [a, b, c] = chain()
  a.inquiries.ask(ID)
  await until('all are at rest', () => a.answerOf(c) === 'at-rest' && a.answerOf(b) === 'at-rest')
  // Killed: what it said stays on its way through b.
  c.inquiries.stop()
  b.lines.delete(c)
  // At work again: that does not take back what it said.
  b.standing = 'working'
  for (let round = 1; round <= 4; round++) {
    const before = a.inquiries.answers(ID).get(b.device)!.number
    clockMs += 2001
    assert.equal(a.inquiries.renew(ID), true)
    await until('b says it again', () => a.inquiries.answers(ID).get(b.device)!.number > before)
    assert.equal(a.answerOf(b), 'at-rest')
  }
  assert.equal(a.answerOf(c), undefined)
  const late = new Node()
  join(b, late)
  assert.equal(late.answerOf(c), undefined)
})

test('rounds that follow each other fast are not all answered', async () => {
  const [a, b] = chain()
  a.inquiries.ask(ID)
  await until('b is at rest', () => a.answerOf(b) === 'at-rest')
  const before = a.inquiries.answers(ID).get(b.device)!.number
  clockMs += 1001
  for (let round = 1; round <= 100; round++)
    b.inquiries.receiveInquiries(b.lines.get(a)!, [encodeInquiry({ id: ID, round })])
  await until('b says it again', () => a.inquiries.answers(ID).get(b.device)!.number > before)
  b.inquiries.receiveInquiries(b.lines.get(a)!, [encodeInquiry({ id: ID, round: 101 })])
  b.digest = 7
  b.members.publishNow()
  await until('b answers anew', () => a.isCurrent(b))
  assert.ok(a.inquiries.answers(ID).get(b.device)!.number <= before + 2)
})

test('a flood of inquiries is followed up to a bound', () => {
  const [a, b] = chain()
  const line = b.lines.get(a)!
  const { settled } = b
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.concat([Buffer.of(1), randomBytes(16), Buffer.of(0)])
    b.inquiries.receiveInquiries(line, [bytes, Buffer.alloc(3)])
  }
  assert.ok(b.settled - settled <= 64, String(b.settled))
})

test('rounds that come faster than anybody asks keep an inquiry open, and are not passed on one by one', () => {
  const [a, b, c] = chain()
  const line = b.lines.get(a)!
  const bytes = (round: number): Buffer => encodeInquiry({ id: ID, round })
  for (let round = 0; round < 1000; round++) b.inquiries.receiveInquiries(line, [bytes(round)])
  assert.equal(b.sent.filter((each) => each === 'inquiry').length, 1)
  assert.ok(c.inquiries.answers(ID).has(c.device))
})

test('one peer that floods leaves room for the inquiries of others', () => {
  const [a, b, c] = chain()
  for (let i = 0; i < 500; i++)
    b.inquiries.receiveInquiries(b.lines.get(a)!, [
      encodeInquiry({ id: randomBytes(16).toString('hex'), round: 0 }),
    ])
  const { settled } = b
  c.inquiries.ask(ID)
  assert.equal(b.settled, settled + 1)
  assert.equal(b.inquiries.answers(ID).get(b.device)?.standing, 'working')
})

test('of a shower of what is refused, the log tells a few', () => {
  const told: string[] = []
  const [a, b] = [new Node(), new Node(undefined, { ...silentLog, warn: (_, text) => void told.push(text) })]
  join(a, b)
  for (let i = 0; i < 100; i++) {
    b.inquiries.receiveInquiries(
      b.lines.get(a)!,
      Array.from({ length: 256 }, () => Buffer.alloc(0)),
    )
    b.inquiries.receiveAnswers(
      b.lines.get(a)!,
      Array.from({ length: 256 }, () => Buffer.alloc(3)),
    )
  }
  assert.ok(told.length > 0 && told.length <= 20, String(told.length))
})

test('a peer that is greeted with a new state does not keep it from the others', () => {
  const [a, b] = [new Node(), new Node()]
  join(a, b)
  a.digest = 5
  join(a, new Node())
  const held = b.members.all().find(({ state }) => state.device === a.device)!.state
  assert.equal(held.digest[0], 5)
})
