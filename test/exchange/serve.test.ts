import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.js'
import type { WriterId } from '../../src/core/ids.js'
import type { FeedWire } from '../../src/exchange/feed-wire.js'
import type { Link } from '../../src/exchange/link.js'
import { Gate, Pacer } from '../../src/exchange/pacer.js'
import { type PieceRequest, Serve } from '../../src/exchange/serve.js'
import { silentLog } from '../../src/ports/log.js'
import { FakeTime } from './fake-time.js'
import { range } from './support.js'

const BLOCK_BYTES = 128 * 1024
/** The index of a piece that is short. */
const SMALL = 1000
const writer = 'writer' as WriterId
const wire = { writer, given: new Bitfield(), dontHave: () => {} } as unknown as FeedWire

function lengthOf(index: number): number {
  return index === SMALL ? 700 : BLOCK_BYTES
}

/** A connection that takes everything at once. */
function freeLink(): Link {
  return { drained: true, outBytes: 0, flush: () => {} } as unknown as Link
}

/** One that sends what is answered as it is told to. */
class PacedLink {
  readonly drained = true
  outBytes = 0
  sent = 0
  flush(): void {}
  send(maxBytes: number): number {
    const bytes = Math.min(maxBytes, this.outBytes)
    this.outBytes -= bytes
    this.sent += bytes
    return bytes
  }
}

/** A Serve whose rounds run one after another, and whose reads end when the test says so. */
class Serving {
  readonly serve: Serve
  readonly reads: { readonly requests: readonly PieceRequest[]; readonly end: () => Promise<void> }[] = []
  readonly time = new FakeTime()
  /** Answers of the source that are not released yet. */
  readonly leased = new Set<readonly (Buffer | null)[]>()
  #soon = false

  constructor(bytesPerSecond = 0) {
    this.serve = new Serve({
      source: {
        lengthOf: ({ index }) => lengthOf(index),
        read: async (requests) => {
          const answers = await this.#read(requests)
          this.leased.add(answers)
          return answers
        },
        release: (answers) => {
          assert.ok(this.leased.delete(answers), 'released once')
          // As their memory would be when it is used again.
          for (const answer of answers) answer?.fill(0xff)
        },
      },
      log: silentLog,
      nowMs: () => this.time.nowMs(),
      holds: () => true,
      withdraw: () => {},
      violated: (_link, code) => assert.fail(code),
      soon: () => {
        this.#soon = true
      },
      limit: new Gate(new Pacer(bytesPerSecond, this.time)),
      exempt: () => false,
    })
  }

  /** Rounds until nobody asks for another. */
  round(): void {
    while (this.#soon) {
      this.#soon = false
      this.serve.read()
    }
  }

  /** Ends all reads there are and will be. */
  async endReads(): Promise<void> {
    for (let read = this.reads.shift(); read !== undefined; read = this.reads.shift()) {
      await read.end()
      this.round()
    }
  }

  #read(requests: readonly PieceRequest[]): Promise<readonly Buffer[]> {
    return new Promise((resolve) => {
      const end = async (): Promise<void> => {
        resolve(requests.map(({ index }) => Buffer.alloc(lengthOf(index), index)))
        await new Promise((next) => setImmediate(next))
      }
      this.reads.push({ requests, end })
    })
  }
}

test('S2: what waits behind requests that were all cancelled is answered', async () => {
  const serving = new Serving()
  const link = freeLink()
  serving.serve.addLink(link)
  const answered: number[] = []
  for (const index of range(40))
    serving.serve.request(link, wire, index, 0, BLOCK_BYTES, () => answered.push(index))
  serving.round()
  const ahead = serving.reads.flatMap(({ requests }) => requests).map(({ index }) => index)
  assert.ok(ahead.length < 40, 'some have to wait')
  for (const index of ahead) serving.serve.cancelled(link, wire, index, 0)
  await serving.endReads()
  assert.deepEqual(
    answered,
    range(40).filter((index) => !ahead.includes(index)),
  )
})

test('X4: under a limit peers take turns, to the byte', async () => {
  const serving = new Serving(BLOCK_BYTES)
  const links = range(3).map(() => new PacedLink())
  for (const link of links) {
    serving.serve.addLink(link as unknown as Link)
    for (const index of range(30))
      serving.serve.request(link as unknown as Link, wire, index, 0, BLOCK_BYTES, () => {
        link.outBytes += BLOCK_BYTES
      })
  }
  serving.round()
  await serving.endReads()
  for (let second = 0; second < 30; second++) {
    serving.time.advance(1000)
    serving.round()
    await serving.endReads()
  }
  const sent = links.map((link) => link.sent)
  const total = sent.reduce((sum, bytes) => sum + bytes, 0)
  assert.ok(Math.max(...sent) - Math.min(...sent) <= 8192, `bytes a peer: ${sent.join()}`)
  assert.ok(Math.abs(total / (30 * BLOCK_BYTES) - 1) < 0.02, `${total} bytes`)
})

test('X4: under a limit a small piece goes before the line of bulk, which goes on', async () => {
  const serving = new Serving(BLOCK_BYTES)
  const link = new PacedLink()
  serving.serve.addLink(link as unknown as Link)
  const answered: number[] = []
  const ask = (index: number): void =>
    serving.serve.request(link as unknown as Link, wire, index, 0, lengthOf(index), () => {
      answered.push(index)
      link.outBytes += lengthOf(index)
    })
  for (const index of range(10)) ask(index)
  serving.round()
  await serving.endReads()
  serving.time.advance(500)
  ask(SMALL)
  serving.round()
  await serving.endReads()
  serving.time.advance(100)
  assert.ok(answered.includes(SMALL), answered.join())
  assert.ok(answered.length < 4, answered.join())
  for (let second = 0; second < 15; second++) serving.time.advance(1000)
  assert.equal(answered.length, 11)
})

test('a piece that one peer asks for in parts is lent as one that is asked for whole; other peers get copies of parts', async () => {
  const serving = new Serving()
  const got = new Map<number, { index: number; offset: number; block: Buffer; isLent: boolean }[]>()
  const peers = range(2).map((peer) => {
    got.set(peer, [])
    const link = freeLink()
    serving.serve.addLink(link)
    return (index: number, offset: number, length: number): void =>
      serving.serve.request(link, wire, index, offset, length, (block) => {
        const bytes = Buffer.from(block!.buffer, block!.byteOffset, block!.length)
        const isLent = [...serving.leased].some((answers) =>
          answers.some((each) => each?.buffer === bytes.buffer && each.byteOffset <= bytes.byteOffset),
        )
        got.get(peer)!.push({ index, offset, block: Buffer.from(bytes), isLent })
      })
  })
  const half = BLOCK_BYTES / 2
  // All of one; a part of another; and a part of one that the first peer asks for in parts, too.
  for (const offset of [0, half]) peers[0]!(1, offset, half)
  peers[0]!(2, 0, half)
  for (const offset of [0, half]) peers[0]!(3, offset, half)
  serving.round()
  peers[1]!(3, half, half)
  for (let round = 0; round < 3; round++) {
    await serving.endReads()
    serving.round()
  }
  const told = [...got].map(([peer, blocks]) =>
    blocks.map(({ index, offset, block, isLent }) => {
      assert.ok(block.equals(Buffer.alloc(half, index)), `part of piece ${index} for ${peer}`)
      return `${index}+${offset / half}${isLent ? ' lent' : ''}`
    }),
  )
  assert.deepEqual(told, [['1+0 lent', '1+1 lent', '2+0', '3+0 lent', '3+1 lent'], ['3+1']])
  assert.equal(serving.leased.size, 0, 'all of it was given back')
})

test('what the source lent is given back once, and not before it was copied into a frame', async () => {
  const serving = new Serving(8 * BLOCK_BYTES)
  const sent = new Map<number, number[]>()
  const peers = range(3).map((peer) => {
    let out: { readonly index: number; readonly block: Buffer }[] = []
    const link = {
      drained: true,
      get outBytes(): number {
        return out.length * BLOCK_BYTES
      },
      flush: () => {
        for (const { index, block } of out) {
          assert.ok(
            block.every((byte) => byte === index % 256),
            `block of piece ${index} is as it was read`,
          )
          sent.get(peer)!.push(index)
        }
        out = []
      },
      send(): number {
        const bytes = out.length * BLOCK_BYTES
        this.flush()
        return bytes
      },
    }
    sent.set(peer, [])
    serving.serve.addLink(link as unknown as Link)
    const ask = (index: number): void =>
      serving.serve.request(link as unknown as Link, wire, index, 0, BLOCK_BYTES, (block) => {
        if (block !== undefined)
          out.push({ index, block: Buffer.from(block.buffer, block.byteOffset, block.length) })
      })
    return { link, ask }
  })
  for (const { ask } of peers) for (const index of range(40)) ask(index)
  serving.round()
  peers[0]!.link.drained = false
  for (const index of range(10)) serving.serve.cancelled(peers[1]!.link as unknown as Link, wire, index, 0)
  for (let second = 0; second < 40; second++) {
    await serving.endReads()
    serving.time.advance(1000)
    serving.round()
    if (second === 5) serving.serve.removeLink(peers[2]!.link as unknown as Link)
    if (second !== 10) continue
    peers[0]!.link.drained = true
    serving.serve.pump(peers[0]!.link as unknown as Link)
  }
  await serving.endReads()
  assert.deepEqual(sent.get(0), range(40))
  assert.deepEqual(new Set(sent.get(1)).size, 30)
  assert.equal(serving.leased.size, 0, 'all of it was given back')
})
