import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { FileSink, type LineSink, labelled, passLines } from '../../src/supervisor/log-lines.js'

class Kept implements LineSink {
  text = ''
  async write(lines: string): Promise<void> {
    this.text += lines
  }
}

test('log lines: however the stream is cut, all lines come out whole and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
      async (messages, cuts) => {
        const bytes = Buffer.from(
          messages.map((msg) => `${JSON.stringify({ level: 'info', msg })}\n`).join(''),
        )
        const chunks: Buffer[] = []
        for (let start = 0, i = 0; start < bytes.length; i++) {
          const end = start + cuts[i % cuts.length]!
          chunks.push(bytes.subarray(start, end))
          start = end
        }
        const sink = new Kept()
        await passLines(Readable.from(chunks), 'mail', sink)
        const lines = sink.text.split('\n').slice(0, -1)
        assert.deepEqual(
          lines.map((line) => JSON.parse(line)),
          messages.map((msg) => ({ instance: 'mail', level: 'info', msg })),
        )
      },
    ),
  )
})

test('log lines: a text becomes a line of the log, and the last one needs no line end', async () => {
  const sink = new Kept()
  const texts: string[] = []
  const stream = Readable.from([
    Buffer.from('warning: x.conf:1:1: odd\r\n\n{not json}\nthe'),
    Buffer.from(' end'),
  ])
  await passLines(stream, 'a', sink, (line) => texts.push(line))
  const lines = sink.text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    lines.map(({ instance, level, msg }) => [instance, level, msg]),
    [
      ['a', 'warn', 'x.conf:1:1: odd'],
      ['a', 'error', '{not json}'],
      ['a', 'error', 'the end'],
    ],
  )
  assert.deepEqual(texts, ['warning: x.conf:1:1: odd', '{not json}', 'the end'])
})

test('log lines: no secret comes through in a text', () => {
  const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 3)))
  assert.ok(!labelled(`cannot do it with ${secret}`, 'a').includes(secret))
})

test('log lines: nothing is read on while the reader takes nothing', async () => {
  let given = 0
  async function* endless(): AsyncGenerator<Buffer> {
    for (; given < 1000; given++) yield Buffer.from('{"level":"info"}\n')
  }
  let takes = (): void => {}
  const stuck: LineSink = { write: () => new Promise((resolve) => (takes = resolve)) }
  const stream = Readable.from(endless(), { highWaterMark: 1 })
  void passLines(stream, 'a', stuck)
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(given < 10, `${given} chunks were read`)
  takes()
  stream.destroy()
})

test('log lines: a line without end comes out in pieces', async () => {
  const sink = new Kept()
  const chunk = Buffer.alloc(64 << 10, 'x')
  await passLines(Readable.from(Array.from({ length: 10 }, () => chunk)), 'a', sink)
  const lines = sink.text.split('\n').slice(0, -1)
  const total = lines.reduce((sum, line) => sum + (JSON.parse(line) as { msg: string }).msg.length, 0)
  assert.equal(total, 10 * chunk.length)
  assert.ok(lines.length > 1)
})

test('log lines: what is written at once comes out one after the other', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-lines-'))
  try {
    const fd = fs.openSync(path.join(folder, 'log'), 'w')
    const sink = new FileSink(fd)
    const lines = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(i * 10)}\n`)
    await Promise.all(lines.map((line) => sink.write(line)))
    fs.closeSync(fd)
    assert.equal(fs.readFileSync(path.join(folder, 'log'), 'utf8'), lines.join(''))
    // A reader that is gone ends nothing.
    const unwritable = fs.openSync(path.join(folder, 'log'), 'r')
    await new FileSink(unwritable).write('more\n')
    fs.closeSync(unwritable)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('log lines: no daemon speaks for another', () => {
  for (const line of ['{"instance":"root","msg":"x"}', '{"msg":"x","inst\\u0061nce":"root"}']) {
    const written = labelled(line, 'www')
    assert.deepEqual(JSON.parse(written), { instance: 'www', msg: 'x' })
    assert.ok(!written.includes('root'), 'for readers that take the first of two')
  }
})
