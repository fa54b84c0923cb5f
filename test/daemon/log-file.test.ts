import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeLog } from '../../src/daemon/log.js'
import { LogFile } from '../../src/daemon/log-file.js'

function withFolder(body: (folder: string) => void): void {
  const folder = fs.mkdtempSync(join(tmpdir(), 'shoal-log-'))
  try {
    body(folder)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

test('lines are appended to a file that nobody else can read', () => {
  withFolder((folder) => {
    const file = join(folder, 'sync.log')
    for (const port of [1, 2]) {
      const sink = new LogFile(file, 1e6)
      makeLog('info', sink).info({ port }, 'listening')
      sink.close()
    }
    const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n')
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { port: number }).port),
      [1, 2],
    )
    assert.equal(fs.statSync(file).mode & 0o777, 0o600)
  })
})

test('a file that has grown is set aside, with the readers that it was given', () => {
  withFolder((folder) => {
    const file = join(folder, 'sync.log')
    const sink = new LogFile(file, 100)
    fs.chmodSync(file, 0o640)
    for (let i = 0; i < 10; i++) sink.write(`${i}${'x'.repeat(38)}\n`)
    sink.close()
    assert.deepEqual(fs.readdirSync(folder).sort(), ['sync.log', 'sync.log.old'])
    const starts = (name: string): string[] =>
      fs
        .readFileSync(join(folder, name), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => line[0]!)
    assert.deepEqual([...starts('sync.log.old'), ...starts('sync.log')], ['6', '7', '8', '9'])
    for (const name of ['sync.log', 'sync.log.old'])
      assert.equal(fs.statSync(join(folder, name)).mode & 0o777, 0o640)
  })
})

test('a line that is longer than the limit is written all the same', () => {
  withFolder((folder) => {
    const file = join(folder, 'sync.log')
    const sink = new LogFile(file, 10)
    const line = `${'y'.repeat(50)}\n`
    sink.write(line)
    sink.write(line)
    assert.equal(fs.readFileSync(file, 'utf8'), line)
    assert.equal(fs.readFileSync(`${file}.old`, 'utf8'), line)
    sink.maxBytes = 1000
    sink.write(line)
    assert.equal(fs.readFileSync(file, 'utf8'), line + line)
    sink.close()
  })
})

test('after somebody has moved it away, reopen begins a new one', () => {
  withFolder((folder) => {
    const file = join(folder, 'sync.log')
    const sink = new LogFile(file, 1000)
    sink.write('a\n')
    fs.renameSync(file, join(folder, 'kept'))
    sink.write('b\n')
    sink.reopen()
    sink.write('c\n')
    sink.close()
    assert.equal(fs.readFileSync(join(folder, 'kept'), 'utf8'), 'a\nb\n')
    assert.equal(fs.readFileSync(file, 'utf8'), 'c\n')
  })
})

test('what could not be written is counted, and never an error', () => {
  withFolder((folder) => {
    const file = join(folder, 'sync.log')
    const sink = new LogFile(file, 1000)
    const real = fs.writeSync
    fs.writeSync = () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    }
    try {
      sink.write('lost\n')
      sink.write('lost\n')
    } finally {
      fs.writeSync = real
    }
    sink.write('kept\n')
    sink.close()
    const [told, kept] = fs.readFileSync(file, 'utf8').trimEnd().split('\n')
    assert.equal((JSON.parse(told!) as { lines: number }).lines, 2)
    assert.equal(kept, 'kept')
  })
})

test('a link, a directory and a folder that is not there are errors that name the file', () => {
  withFolder((folder) => {
    const link = join(folder, 'link')
    fs.symlinkSync(join(folder, 'elsewhere'), link)
    for (const file of [link, folder, join(folder, 'none', 'sync.log')])
      assert.throws(() => new LogFile(file, 1000), {
        code: 'IO',
        message: new RegExp(`^cannot write the log file ${file}: `),
      })
    assert.equal(fs.existsSync(join(folder, 'elsewhere')), false)
  })
})
