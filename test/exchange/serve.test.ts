import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WriterId } from '../../src/core/ids.js'
import type { FeedWire } from '../../src/exchange/feed-wire.js'
import type { Link } from '../../src/exchange/link.js'
import { RateLimit } from '../../src/exchange/rate-limit.js'
import { type PieceRequest, Serve } from '../../src/exchange/serve.js'
import { silentLog } from '../../src/ports/log.js'
import { range } from './support.js'

const BLOCK_BYTES = 128 * 1024
const writer = 'writer' as WriterId
const wire = { writer, dontHave: () => {} } as unknown as FeedWire

/** A connection that takes everything at once. */
function freeLink(): Link {
  return { drained: true, outBytes: 0, flush: () => {} } as unknown as Link
}

/** A Serve whose rounds run one after another, and whose reads end when the test says so. */
class Serving {
  readonly serve: Serve
  readonly reads: { readonly requests: readonly PieceRequest[]; readonly end: () => Promise<void> }[] = []
  nowMs = 0
  #soon = false

  constructor(limit?: RateLimit) {
    this.serve = new Serve({
      source: { read: (requests) => this.#read(requests) },
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
        resolve(requests.map(() => Buffer.alloc(BLOCK_BYTES)))
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
