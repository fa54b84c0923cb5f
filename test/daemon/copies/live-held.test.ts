// Whether a blind node holds all that is live: only what it answers to a question after the inquiry counts, about one view.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bitfield } from '../../../src/core/bitfield.js'
import type { DeviceId, WriterId } from '../../../src/core/ids.js'
import type { Standing } from '../../../src/core/inquiry.js'
import { LivePiecesMaker } from '../../../src/core/live-pieces.js'
import type { FeedView } from '../../../src/core/record-public.js'
import type { HoldingsAnswer } from '../../../src/daemon/copies/holdings-talk.js'
import { LiveHeld } from '../../../src/daemon/copies/live-held.js'
import { silentLog } from '../../../src/ports/log.js'

const W = '0102030405060708' as WriterId
const device = 'b'.repeat(64) as DeviceId
const question = { inquiry: 'one', device, sequence: 7 }
const LIVE = [0, 1, 3]

/** Pieces 0, 1 and 3 of a feed of 12 records are live; 2 was replaced. */
class Setting {
  held: readonly number[] | undefined = LIVE
  standing: Standing = 'working'
  read = 12
  view: FeedView = [[W, 12]]
  asked = 0
  nowMs = 0
  onWalk = (): void => undefined
  fails = false
  readonly look = new LiveHeld({
    talk: {
      ask: async () => {
        this.asked++
        const { held, standing, read } = this
        if (this.fails) throw new Error('the line is cut')
        if (held === undefined) return new Map()
        const feeds = new Map([[W, Bitfield.of(held).toWire(16)]])
        const answer: HoldingsAnswer = { standing, isOffsite: false, view: [[W, read]], feeds, atMs: 0 }
        return new Map([[device, answer]])
      },
    },
    walk: () => this.#walk(),
    view: () => this.view,
    isStopped: () => false,
    log: silentLog,
    monotonicMs: () => this.nowMs,
  })

  /** What is known once it was looked. */
  async found(of = question): Promise<boolean> {
    this.look.isKnown(of)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const asked = this.asked
    const isKnown = this.look.isKnown(of)
    assert.equal(this.asked, asked, 'it does not look again at once')
    return isKnown
  }

  *#walk(): ReturnType<ConstructorParameters<typeof LiveHeld>[0]['walk']> {
    const maker = new LivePiecesMaker()
    for (const at of LIVE) maker.mark(W, at, 1)
    for (const at of LIVE) maker.learn(W, at, Buffer.alloc(32, at + 1), 100)
    yield
    this.onWalk()
    return maker.finish()
  }
}

test('a node that holds all that is live holds all, whatever else it lacks', async () => {
  const setting = new Setting()
  assert.equal(setting.look.isKnown(question), false, 'nothing is said before it has answered')
  assert.equal(await setting.found(), true)
  assert.equal(setting.asked, 1)
  assert.equal(setting.look.wasHeld(question), true)
})

test('it is not said of a node that lacks a live piece, has read less, is silent, does nothing, or fails', async () => {
  for (const lacking of LIVE) {
    const held = [0, 1, 2, 3].filter((at) => at !== lacking)
    assert.equal(await Object.assign(new Setting(), { held }).found(), false)
  }
  const others: readonly Partial<Setting>[] = [
    { read: 11 },
    { held: undefined },
    { standing: 'halted' as const },
    { standing: 'paused' as const },
    { fails: true },
  ]
  for (const other of others)
    assert.equal(await Object.assign(new Setting(), other).found(), false, JSON.stringify(other))
})

test('an answer is of one inquiry, one state of the node, and one view', async () => {
  const setting = new Setting()
  assert.equal(await setting.found(), true)
  setting.held = []
  setting.nowMs += 1000
  assert.equal(setting.look.wasHeld({ device, sequence: 8 }), false)
  assert.equal(await setting.found({ ...question, inquiry: 'two' }), false)

  const later = new Setting()
  assert.equal(await later.found(), true)
  later.held = []
  later.nowMs += 1000
  assert.equal(await later.found({ ...question, sequence: 8 }), false)

  const grown = new Setting()
  assert.equal(await grown.found(), true)
  grown.view = [[W, 13]]
  assert.equal(grown.look.wasHeld(question), false)
  grown.nowMs += 1000
  assert.equal(await grown.found(), false, 'the node has read 12 records')
})

test('one look does for all who asked before it', async () => {
  const setting = new Setting()
  const other = { ...question, inquiry: 'two' }
  assert.equal(await setting.found(), true)
  setting.nowMs += 1000
  assert.equal(await setting.found(other), true)
  assert.deepEqual([setting.look.isKnown(question), setting.look.isKnown(other)], [true, true])
  assert.equal(setting.asked, 2)
})

test('what changed while the index was read is looked at again', async () => {
  const setting = new Setting()
  setting.read = 13
  setting.onWalk = () => {
    setting.view = [[W, 13]]
  }
  assert.equal(await setting.found(), false)
  setting.nowMs += 1000
  assert.equal(await setting.found(), true)
})
