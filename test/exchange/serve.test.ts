import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.js'
import type { WriterId } from '../../src/core/ids.js'
import type { FeedWire } from '../../src/exchange/feed-wire.js'
import type { Link } from '../../src/exchange/link.js'
import { RateLimit } from '../../src/exchange/rate-limit.js'
import { type PieceRequest, Serve } from '../../src/exchange/serve.js'
import { silentLog } from '../../src/ports/log.js'
import { range } from './support.js'

const BLOCK_BYTES = 128 * 1024
const writer = 'writer' as WriterId
const wire = { writer, given: new Bitfield(), dontHave: () => {} } as unknown as FeedWire

/** A connection that takes everything at once. */
function freeLink(): Link {
  return { drained: true, outBytes: 0, flush: () => {} } as unknown as Link
}

/** A Serve whose rounds run one after another, and whose reads end when the test says so. */
class Serving {
  readonly serve: Serve
  readonly reads: { readonly requests: readonly PieceRequest[]; readonly end: () => Promise<void> }[] = []
  nowMs = 0
  /** Answers of the source that are not released yet. */
  readonly leased = new Set<readonly (Buffer | null)[]>()
  #soon = false

  constructor(limit?: RateLimit) {
    this.serve = new Serve({
      source: {
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
      nowMs: () => this.nowMs,
      holds: () => true,
      withdraw: () => {},
      violated: (_link, code) => assert.fail(code),
      soon: () => {
        this.#soon = true
      },
      later: () => {},
      limit,
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
        resolve(requests.map(({ index }) => Buffer.alloc(BLOCK_BYTES, index)))
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

test('X4: under a limit peers take turns', async () => {
  const serving = new Serving(new RateLimit(BLOCK_BYTES))
  const links = [freeLink(), freeLink(), freeLink()]
  const answered = new Map(links.map((link) => [link, 0]))
  for (const link of links) {
    serving.serve.addLink(link)
    for (const index of range(30))
      serving.serve.request(link, wire, index, 0, BLOCK_BYTES, () => {
        answered.set(link, answered.get(link)! + 1)
      })
  }
  serving.round()
  await serving.endReads()
  for (let second = 0; second < 30; second++) {
    serving.nowMs += 1000
    serving.serve.pumpAll()
    serving.round()
    await serving.endReads()
  }
  const counts = [...answered.values()]
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 2, `blocks a peer: ${counts.join()}`)
  assert.ok(Math.min(...counts) >= 8)
})

test('what the source lent is given back once, and not before it was copied into a frame', async () => {
  const serving = new Serving(new RateLimit(8 * BLOCK_BYTES))
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
    serving.nowMs += 1000
    await serving.endReads()
    serving.serve.pumpAll()
    serving.round()
    if (second === 5) serving.serve.removeLink(peers[2]!.link as unknown as Link)
    if (second === 10) peers[0]!.link.drained = true
  }
  await serving.endReads()
  assert.deepEqual(sent.get(0), range(40))
  assert.deepEqual(new Set(sent.get(1)).size, 30)
  assert.equal(serving.leased.size, 0, 'all of it was given back')
})
