import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { respond } from '../../src/control/server.js'
import { EventParser } from '../../src/control/sse.js'

const TEXT =
  'id: 7\nevent: a\ndata: {"x":1}\n\n: alive\n\nevent: b\ndata:one\ndata: two\n\nid: 8\n\ndata: end\n\n'
const EVENTS = [
  { id: '7', event: 'a', data: '{"x":1}' },
  // The id stays until another comes.
  { id: '7', event: 'b', data: 'one\ntwo' },
  { id: '8', event: '', data: 'end' },
]

test('events are read wherever the text is cut', () => {
  assert.deepEqual(new EventParser().push(TEXT), EVENTS)
  for (let at = 0; at < TEXT.length; at++) {
    const parser = new EventParser()
    assert.deepEqual([...parser.push(TEXT.slice(0, at)), ...parser.push(TEXT.slice(at))], EVENTS)
  }
  const parser = new EventParser()
  assert.deepEqual(
    [...TEXT].flatMap((character) => parser.push(character)),
    EVENTS,
  )
})

test('a line without end is not kept for ever', () => {
  const parser = new EventParser()
  assert.throws(() => {
    for (let i = 0; i < 40; i++) parser.push('x'.repeat(100_000))
  }, RangeError)
})

test('a stream is ended for a client that went away before anybody listened for that', async () => {
  const gone = {
    destroyed: true,
    writeHead() {},
    on() {},
    end() {},
    write: () => assert.fail('nobody reads it'),
  } as unknown as ServerResponse
  let isEnded = false
  const events: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: ': alive' }),
      async return() {
        isEnded = true
        return { done: true, value: undefined }
      },
    }),
  }
  await respond(gone, { status: 200, events })
  assert.ok(isEnded)
})
