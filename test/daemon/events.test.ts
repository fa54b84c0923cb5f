import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ControlResponse } from '../../src/control/request.js'
import type { EventReport } from '../../src/control/schema-events.js'
import { EventParser } from '../../src/control/sse.js'
import { ShoalError } from '../../src/core/error.js'
import { eventsPage } from '../../src/daemon/control/events-page.js'
import { EventBook } from '../../src/daemon/events.js'

const START = 1_700_000_000_000

function bookOf(count: number, kept = 5): EventBook {
  const book = new EventBook({ nowMs: () => START, kept })
  for (let i = 0; i < count; i++) book.add('/d', { type: 'release', name: `r${i}` })
  return book
}

async function all(events: AsyncIterable<EventReport>): Promise<string[]> {
  const told: string[] = []
  for await (const event of events) told.push(event.type === 'release' ? event.name : event.type)
  return told
}

test('what is kept is told in order, or what came after an event', async () => {
  const book = bookOf(3)
  assert.deepEqual(await all(book.read(undefined, false)), ['r0', 'r1', 'r2'])
  assert.deepEqual(await all(book.read(START, false)), ['r1', 'r2'])
  assert.deepEqual(await all(book.read(START + 2, false)), [])
})

test('whoever has missed events is told that there is a gap, then the rest', async () => {
  const book = bookOf(9)
  assert.deepEqual(await all(book.read(undefined, false)), ['r4', 'r5', 'r6', 'r7', 'r8'])
  assert.deepEqual(await all(book.read(START + 3, false)), ['r4', 'r5', 'r6', 'r7', 'r8'])
  assert.deepEqual(await all(book.read(START + 2, false)), ['gap', 'r4', 'r5', 'r6', 'r7', 'r8'])
  // Of an earlier run, and of one whose clock was ahead.
  assert.deepEqual((await all(book.read(START - 1000, false)))[0], 'gap')
  assert.deepEqual(await all(book.read(START + 1000, false)), ['gap', 'r4', 'r5', 'r6', 'r7', 'r8'])
  assert.deepEqual(await all(bookOf(0).read(START - 1000, false)), ['gap'])
})

test('a follower hears of what comes, of a gap when it was too slow, and of nothing after its end', async () => {
  const book = bookOf(0)
  const events = book.read(undefined, true)
  const first = events.next()
  book.add(null, { type: 'paused' })
  const { value } = await first
  assert.deepEqual(value, { id: START, at: new Date(START).toISOString(), dir: null, type: 'paused' })
  for (let i = 0; i < 7; i++) book.add('/d', { type: 'release', name: `r${i}` })
  const types = [await events.next(), await events.next()].map((each) => (each.value as EventReport).type)
  assert.deepEqual(types, ['gap', 'release'])
  await events.return?.()
  assert.equal((await events.next()).done, true)
})

test('a follower that waits ends at once when it is told to', async () => {
  const events = bookOf(0).read(undefined, true)
  const waiting = events.next()
  await events.return?.()
  assert.equal((await waiting).done, true)
})

async function streamed(response: ControlResponse): Promise<AsyncIterator<string>> {
  assert.ok('events' in response)
  return response.events[Symbol.asyncIterator]()
}

test('the page tells events as a stream that a client can take up again', async () => {
  const book = bookOf(3)
  const page = eventsPage(book)
  const request = { method: 'GET', path: page.path }
  const read = async (query: string, lastEventId?: string): Promise<string[]> => {
    const stream = await streamed(
      await page.answer({ ...request, query, ...(lastEventId === undefined ? {} : { lastEventId }) }),
    )
    const parser = new EventParser()
    const told: string[] = []
    for (let next = await stream.next(); next.done !== true; next = await stream.next())
      for (const { id, event, data } of parser.push(next.value)) {
        const said = JSON.parse(data) as EventReport
        assert.deepEqual([String(said.id), said.type], [id, event])
        told.push(said.type === 'release' ? said.name : said.type)
      }
    return told
  }
  assert.deepEqual(await read('follow=false'), ['r0', 'r1', 'r2'])
  assert.deepEqual(await read(`follow=false&after=${START + 1}`), ['r2'])
  // What the client saw last counts, whatever its address says.
  assert.deepEqual(await read(`follow=false&after=${START}`, String(START + 1)), ['r2'])
  for (const query of ['after=x', 'after=-1', 'follow=maybe', 'after=1e3'])
    await assert.rejects(
      page.answer({ ...request, query }),
      (thrown) => thrown instanceof ShoalError && thrown.code === 'USAGE',
    )
})

test('while nothing happens the stream says that it is there, and loses nothing by that', async () => {
  const book = bookOf(0)
  const stream = await streamed(await eventsPage(book, 1).answer({ method: 'GET', path: '/v1/events' }))
  assert.equal((await stream.next()).value, ': alive\n\n')
  assert.equal((await stream.next()).value, ': alive\n\n')
  book.add('/d', { type: 'resumed' })
  let line = await stream.next()
  while (line.value === ': alive\n\n') line = await stream.next()
  assert.match(String(line.value), /^id: \d+\nevent: resumed\ndata: \{.*\}\n\n$/)
  const waiting = stream.next()
  await stream.return?.()
  let last = await waiting
  // It may just have said that it is there.
  if (last.done !== true) last = await stream.next()
  assert.equal(last.done, true)
})
